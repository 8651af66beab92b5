//! I8 after healing: what has time enough left is written. An outcome in time is not enough: it must not
//! be an expiry, nor a failure that nothing but the past explains.

use ottla::config::WhenFull;
use ottla::message::ErrorCode;
use ottla::{Cause, Config};

use super::bound::{self, Backlog, Way};
use crate::ledger::{Fate, Ledger};

/// The longest that a broker tells a client to wait, and so keeps deadlines away (R13).
pub(crate) const THROTTLE_MAX: u64 = 5_000_000;

/// Metadata is asked for no more often, where it does not help.
const METADATA_PAUSE: u64 = 1_000_000;

/// What is enough for a record to be written that waits when everything is well again:
///
/// > request timeout + throttling + back-offs + metadata pauses + linger + 10 round trips
/// > + n / in flight round trips + bytes / bandwidth
///
/// - Whatever was asked on a dead connection was asked before, so that all of them are found out within
///   one request timeout, side by side; a deadline waits while its broker throttles.
/// - Attempts to connect that were under way end when everything heals, so the connection setup timeout
///   is no part of it: the next attempt is after one back-off at its longest, and succeeds.
/// - Metadata is asked for twice at most: for the leaders as they are, and for one whose address had no
///   place.
/// - n and the bytes are those of all that waits: it may share one link.
pub(crate) fn enough(config: &Config, way: &Way, what: &Backlog, divided: bool) -> u64 {
    // That bound has the setup timeout as the design says it.
    let setup = config.connection_setup_timeout_max.as_micros();
    bound::backlog(config, way, what, divided) - setup + THROTTLE_MAX + 2 * METADATA_PAUSE
}

/// A record that has enough time to be written.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Hope {
    pub(crate) id: u32,
    /// How long its time went on when everything healed.
    pub(crate) left: u64,
}

/// Those of some batches that have enough time left. `now`, by their producer's clock.
pub(crate) fn hopes(ledger: &Ledger, batches: &[Vec<u32>], now: u64, enough: u64) -> Vec<Hope> {
    let mut hopes = Vec::new();
    for batch in batches {
        let Some(first) = batch.first() else { continue };
        let entry = &ledger.entries[*first as usize];
        let process = &ledger.processes[entry.producer as usize];
        // Attempts that were made before may have been all that it has.
        if process.counts_attempts() {
            continue;
        }
        let timeout = process.delivery_timeout;
        let expires = ledger.created(*first).saturating_add(timeout);
        let left = process.deadline.unwrap_or(u64::MAX).min(expires).saturating_sub(now);
        if left >= enough {
            hopes.extend(batch.iter().map(|id| Hope { id: *id, left }));
        }
    }
    hopes
}

/// What of the past explains that a record was not written.
#[derive(Clone, Default, Debug)]
pub(crate) struct Past {
    /// A fault has hit its partition or its producer that loses what brokers know of producers, or lies.
    pub(crate) touched: bool,
    /// Its producer met a fatal answer.
    pub(crate) fatal: bool,
}

/// I8: a record that had time enough is written.
pub(crate) fn is_written(ledger: &Ledger, hope: Hope, past: &Past) -> super::Verdict {
    let entry = &ledger.entries[hope.id as usize];
    let process = &ledger.processes[entry.producer as usize];
    let drops = process.when_full != WhenFull::Refuse;
    let explained = match entry.fate {
        Fate::Written(_) | Fate::Unacknowledged | Fate::Orphan => true,
        Fate::Dropped => drops,
        // Whoever waits for it tells so.
        Fate::Pending => true,
        Fate::NotWritten | Fate::Unknown => match ledger.failures.get(&hope.id) {
            _ if past.fatal => true,
            Some(Cause::Code(code)) => {
                ledger.was_told_before_healing(hope.id, *code) || blames_it(*code)
            }
            Some(Cause::StateLost) => {
                past.touched
                    || ledger.is_behind_a_hole(hope.id)
                    || ledger.lost_its_place_before_healing(hope.id)
            }
            _ => false,
        },
    };
    if explained {
        return Ok(());
    }
    let cause = ledger.failures.get(&hope.id).map(ToString::to_string).unwrap_or_default();
    let (id, left, fate) = (hope.id, hope.left, entry.fate);
    Err(format!("{id} had {left} us left when all was well, and is {fate:?}: {cause}"))
}

