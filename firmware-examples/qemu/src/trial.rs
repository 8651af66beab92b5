//! Runs that end badly on purpose, to test that each ends with its code and reason.

use core::hint::black_box;

use cortex_m::{asm, interrupt};

/// Does what the arguments ask for, if it is one of these.
pub(crate) fn run(arguments: &str) {
    match arguments {
        "panic" => panic!("as asked"),
        "fault" => asm::udf(),
        "overflow" => drop(descend(0)),
        "hang" => hang(),
        "hang-masked" => {
            interrupt::disable();
            hang()
        }
        _ => {}
    }
}

fn hang() -> ! {
    loop {
        asm::nop();
    }
}

/// Uses more stack than there is.
fn descend(depth: usize) -> usize {
    let block = black_box([depth; 64]);
    match black_box(depth) {
        usize::MAX => depth,
        _ => descend(depth + 1) + block[depth % block.len()],
    }
}
