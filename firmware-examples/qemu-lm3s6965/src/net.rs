//! The Ethernet controller on the chip.

use qemu_machine::interrupt;
use qemu_machine::net::{self, Frame, Mac};

use crate::board::{ETHERNET, ETHERNET_INTERRUPT};

/// Raw interrupt status; writing ones acknowledges.
const INTERRUPT_STATUS: usize = 0x00;
const INTERRUPT_MASK: usize = 0x04;
const RECEIVE_CONTROL: usize = 0x08;
const TRANSMIT_CONTROL: usize = 0x0c;
/// The FIFOs: reading receives, writing sends.
const DATA: usize = 0x10;
const ADDRESS_LOW: usize = 0x14;
const ADDRESS_HIGH: usize = 0x18;
/// How many frames wait.
const FRAMES_WAITING: usize = 0x34;
/// Writing 1 sends the frame in the FIFO; reads 1 until it is sent.
const TRANSMISSION_REQUEST: usize = 0x38;

const INTERRUPT_RECEIVED: u32 = 1 << 0;
const RECEIVE_ENABLE: u32 = 1 << 0;
const RECEIVE_MULTICAST: u32 = 1 << 1;
const RECEIVE_RESET_FIFO: u32 = 1 << 4;
const TRANSMIT_ENABLE: u32 = 1 << 0;
const TRANSMIT_PAD: u32 = 1 << 1;
const TRANSMIT_CRC: u32 = 1 << 2;
const TRANSMIT_FULL_DUPLEX: u32 = 1 << 4;

/// The length before a received frame counts itself and the checksum.
const LENGTH_BYTES: usize = 2;
const CRC_BYTES: usize = 4;
/// The length before a frame to send does not count these.
const HEADER_BYTES: usize = 14;

/// The controller.
pub(crate) struct Stellaris(());

impl Stellaris {
    /// Starts the controller.
    pub(crate) fn new() -> Self {
        ETHERNET.write(INTERRUPT_MASK, 0);
        ETHERNET.write(RECEIVE_CONTROL, RECEIVE_RESET_FIFO);
        ETHERNET.write(
            TRANSMIT_CONTROL,
            TRANSMIT_ENABLE | TRANSMIT_PAD | TRANSMIT_CRC | TRANSMIT_FULL_DUPLEX,
        );
        ETHERNET.write(RECEIVE_CONTROL, RECEIVE_ENABLE | RECEIVE_MULTICAST);
        interrupt::enable(ETHERNET_INTERRUPT);
        Self(())
    }
}

impl Mac for Stellaris {
    /// QEMU sets it by `-nic mac=`; on a real chip it is up to the firmware.
    fn address(&self) -> [u8; 6] {
        let [a, b, c, d] = ETHERNET.read(ADDRESS_LOW).to_le_bytes();
        let [e, f, ..] = ETHERNET.read(ADDRESS_HIGH).to_le_bytes();
        [a, b, c, d, e, f]
    }

    fn receive(&mut self, frame: &mut Frame) -> Option<usize> {
        ETHERNET.write(INTERRUPT_STATUS, INTERRUPT_RECEIVED);
        while ETHERNET.read(FRAMES_WAITING) != 0 {
            // The first word holds the length and the first two bytes of the frame.
            let [low, high, first, second] = ETHERNET.read(DATA).to_le_bytes();
            let end = usize::from(u16::from_le_bytes([low, high])).saturating_sub(LENGTH_BYTES);
            frame[..2].copy_from_slice(&[first, second]);
            for at in (2..end).step_by(4) {
                let word = ETHERNET.read(DATA).to_le_bytes();
                let room = frame.get_mut(at..).unwrap_or_default();
                room.iter_mut().zip(word).for_each(|(place, byte)| *place = byte);
            }
            let length = end.saturating_sub(CRC_BYTES);
            if length <= frame.len() {
                return Some(length);
            }
        }
        None
    }

    fn listen(&mut self) {
        ETHERNET.write(INTERRUPT_MASK, INTERRUPT_RECEIVED);
    }

    fn send(&mut self, frame: &[u8]) {
        // The frame before takes 0.1 ms at most, and no time in QEMU.
        while ETHERNET.read(TRANSMISSION_REQUEST) != 0 {}
        let [low, high] = (frame.len().saturating_sub(HEADER_BYTES) as u16).to_le_bytes();
        let (first, rest) = frame.split_at(frame.len().min(2));
        let mut word = [low, high, 0, 0];
        word[2..].iter_mut().zip(first).for_each(|(place, byte)| *place = *byte);
        ETHERNET.write(DATA, u32::from_le_bytes(word));
        for bytes in rest.chunks(4) {
            let mut word = [0; 4];
            word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
            ETHERNET.write(DATA, u32::from_le_bytes(word));
        }
        ETHERNET.write(TRANSMISSION_REQUEST, 1);
    }
}

/// The controller's interrupt: masks itself until the driver has found the FIFO empty.
pub(crate) extern "C" fn on_interrupt() {
    ETHERNET.write(INTERRUPT_MASK, 0);
    net::wake();
}
