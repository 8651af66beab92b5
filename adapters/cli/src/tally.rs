//! Counts what became of records, and tells each kind of error once.

use ottla_tokio::{Outcomes, SendError, SendErrorKind};

/// Different errors of records that are told; of more there is only a count.
const TOLD_MAX: usize = 10;

/// What became of records.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Written, or with `acks=0` handed to the connection.
    pub(crate) written: u64,
    /// Not written.
    pub(crate) not_written: u64,
    /// Nobody knows.
    pub(crate) unknown: u64,
    /// Errors by their text, in the order in which they came up.
    told: Vec<String>,
    /// Errors beyond those.
    untold: u64,
}

impl Tally {
    /// Counts outcomes. Errors that did not come up before are given to `tell`.
    pub(crate) fn add(&mut self, outcomes: &Outcomes, mut tell: impl FnMut(&str)) {
        if outcomes.all().is_ok() {
            self.written += outcomes.len() as u64;
            return;
        }
        let mut last = None;
        for outcome in outcomes.iter() {
            let Err(error) = outcome else {
                self.written += 1;
                continue;
            };
            self.count(&error);
            // Records of a batch share their error.
            let text = error.to_string();
            if last.as_ref() != Some(&text) {
                self.tell(&text, &mut tell);
                last = Some(text);
            }
        }
    }

    /// Counts the outcome of one record by its error, if it has one.
    pub(crate) fn add_one(&mut self, error: Option<SendError>, tell: impl FnMut(&str)) {
        match error {
            None => self.written += 1,
            Some(error) => {
                self.count(&error);
                self.tell(&error.to_string(), tell);
            }
        }
    }

    /// Counts the record of an error.
    fn count(&mut self, error: &SendError) {
        match error.kind() {
            SendErrorKind::Unknown(..) => self.unknown += 1,
            _ => self.not_written += 1,
        }
    }

    /// Gives an error to `tell`, if it is new.
    pub(crate) fn tell(&mut self, text: &str, mut tell: impl FnMut(&str)) {
        if self.told.iter().any(|told| told == text) {
            return;
        }
        if self.told.len() < TOLD_MAX {
            tell(text);
            self.told.push(text.to_owned());
        } else {
            self.untold += 1;
        }
    }

    /// Gives an error to `tell` that no number of others may hide, if it is new.
    pub(crate) fn tell_always(&mut self, text: &str, tell: impl FnOnce(&str)) {
        if !self.told.iter().any(|told| told == text) {
            tell(text);
            self.told.push(text.to_owned());
        }
    }

    /// Errors that were told.
    pub(crate) fn told(&self) -> &[String] {
        &self.told
    }

    /// Errors that were not told.
    pub(crate) const fn untold(&self) -> u64 {
        self.untold
    }

    /// Records that have an outcome.
    pub(crate) const fn total(&self) -> u64 {
        self.written + self.not_written + self.unknown
    }

    /// Records that are not written, or perhaps not.
    pub(crate) const fn failed(&self) -> u64 {
        self.not_written + self.unknown
    }

    /// Whether every record is written.
    pub(crate) const fn is_good(&self) -> bool {
        self.failed() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_everything_is_told_behind_any_number_of_errors() {
        let (mut tally, mut told) = (Tally::default(), Vec::new());
        for line in 0..15 {
            tally.tell(&format!("line {line}"), |text| told.push(text.to_owned()));
        }
        for _ in 0..2 {
            tally.tell_always("the end", |text| told.push(text.to_owned()));
        }
        assert_eq!((told.len(), tally.untold()), (TOLD_MAX + 1, 5));
        assert_eq!(told.last().map(String::as_str), Some("the end"));
        assert_eq!(tally.told(), told);
    }
}
