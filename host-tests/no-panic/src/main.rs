//! A program that exists to be linked: it links only if nothing in it can panic.
//!
//! It calls every public function of `ottla` with values that the compiler knows nothing about. Its
//! panic handler calls a symbol that no library defines, so one path to a panic that optimisation
//! has not removed is a link error. It has no allocator either, so an allocation is one too.
//!
//! To extend it, add the call to the file in `calls` that is named after the core's module.
//! `Display` and `Debug` are left out: the core never formats, and `core::fmt` can panic.

#![no_std]
#![no_main]

mod calls;

use core::panic::PanicInfo;

unsafe extern "C" {
    /// Defined nowhere.
    safe fn a_panic_is_reachable() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_panic_is_reachable()
}

/// Where a linker finds the start of a program; this one is never run.
// SAFETY: no other symbol of this program has the name.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    calls::all();
    #[cfg(feature = "must-fail")]
    calls::opaque(calls::opaque(None::<u32>).unwrap());
    loop {
        core::hint::spin_loop();
    }
}
