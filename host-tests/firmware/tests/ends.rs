//! Runs that end badly on purpose: each ends at once, with its own code and reason, and not by
//! somebody's patience. The codes are those of the package `qemu-machine`.

use std::time::Duration;

use anyhow::{Result, ensure};
use firmware_tests::Machine;
use firmware_tests::trial::images;

/// Argument, code, and the reason that is printed. Where the watchdog's interrupt cannot be
/// disabled it says more of the last but one.
const ENDS: [(&str, i32, &str); 6] = [
    ("panic", 4, "panic, called by"),
    ("fault", 2, "undefined instruction, status"),
    ("overflow", 2, "stack overflow, status"),
    ("hang", 3, "watchdog: no progress, pc"),
    ("hang-masked", 3, "watchdog: no progress, "),
    ("", 1, "error: want broker=host:port"),
];

/// The watchdog takes 10 s of the machine's time, or 20 while interrupts are disabled.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn each_bad_end_has_its_code_and_reason() -> Result<()> {
    let mut runs = Vec::new();
    for (board, image) in images()? {
        for (argument, code, reason) in ENDS {
            let run = Machine::start(&image, argument)?;
            runs.push((format!("{board} {argument}"), run, code, reason));
        }
    }
    for (name, run, code, reason) in runs {
        let end = run.wait(LIMIT)?;
        println!("{name}: {:.1} s, {}", end.took.as_secs_f64(), end.said.trim());
        ensure!(end.code == Some(code), "{name}: ended by {:?}, said {}", end.code, end.said);
        ensure!(end.said.contains(reason), "{name}: said {}", end.said);
    }
    Ok(())
}
