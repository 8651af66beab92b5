//! The calls, one file per module of the core.

mod error;
mod identity;
mod message;
mod producer;
mod record;
mod time;
mod wire;

use core::hint::black_box;

/// Makes all calls.
pub(crate) fn all() {
    error::all();
    identity::all();
    time::all();
    wire::all();
    message::all();
    producer::all();
    record::all();
}

/// A value of which the compiler only knows the type. Also what results are passed to, so that they
/// count as used.
pub(crate) fn opaque<T>(value: T) -> T {
    black_box(value)
}

/// Bytes of unknown content and length.
fn bytes() -> &'static [u8] {
    opaque::<&[u8]>(&[0; 64])
}

/// Text of unknown content and length.
fn text() -> &'static str {
    opaque("")
}

/// Lends a buffer of unknown content and length.
fn with_buffer(call: impl FnOnce(&mut [u8])) {
    let mut buffer = [0; 64];
    call(opaque::<&mut [u8]>(&mut buffer));
    opaque(buffer);
}
