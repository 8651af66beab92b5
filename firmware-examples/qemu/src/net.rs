//! embassy-net's driver for Ethernet controllers that keep frames in a FIFO of their own.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;

/// The longest Ethernet frame, without its checksum.
pub const FRAME_BYTES: usize = 1514;

/// Room for one frame.
pub type Frame = [u8; FRAME_BYTES];

static WAKER: AtomicWaker = AtomicWaker::new();

/// An Ethernet controller.
pub trait Mac {
    /// The station's address.
    fn address(&self) -> [u8; 6];

    /// Takes the next frame that fits out of the FIFO, and tells its length without checksum.
    /// Acknowledges the interrupt before it looks, so that a frame that comes later asks for
    /// another.
    fn receive(&mut self, frame: &mut Frame) -> Option<usize>;

    /// Enables the interrupt for received frames. Its handler disables it again and calls [`wake`].
    fn listen(&mut self);

    /// Sends a frame, to which the controller adds padding and checksum.
    fn send(&mut self, frame: &[u8]);
}

/// Called by the interrupt handler: there may be a frame.
pub fn wake() {
    WAKER.wake();
}

/// The driver over a controller.
pub struct Ethernet<M> {
    mac: M,
    /// A frame being received and one being sent: the stack answers while it reads.
    frames: &'static mut [Frame; 2],
}

impl<M: Mac> Ethernet<M> {
    /// Takes the controller, and the static memory for its frames, of which there is one.
    pub fn new(mac: M) -> Option<Self> {
        static FRAMES: ConstStaticCell<[Frame; 2]> = ConstStaticCell::new([[0; FRAME_BYTES]; 2]);
        Some(Self { mac, frames: FRAMES.try_take()? })
    }

    /// The address as a number, for want of better to draw random numbers from: these machines
    /// have no source of their own, and runs should repeat. `-nic mac=` changes it.
    pub fn seed(&self) -> u64 {
        self.mac.address().iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }
}

impl<M: Mac> Driver for Ethernet<M> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, M>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context) -> Option<(RxToken<'_>, TxToken<'_, M>)> {
        let [incoming, outgoing] = &mut *self.frames;
        let Some(length) = self.mac.receive(incoming) else {
            // A frame that came after the look is an interrupt as soon as they are enabled.
            WAKER.register(context.waker());
            self.mac.listen();
            return None;
        };
        let (frame, _) = incoming.split_at_mut_checked(length)?;
        Some((RxToken { frame }, TxToken { mac: &mut self.mac, frame: outgoing }))
    }

    fn transmit(&mut self, _context: &mut Context) -> Option<TxToken<'_, M>> {
        let [_, outgoing] = &mut *self.frames;
        Some(TxToken { mac: &mut self.mac, frame: outgoing })
    }

    fn link_state(&mut self, _context: &mut Context) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities.max_burst_size = None;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac.address())
    }
}

/// A received frame.
pub struct RxToken<'a> {
    frame: &'a mut [u8],
}

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        take(self.frame)
    }
}

/// Room for a frame to send.
pub struct TxToken<'a, M> {
    mac: &'a mut M,
    frame: &'a mut Frame,
}

impl<M: Mac> embassy_net_driver::TxToken for TxToken<'_, M> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let frame = &mut self.frame[..length];
        let outcome = fill(frame);
        self.mac.send(frame);
        outcome
    }
}
