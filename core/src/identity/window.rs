//! The sequences of one partition, and how many of its batches may be unresolved.

use super::{Identity, Sequence};
use crate::time::{Duration, Instant};

/// Most unresolved batches of a partition: a broker remembers this many (KIP-98).
pub const WINDOW: u8 = 5;

/// A success older than this no longer proves that the broker has the producer's state. R7.
const PROOF: Duration = Duration::from_secs(300);

/// What a partition knows of its sequences. All zero: no sequence was ever used.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Sequences {
    /// The identity in use, once a sequence was used.
    identity: Option<Identity>,
    next: Sequence,
    /// The sequence after the last acknowledged record.
    acknowledged: Option<Sequence>,
    /// The last success under this identity, while nothing has closed the window since.
    proven: Option<Instant>,
    /// Batches with a sequence and without an outcome.
    unresolved: u8,
    /// A batch was given up: its sequences are not, or may not be, in the log. No new ones
    /// before a later success shows otherwise, or a new epoch.
    broken: bool,
}

impl Sequences {
    /// Nothing used yet.
    pub const EMPTY: Self = Self {
        identity: None,
        next: Sequence::ZERO,
        acknowledged: None,
        proven: None,
        unresolved: 0,
        broken: false,
    };

    /// The identity in use.
    #[must_use]
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// The sequence that the next new batch gets.
    #[must_use]
    pub const fn next(&self) -> Sequence {
        self.next
    }

    /// The sequence after the last acknowledged record, if any was acknowledged.
    #[must_use]
    pub const fn acknowledged(&self) -> Option<Sequence> {
        self.acknowledged
    }

    /// Batches with a sequence and without an outcome.
    #[must_use]
    pub const fn unresolved(&self) -> u8 {
        self.unresolved
    }

    /// Whether a batch was given up and nothing has shown since that sequences still match.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// How old a success may be to prove that the broker has the producer's state.
    #[cfg(feature = "proof")]
    pub(crate) const PROOF: Duration = PROOF;

    /// The last success, while nothing has closed the window since.
    #[cfg(feature = "proof")]
    pub(crate) const fn proven(&self) -> Option<Instant> {
        self.proven
    }

    /// How many batches may be unresolved at `now`. R7.
    #[must_use]
    pub fn window(&self, now: Instant) -> u8 {
        match self.proven {
            Some(success) if now.since(success) <= PROOF => WINDOW,
            _ => 1,
        }
    }

    /// Starts over at sequence 0 under `identity`. The caller has made sure of R9.
    pub const fn adopt(&mut self, identity: Identity) {
        // Without an identity none was used, so the next one is the first.
        let next = if self.identity.is_none() { self.next } else { Sequence::ZERO };
        *self = Self { identity: Some(identity), next, ..Self::EMPTY };
    }

    /// A partition without any state may begin anywhere, as far as brokers are concerned: near
    /// the wrap, for instance.
    #[cfg(feature = "proof")]
    pub(crate) const fn begin_at(&mut self, first: Sequence) {
        if self.identity.is_none() {
            self.next = first;
        }
    }

    /// Hands out sequences for a new batch of `count` records, and returns the first.
    pub const fn assign(&mut self, count: u32) -> Sequence {
        let base = self.next;
        self.next = base.after(count);
        self.unresolved = self.unresolved.saturating_add(1);
        base
    }

    /// A batch under this identity that ends before `end` is in the log. Its own outcome is
    /// told by [`Sequences::resolved`].
    pub const fn succeeded(&mut self, end: Sequence, now: Instant) {
        self.proven = Some(now);
        // The broker's state follows this batch, whatever became of earlier ones.
        self.broken = false;
        match self.acknowledged {
            Some(known) if !known.is_before(end) => {}
            _ => self.acknowledged = Some(end),
        }
    }

    /// The window is one again: an error, a disconnect, another leader. R7.
    pub const fn doubt(&mut self) {
        self.proven = None;
    }

    /// A batch has its outcome.
    pub const fn resolved(&mut self) {
        self.unresolved = self.unresolved.saturating_sub(1);
    }

    /// A batch was given up; see [`Sequences::is_broken`].
    pub const fn give_up(&mut self) {
        self.broken = true;
    }

    /// The sequences of all unresolved batches were taken back, to be handed out anew under
    /// another identity.
    pub const fn withdraw(&mut self) {
        self.unresolved = 0;
        self.broken = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Identity = Identity { id: 7, epoch: 0 };

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn r07_the_window_is_one_until_a_success_and_again_after_five_minutes() {
        let mut sequences = Sequences::default();
        sequences.adopt(FIRST);
        assert_eq!(sequences.window(at(0)), 1);
        let base = sequences.assign(3);
        sequences.succeeded(base.after(3), at(1));
        assert_eq!(sequences.window(at(301)), 5);
        assert_eq!(sequences.window(at(302)), 1);
        sequences.succeeded(base.after(4), at(400));
        sequences.doubt();
        assert_eq!(sequences.window(at(400)), 1);
        sequences.succeeded(base.after(5), at(401));
        sequences.adopt(Identity { id: 7, epoch: 1 });
        assert_eq!(sequences.window(at(401)), 1);
    }

    #[test]
    fn an_acknowledgement_that_comes_late_moves_nothing_back() {
        let mut sequences = Sequences::default();
        sequences.adopt(FIRST);
        sequences.next = Sequence::new(0x7fff_fffe);
        let first = sequences.assign(1);
        let second = sequences.assign(3);
        assert_eq!(sequences.next(), Sequence::new(2));
        sequences.succeeded(second.after(3), at(1));
        sequences.succeeded(first.after(1), at(2));
        assert_eq!(sequences.acknowledged(), Some(Sequence::new(2)));
    }

    #[test]
    fn a_later_success_mends_what_was_given_up() {
        let mut sequences = Sequences::default();
        sequences.adopt(FIRST);
        let _ = sequences.assign(10);
        let second = sequences.assign(10);
        sequences.give_up();
        assert!(sequences.is_broken());
        sequences.succeeded(second.after(10), at(1));
        assert!(!sequences.is_broken());
    }

    #[test]
    fn epochs_end_at_32767() {
        assert_eq!(FIRST.bumped(), Some(Identity { id: 7, epoch: 1 }));
        assert_eq!(Identity { id: 7, epoch: i16::MAX }.bumped(), None);
    }

    #[test]
    fn batches_without_an_outcome_are_counted() {
        let mut sequences = Sequences::default();
        sequences.adopt(FIRST);
        let _ = sequences.assign(3);
        let _ = sequences.assign(3);
        assert_eq!(sequences.unresolved(), 2);
        sequences.resolved();
        assert_eq!(sequences.unresolved(), 1);
        sequences.withdraw();
        assert_eq!(sequences.unresolved(), 0);
    }

    #[test]
    #[cfg(feature = "proof")]
    fn what_keeps_the_window_open_is_shown() {
        let mut sequences = Sequences::default();
        sequences.adopt(FIRST);
        assert_eq!(sequences.proven(), None);
        sequences.succeeded(Sequence::new(1), at(5));
        assert_eq!(sequences.proven(), Some(at(5)));
        sequences.doubt();
        assert_eq!(sequences.proven(), None);
    }
}
