//! What may go wrong in a search, and how often.

use std::fmt;

use ottla_simulator::Fault as Simulated;

/// A fault.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Fault {
    /// A link ends, or falls silent, before the broker has read what was sent on it.
    LostRequest,
    /// A link ends, or falls silent, after the broker has answered, and before the answer came.
    LostReply,
    /// A link ends, and what was sent on it reaches the broker at any time later.
    LateRequest,
    /// A Produce request is refused, and nothing is appended.
    ErrorBefore,
    /// A Produce request is carried out, and an error is answered, or nothing of its batches.
    ErrorAfter,
    /// The brokers restart, and know the newest batch of each producer.
    Reload,
    /// A partition forgets its producers.
    Expiry,
    /// The other node leads a partition.
    LeaderMove,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LostRequest,
        Self::LostReply,
        Self::LateRequest,
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::Reload,
        Self::Expiry,
        Self::LeaderMove,
    ];

    /// How the command line and reports call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostRequest => "lost-request",
            Self::LostReply => "lost-reply",
            Self::LateRequest => "late-request",
            Self::ErrorBefore => "error-before",
            Self::ErrorAfter => "error-after",
            Self::Reload => "reload",
            Self::Expiry => "expiry",
            Self::LeaderMove => "leader-move",
        }
    }

    /// A fault by its name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// The simulator's fault that is like it: what it suspends, this suspends.
    #[must_use]
    pub const fn simulated(self) -> Simulated {
        match self {
            Self::LostRequest => Simulated::Reset,
            Self::LostReply => Simulated::ReplyLost,
            Self::LateRequest => Simulated::Late,
            Self::ErrorBefore => Simulated::CodeBefore,
            Self::ErrorAfter => Simulated::CodeAfter,
            Self::Reload => Simulated::RestartNewest,
            Self::Expiry => Simulated::Expiry,
            Self::LeaderMove => Simulated::Move,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often each fault may still come.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Budget([u8; Fault::ALL.len()]);

impl Budget {
    /// These faults, each as often as it is named.
    #[must_use]
    pub fn of(faults: &[Fault]) -> Self {
        let mut budget = Self::default();
        faults.iter().for_each(|fault| budget.0[*fault as usize] += 1);
        budget
    }

    /// Whether a fault may come.
    #[must_use]
    pub const fn has(&self, fault: Fault) -> bool {
        self.0[fault as usize] > 0
    }

    /// One came.
    pub const fn spend(&mut self, fault: Fault) {
        self.0[fault as usize] -= 1;
    }
}

/// The codes that stand for all that brokers give before the append. One for each way in which the
/// client has to take them: to be retried and a proof; to be retried, with fresh metadata, and no
/// proof; final and a proof; final for all that follows, too.
pub const BEFORE: [i16; 4] = [2, 6, 87, 90];
/// As that, after the append: to be retried; to be retried with fresh metadata; final; that it was in
/// the log before, as old brokers say of what they don't remember.
pub const AFTER: [i16; 4] = [7, 6, -1, 46];
/// Given before the append, too: a batch of several records is then sent in parts.
pub const TOO_LARGE: i16 = 10;
