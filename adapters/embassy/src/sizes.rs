//! The configurations of the front page's table, held to its numbers when the crate is compiled.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;

crate::producer! {
    Smallest<NoopRawMutex> {
        topics: 1, partitions: 1, batches: 2, requests: 2, links: 1, brokers: 2, host: 16,
        names: 32, blocks: 2, block_size: 256, waits: 1,
    }
}

crate::producer! {
    Sensor<NoopRawMutex> {
        topics: 1, partitions: 4, batches: 6, requests: 4, links: 1, brokers: 2, host: 32,
        names: 32, blocks: 4, block_size: 512, waits: 2,
    }
}

crate::producer! {
    Gateway<NoopRawMutex> {
        topics: 4, partitions: 16, batches: 24, requests: 12, links: 3, brokers: 5, host: 64,
        names: 256, blocks: 16, block_size: 1_024, waits: 8,
    }
}

/// Bytes that a wider pointer adds: to the wakers, and to what is aligned to it.
const WIDER: usize = if size_of::<usize>() > 4 { 100 } else { 0 };

const _: () = assert!(size_of::<Smallest>() <= 2_800 + WIDER);
const _: () = assert!(size_of::<Sensor>() <= 5_600 + WIDER);
const _: () = assert!(size_of::<Gateway>() <= 27_300 + WIDER);
