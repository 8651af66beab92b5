#![allow(unsafe_code)]
//! The machine: mps2-an385 and mps2-an386 differ in their core only.

use qemu_machine::interrupt::{Handler, UNHANDLED};
use qemu_machine::{Machine, Registers};

/// Frequency of everything that counts.
pub(crate) const CLOCK_HZ: u32 = 25_000_000;

/// What [`qemu_machine`] must know.
pub(crate) const MACHINE: Machine = Machine {
    clock_hz: CLOCK_HZ,
    // SAFETY: the device's page by the board's manual; it does not touch memory.
    watchdog: unsafe { Registers::at(0x4000_8000) },
    // It is wired to the interrupt that cannot be disabled.
    watchdog_interrupt: None,
};

/// A timer that counts down at [`CLOCK_HZ`] for ever.
// SAFETY: the device's page by the board's manual; it does not touch memory.
const TIMER: Registers = unsafe { Registers::at(0x4000_0000) };

const CONTROL: usize = 0x00;
const VALUE: usize = 0x04;
const RELOAD: usize = 0x08;
const CONTROL_ENABLE: u32 = 1 << 0;

// SAFETY: the linker script takes the table by this name, from this section.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [Handler; 1] = [UNHANDLED];

/// Starts the timer.
pub(crate) fn start_timer() {
    TIMER.write(RELOAD, u32::MAX);
    TIMER.write(VALUE, u32::MAX);
    TIMER.write(CONTROL, CONTROL_ENABLE);
}

/// Ticks of the timer, which wrap.
pub(crate) fn ticks() -> u32 {
    !TIMER.read(VALUE)
}
