#![allow(unsafe_code)]
//! Calls to the host: arguments, output, and the end of a run.

use core::str;

#[cfg(feature = "defmt")]
use cortex_m_semihosting::syscall;
use cortex_m_semihosting::{nr, syscall1};
use static_cell::StaticCell;

use crate::Code;

/// Ends the run with a code of its own, which the older call for this cannot.
const EXIT_EXTENDED: usize = 0x20;

/// The reason that goes with an exit code.
const APPLICATION_EXIT: usize = 0x2_0026;

/// Room for the image's name and the arguments, with spaces between and a zero behind.
const ARGUMENTS_BYTES: usize = 256;

/// The arguments behind the image's name, with spaces between; empty if they are too long.
pub(crate) fn arguments() -> &'static str {
    static BUFFER: StaticCell<[u8; ARGUMENTS_BYTES]> = StaticCell::new();
    let Some(buffer) = BUFFER.try_init([0; ARGUMENTS_BYTES]) else { return "" };
    // The host writes the length into the block, too.
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: the block holds address and size of a buffer that is lent for the call, and both are
    // written by nobody else meanwhile.
    let refused = unsafe { syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    if refused != 0 {
        return "";
    }
    let line = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    let line = str::from_utf8(line).unwrap_or_default();
    line.split_once(' ').map_or("", |(_image, arguments)| arguments)
}

/// Writes text, up to the zero at its end, to the host's standard error.
pub(crate) fn print(text: &core::ffi::CStr) {
    // SAFETY: the text ends in a zero, and the host only reads it.
    unsafe { syscall1(nr::WRITE0, text.as_ptr() as usize) };
}

/// Opens the host's standard output.
#[cfg(feature = "defmt")]
pub(crate) fn stdout() -> usize {
    let name = c":tt";
    // SAFETY: the block holds address and length of the name that stands for the console.
    unsafe { syscall!(OPEN, name.as_ptr(), nr::open::W_TRUNC_BINARY, name.count_bytes()) }
}

/// Writes bytes to an open file of the host.
#[cfg(feature = "defmt")]
pub(crate) fn write(file: usize, bytes: &[u8]) {
    // SAFETY: the block holds address and length of bytes that the host only reads.
    unsafe { syscall!(WRITE, file, bytes.as_ptr(), bytes.len()) };
}

/// Ends the run.
pub(crate) fn exit(code: Code) -> ! {
    let block = [APPLICATION_EXIT, code as usize];
    loop {
        // SAFETY: the block holds reason and code, as the call wants them.
        unsafe { cortex_m_semihosting::syscall(EXIT_EXTENDED, &block) };
    }
}
