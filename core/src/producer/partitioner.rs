//! Which partition a record goes to: explicit, by key, or sticky (KIP-480, KIP-794).

/// The hash that Kafka's clients share for keys: murmur2, 32 bits.
///
/// ```
/// use ottla::producer::partitioner::{key_hash, partition_of};
/// assert_eq!(partition_of(key_hash(b"foobar"), 10), 6);
/// ```
#[must_use]
pub fn key_hash(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ (key.len() as u32);
    let (words, tail) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte).wrapping_shl((index as u32).wrapping_mul(8));
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key's hash, among all partitions, with a leader or without.
#[must_use]
pub const fn partition_of(hash: u32, partitions: u32) -> u32 {
    match (hash & 0x7fff_ffff).checked_rem(partitions) {
        Some(partition) => partition,
        None => 0,
    }
}

/// Partitions whose load is looked at when one is drawn.
pub(crate) const SAMPLE: usize = 16;

/// Draws one of the entries that are there: with a weight that is one for the longest queue, and one
/// more for each batch that a queue is shorter (KIP-794). `draw` gives a number below its
/// argument.
pub(crate) fn weigh(loads: &[Option<u32>; SAMPLE], draw: impl FnOnce(u32) -> u32) -> Option<u32> {
    // Far beyond what any memory holds, so that no sum overflows.
    const LONGEST: u32 = 1 << 24;
    let longest = loads.iter().flatten().max()?.min(&LONGEST);
    let weight = |load: &Option<u32>| match load {
        Some(load) => longest.saturating_sub(*load).saturating_add(1),
        None => 0,
    };
    let total = loads.iter().map(weight).fold(0, u32::saturating_add);
    let mut left = draw(total);
    for (place, load) in (0..).zip(loads) {
        let weight = weight(load);
        if left < weight {
            return Some(place);
        }
        left = left.saturating_sub(weight);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(queues: &[Option<u32>], draws: u32) -> std::vec::Vec<u32> {
        let mut loads = [None; SAMPLE];
        for (load, queue) in loads.iter_mut().zip(queues) {
            *load = *queue;
        }
        let mut drawn = std::vec![0; queues.len()];
        for number in 0..draws {
            let place = weigh(&loads, |total| number % total).unwrap();
            drawn[place as usize] += 1;
        }
        drawn
    }

    #[test]
    fn c25_short_queues_are_drawn_more_often() {
        assert_eq!(frequencies(&[Some(1), Some(7), Some(2)], 14 * 5), [7 * 5, 5, 6 * 5]);
    }

    #[test]
    fn c26_empty_queues_are_drawn_most() {
        let queues = [5, 0, 3, 0, 1].map(Some);
        assert_eq!(frequencies(&queues, 21 * 3), [3, 6 * 3, 3 * 3, 6 * 3, 5 * 3]);
    }

    #[test]
    fn c27_equal_queues_are_drawn_alike_and_what_is_left_out_never() {
        assert_eq!(frequencies(&[Some(4), None, Some(4), Some(4)], 9), [3, 0, 3, 3]);
        assert_eq!(weigh(&[None; SAMPLE], |_| 0), None);
        assert_eq!(weigh(&[Some(u32::MAX); SAMPLE], |total| total - 1), Some(15));
    }

    #[test]
    fn keys_hash_as_in_every_kafka_client() {
        let vectors: [(&[u8], i32); 9] = [
            (b"", 275_646_681),
            (b"21", -973_932_308),
            (b"abc", 479_470_107),
            (b"key", -1_079_937_367),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (&[0xff; 5], -363_838_622),
        ];
        for (key, hash) in vectors {
            assert_eq!(key_hash(key).cast_signed(), hash, "{key:?}");
        }
        assert_eq!(partition_of(key_hash(b"foobar"), 10), 6);
        assert_eq!(partition_of(key_hash(b"foobar"), 0), 0);
    }
}
