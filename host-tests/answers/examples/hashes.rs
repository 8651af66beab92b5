//! Prints what the image `qemu-measure` prints for the same: `hashes FROM SEEDS STEPS [EVERY]`.
//! With `EVERY` also the hash after so many steps, to find where two machines part.

use std::env;

use ottla_answers::trace::check;

fn main() {
    let number = |place, default| {
        env::args().nth(place).map_or(default, |text| text.parse::<u32>().expect("a number"))
    };
    let (from, seeds, steps, every) = (number(1, 0), number(2, 20), number(3, 1_000), number(4, 0));
    for seed in from..from + seeds {
        let mut watch = |step, hash| {
            if every > 0 && step % every == 0 {
                println!("step {seed} {step} {hash:016x}");
            }
        };
        let hash = check(seed.into(), steps, &mut watch).expect("every rule is kept");
        println!("trace {seed} {hash:016x}");
    }
}
