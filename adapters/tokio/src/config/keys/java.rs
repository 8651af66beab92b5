//! Keys of the Java producer that nothing can be set by here: what is lacking, and what is Java's
//! alone.

use super::values::Values;
use super::{ConfigKey, Role};

const fn key(
    name: &'static str,
    values: Values,
    default: &'static str,
    role: Role,
    meaning: &'static str,
) -> ConfigKey {
    ConfigKey { name, values, default, role, meaning }
}

const LEVEL: Role = Role::Ignored("has no effect with compression.type=none");
const METRICS: Role = Role::Ignored("has no effect here: Producer::metrics is a snapshot of sums");

/// In order of their names.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        "bootstrap.resolve.timeout.ms",
        Values::long(0),
        "0",
        Role::Ignored(
            "has no effect here: a name is resolved whenever it is connected to, within \
             socket.connection.setup.timeout.ms",
        ),
        "how long names are resolved in the background",
    ),
    key(
        "buffer.memory.allocation.strategy",
        Values::OneOf(&["full", "incremental"]),
        "full",
        Role::Ignored("has no effect here: memory is allocated as it is needed, and then kept"),
        "when memory is allocated",
    ),
    key(
        "client.dns.lookup",
        Values::OneOf(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"]),
        "use_all_dns_ips",
        Role::Fixed(
            "here every address of a name is tried, under the name that was given: canonical \
             names matter to Kerberos only",
        ),
        "whether every address of a name is tried",
    ),
    key(
        "client.rack",
        Values::Text,
        "",
        Role::Ignored("has no effect without partitioner.rack.aware"),
        "where this client is",
    ),
    key(
        "compression.gzip.level",
        Values::WholeOr("int", -1, 1, 9),
        "-1",
        LEVEL,
        "1 to 9, or -1 for gzip's default",
    ),
    key("compression.lz4.level", Values::Whole("int", 1, 17), "9", LEVEL, "1 to 17"),
    key(
        "compression.type",
        Values::OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]),
        "none",
        Role::Lacking("compression is not there yet, only none"),
        "how batches are compressed",
    ),
    key("compression.zstd.level", Values::Whole("int", -131_072, 22), "3", LEVEL, "-131072 to 22"),
    key(
        "config.providers",
        Values::List,
        "",
        Role::Ignored("Java classes; here values are taken as they stand, ${...} included"),
        "where secrets are looked up",
    ),
    key(
        "enable.metrics.push",
        Values::Bool,
        "false",
        Role::Fixed(
            "nothing is pushed to brokers (KIP-714) here; Producer::metrics and the feature \
             \"metrics\" have the figures",
        ),
        "whether metrics are pushed to brokers",
    ),
    key(
        "interceptor.classes",
        Values::Set,
        "",
        Role::Ignored("Java classes; here an interceptor is given by Builder::interceptor"),
        "what sees every record and every outcome",
    ),
    key(
        "key.serializer",
        Values::Class,
        "",
        Role::Ignored("a Java class; here keys are bytes, or Producer::typed takes a serializer"),
        "what makes bytes of a key",
    ),
    key(
        "metadata.cluster.check.enable",
        Values::Bool,
        "false",
        Role::Fixed(
            "brokers are not told here which cluster they are believed to be of (KIP-1242)",
        ),
        "whether brokers are told which cluster they are believed to be of",
    ),
    key(
        "metric.reporters",
        Values::Set,
        "",
        Role::Ignored(
            "Java classes; here the feature \"metrics\" reports to whatever the crate `metrics` \
             is connected to",
        ),
        "where metrics are reported to",
    ),
    key("metrics.num.samples", Values::int(1), "2", METRICS, "samples of a metric"),
    key(
        "metrics.recording.level",
        Values::OneOf(&["INFO", "DEBUG", "TRACE"]),
        "INFO",
        METRICS,
        "which metrics are recorded",
    ),
    key("metrics.sample.window.ms", Values::long(0), "30000", METRICS, "time that a sample is of"),
    key(
        "partitioner.rack.aware",
        Values::Bool,
        "false",
        Role::Lacking("leaders in client.rack cannot be preferred yet, only false is there"),
        "whether leaders in client.rack are preferred",
    ),
    key(
        "transaction.timeout.ms",
        Values::ANY_INT,
        "60000",
        Role::Ignored("has no effect without transactional.id"),
        "how long a transaction may be open",
    ),
    key(
        "transaction.two.phase.commit.enable",
        Values::Bool,
        "false",
        Role::Lacking("transactions are not there yet, only false"),
        "whether transactions are part of larger ones",
    ),
    key(
        "transactional.id",
        Values::Text,
        "",
        Role::Lacking("transactions are not there yet: leave it out"),
        "what a transactional producer is known by",
    ),
    key(
        "value.serializer",
        Values::Class,
        "",
        Role::Ignored("a Java class; here values are bytes, or Producer::typed takes a serializer"),
        "what makes bytes of a value",
    ),
];

/// What is to be known of `name`, if it is a key whose end everybody makes up.
pub(super) fn made_up(name: &str) -> Option<&'static str> {
    let (provider, key) = name.strip_prefix("config.providers.")?.split_once('.')?;
    let is_known = key == "class" || key.strip_prefix("param.").is_some_and(|it| !it.is_empty());
    (is_known && !provider.is_empty()).then_some("has no effect here, as config.providers has none")
}

/// Keys of consumers, share consumers and administration clients only, in order: they may stand
/// in a file that several clients read.
pub(super) const OF_OTHER_CLIENTS: &[&str] = &[
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "bootstrap.controllers",
    "check.crcs",
    "default.api.timeout.ms",
    "enable.auto.commit",
    "exclude.internal.topics",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "isolation.level",
    "key.deserializer",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "share.acknowledgement.mode",
    "share.acquire.mode",
    "value.deserializer",
];
