//! The key that somebody may have meant.

/// Of all keys, the one that is most like `key`; of several, a setting rather than another.
pub(crate) fn nearest(key: &str) -> &'static str {
    let names = super::all().map(|key| key.name);
    names.min_by_key(|name| distance(key, name)).unwrap_or_default()
}

/// How far `key` is from `name`: letters to insert, remove, replace, or swap with the next. Case
/// and the kind of separator do not count, and a part of the name is near to it.
fn distance(key: &str, name: &str) -> usize {
    let fold = |c: char| match c.to_ascii_lowercase() {
        '_' | '-' => '.',
        other => other,
    };
    let a: Vec<char> = key.chars().map(fold).take(80).collect();
    let b: Vec<char> = name.chars().collect();
    let folded: String = a.iter().collect();
    if folded.len() > 3 && name.contains(&folded) {
        return usize::from(!name.starts_with(&folded));
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replace = above[j] + usize::from(a[i] != b[j]);
            let mut best = replace.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found() {
        let pairs = [
            ("linger.mss", "linger.ms"),
            ("linger_ms", "linger.ms"),
            ("LINGER.MS", "linger.ms"),
            ("linger", "linger.ms"),
            ("bootstrap.server", "bootstrap.servers"),
            ("bootstrap.brokers", "bootstrap.servers"),
            ("max.in.flight", "max.in.flight.requests.per.connection"),
            ("idempotence", "enable.idempotence"),
            ("batch.szie", "batch.size"),
            ("ack", "acks"),
            ("client-id", "client.id"),
            ("retry.backoff", "retry.backoff.max.ms"),
            ("buffer.memroy", "buffer.memory"),
            ("compression.codec", "compression.type"),
            ("ssl.truststore.locaton", "ssl.truststore.location"),
        ];
        for (key, expected) in pairs {
            assert_eq!(nearest(key), expected, "{key}");
        }
    }
}