/// Whether a code blames the record itself: its size, or its time by a clock that was wrong.
fn blames_it(code: ErrorCode) -> bool {
    let its_own =
        [ErrorCode::MESSAGE_TOO_LARGE, ErrorCode::INVALID_TIMESTAMP, ErrorCode::INVALID_RECORD];
    its_own.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::bound::tests::WAY;
    use crate::sample::Style;

    #[test]
    fn enough_is_less_than_the_bound_of_an_outcome_by_the_setup_timeout() {
        let (config, what) = (Config::new(), Backlog { batches: 1, records: 1, bytes: 100 });
        let bound = bound::backlog(&config, &WAY, &what, false);
        assert_eq!(enough(&config, &WAY, &what, false), bound - 30_000_000 + 7_000_000);
    }

    /// Records of a producer with a delivery timeout of 120 s, the first of 10 s.
    fn waiting() -> (Ledger, Vec<Vec<u32>>) {
        let mut ledger = Ledger::default();
        ledger.begin(&Config::new(), Style::default());
        ledger.entries = (10..12).map(|at| crate::ledger::tests::entry(at * 1_000_000)).collect();
        (ledger, vec![vec![0], vec![1]])
    }

    #[test]
    fn who_has_time_enough_is_hoped_for() {
        let (mut ledger, batches) = waiting();
        let hoped = |ledger: &Ledger, enough| {
            let hopes = hopes(ledger, &batches, 100_000_000, enough);
            hopes.iter().map(|hope| hope.id).collect::<Vec<_>>()
        };
        assert_eq!(hoped(&ledger, 30_000_000), [0, 1]);
        assert_eq!(hoped(&ledger, 30_000_001), [1]);
        assert_eq!(hoped(&ledger, 31_000_001), []);
        ledger.processes[0].deadline = Some(101_000_000);
        assert_eq!(hoped(&ledger, 1_000_001), [], "it is closed before");
        ledger.processes[0].deadline = None;
        ledger.processes[0].retries = 3;
        assert_eq!(hoped(&ledger, 0), [], "it may have no attempt left");
    }

    #[test]
    fn what_expires_or_fails_though_all_is_well_is_found() {
        let judge = |fate, cause: Option<Cause>, touched, told: Option<bool>| {
            let (mut ledger, _) = waiting();
            ledger.entries[0].fate = fate;
            ledger.failures.extend(cause.map(|cause| (0, cause)));
            told.into_iter().for_each(|before| ledger.answered_each(0..1, 19, before));
            is_written(&ledger, Hope { id: 0, left: 9 }, &Past { touched, fatal: false }).is_ok()
        };
        let code = Some(Cause::Code(ErrorCode(19)));
        assert!(judge(Fate::Written(None), None, false, None));
        for fate in [Fate::Unknown, Fate::NotWritten] {
            assert!(!judge(fate, Some(Cause::Timeout), true, None), "no fault explains an expiry");
            assert!(!judge(fate, Some(Cause::StateLost), false, None));
            assert!(judge(fate, Some(Cause::StateLost), true, None));
            let lost = Some(Cause::StateLost);
            assert!(!judge(fate, lost, false, Some(true)), "19 says no such thing");
            assert!(!judge(fate, code, true, None));
            assert!(!judge(fate, code, true, Some(false)), "asked when all was well");
            assert!(judge(fate, code, false, Some(true)), "asked before");
            assert!(judge(fate, Some(Cause::Code(ErrorCode::MESSAGE_TOO_LARGE)), false, None));
        }
        assert!(!judge(Fate::Dropped, None, false, None), "nobody asked for it");
    }
}
