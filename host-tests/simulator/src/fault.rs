//! What may go wrong, and which promises do not hold then.

use std::fmt;

use crate::promise::Promise;
use Promise::{I1, I2, I3, I4};

macro_rules! faults {
    ($($(#[doc = $about:literal])* $variant:ident $name:literal [$($suspended:ident)*];)*) => {
        /// A fault. Which of them a seed has is drawn once; then each comes as operations.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $about])* $variant,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How scripts and reports call it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The promises that it suspends. I7 to I12 and I17 to I21 always hold.
            #[must_use]
            pub const fn suspends(self) -> &'static [Promise] {
                match self {
                    $(Self::$variant => &[$($suspended,)*],)*
                }
            }
        }
    };
}

faults! {
    // Links.
    /// The way takes longer for a while.
    Delay "delay" [];
    /// It takes longer by another time for each write.
    Jitter "jitter" [];
    /// Only answers take longer.
    Asymmetry "asymmetry" [];
    /// So many bytes a second, and no more.
    Bandwidth "bandwidth" [];
    /// A connection breaks after so many bytes, either way.
    Reset "reset" [];
    /// A connection carries nothing any more, and nobody is told.
    HalfOpen "half-open" [];
    /// A connection carries no answers any more.
    ReplyLost "reply-lost" [];
    /// A connection breaks; what was on its way reaches the broker up to 15 minutes later.
    Late "late" [];
    /// As that, twice.
    Twice "twice" [];
    /// As that, over two connections, the later half first.
    Disorder "disorder" [];
    /// One byte, or few, at a time.
    Crumbs "crumbs" [];
    /// Answers are handed in together.
    Merged "merged" [];
    /// Connections are refused.
    Refused "refused" [];
    /// Attempts to connect are never answered.
    Unanswered "unanswered" [];

    // Brokers.
    /// A node loses its power, and gets it back.
    Kill "kill" [];
    /// A node stands still for a while.
    Pause "pause" [];
    /// A node restarts, and knows all producers.
    Restart "restart" [];
    /// A node restarts, and knows the newest batch of each producer.
    RestartNewest "restart-newest" [];
    /// A node restarts, and knows no producer.
    RestartForgetful "restart-forgetful" [I1 I2 I3];
    /// A partition forgets its producers.
    Expiry "expiry" [I1 I2 I3];
    /// The brokers' time of day is wrong by hours.
    ClockSkew "clock-skew" [];
    /// Another replica in sync leads, in the next epoch.
    Move "move" [];
    /// Another replica leads in the same epoch.
    MoveInEpoch "move-in-epoch" [];
    /// A follower leaves those in sync.
    Shrink "shrink" [];
    /// A replica leads that lacks what is committed.
    Unclean "unclean" [I1 I2 I3];
    /// The end of a log is lost.
    Truncate "truncate" [I1 I2 I3];
    /// A topic is deleted, and made again.
    Recreate "recreate" [I1 I2 I3];
    /// A topic gets more partitions.
    Grow "grow" [];
    /// A node tells of the cluster as it was.
    Stale "stale" [];
    /// Clients are told to wait.
    Throttle "throttle" [];
    /// A disk fails, and is repaired.
    Disk "disk" [];
    /// Requests are refused by any code, before anything is done.
    CodeBefore "code-before" [];
    /// They are answered by any code that brokers give after the append.
    CodeAfter "code-after" [];
    /// They are answered the code whose turn it is, so that each is met for each API.
    Code "code" [];
    /// They are answered by codes that say what is not so.
    Lie "lie" [I1 I2 I3 I4];
    /// An answer leaves out what was asked for.
    LeaveOut "leave-out" [];
    /// A node tells a name of itself that is too long for small memory.
    LongHost "long-host" [];
    /// A request is handled later.
    Slow "slow" [];
    /// An answer is held back.
    SlowAnswer "slow-answer" [];
    /// A request is handled, and the connection closed, or silent.
    Swallow "swallow" [];
    /// A connection is closed on a request.
    HangUp "hang-up" [];
    /// Producer ids have few epochs left.
    LastEpochs "last-epochs" [I3];

    // Clients.
    /// Records come until they are refused.
    Fill "fill" [];
    /// The application does not look at events for a while.
    Deaf "deaf" [];
    /// A write is given up before it wrote anything.
    Cancel "cancel" [];
    /// The application names topics that nobody has.
    Names "names" [];
    /// The producer is closed with a deadline, and another begins.
    Close "close" [];
    /// The process ends while its producer closes.
    CloseCrash "close-crash" [];
    /// A write is made, and its connection ends before anybody says so.
    Untold "untold" [];
    /// The process ends, and another begins.
    Crash "crash" [];
    /// The clock leaps ahead by years.
    ClockJump "clock-jump" [];
    /// The time of day is wrong.
    WallJump "wall-jump" [];
    /// The time of day is years in the past: brokers forget producers by it.
    WallPast "wall-past" [I1 I2 I3];
    /// The clock passes a power of two.
    TickWrap "tick-wrap" [];
    /// The device sleeps, 1 s to 30 days.
    Sleep "sleep" [];
    /// The radio is switched off.
    Radio "radio" [];
}

impl Fault {
    /// A fault by its name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often each fault really hit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fired([u64; Fault::ALL.len()]);

impl Default for Fired {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Fired {
    /// It hit.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often it hit.
    #[must_use]
    pub const fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// How often anything hit.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those of two runs.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

/// The promises that hold whatever happens.
#[must_use]
pub fn always(promise: Promise) -> bool {
    Fault::ALL.iter().all(|fault| !fault.suspends().contains(&promise))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_logs_hold_is_ever_suspended() {
        for promise in Promise::ALL {
            assert_eq!(always(promise), !matches!(promise, I1 | I2 | I3 | I4), "{promise}");
        }
    }

    #[test]
    fn names_are_found_again() {
        for fault in Fault::ALL {
            assert_eq!(Fault::of(fault.name()), Some(*fault));
        }
        assert_eq!(Fault::of("fire"), None);
    }
}
