//! The routines that the compiler calls to copy, fill and compare, in one plain form.
//!
//! The C library picks its own by the processor that it finds, and so would the count.
//! Unsafe, as such routines are; nothing but this measurement links them.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::missing_safety_doc)]

use core::ptr::{read_volatile, write_volatile};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    let mut at = 0;
    // SAFETY: the caller vouches for `count` bytes at both ends; words may lie at any address.
    unsafe {
        while at + 8 <= count {
            let word = from.add(at).cast::<[u8; 8]>().read_unaligned();
            to.add(at).cast::<u64>().write_unaligned(u64::from_ne_bytes(word));
            at += 8;
        }
        while at < count {
            write_volatile(to.add(at), read_volatile(from.add(at)));
            at += 1;
        }
    }
    to
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to.addr()).wrapping_sub(from.addr()) >= count {
        // SAFETY: as the caller's; copying upwards reads every byte before it is overwritten.
        return unsafe { memcpy(to, from, count) };
    }
    let mut at = count;
    while at > 0 {
        at -= 1;
        // SAFETY: as the caller's.
        unsafe { write_volatile(to.add(at), read_volatile(from.add(at))) };
    }
    to
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    for at in 0..count {
        // SAFETY: as the caller's.
        unsafe { write_volatile(to.add(at), value as u8) };
    }
    to
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for at in 0..count {
        // SAFETY: as the caller's.
        let (a, b) = unsafe { (read_volatile(left.add(at)), read_volatile(right.add(at))) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: as the caller's.
    unsafe { memcmp(left, right, count) }
}
