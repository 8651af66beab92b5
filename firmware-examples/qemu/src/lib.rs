#![no_std]
//! What the images for QEMU's Cortex-M machines share.
//!
//! A board brings its memory map, its vector table and its Ethernet controller ([`net::Mac`]), and
//! calls [`start`]. A run is given its arguments by semihosting and ends by semihosting, so the
//! exit code of QEMU is the verdict:
//!
//! | code | the run ended by |
//! |---|---|
//! | 0 | [`finish`] with `Ok` |
//! | 1 | [`finish`] with an error |
//! | 2 | a fault, a stack overflow, or an interrupt that nobody handles |
//! | 3 | the watchdog: no progress for [`watchdog::PERIOD_S`] seconds |
//! | 4 | a panic |
//!
//! Why, is printed as a line of text on the host's standard error. The standard output belongs to
//! defmt.
//!
//! Some arguments make a run end badly, to test just that: `panic`, `fault`, `overflow`, `hang`,
//! and `hang-masked`, which hangs with interrupts disabled.

pub mod executor;
mod fault;
pub mod interrupt;
#[cfg(feature = "defmt")]
mod log;
pub mod net;
mod registers;
mod semihosting;
pub mod stack;
mod text;
mod time;
mod trial;
pub mod watchdog;

pub use registers::Registers;

use embassy_executor::Spawner;
use semihosting::exit;
use text::Line;

/// What differs between machines, the Ethernet controller aside.
pub struct Machine {
    /// Frequency of core, SysTick and watchdog.
    pub clock_hz: u32,
    /// The watchdog's registers.
    pub watchdog: Registers,
    /// The watchdog's interrupt, unless it is the one that cannot be disabled. Its vector is
    /// [`watchdog::watchdog_entry`].
    pub watchdog_interrupt: Option<u16>,
}

/// How a run ends.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Code {
    Success = 0,
    Failure = 1,
    Fault = 2,
    Watchdog = 3,
    Panic = 4,
}

/// Starts clock, watchdog and executor. `main` spawns the tasks, and is given the arguments; `None`
/// says that something could not be started.
pub fn start(machine: &Machine, main: impl FnOnce(Spawner, &'static str) -> Option<()>) -> ! {
    stack::guard();
    watchdog::start(machine);
    time::start(machine.clock_hz);
    let arguments = semihosting::arguments();
    trial::run(arguments);
    executor::run(|spawner| {
        watchdog::spawn(spawner);
        if !spawn(main, spawner, arguments) {
            finish(Err("cannot start"));
        }
    })
}

/// A function of its own: what it has on the stack is gone when the tasks run.
#[inline(never)]
fn spawn(
    main: impl FnOnce(Spawner, &'static str) -> Option<()>,
    spawner: Spawner,
    arguments: &'static str,
) -> bool {
    main(spawner, arguments).is_some()
}

/// Ends the run, and prints what it used.
pub fn finish(outcome: Result<(), &'static str>) -> ! {
    Line::new()
        .text("stack ")
        .decimal(stack::deepest_bytes() as u32)
        .text(" of ")
        .decimal(stack::size_bytes() as u32)
        .text(" bytes, ")
        .decimal(executor::turns())
        .text(" turns, ")
        .decimal(embassy_time::Instant::now().as_millis() as u32)
        .text(" ms")
        .print();
    match outcome {
        Ok(()) => exit(Code::Success),
        Err(reason) => {
            Line::new().text("error: ").text(reason).print();
            exit(Code::Failure)
        }
    }
}
