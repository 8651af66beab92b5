#![no_std]
#![no_main]
//! Measures the producer on a Cortex-M without a network: links go through memory to a broker on
//! the device itself. Each result is a line `key value` on the host's standard error.
//!
//! Arguments:
//!
//! | words | what is done |
//! |---|---|
//! | `measure [count=1000] [shift=5]` | the sensor node's memory, one link: sizes, stack, wake-ups, bytes on the wire; with QEMU's `-icount shift=5`, instructions, too |
//! | `trace [from=0] [seeds=20] [steps=1000] [every=0]` | the hashes of `ottla_answers::trace` |

mod board;
mod measure;
mod probe;
mod report;
mod stack;
mod trace;
mod wire;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    qemu_machine::start(&board::MACHINE, |spawner, arguments| {
        if has(arguments, "trace") {
            spawner.spawn(run_trace(arguments).ok()?);
        } else {
            board::start_timer();
            spawner.spawn(measure::broker().ok()?);
            spawner.spawn(measure::runner().ok()?);
            spawner.spawn(measure::application(arguments).ok()?);
        }
        Some(())
    })
}

#[embassy_executor::task]
async fn run_trace(arguments: &'static str) {
    let number = |key, default| number(arguments, key, default);
    let (from, seeds) = (number("from", 0).into(), number("seeds", 20).into());
    let result = trace::run(from, seeds, number("steps", 1_000), number("every", 0)).await;
    qemu_machine::finish(result)
}

/// Whether `word` is one of the arguments.
fn has(arguments: &str, word: &str) -> bool {
    arguments.split_ascii_whitespace().any(|other| other == word)
}

/// The number behind `key=`, or `default`.
fn number(arguments: &str, key: &str, default: u32) -> u32 {
    let mut words = arguments.split_ascii_whitespace();
    let text = words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}
