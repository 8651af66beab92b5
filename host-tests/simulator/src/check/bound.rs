//! I8 after healing: by when what was accepted before has its outcome.

use ottla::{Config, Duration};

/// Some of a batch's bytes are not its records'.
const BATCH_BYTES: u64 = 100;

/// The way of a client to its brokers, once everything is well.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Way {
    /// How long bytes take, at most.
    pub(crate) delay: u64,
    /// How long replicas take, at most.
    pub(crate) lag: u64,
    /// Bytes that are on their way at most: so many arrive in each `delay`.
    pub(crate) window: u64,
    /// Bytes that the request lacks which is being written: it goes to its end (R3, R13), though its
    /// batches may have been given up and be no backlog any more.
    pub(crate) begun: u64,
    /// Other brokers that have their turn first, where links or places do not go round.
    pub(crate) turns: u64,
}

/// How long a broker keeps a link that others wait for, as the producer's manual says.
const TURN: u64 = 1_000_000;

/// Batches that have no outcome when everything is well again.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Backlog {
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Backlog {
    /// All of it has to be sent a second time.
    pub(crate) const fn twice(self) -> Self {
        let Self { batches, records, bytes } = self;
        Self { batches: 2 * batches, records: 2 * records, bytes: 2 * bytes }
    }
}

impl Way {
    const fn round_trip(&self) -> u64 {
        2 * self.delay + self.lag + 1_000
    }

    /// A turn goes on until all is answered; then metadata, a connection, and two attempts to agree on
    /// versions.
    const fn turns(&self) -> u64 {
        self.turns * (TURN + 6 * self.round_trip())
    }

    /// How long bytes take to be written.
    const fn carries(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.window) * self.delay
    }
}

/// Until when after healing a partition's head has its outcome, in microseconds:
///
/// > request timeout + connection set-up + back-offs + linger + 10 round trips + rest of a request
/// > + turns of others
///
/// each at its longest, a back-off with its jitter of a fifth. A round trip is twice the delay of the
/// link, and what replicas take. The design does not name the linger, and what is half written: what was
/// accepted a moment before healing waits for them first.
pub(crate) fn head(config: &Config, way: &Way) -> u64 {
    let micros = Duration::as_micros;
    micros(config.request_timeout)
        + micros(config.connection_setup_timeout_max)
        + back_offs(config)
        + micros(config.linger)
        + 10 * way.round_trip()
        + way.carries(way.begun)
        + way.turns()
}

/// One before a request is sent again, and one before a connection is made again.
fn back_offs(config: &Config) -> u64 {
    let longest = config.retry_backoff_max.as_micros() + config.reconnect_backoff_max.as_micros();
    longest * 6 / 5
}

/// What a batch takes longer that is refused for its own records where no answers are wanted: the broker
/// closes the connection, which has to be made again, and what was being written is sent again.
pub(crate) fn turned_away(config: &Config, way: &Way) -> u64 {
    back_offs(config) + 5 * way.round_trip()
}

/// What requests take longer that were begun when everything was well, before their client could know
/// that it sends to a broker that does not lead any more: they are written in vain, and once more.
pub(crate) const fn misled(way: &Way, bytes: u64) -> u64 {
    way.carries(bytes)
}

/// What a batch takes longer that is refused for its own records: the window is one then (R7), until a
/// success after it.
pub(crate) const fn refused(way: &Way) -> u64 {
    2 * way.round_trip()
}

