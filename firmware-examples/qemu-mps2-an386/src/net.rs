//! The LAN9118 Ethernet controller.

use qemu_machine::interrupt;
use qemu_machine::net::{self, Frame, Mac};

use crate::board::{ETHERNET, ETHERNET_INTERRUPT};

const RECEIVE_DATA: usize = 0x00;
const TRANSMIT_DATA: usize = 0x20;
const RECEIVE_STATUS: usize = 0x40;
const TRANSMIT_STATUS: usize = 0x48;
const INTERRUPT_CONFIGURATION: usize = 0x54;
/// Writing ones acknowledges.
const INTERRUPT_STATUS: usize = 0x58;
const INTERRUPT_ENABLE: usize = 0x5c;
const FIFO_LEVELS: usize = 0x68;
const TRANSMIT_CONFIGURATION: usize = 0x70;
const HARDWARE_CONFIGURATION: usize = 0x74;
const RECEIVE_FIFO: usize = 0x7c;
const TRANSMIT_FIFO: usize = 0x80;
/// The registers of the MAC are behind these two.
const MAC_COMMAND: usize = 0xa4;
const MAC_DATA: usize = 0xa8;

const INTERRUPT_PUSH_PULL: u32 = 1 << 0;
const INTERRUPT_ACTIVE_HIGH: u32 = 1 << 4;
const INTERRUPT_OUTPUT: u32 = 1 << 8;
const INTERRUPT_RECEIVED: u32 = 1 << 3;
const TRANSMIT_ON: u32 = 1 << 1;
const SOFT_RESET: u32 = 1 << 0;
/// 5 KB for sending, and whole frames before they go out.
const FIFO_SIZE: u32 = 5 << 16 | 1 << 20;
const MAC_BUSY: u32 = 1 << 31;
const MAC_READ: u32 = 1 << 30;

const MAC_CONTROL: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;

const CONTROL_RECEIVE: u32 = 1 << 2;
const CONTROL_TRANSMIT: u32 = 1 << 3;
const CONTROL_FULL_DUPLEX: u32 = 1 << 20;

const COMMAND_FIRST_SEGMENT: u32 = 1 << 13;
const COMMAND_LAST_SEGMENT: u32 = 1 << 12;
/// Of the transmit FIFO, for the two command words.
const COMMAND_BYTES: usize = 8;

const CRC_BYTES: usize = 4;

/// The controller.
pub(crate) struct Lan9118(());

impl Lan9118 {
    /// Starts the controller.
    pub(crate) fn new() -> Self {
        ETHERNET.write(HARDWARE_CONFIGURATION, SOFT_RESET);
        while ETHERNET.read(HARDWARE_CONFIGURATION) & SOFT_RESET != 0 {}
        ETHERNET.write(HARDWARE_CONFIGURATION, FIFO_SIZE);
        ETHERNET.write(INTERRUPT_ENABLE, 0);
        ETHERNET.write(FIFO_LEVELS, 0);
        ETHERNET.write(
            INTERRUPT_CONFIGURATION,
            INTERRUPT_OUTPUT | INTERRUPT_ACTIVE_HIGH | INTERRUPT_PUSH_PULL,
        );
        ETHERNET.write(TRANSMIT_CONFIGURATION, TRANSMIT_ON);
        write_mac(MAC_CONTROL, CONTROL_RECEIVE | CONTROL_TRANSMIT | CONTROL_FULL_DUPLEX);
        interrupt::enable(ETHERNET_INTERRUPT);
        Self(())
    }
}

impl Mac for Lan9118 {
    /// From the board's EEPROM; QEMU fills it by `-nic mac=`.
    fn address(&self) -> [u8; 6] {
        let [a, b, c, d] = read_mac(MAC_ADDRESS_LOW).to_le_bytes();
        let [e, f, ..] = read_mac(MAC_ADDRESS_HIGH).to_le_bytes();
        [a, b, c, d, e, f]
    }

    fn receive(&mut self, frame: &mut Frame) -> Option<usize> {
        ETHERNET.write(INTERRUPT_STATUS, INTERRUPT_RECEIVED);
        while ETHERNET.read(RECEIVE_FIFO) >> 16 & 0xff != 0 {
            let end = (ETHERNET.read(RECEIVE_STATUS) >> 16 & 0x3fff) as usize;
            for at in (0..end).step_by(4) {
                let word = ETHERNET.read(RECEIVE_DATA).to_le_bytes();
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
        ETHERNET.write(INTERRUPT_ENABLE, INTERRUPT_RECEIVED);
    }

    fn send(&mut self, frame: &[u8]) {
        // The frames before take 0.1 ms each at most, and no time in QEMU.
        let room = frame.len().next_multiple_of(4) + COMMAND_BYTES;
        while ((ETHERNET.read(TRANSMIT_FIFO) & 0xffff) as usize) < room {}
        let length = frame.len() as u32;
        ETHERNET.write(TRANSMIT_DATA, COMMAND_FIRST_SEGMENT | COMMAND_LAST_SEGMENT | length);
        ETHERNET.write(TRANSMIT_DATA, length);
        for bytes in frame.chunks(4) {
            let mut word = [0; 4];
            word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
            ETHERNET.write(TRANSMIT_DATA, u32::from_le_bytes(word));
        }
        // Nobody asks what became of a frame, but the FIFO of the answers must not fill up.
        while ETHERNET.read(TRANSMIT_FIFO) >> 16 & 0xff != 0 {
            ETHERNET.read(TRANSMIT_STATUS);
        }
    }
}

fn read_mac(register: u32) -> u32 {
    command_mac(MAC_READ | register);
    ETHERNET.read(MAC_DATA)
}

fn write_mac(register: u32, value: u32) {
    ETHERNET.write(MAC_DATA, value);
    command_mac(register);
}

fn command_mac(command: u32) {
    ETHERNET.write(MAC_COMMAND, MAC_BUSY | command);
    while ETHERNET.read(MAC_COMMAND) & MAC_BUSY != 0 {}
}

/// The controller's interrupt: masks itself until the driver has found the FIFO empty.
pub(crate) extern "C" fn on_interrupt() {
    ETHERNET.write(INTERRUPT_ENABLE, 0);
    net::wake();
}
