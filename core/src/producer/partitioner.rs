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

#[cfg(test)]
mod tests {
    use super::*;

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