/// Until when after healing a backlog has its outcome:
///
/// > head + n / 5 round trips + bytes / bandwidth
///
/// - n is the number of batches of all partitions, as they may share one link. Where brokers find batches
///   too large, each part counts as a batch, and so does the attempt that shows it to be too large: there
///   may be as many parts as records.
/// - 5 is the number of requests in flight: less where the application wants less, and 1 where it wants
///   order without idempotence.
/// - A broker works on one request of a connection at a time, so what replicas take is not shared by
///   those in flight, but counts for each.
/// - A batch that is halved until it fits is sent three times in all at most: 1 + 1/2 + 1/4 + ..., and
///   then its parts.
pub(crate) fn backlog(config: &Config, way: &Way, what: &Backlog, divided: bool) -> u64 {
    let Backlog { batches, records, bytes } = *what;
    let (batches, times) = if divided { (2 * records.max(batches), 3) } else { (batches, 1) };
    let alone = config.ordered && !config.idempotence;
    let at_once = if alone { 1 } else { u64::from(config.max_in_flight.clamp(1, 5)) };
    let bytes = times * (bytes + batches * BATCH_BYTES);
    head(config, way)
        + batches.div_ceil(at_once) * 2 * way.delay
        + batches * way.lag
        + way.carries(bytes)
}

/// I8: nothing of it is open any more.
pub(crate) fn in_time(open: &[u32], span: u64) -> super::Verdict {
    match open {
        [] => Ok(()),
        [id, ..] => Err(format!("{id} is open {span} us after healing, of {} such", open.len())),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const WAY: Way = Way { delay: 1_000, lag: 500, window: 10_000, begun: 0, turns: 0 };

    #[test]
    fn who_waits_for_a_turn_has_more_time() {
        let config = Config::new();
        let others = Way { turns: 2, ..WAY };
        assert_eq!(head(&config, &others) - head(&config, &WAY), 2 * (TURN + 6 * WAY.round_trip()));
    }

    #[test]
    fn the_bound_is_the_design_s() {
        let config = Config::new();
        // 30 s and 30 s, 1 s and 1 s and their jitter, 5 ms, and ten times 3.5 ms.
        assert_eq!(head(&config, &WAY), 60_000_000 + 2_400_000 + 5_000 + 35_000);
        let more = |batches, records, bytes, divided| {
            let what = Backlog { batches, records, bytes };
            backlog(&config, &WAY, &what, divided) - head(&config, &WAY)
        };
        assert_eq!(more(0, 0, 0, false), 0);
        assert_eq!(more(10, 30, 99_000, false), 2 * 2_000 + 10 * 500 + 10 * 1_000);
        assert_eq!(more(10, 30, 4_000, true), 12 * 2_000 + 60 * 500 + 3 * 1_000);
    }

    #[test]
    fn what_is_half_written_comes_first() {
        let config = Config::new();
        let way = Way { begun: 25_000, ..WAY };
        assert_eq!(head(&config, &way), head(&config, &WAY) + 3 * 1_000);
    }

    #[test]
    fn who_is_turned_away_comes_again() {
        assert_eq!(refused(&WAY), 7_000);
        // 1 s and 1 s and their jitter, and five times 3.5 ms.
        assert_eq!(turned_away(&Config::new(), &WAY), 2_400_000 + 17_500);
    }

    #[test]
    fn what_went_to_a_former_leader_goes_once_more() {
        assert_eq!((misled(&WAY, 0), misled(&WAY, 25_000)), (0, 3 * 1_000));
    }

    #[test]
    fn fewer_in_flight_take_longer() {
        let what = Backlog { batches: 10, records: 10, bytes: 1_000 };
        let ordered = Config { idempotence: false, ordered: true, ..Config::new() };
        let one = Config { max_in_flight: 1, ..Config::new() };
        assert_eq!(backlog(&ordered, &WAY, &what, false), backlog(&one, &WAY, &what, false));
        let five = backlog(&Config::new(), &WAY, &what, false);
        assert_eq!(backlog(&one, &WAY, &what, false), five + 8 * 2_000);
    }

    #[test]
    fn what_is_open_too_long_is_found() {
        assert_eq!(in_time(&[], 5), Ok(()));
        assert!(in_time(&[7], 5).is_err_and(|what| what.starts_with("7 is open 5 us")));
    }
}
