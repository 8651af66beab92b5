#![allow(unsafe_code)]
//! The stack: how deep it has been, by the paint that startup leaves on it, and its end.
//!
//! The board's `memory.x` puts the stack below all other memory, so that an overflow does not
//! change somebody's data. It would not be noticed there either, since these machines ignore
//! accesses to addresses where nothing is. So the memory protection unit makes it a fault.

use core::ptr;

use cortex_m::{Peripherals, asm};
use cortex_m_rt::STACK_PAINT_VALUE;

/// Addresses below the stack that fault: more than any one frame takes. `memory.x` must align the
/// stack's end to it.
const GUARD_BYTES: u32 = 0x1_0000;

/// Protection outside of the regions as without the unit; none in handlers of faults.
const CONTROL_ENABLE: u32 = 1 << 0;
const CONTROL_DEFAULT_MAP: u32 = 1 << 2;

/// No access at all, for a size given by its exponent.
const REGION_ENABLE: u32 = 1 << 0;
const REGION_SIZE: u32 = (GUARD_BYTES.ilog2() - 1) << 1;
const REGION_NO_EXECUTE: u32 = 1 << 28;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
    static __stext: u32;
    static __etext: u32;
}

/// Bytes set aside for the stack.
pub fn size_bytes() -> usize {
    ptr::addr_of!(_stack_start) as usize - ptr::addr_of!(_stack_end) as usize
}

/// The deepest use so far, in bytes. Equal to [`size_bytes`] means that it may have been deeper.
pub fn deepest_bytes() -> usize {
    let words = size_bytes() / size_of::<u32>();
    let end = ptr::addr_of!(_stack_end);
    // SAFETY: this reads words between the two symbols only, which the linker made the stack.
    // Volatile, since to the compiler nobody has written them.
    let painted = |at: &usize| unsafe { end.add(*at).read_volatile() } == STACK_PAINT_VALUE;
    (words - (0..words).take_while(painted).count()) * size_of::<u32>()
}

/// The lowest address of the stack.
pub(crate) fn end() -> u32 {
    ptr::addr_of!(_stack_end) as u32
}

/// Makes use of the stack beyond its end a fault.
pub(crate) fn guard() {
    // SAFETY: nobody else uses the memory protection unit, and what becomes inaccessible is no
    // memory of the program.
    unsafe {
        let Peripherals { MPU: unit, .. } = Peripherals::steal();
        unit.rnr.write(0);
        unit.rbar.write(end() - GUARD_BYTES);
        unit.rasr.write(REGION_NO_EXECUTE | REGION_SIZE | REGION_ENABLE);
        unit.ctrl.write(CONTROL_DEFAULT_MAP | CONTROL_ENABLE);
    }
    asm::dsb();
    asm::isb();
}

/// Whether an access that faulted was one beyond the stack's end.
pub(crate) fn is_overflow(address: u32) -> bool {
    (end() - GUARD_BYTES..end()).contains(&address)
}

/// Whether a stack pointer is one of this stack.
pub(crate) fn contains(sp: u32) -> bool {
    (end()..=ptr::addr_of!(_stack_start) as u32).contains(&sp)
}

/// Words of the stack from `sp` on that may be return addresses: odd, as Thumb code is, and in
/// the program.
pub(crate) fn return_addresses(sp: u32) -> impl Iterator<Item = u32> {
    let code = ptr::addr_of!(__stext) as u32..ptr::addr_of!(__etext) as u32;
    let addresses = sp.next_multiple_of(4)..ptr::addr_of!(_stack_start) as u32;
    let addresses = if contains(sp) { addresses } else { 0..0 };
    addresses
        .step_by(size_of::<u32>())
        // SAFETY: an aligned address between the stack's limits; volatile, since frames of callers
        // are none of the compiler's business here.
        .map(|address| unsafe { (address as *const u32).read_volatile() })
        .filter(move |word| word & 1 == 1 && code.contains(word))
}
