//! What became of all records, for people and for programs.

use std::time::Duration;

use ottla_tokio::Acks;
use serde_json::json;

use super::failed::Keep;
use super::send::End;
use crate::numbers::{self, count, several};
use crate::tally::Tally;

/// All there is to tell.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) tally: Tally,
    pub(super) keep: Option<Keep>,
    pub(super) topics: Vec<String>,
    pub(super) acks: Acks,
    pub(super) took: Duration,
    pub(super) end: End,
}

impl Report {
    /// Whether everything that was read is written, and what had to be kept is kept.
    pub(super) fn is_good(&self) -> bool {
        let (_, elsewhere, lost) = self.keep.as_ref().map_or((0, 0, 0), Keep::counts);
        self.tally.is_good() && elsewhere == 0 && lost == 0 && self.late_error().is_none()
    }

    /// Whether there is more to say than the error that was told.
    pub(super) fn is_worth_telling(&self) -> bool {
        self.tally.total() > 0 || !matches!(self.end, End::Failed(_))
    }

    /// An error of the file in which records are kept, at its end.
    pub(super) fn late_error(&self) -> Option<String> {
        self.keep.as_ref().and_then(|keep| keep.sync().err())
    }

    /// The place of the input that nothing was sent from any more.
    fn stopped_at(&self) -> Option<&str> {
        match &self.end {
            End::Complete => None,
            End::Failed(place) => place.as_deref(),
            End::Interrupted(place) => Some(place),
        }
    }

    /// One line.
    pub(super) fn text(&self) -> String {
        let Self { tally, took, .. } = self;
        let what = match self.acks {
            Acks::None => "handed over, not acknowledged",
            _ => "written",
        };
        let mut text = format!("{} {what}", several(tally.written, "record"));
        match &self.topics[..] {
            [] => {}
            [topic] => text.push_str(&format!(" to {topic}")),
            more => text.push_str(&format!(" to {}", several(more.len() as u64, "topic"))),
        }
        if tally.written > 0 {
            let rate = count(numbers::rate(tally.written, *took));
            text.push_str(&format!(" in {} ({rate} per second)", numbers::span(*took)));
        }
        for (number, what) in [
            (tally.not_written, "not written"),
            (tally.unknown, "unknown: they may or may not be written"),
        ] {
            if number > 0 {
                text.push_str(&format!("; {} {what}", count(number)));
            }
        }
        if let Some(keep) = &self.keep {
            let (kept, elsewhere, lost) = keep.counts();
            for (number, place) in [
                (kept, format!("kept {} {}", keep.preposition(), keep.name())),
                (elsewhere, "on standard output instead".to_owned()),
                (lost, "of them kept nowhere".to_owned()),
            ] {
                if number > 0 {
                    text.push_str(&format!("; {} {place}", count(number)));
                }
            }
        }
        if tally.untold() > 0 {
            text.push_str(&format!("; {} not shown", several(tally.untold(), "more error")));
        }
        if let Some(place) = self.stopped_at() {
            text.push_str(&format!("; stopped at {place}"));
        }
        text
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let Self { tally, took, topics, .. } = self;
        let (kept, elsewhere, lost) = self.keep.as_ref().map_or((0, 0, 0), Keep::counts);
        let mut topics = topics.clone();
        topics.sort();
        let line = json!({
            "topics": topics,
            "written": tally.written,
            "acknowledged": self.acks != Acks::None,
            "not_written": tally.not_written,
            "unknown": tally.unknown,
            "complete": matches!(self.end, End::Complete),
            "stopped_at": self.stopped_at(),
            "seconds": took.as_secs_f64(),
            "records_per_s": numbers::rate(tally.written, *took),
            "errors": tally.told(),
            "errors_not_shown": tally.untold(),
            "failed_file": self.keep.as_ref().map(Keep::name),
            "failed_kept": kept,
            "failed_on_stdout": elsewhere,
            "failed_lost": lost,
        });
        line.to_string()
    }
}
