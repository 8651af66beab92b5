//! What a board tells its node.

use embassy_time::Duration;
use ottla_embassy::Via;

/// What a board tells its node.
#[derive(Clone, Copy)]
pub struct Settings {
    /// Host and port of a broker to begin with.
    pub bootstrap: (&'static str, u16),
    /// Topic of the readings.
    pub topic: &'static str,
    /// Number of its partitions: readings are accepted before a broker was reached.
    pub partitions: u32,
    /// Pause between two readings.
    pub every: Duration,
    /// Readings after which the node ends; none: it runs for ever.
    pub readings: Option<u32>,
    /// Time of day at the start, in seconds since 1970. These boards have no clock of their own.
    pub time: u32,
    /// Where brokers are reached, if not at the addresses that they advertise.
    pub via: Option<Via>,
}

impl Settings {
    /// One reading a second for `topic`, for ever.
    #[must_use]
    pub const fn new(bootstrap: (&'static str, u16), topic: &'static str) -> Self {
        let (every, time) = (Duration::from_secs(1), NEW_YEAR_2026);
        Self { bootstrap, topic, partitions: 4, every, readings: None, time, via: None }
    }

    /// As the environment said when the image was built: `OTTLA_BOOTSTRAP` (a host),
    /// `OTTLA_PORT`, `OTTLA_TOPIC`, and `OTTLA_TIME` in seconds since 1970.
    #[must_use]
    pub const fn of_build() -> Self {
        const HOST: &str = match option_env!("OTTLA_BOOTSTRAP") {
            Some(host) => host,
            None => "192.168.1.10",
        };
        const PORT: u16 = match option_env!("OTTLA_PORT") {
            Some(port) => match u16::from_str_radix(port, 10) {
                Ok(port) => port,
                Err(_) => panic!("OTTLA_PORT is not a port number"),
            },
            None => 9092,
        };
        const TIME: u32 = match option_env!("OTTLA_TIME") {
            Some(time) => match u32::from_str_radix(time, 10) {
                Ok(time) => time,
                Err(_) => panic!("OTTLA_TIME is not a number of seconds"),
            },
            None => NEW_YEAR_2026,
        };
        const TOPIC: &str = match option_env!("OTTLA_TOPIC") {
            Some(topic) => topic,
            None => "readings",
        };
        Self { time: TIME, ..Self::new((HOST, PORT), TOPIC) }
    }
}

const NEW_YEAR_2026: u32 = 1_767_225_600;
