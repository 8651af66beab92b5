//! Times as people and programs write them.

use std::time::SystemTime;

/// A time on the command line: `now`, milliseconds since 1970, or RFC 3339. In milliseconds.
pub(super) fn timestamp(text: &str) -> Result<i64, String> {
    if text.eq_ignore_ascii_case("now") {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.ok().and_then(|since| i64::try_from(since.as_millis()).ok());
        return millis.ok_or_else(|| "the clock of this machine is before 1970".to_owned());
    }
    match text.parse() {
        Ok(millis) => not_negative(millis),
        Err(_) => rfc3339(text),
    }
}

/// Milliseconds since 1970 of a time such as 2026-01-31T08:00:00Z.
pub(super) fn rfc3339(text: &str) -> Result<i64, String> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    let millis = time.map(jiff::Timestamp::as_millisecond).map_err(|_| {
        format!(
            "{text:?} is neither milliseconds since 1970 nor a time such as 2026-01-31T08:00:00Z"
        )
    });
    millis.and_then(not_negative)
}

/// Kafka knows no time before 1970.
pub(super) fn not_negative(millis: i64) -> Result<i64, String> {
    if millis >= 0 { Ok(millis) } else { Err("a time before 1970 cannot be sent".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood() {
        assert_eq!(timestamp("1700000000123"), Ok(1_700_000_000_123));
        assert_eq!(timestamp("2023-11-14T22:13:20.123Z"), Ok(1_700_000_000_123));
        assert_eq!(timestamp("2023-11-15T00:13:20+02:00"), Ok(1_700_000_000_000));
        assert!(timestamp("now").is_ok_and(|millis| millis > 1_700_000_000_000));
        for wrong in ["-1", "yesterday", "2023-11-14", "1969-12-31T23:59:59Z", ""] {
            assert!(timestamp(wrong).is_err(), "{wrong}");
        }
    }
}
