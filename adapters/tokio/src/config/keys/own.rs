//! The keys that there is a setting for.

use ottla::Acks;
use ottla::config::Partitioner;

use super::values::{INT_MAX, Values};
use super::{ConfigKey, ROUND_ROBIN, Role};
use crate::clock::span;

const fn own(
    name: &'static str,
    values: Values,
    default: &'static str,
    apply: super::Apply,
    show: super::Show,
    meaning: &'static str,
) -> ConfigKey {
    ConfigKey { name, values, default, role: Role::Own(apply, show), meaning }
}

fn millis(duration: ottla::Duration) -> String {
    long(duration.as_millis().into())
}

/// Java's long has no larger number than this: for ever.
fn long(millis: u128) -> String {
    millis.min(i64::MAX.unsigned_abs().into()).to_string()
}

fn buffer(bytes: Option<u32>) -> String {
    bytes.map_or_else(|| "-1".to_owned(), |bytes| bytes.to_string())
}

fn put<T>(place: &mut T, value: T) -> Result<(), String> {
    *place = value;
    Ok(())
}

/// In order of their names.
pub(crate) const KEYS: &[ConfigKey] = &[
    own(
        "acks",
        Values::OneOf(&["all", "-1", "0", "1"]),
        "all",
        |b, v| {
            put(
                &mut b.core.acks,
                match v.text() {
                    "0" => Acks::None,
                    "1" => Acks::Leader,
                    _ => Acks::All,
                },
            )
        },
        |c| match c.core.acks {
            Acks::All => "all".to_owned(),
            some => some.wire().to_string(),
        },
        "how many replicas must have a batch before the broker answers",
    ),
    own(
        "batch.size",
        Values::int(0),
        "16384",
        |b, v| put(&mut b.core.batch_size, v.int()),
        |c| c.core.batch_size.to_string(),
        "bytes: a batch that reaches them is sent",
    ),
    own(
        "bootstrap.servers",
        Values::List,
        "",
        |b, v| put(&mut b.bootstrap, Some(v.text().to_owned())),
        |c| {
            let address = |(host, port): &(String, u16)| match host.contains(':') {
                true => format!("[{host}]:{port}"),
                false => format!("{host}:{port}"),
            };
            c.bootstrap.iter().map(address).collect::<Vec<_>>().join(",")
        },
        "addresses to begin with, as host:port; required",
    ),
    own(
        "buffer.memory",
        Values::long(0),
        "33554432",
        |b, v| put(&mut b.buffer_memory, v.count().unwrap_or_default()),
        |c| c.buffer_memory.to_string(),
        "bytes of all batches, from a record's acceptance to its outcome",
    ),
    own(
        "client.id",
        Values::Text,
        "",
        |b, v| put(&mut b.client_id, v.text().to_owned()),
        |c| c.client_id.clone(),
        "brokers log it and apply quotas by it; empty: producer-1 and so on, per producer",
    ),
    own(
        "connections.max.idle.ms",
        Values::ANY_LONG,
        "540000",
        // Below zero means never.
        |b, v| {
            let idle = v.count().map(ottla::Duration::from_millis);
            put(&mut b.core.connection_max_idle, idle.unwrap_or(ottla::Duration::MAX))
        },
        |c| match c.core.connection_max_idle {
            ottla::Duration::MAX => "-1".to_owned(),
            idle => millis(idle),
        },
        "a connection without traffic for so long is closed; below zero: never",
    ),
    own(
        "delivery.timeout.ms",
        Values::int(0),
        "120000",
        |b, v| put(&mut b.delivery_timeout, Some(v.millis())),
        |c| millis(c.core.delivery_timeout),
        "from a record's acceptance to its outcome",
    ),
    own(
        "enable.idempotence",
        Values::Bool,
        "true",
        |b, v| put(&mut b.idempotence, Some(v.is_on())),
        |c| c.core.idempotence.to_string(),
        "no record twice, none out of order; needs acks all, and retries",
    ),
    own(
        "linger.ms",
        Values::long(0),
        "5",
        |b, v| {
            // Java takes a long here and cuts it to an int.
            let cut = v.whole() > INT_MAX;
            b.note("linger.ms", cut.then(|| format!("{} is cut to {INT_MAX}", v.whole())));
            let millis = v.whole().min(INT_MAX).unsigned_abs();
            put(&mut b.core.linger, ottla::Duration::from_millis(millis))
        },
        |c| millis(c.core.linger),
        "how long a batch waits for more records",
    ),
    own(
        "max.block.ms",
        Values::long(0),
        "60000",
        |b, v| put(&mut b.max_block, v.millis()),
        |c| long(c.max_block.as_millis()),
        "how long a send waits for memory, or for a topic or partition to be known",
    ),
    own(
        "max.in.flight.requests.per.connection",
        Values::int(1),
        "5",
        |b, v| {
            b.put_in_flight(v.int());
            Ok(())
        },
        |c| c.core.max_in_flight.to_string(),
        "requests on a connection without an answer; at most 5 with idempotence, 255 without",
    ),
    own(
        "max.request.size",
        Values::int(0),
        "1048576",
        |b, v| put(&mut b.core.max_request_size, v.int()),
        |c| c.core.max_request_size.to_string(),
        "bytes of the batches in one request, and of one record",
    ),
    own(
        "metadata.max.age.ms",
        Values::long(0),
        "300000",
        |b, v| put(&mut b.core.metadata_max_age, span(v.millis())),
        |c| millis(c.core.metadata_max_age),
        "metadata that is older is asked for again when something is to be sent",
    ),
    own(
        "metadata.max.idle.ms",
        Values::long(5_000),
        "300000",
        |b, v| put(&mut b.core.metadata_max_idle, span(v.millis())),
        |c| millis(c.core.metadata_max_idle),
        "a topic that nothing was sent to for so long is left out of metadata",
    ),
    own(
        "metadata.recovery.rebootstrap.trigger.ms",
        Values::long(0),
        "300000",
        |b, v| put(&mut b.core.rebootstrap_trigger, span(v.millis())),
        |c| millis(c.core.rebootstrap_trigger),
        "after so long without metadata the producer begins again at bootstrap.servers",
    ),
    own(
        "metadata.recovery.strategy",
        Values::OneOfAnyCase(&["rebootstrap", "none"]),
        "rebootstrap",
        |b, v| put(&mut b.core.rebootstrap, v.text() == "rebootstrap"),
        |c| if c.core.rebootstrap { "rebootstrap".to_owned() } else { "none".to_owned() },
        "what to do when no known broker can be reached",
    ),
    own(
        "partitioner.adaptive.partitioning.enable",
        Values::Bool,
        "true",
        |b, v| put(&mut b.core.adaptive_partitioning, v.is_on()),
        |c| c.core.adaptive_partitioning.to_string(),
        "records without a key go rather to partitions with few batches under way",
    ),
    own(
        "partitioner.availability.timeout.ms",
        Values::long(0),
        "0",
        |b, v| put(&mut b.core.availability_timeout, span(v.millis())),
        |c| millis(c.core.availability_timeout),
        "records without a key avoid brokers that took nothing for so long; 0: off",
    ),
    own(
        "partitioner.class",
        Values::Class,
        "",
        |b, v| {
            // Java gives a class; there are none here.
            b.put_partitioner(match v.text() {
                ROUND_ROBIN => Partitioner::RoundRobin,
                text if text.is_empty() || text.eq_ignore_ascii_case("none") => Partitioner::Sticky,
                text => {
                    return Err(format!(
                        "{text:?} is neither {ROUND_ROBIN} nor empty, which is the built-in one; \
                         one of your own is given by Builder::partition_by"
                    ));
                }
            });
            Ok(())
        },
        |c| match (&c.own_partitioner, c.core.partitioner) {
            (Some(_), _) => "(Builder::partition_by)".to_owned(),
            (None, Partitioner::Sticky) => String::new(),
            (None, Partitioner::RoundRobin) => ROUND_ROBIN.to_owned(),
        },
        "empty: by the hash of the key, without a key sticky; or Java's RoundRobinPartitioner",
    ),
    own(
        "partitioner.ignore.keys",
        Values::Bool,
        "false",
        |b, v| put(&mut b.core.ignore_keys, v.is_on()),
        |c| c.core.ignore_keys.to_string(),
        "records with a key go where those without one go",
    ),
    own(
        "receive.buffer.bytes",
        Values::int(-1),
        "32768",
        |b, v| put(&mut b.tcp.receive_buffer, v.count().map(|_| v.int())),
        |c| buffer(c.tcp.receive_buffer),
        "the socket's receive buffer; -1: the system's choice",
    ),
    own(
        "reconnect.backoff.max.ms",
        Values::long(0),
        "1000",
        |b, v| put(&mut b.reconnect_backoff_max, Some(v.millis())),
        |c| millis(c.core.reconnect_backoff_max),
        "the longest pause before a broker is connected to again",
    ),
    own(
        "reconnect.backoff.ms",
        Values::long(0),
        "50",
        |b, v| put(&mut b.reconnect_backoff, Some(v.millis())),
        |c| millis(c.core.reconnect_backoff),
        "the first pause before a broker is connected to again; it doubles",
    ),
    own(
        "request.timeout.ms",
        Values::int(0),
        "30000",
        |b, v| put(&mut b.core.request_timeout, span(v.millis())),
        |c| millis(c.core.request_timeout),
        "how long the oldest request on a connection may go unanswered",
    ),
    own(
        "retries",
        Values::int(0),
        "2147483647",
        |b, v| put(&mut b.core.retries, v.int()),
        |c| c.core.retries.to_string(),
        "attempts after the first; delivery.timeout.ms bounds them, too",
    ),
    own(
        "retry.backoff.max.ms",
        Values::long(0),
        "1000",
        |b, v| put(&mut b.core.retry_backoff_max, span(v.millis())),
        |c| millis(c.core.retry_backoff_max),
        "the longest pause before an attempt is repeated",
    ),
    own(
        "retry.backoff.ms",
        Values::long(0),
        "100",
        |b, v| put(&mut b.core.retry_backoff, span(v.millis())),
        |c| millis(c.core.retry_backoff),
        "the first pause before an attempt is repeated; it doubles",
    ),
    own(
        "send.buffer.bytes",
        Values::int(-1),
        "131072",
        |b, v| put(&mut b.tcp.send_buffer, v.count().map(|_| v.int())),
        |c| buffer(c.tcp.send_buffer),
        "the socket's send buffer; -1: the system's choice",
    ),
    own(
        "socket.connection.setup.timeout.max.ms",
        Values::long(0),
        "30000",
        |b, v| put(&mut b.core.connection_setup_timeout_max, span(v.millis())),
        |c| millis(c.core.connection_setup_timeout_max),
        "the longest time for a connection to be made",
    ),
    own(
        "socket.connection.setup.timeout.ms",
        Values::long(0),
        "10000",
        |b, v| put(&mut b.core.connection_setup_timeout, span(v.millis())),
        |c| millis(c.core.connection_setup_timeout),
        "the time for a connection to be made at first; it doubles",
    ),
];
