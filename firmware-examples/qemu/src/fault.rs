#![allow(unsafe_code)]
//! Faults, panics, and interrupts that nobody handles: each ends the run and says why.

use core::arch::naked_asm;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m::register::msp;
use cortex_m_rt::exception;

use crate::semihosting::exit;
use crate::text::Line;
use crate::{Code, stack, watchdog};

/// Bits of the fault status register for each kind of fault.
const KINDS: [(u32, &str); 4] = [
    (0x0000_00ff, "memory fault"),
    (0x0000_ff00, "bus fault"),
    (0x0001_0000, "undefined instruction"),
    (0xfffe_0000, "usage fault"),
];

/// These say that the address register of memory faults, or bus faults, is valid.
const MEMORY_ADDRESS_VALID: u32 = 1 << 7;
const BUS_ADDRESS_VALID: u32 = 1 << 15;

/// Leaves for `$handler`, which must not return, on an empty stack: the one in use may be the
/// trouble. Passes the stack pointer, which is the stacked frame's address, and the frame's
/// program counter, or zero if the frame lies outside of the stack.
macro_rules! leave {
    ($handler:path) => {
        naked_asm!(
            "mov r0, sp",
            "movs r1, #0",
            "movw r2, :lower16:_stack_end",
            "movt r2, :upper16:_stack_end",
            "cmp r0, r2",
            "it hs",
            "ldrhs r1, [r0, #24]",
            "movw r2, :lower16:_stack_start",
            "movt r2, :upper16:_stack_start",
            "mov sp, r2",
            "b {}",
            sym $handler,
        )
    };
}

/// All faults: none but this is enabled, so the others come as this one.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn HardFault() {
    leave!(fault)
}

/// The interrupt that cannot be disabled: the watchdog's on one machine, nobody's on the other.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn NonMaskableInt() {
    leave!(watchdog::expired)
}

/// For the vector table of a machine whose watchdog has an interrupt of its own.
///
/// # Safety
///
/// Not to be called: the hardware does, and it ends the run.
#[unsafe(naked)]
pub unsafe extern "C" fn watchdog_entry() {
    leave!(watchdog::expired)
}

extern "C" fn fault(sp: u32, pc: u32) -> ! {
    // SAFETY: reading these registers has no effect.
    let (status, bus, memory) = unsafe {
        let control = &*SCB::PTR;
        (control.cfsr.read(), control.bfar.read(), control.mmfar.read())
    };
    let address = match status {
        _ if status & MEMORY_ADDRESS_VALID != 0 => Some(memory),
        _ if status & BUS_ADDRESS_VALID != 0 => Some(bus),
        _ => None,
    };
    let overflow = !stack::contains(sp) || address.is_some_and(stack::is_overflow);
    let kind = if overflow {
        "stack overflow"
    } else {
        KINDS.iter().find(|(bits, _)| status & bits != 0).map_or("hard fault", |kind| kind.1)
    };
    let mut line = Line::new();
    line.text(kind).text(", status ").hex(status).place(sp, pc);
    if let Some(address) = address {
        line.text(", address ").hex(address);
    }
    if overflow {
        // The frame of the fault found no place: the deepest ones that did must do.
        line.callers(stack::end());
    }
    line.print();
    exit(Code::Fault)
}

/// Interrupts and exceptions without a handler.
#[exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    Line::new().text("unexpected interrupt ").decimal(number as u32).print();
    exit(Code::Fault)
}

/// Prints no message: formatting it would cost more flash than TCP. Prints what on the stack looks
/// like return addresses instead, for `addr2line`, the newest first.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    line.text("panic");
    #[cfg(feature = "panic-location")]
    if let Some(location) = _info.location() {
        line.text(" at ").text(location.file()).text(":").decimal(location.line());
    }
    line.callers(msp::read()).print();
    exit(Code::Panic)
}
