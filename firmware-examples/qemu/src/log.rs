#![allow(unsafe_code)]
//! defmt's logger: frames on the host's standard output, in defmt's default encoding (rzCOBS).
//!
//! A frame is one write, as each is a call to the host that stops the machine.

use core::cell::UnsafeCell;

use critical_section::RestoreState;
use defmt::{Encoder, Logger};

use crate::semihosting;

/// A longer frame is several writes.
const FRAME_BYTES: usize = 128;

defmt::timestamp!("{=u64:ms}", embassy_time::Instant::now().as_millis());

#[defmt::global_logger]
struct Semihosting;

struct State {
    encoder: Encoder,
    frame: [u8; FRAME_BYTES],
    length: usize,
    /// The host's standard output, once it is open.
    stdout: Option<usize>,
    taken: bool,
    restore: RestoreState,
}

struct Shared(UnsafeCell<State>);

// SAFETY: the state is reached between `acquire` and `release` only, which is one critical section.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State {
    encoder: Encoder::new(),
    frame: [0; FRAME_BYTES],
    length: 0,
    stdout: None,
    taken: false,
    restore: RestoreState::invalid(),
}));

// SAFETY: `acquire` starts a critical section, which `release` ends, and it refuses to nest.
unsafe impl Logger for Semihosting {
    fn acquire() {
        // SAFETY: `release` ends the section; defmt calls it after each `acquire`.
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: interrupts are disabled, and nobody holds a reference across defmt's calls.
        let state = unsafe { &mut *STATE.0.get() };
        assert!(!state.taken);
        state.taken = true;
        state.restore = restore;
        let State { encoder, frame, length, stdout, .. } = state;
        encoder.start_frame(|bytes| append(frame, length, stdout, bytes));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: called within the section of `acquire`, and no reference is held across calls.
        let state = unsafe { &mut *STATE.0.get() };
        let State { encoder, frame, length, stdout, .. } = state;
        encoder.end_frame(|bytes| append(frame, length, stdout, bytes));
        send(frame, length, stdout);
        state.taken = false;
        // SAFETY: this is the state that the matching `acquire` was given.
        unsafe { critical_section::release(state.restore) };
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: called within the section of `acquire`, and no reference is held across calls.
        let State { encoder, frame, length, stdout, .. } = unsafe { &mut *STATE.0.get() };
        encoder.write(bytes, |bytes| append(frame, length, stdout, bytes));
    }
}

fn append(
    frame: &mut [u8; FRAME_BYTES],
    length: &mut usize,
    stdout: &mut Option<usize>,
    bytes: &[u8],
) {
    for byte in bytes {
        if *length == FRAME_BYTES {
            send(frame, length, stdout);
        }
        frame[*length] = *byte;
        *length += 1;
    }
}

fn send(frame: &[u8; FRAME_BYTES], length: &mut usize, stdout: &mut Option<usize>) {
    semihosting::write(*stdout.get_or_insert_with(semihosting::stdout), &frame[..*length]);
    *length = 0;
}
