#![allow(unsafe_code)]
//! Access to a device's registers.

/// Bytes that belong to one device.
const SIZE: usize = 0x1000;

/// The registers of one device: a page of 32-bit words.
#[derive(Clone, Copy)]
pub struct Registers {
    base: usize,
}

impl Registers {
    /// The registers from `base` on.
    ///
    /// # Safety
    ///
    /// The 4096 bytes from `base`, a multiple of four, must belong to one device. Neither reading
    /// nor writing its registers may change memory that Rust knows of, as DMA would.
    pub const unsafe fn at(base: usize) -> Self {
        Self { base }
    }

    /// Reads the register at `offset`.
    pub fn read(self, offset: usize) -> u32 {
        // SAFETY: the mask keeps the address aligned and inside of the device's page, which `at`
        // was promised to be registers.
        unsafe { (self.address(offset) as *const u32).read_volatile() }
    }

    /// Writes the register at `offset`.
    pub fn write(self, offset: usize, value: u32) {
        // SAFETY: as for `read`, and writing does not touch Rust's memory, as `at` was promised.
        unsafe { (self.address(offset) as *mut u32).write_volatile(value) }
    }

    /// Sets `bits` of the register at `offset`.
    pub fn set(self, offset: usize, bits: u32) {
        self.write(offset, self.read(offset) | bits);
    }

    const fn address(self, offset: usize) -> usize {
        self.base + (offset & (SIZE - 4))
    }
}
