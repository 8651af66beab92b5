#![allow(unsafe_code)]
//! The board: where its devices are, and its vector table.

use qemu_machine::interrupt::{Handler, UNHANDLED};
use qemu_machine::{Machine, Registers};

/// Ethernet controller.
// SAFETY: the device's page by the board's manual; it has no DMA.
pub(crate) const ETHERNET: Registers = unsafe { Registers::at(0x4020_0000) };

pub(crate) const ETHERNET_INTERRUPT: u16 = 13;

/// What [`qemu_machine`] must know.
pub(crate) const MACHINE: Machine = Machine {
    clock_hz: 25_000_000,
    // SAFETY: the device's page by the board's manual; it does not touch memory.
    watchdog: unsafe { Registers::at(0x4000_8000) },
    // It is wired to the interrupt that cannot be disabled.
    watchdog_interrupt: None,
};

const INTERRUPTS: usize = 14;

// SAFETY: the linker script takes the table by this name, from this section.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [Handler; INTERRUPTS] = {
    let mut table = [UNHANDLED; INTERRUPTS];
    table[ETHERNET_INTERRUPT as usize] = crate::net::on_interrupt;
    table
};
