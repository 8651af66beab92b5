//! Lines of text without `core::fmt`, which would cost more flash than all the rest here.

use core::ffi::CStr;

use crate::{semihosting, stack};

/// A longer line is cut.
const LINE_BYTES: usize = 256;

/// Return addresses in a line.
const CALLERS: usize = 8;

/// A line that is printed by one call, so that lines do not mix.
pub(crate) struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; LINE_BYTES], length: 0 }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        text.bytes().for_each(|byte| self.push(byte));
        self
    }

    pub(crate) fn decimal(&mut self, number: u32) -> &mut Self {
        let mut unit = 1_000_000_000;
        while unit > 1 && number < unit {
            unit /= 10;
        }
        while unit > 0 {
            self.push(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
        self
    }

    pub(crate) fn hex(&mut self, number: u32) -> &mut Self {
        self.text("0x");
        for shift in (0..32).step_by(4).rev() {
            let digit = (number >> shift) as u8 & 15;
            self.push(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit });
        }
        self
    }

    /// Where a handler interrupted the program.
    pub(crate) fn place(&mut self, sp: u32, pc: u32) -> &mut Self {
        self.text(", pc ").hex(pc).text(", sp ").hex(sp)
    }

    /// What on the stack looks like return addresses, from `sp` on.
    pub(crate) fn callers(&mut self, sp: u32) -> &mut Self {
        self.text(", called by");
        for address in stack::return_addresses(sp).take(CALLERS) {
            self.text(" ").hex(address);
        }
        self
    }

    pub(crate) fn print(&mut self) {
        self.push(b'\n');
        if let Ok(text) = CStr::from_bytes_until_nul(&self.bytes) {
            semihosting::print(text);
        }
    }

    /// The last byte stays the zero that ends the text.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes[..LINE_BYTES - 1].get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}
