//! CRC-32C (Castagnoli), the checksum of a batch.
//!
//! Without a feature it is computed without a table; `crc-table` takes 1 KiB of read-only
//! memory, `crc-table-large` 16 KiB, `crc-hardware` the processor's own instructions.

/// CRC-32C of `bytes`.
#[cfg(feature = "crc-hardware")]
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

#[cfg(not(feature = "crc-hardware"))]
mod portable {
    #[cfg(feature = "crc-table-large")]
    pub(super) type Table = crc::Table<16>;
    #[cfg(all(feature = "crc-table", not(feature = "crc-table-large")))]
    pub(super) type Table = crc::Table<1>;
    #[cfg(not(any(feature = "crc-table", feature = "crc-table-large")))]
    pub(super) type Table = crc::NoTable;

    pub(super) static CASTAGNOLI: crc::Crc<u32, Table> =
        crc::Crc::<u32, Table>::new(&crc::CRC_32_ISCSI);
}

/// CRC-32C of `bytes`.
#[cfg(not(feature = "crc-hardware"))]
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    portable::CASTAGNOLI.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn published_check_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b""), 0);
    }
}
