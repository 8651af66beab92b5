//! A choice by a seed, which stays much the same when the things to choose from change a little.

/// `count` of `all`, by the hash of the seed and what `key` says of each; in the order of `all`.
pub(crate) fn draw<T>(seed: u64, all: Vec<T>, count: usize, key: impl Fn(&T) -> &str) -> Vec<T> {
    let mut ranked: Vec<(u64, usize, T)> =
        all.into_iter().enumerate().map(|(n, one)| (hash(seed, key(&one)), n, one)).collect();
    ranked.sort_by_key(|(hash, n, _)| (*hash, *n));
    ranked.truncate(count);
    ranked.sort_by_key(|(_, n, _)| *n);
    ranked.into_iter().map(|(_, _, one)| one).collect()
}

/// FNV-1a, mixed once more: texts that differ at their end only are far apart.
pub(crate) fn hash(seed: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sum = text
        .bytes()
        .fold(start, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: u32) -> Vec<String> {
        (0..count).map(|n| n.to_string()).collect()
    }

    #[test]
    fn a_seed_draws_the_same_and_another_others() {
        let drawn = |seed| draw(seed, numbers(1_000), 100, |one| one);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert_eq!(drawn(1).len(), 100);
    }

    #[test]
    fn what_is_added_changes_little() {
        let before = draw(1, numbers(1_000), 100, |one| one);
        let after = draw(1, numbers(1_010), 100, |one| one);
        let kept = before.iter().filter(|one| after.contains(one)).count();
        assert!(kept > 90, "{kept}");
    }
}
