//! Trouble that the broker makes.

use ottla::Duration;
use ottla::message::ErrorCode;

use crate::Random;

/// How often each kind of trouble comes: in so many of 1024 cases.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Rates {
    /// The connection is closed before the request is looked at.
    pub close_before: u16,
    /// The connection is closed instead of answering; the request was carried out.
    pub close_after: u16,
    /// This answer is lost, and all later ones of the connection; requests are carried out.
    pub mute: u16,
    /// A batch is refused before the append, and may come again.
    pub error_before: u16,
    /// An error that may be retried is told after the append.
    pub error_after: u16,
    /// A batch is refused for good.
    pub refuse: u16,
    /// Metadata has no leader for a partition.
    pub no_leader: u16,
    /// No producer id is handed out yet.
    pub no_id: u16,
    /// The client is told to wait after the answer.
    pub throttle: u16,
    /// The answer takes up to [`Rates::latency_max`].
    pub latency: u16,
    /// The longest time to an answer.
    pub latency_max: Duration,
}

impl Rates {
    /// None of it.
    pub const NONE: Self = Self {
        close_before: 0,
        close_after: 0,
        mute: 0,
        error_before: 0,
        error_after: 0,
        refuse: 0,
        no_leader: 0,
        no_id: 0,
        throttle: 0,
        latency: 0,
        latency_max: Duration::ZERO,
    };
}

/// Draws trouble at its rates, from a seed.
#[derive(Clone, Debug)]
pub struct Faults {
    random: Random,
    rates: Rates,
}

/// What becomes of a request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Answer,
    CloseBefore,
    CloseAfter,
    Mute,
}

/// What becomes of a batch beside the checks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum BatchFate {
    Check,
    Refuse(ErrorCode),
    AppendAndSay(ErrorCode),
}

/// Before the append, whatever `acks` is, and with `acks=all` also these of the second list.
const BEFORE: [i16; 5] = [2, 3, 6, 19, 56];
const AFTER_ALL: [i16; 5] = [3, 6, 7, 20, 56];
const AFTER_LEADER: [i16; 2] = [7, 56];
/// The last may come after the append as well.
const FOR_GOOD: [i16; 3] = [10, 87, -1];

impl Faults {
    /// No trouble.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(0, Rates::NONE)
    }

    /// Trouble of `seed` at these rates.
    #[must_use]
    pub const fn new(seed: u64, rates: Rates) -> Self {
        Self { random: Random::new(seed), rates }
    }

    pub(crate) fn request(&mut self) -> Fate {
        let Self { random, rates } = self;
        if random.chance(rates.close_before) {
            Fate::CloseBefore
        } else if random.chance(rates.close_after) {
            Fate::CloseAfter
        } else if random.chance(rates.mute) {
            Fate::Mute
        } else {
            Fate::Answer
        }
    }

    pub(crate) fn batch(&mut self, acks: i16) -> BatchFate {
        let Self { random, rates } = self;
        if random.chance(rates.error_before) {
            BatchFate::Refuse(ErrorCode(random.pick(&BEFORE)))
        } else if random.chance(rates.error_after) {
            let codes = if acks == -1 { &AFTER_ALL[..] } else { &AFTER_LEADER };
            BatchFate::AppendAndSay(ErrorCode(random.pick(codes)))
        } else if random.chance(rates.refuse) {
            let code = ErrorCode(random.pick(&FOR_GOOD));
            if code.0 < 0 && random.chance(512) {
                BatchFate::AppendAndSay(code)
            } else {
                BatchFate::Refuse(code)
            }
        } else {
            BatchFate::Check
        }
    }

    pub(crate) fn no_leader(&mut self) -> bool {
        self.random.chance(self.rates.no_leader)
    }

    pub(crate) fn no_id(&mut self) -> bool {
        self.random.chance(self.rates.no_id)
    }

    pub(crate) fn throttle_ms(&mut self) -> i32 {
        if self.random.chance(self.rates.throttle) {
            self.random.below(2_000).cast_signed()
        } else {
            0
        }
    }

    pub(crate) fn latency(&mut self) -> Duration {
        if !self.random.chance(self.rates.latency) {
            return Duration::ZERO;
        }
        let max = u32::try_from(self.rates.latency_max.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.random.below(max)))
    }
}
