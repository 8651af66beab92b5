#![allow(unsafe_code)]
//! An executor for thread mode that sleeps by WFI.
//!
//! Embassy's own sleeps by WFE, which QEMU takes for no operation, so an idle image would keep a
//! core of the host busy.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cortex_m::{asm, interrupt};
use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

use crate::watchdog;

static SIGNALLED: AtomicBool = AtomicBool::new(false);
static TURNS: AtomicU32 = AtomicU32::new(0);

/// How often the executor has been woken so far. The timer's ticks do not count, unless a timer
/// is due.
pub fn turns() -> u32 {
    TURNS.load(Ordering::Relaxed)
}

/// Runs the tasks that `start` spawns, for ever.
pub(crate) fn run(start: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor =
        EXECUTOR.init_with(|| raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        TURNS.store(turns().wrapping_add(1), Ordering::Relaxed);
        watchdog::feed();
        // SAFETY: this is the only place that polls, and it is not reached from a task.
        unsafe { executor.poll() };
        sleep_until_signalled();
    }
}

fn sleep_until_signalled() {
    // A signal between the look and WFI ends WFI, since a pending interrupt does even while it is
    // disabled. Its handler runs in the gap.
    interrupt::disable();
    while !SIGNALLED.load(Ordering::Acquire) {
        watchdog::idle();
        asm::dsb();
        asm::wfi();
        // SAFETY: no critical section is left early: this function is not called inside of one.
        unsafe { interrupt::enable() };
        asm::isb();
        interrupt::disable();
    }
    SIGNALLED.store(false, Ordering::Release);
    // SAFETY: as above.
    unsafe { interrupt::enable() };
}

/// Called by the executor, from anywhere, when a task has been woken.
#[unsafe(export_name = "__pender")]
fn signal(_context: *mut ()) {
    SIGNALLED.store(true, Ordering::Release);
}
