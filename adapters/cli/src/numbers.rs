//! Numbers as people read them.

use std::time::Duration;

/// 1234567 as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 record`, `2 records`.
pub(crate) fn several(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// Bytes with a unit: `999 B`, `1.5 MB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1_000 {
        return format!("{number} B");
    }
    let mut value = number as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 999.95 {
            break;
        }
        value /= 1_000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// Microseconds with a unit: `850 µs`, `1.5 ms`, `2.0 s`.
pub(crate) fn micros(number: f64) -> String {
    match number {
        ..999.5 => format!("{number:.0} µs"),
        ..999_950.0 => format!("{:.1} ms", number / 1_000.0),
        _ => format!("{:.1} s", number / 1_000_000.0),
    }
}

/// How many there are a second, rounded.
pub(crate) fn rate(number: u64, span: Duration) -> u64 {
    (number as f64 / span.as_secs_f64().max(1e-6)).round() as u64
}

/// A span: `0.42 s`, `2 min 05 s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", span.as_secs_f64()),
        10..100 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count).join(" "), "0 999 1,000 1,234,567");
        assert_eq!(
            [0, 999, 1_000, 999_949, 999_950, 1_500_000].map(bytes).join(", "),
            "0 B, 999 B, 1.0 kB, 999.9 kB, 1.0 MB, 1.5 MB"
        );
        assert_eq!(
            [0.0, 999.4, 999.5, 1_500.0, 2_000_000.0].map(micros).join(", "),
            "0 µs, 999 µs, 1.0 ms, 1.5 ms, 2.0 s"
        );
        assert_eq!(several(1, "record"), "1 record");
        assert_eq!(several(2_000, "record"), "2,000 records");
        assert_eq!(rate(10, Duration::from_millis(100)), 100);
        assert_eq!(span(Duration::from_millis(1_234)), "1.23 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 05 s");
    }
}
