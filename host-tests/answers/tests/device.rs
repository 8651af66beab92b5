//! What the image `firmware-examples/qemu-measure` says in QEMU. `IMAGE` is the image, `MACHINE`
//! what QEMU calls the machine: mps2-an385 for thumbv7m, mps2-an386 for thumbv7em.

use std::env;
use std::process::Command;

/// An instruction takes 2^5 ns, so that it is about a cycle of the machine's clock.
const SHIFT: &str = "5";

/// Runs the image with some arguments: its lines on standard error.
fn run(words: &[&str]) -> Vec<String> {
    let image = env::var_os("IMAGE").expect("IMAGE: the image");
    let machine = env::var("MACHINE").expect("MACHINE: what QEMU calls it");
    let mut semihosting = "enable=on,target=native,arg=image".to_owned();
    words.iter().for_each(|word| semihosting += &format!(",arg={word}"));
    let output = Command::new("qemu-system-arm")
        .args(["-machine", &machine, "-icount", &format!("shift={SHIFT},sleep=off")])
        .args(["-display", "none", "-monitor", "none", "-serial", "none", "-nic", "none"])
        .args(["-semihosting-config", &semihosting, "-kernel"])
        .arg(image)
        .output()
        .expect("qemu-system-arm");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "wants an image and QEMU"]
fn a_device_finds_the_same_hashes() {
    let lines = run(&["trace", "seeds=20", "steps=1000"]);
    let found: Vec<_> = lines.iter().filter(|line| line.starts_with("trace ")).collect();
    let committed: Vec<_> = include_str!("hashes.txt").lines().collect();
    assert_eq!(found, committed);
}

#[test]
#[ignore = "wants an image and QEMU"]
fn a_device_keeps_its_bounds() {
    let lines = run(&["measure", &format!("shift={SHIFT}")]);
    let of = |key: &str| -> f64 {
        let found = lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{key}: {lines:?}"))
    };
    println!("{}", lines.join("\n"));
    for (key, most) in [
        ("ram.producer_and_runner", 4_096.0),
        ("stack.runner", 2_048.0),
        ("load.wake_ups_per_batch", 2.0),
        ("idle.wake_ups_in_minute_1", 1.0),
        ("idle.wake_ups_in_minute_2", 0.0),
    ] {
        assert!(of(key) <= most, "{key}: {} is more than {most}", of(key));
    }
    assert!(of("load.instructions_per_record") > 0.0);
}
