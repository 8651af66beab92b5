#![allow(unsafe_code)]
//! How deep the stack gets in one call. To be used with interrupts disabled, since handlers use
//! the same stack.

use core::ptr;

use cortex_m::register::msp;
use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of the stack that are in use here.
pub(crate) fn used() -> u32 {
    ptr::addr_of!(_stack_start) as u32 - msp::read()
}

/// Paints what is not in use. A function of its own, so that all that is in use is at or above
/// its stack pointer.
#[inline(never)]
pub(crate) fn paint() {
    let mut at = ptr::addr_of!(_stack_end) as u32;
    while at < msp::read() {
        // SAFETY: an aligned address between the stack's end and its pointer: it belongs to
        // nobody, as interrupts are disabled.
        unsafe { (at as *mut u32).write_volatile(STACK_PAINT_VALUE) };
        at += 4;
    }
}

/// The most bytes that were in use since [`paint`].
pub(crate) fn deepest() -> u32 {
    let mut at = ptr::addr_of!(_stack_end) as u32;
    // SAFETY: an aligned address between the limits of the stack.
    while at < msp::read() && unsafe { (at as *const u32).read_volatile() } == STACK_PAINT_VALUE {
        at += 4;
    }
    ptr::addr_of!(_stack_start) as u32 - at
}
