#![allow(unsafe_code)]
//! The chip: where its devices are, and its vector table.

use qemu_machine::interrupt::{Handler, UNHANDLED};
use qemu_machine::{Machine, Registers, watchdog};

/// Ethernet controller.
// SAFETY: the device's page by the chip's data sheet; it has no DMA.
pub(crate) const ETHERNET: Registers = unsafe { Registers::at(0x4004_8000) };

/// System control: clocks.
// SAFETY: the device's page by the chip's data sheet; it does not touch memory.
const SYSTEM_CONTROL: Registers = unsafe { Registers::at(0x400f_e000) };

/// Clocks of the first group of devices while the core runs.
const RUN_CLOCKS_0: usize = 0x100;
const CLOCK_WATCHDOG: u32 = 1 << 3;

/// Clocks of the third group of devices while the core runs.
const RUN_CLOCKS_2: usize = 0x108;
const CLOCK_ETHERNET_MAC: u32 = 1 << 28;
const CLOCK_ETHERNET_PHY: u32 = 1 << 30;

const WATCHDOG_INTERRUPT: u16 = 18;
pub(crate) const ETHERNET_INTERRUPT: u16 = 42;

/// What [`qemu_machine`] must know.
pub(crate) const MACHINE: Machine = Machine {
    // QEMU's clock after reset: 200 MHz divided by 16.
    clock_hz: 12_500_000,
    // SAFETY: the device's page by the chip's data sheet; it does not touch memory.
    watchdog: unsafe { Registers::at(0x4000_0000) },
    watchdog_interrupt: Some(WATCHDOG_INTERRUPT),
};

/// Gives devices their clocks. QEMU does without.
pub(crate) fn power_up() {
    SYSTEM_CONTROL.set(RUN_CLOCKS_0, CLOCK_WATCHDOG);
    SYSTEM_CONTROL.set(RUN_CLOCKS_2, CLOCK_ETHERNET_MAC | CLOCK_ETHERNET_PHY);
}

const INTERRUPTS: usize = 43;

// SAFETY: the linker script takes the table by this name, from this section.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [Handler; INTERRUPTS] = {
    let mut table = [UNHANDLED; INTERRUPTS];
    table[WATCHDOG_INTERRUPT as usize] = watchdog::watchdog_entry;
    table[ETHERNET_INTERRUPT as usize] = crate::net::on_interrupt;
    table
};
