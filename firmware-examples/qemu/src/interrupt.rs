#![allow(unsafe_code)]
//! The interrupt controller, and the vector table's entries.

use cortex_m::Peripherals;
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::{NVIC, SYST};

/// Below the watchdog's, which keeps the priority after reset, the highest. In the upper bits, as
/// the smaller machine has only three.
const PRIORITY: u8 = 0x80;

/// An entry of the vector table.
pub type Handler = unsafe extern "C" fn();

/// What stands in the vector table for interrupts that nobody handles: it ends the run.
pub const UNHANDLED: Handler = DefaultHandler;

unsafe extern "C" {
    fn DefaultHandler();
}

#[derive(Clone, Copy)]
struct Number(u16);

// SAFETY: it is the number of one interrupt, and the same at every call.
unsafe impl InterruptNumber for Number {
    fn number(self) -> u16 {
        self.0
    }
}

/// Enables an interrupt of the board, below the watchdog.
pub fn enable(number: u16) {
    // SAFETY: nobody else touches this interrupt's priority, and critical sections disable all
    // interrupts, so none is built on priorities.
    unsafe { Peripherals::steal().NVIC.set_priority(Number(number), PRIORITY) };
    unmask(number);
}

/// Enables an interrupt at the highest priority.
pub(crate) fn unmask(number: u16) {
    // SAFETY: no critical section is built on masks of single interrupts.
    unsafe { NVIC::unmask(Number(number)) };
}

/// SysTick, whose interrupt is put below the watchdog.
pub(crate) fn systick() -> SYST {
    // SAFETY: nobody else uses SysTick or its priority, and no critical section is built on
    // priorities.
    let Peripherals { SYST: systick, SCB: mut control, .. } = unsafe { Peripherals::steal() };
    // SAFETY: as above.
    unsafe { control.set_priority(SystemHandler::SysTick, PRIORITY) };
    systick
}
