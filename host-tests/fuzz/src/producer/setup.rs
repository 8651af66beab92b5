//! How a fuzzed producer is set up.

use arbitrary::{Result, Unstructured};
use ottla::config::{Partitioner, UnknownTime, WhenFull};
use ottla::{Acks, Config, Duration};

use super::memory::Shape;

/// What does not change while it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Setup {
    pub(super) shape: Shape,
    pub(super) config: Config,
    pub(super) seed: u64,
    /// It is started before anything is called, and has an address to begin with.
    pub(super) ready: bool,
}

fn pick<T: Copy>(input: &mut Unstructured<'_>, from: &[T]) -> Result<T> {
    // The first is what a short input gets.
    Ok(from[usize::from(input.arbitrary::<u8>()?) % from.len()])
}

const MILLI: u64 = 1_000;
const SECOND: u64 = 1_000 * MILLI;

fn span(input: &mut Unstructured<'_>, usual: u64) -> Result<Duration> {
    let micros = [usual, 0, 1, MILLI, 100 * MILLI, SECOND, 300 * SECOND, u64::MAX];
    Ok(Duration::from_micros(pick(input, &micros)?))
}

impl Setup {
    /// Zeros are the defaults.
    pub(super) fn draw(input: &mut Unstructured<'_>) -> Result<Self> {
        let shapes = [Shape::Heap(1 << 20), Shape::Heap(3_000), Shape::Wide, Shape::Tiny];
        let shape = pick(input, &shapes)?;
        let unready = input.arbitrary::<u8>()? % 8 == 1;
        let seed = u64::from(input.arbitrary::<u8>()?);
        let usual = Config::new();
        let idempotence = pick(input, &[true, true, true, false])?;
        let mut config = Config {
            idempotence,
            acks: if idempotence {
                Acks::All
            } else {
                pick(input, &[Acks::All, Acks::Leader, Acks::None])?
            },
            batch_size: pick(input, &[16_384, 0, 100, 200, 1_000])?,
            linger: span(input, usual.linger.as_micros())?,
            max_request_size: pick(input, &[1_048_576, 90, 300, 1_000])?,
            max_in_flight: pick(input, &[5, 1, 2])?,
            retries: pick(input, &[usual.retries, 1, 3])?,
            retry_backoff: span(input, usual.retry_backoff.as_micros())?,
            delivery_timeout: span(input, usual.delivery_timeout.as_micros())?,
            request_timeout: pick(input, &[30 * SECOND, SECOND, 1, u64::MAX])
                .map(Duration::from_micros)?,
            metadata_max_age: span(input, usual.metadata_max_age.as_micros())?,
            metadata_max_idle: span(input, usual.metadata_max_idle.as_micros())?,
            connection_max_idle: span(input, usual.connection_max_idle.as_micros())?,
            reconnect_backoff: span(input, usual.reconnect_backoff.as_micros())?,
            rebootstrap_trigger: span(input, usual.rebootstrap_trigger.as_micros())?,
            availability_timeout: span(input, 0)?,
            partitioner: pick(input, &[Partitioner::Sticky, Partitioner::RoundRobin])?,
            when_full: pick(
                input,
                &[
                    WhenFull::Refuse,
                    WhenFull::DropOldest,
                    WhenFull::DropNewest,
                    WhenFull::DropLowestClass,
                ],
            )?,
            unknown_time: pick(input, &[UnknownTime::Floor(1_700_000_000_000), UnknownTime::Wait])?,
            ..usual
        };
        let switches = input.arbitrary::<u8>()?;
        let switched = |bit: u8| switches & 1 << bit != 0;
        config.ordered = switched(0);
        config.rebootstrap = !switched(1);
        config.ignore_keys = switched(2);
        config.adaptive_partitioning = !switched(3);
        config.auto_create_topics = !switched(4);
        config.resend_after_state_loss = switched(5);
        // What `Config::problems` finds is the caller's to mend.
        let shortest = config.linger.plus(config.request_timeout);
        config.delivery_timeout = config.delivery_timeout.max(shortest);
        let bound = match shape {
            Shape::Heap(bytes) => bytes,
            Shape::Wide | Shape::Tiny => u64::MAX,
        };
        config.batch_size = config.batch_size.min(u32::try_from(bound).unwrap_or(u32::MAX));
        let problem = config.problems(bound).next();
        assert_eq!(problem, None, "{config:?}");
        Ok(Self { shape, config, seed, ready: !unready })
    }
}
