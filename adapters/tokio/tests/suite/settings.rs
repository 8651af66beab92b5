//! Keys that are only Java's, what is lacking, and the settings in effect.

use std::time::Duration;

use ottla_tokio::{Acks, Builder, Config, ConfigError, Partitioner, Source};

fn of(properties: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let servers = [("bootstrap.servers", "kafka:9092")];
    Config::from_properties(servers.iter().chain(properties).copied())
}

fn warnings(config: &Config) -> Vec<String> {
    config.warnings().iter().map(ToString::to_string).collect()
}

fn fault(key: &str, value: &str) -> String {
    let error = of(&[(key, value)]).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert_eq!(error.problems()[0].key(), key);
    error.problems()[0].message().to_owned()
}

/// The value and the source of a key.
fn shown(config: &Config, key: &str) -> (String, Source) {
    let effective = config.effective();
    let setting = effective.get(key).unwrap_or_else(|| panic!("{key} is not shown"));
    (setting.value().to_owned(), setting.source())
}

#[test]
fn a_java_producer_s_file_is_accepted_with_warnings_by_key() {
    let config = of(&[
        ("key.serializer", "org.apache.kafka.common.serialization.StringSerializer"),
        ("interceptor.classes", "a.B,a.C"),
        ("compression.zstd.level", "-7"),
        ("ssl.keystore.password", "secret"),
        ("sasl.jaas.config", "org.example.Login required password=\"secret\";"),
        ("client.dns.lookup", "resolve_canonical_bootstrap_servers_only"),
        ("enable.metrics.push", "true"),
        ("group.id", "me"),
        ("max.in.flight.requests.per.connection", "300"),
        ("enable.idempotence", "false"),
        ("retry.backoff.ms", "2000"),
        // These change nothing, and nothing is to be said of them.
        ("compression.type", "none"),
        ("security.protocol", "plaintext"),
        ("partitioner.rack.aware", "false"),
        ("metadata.cluster.check.enable", "false"),
    ])
    .unwrap();
    assert_eq!(
        warnings(&config),
        [
            "client.dns.lookup: here every address of a name is tried, under the name that was given: \
             canonical names matter to Kerberos only",
            "compression.zstd.level: has no effect with compression.type=none",
            "enable.metrics.push: nothing is pushed to brokers (KIP-714) here; Producer::metrics and the \
             feature \"metrics\" have the figures",
            "group.id: has no effect here: it is a key of other clients than producers",
            "interceptor.classes: Java classes; here an interceptor is given by Builder::interceptor",
            "key.serializer: a Java class; here keys are bytes, or Producer::typed takes a serializer",
            "max.in.flight.requests.per.connection: 300 are more than 255, which is used",
            "retry.backoff.ms: 2s is above its maximum, 1s, which is used instead",
            "sasl.jaas.config: has no effect with security.protocol=PLAINTEXT",
            "ssl.keystore.password: has no effect with security.protocol=PLAINTEXT",
        ]
    );
    assert!(warnings(&of(&[]).unwrap()).is_empty());
}

#[test]
fn keys_that_do_nothing_are_looked_at_all_the_same() {
    assert_eq!(fault("metrics.num.samples", "0"), "\"0\" is no whole number from 1 to 2147483647");
    assert_eq!(fault("interceptor.classes", "a.B, a.B"), "\"a.B\" stands there twice");
    assert_eq!(
        fault("compression.gzip.level", "0"),
        "\"0\" is neither -1 nor a whole number from 1 to 9"
    );
    for level in ["-1", "1", "9"] {
        of(&[("compression.gzip.level", level)]).unwrap();
    }
    assert_eq!(fault("compression.lz4.level", "18"), "\"18\" is no whole number from 1 to 17");
    assert_eq!(
        fault("sasl.login.refresh.window.factor", "0.4"),
        "\"0.4\" is no number from 0.5 to 1"
    );
    assert_eq!(fault("enable.metrics.push", "yes"), "\"yes\" is neither true nor false");
    assert_eq!(
        fault("client.dns.lookup", "default"),
        "\"default\" is neither use_all_dns_ips nor resolve_canonical_bootstrap_servers_only"
    );
}

#[test]
fn keys_of_config_providers_have_names_that_are_made_up_and_do_no_harm() {
    let config = of(&[
        ("config.providers", "vault"),
        ("config.providers.vault.class", "com.example.Vault"),
        ("config.providers.vault.param.token", "secret"),
    ]);
    let config = config.unwrap();
    assert_eq!(
        warnings(&config),
        [
            "config.providers: Java classes; here values are taken as they stand, ${...} included",
            "config.providers.vault.class: has no effect here, as config.providers has none",
            "config.providers.vault.param.token: has no effect here, as config.providers has none",
        ]
    );
    assert!(!format!("{config:?}").contains("secret"));
    for wrong in
        ["config.providers.vault", "config.providers..class", "config.providers.vault.clas"]
    {
        assert!(fault(wrong, "x").starts_with("there is no such key"), "{wrong}");
    }
}

#[test]
fn what_is_lacking_and_would_be_missed_is_a_fault_that_says_so() {
    let lacking = [
        ("compression.type", "lz4", "compression is not there yet, only none"),
        ("security.protocol", "sasl_ssl", "TLS and SASL are not there yet, only PLAINTEXT"),
        ("transactional.id", "", "transactions are not there yet"),
        ("transactional.id", "me", "transactions are not there yet"),
        ("transaction.two.phase.commit.enable", "true", "transactions are not there yet"),
        ("partitioner.rack.aware", "TRUE", "leaders in client.rack cannot be preferred yet"),
    ];
    for (key, value, why) in lacking {
        let text = fault(key, value);
        assert!(text.starts_with(&format!("{value:?} is not possible: {why}")), "{text}");
    }
    assert_eq!(
        fault("security.protocol", "TLS"),
        "\"TLS\" is none of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL"
    );
    assert_eq!(
        fault("compression.type", "NONE"),
        "\"NONE\" is none of none, gzip, snappy, lz4 and zstd"
    );
}

#[test]
fn the_last_value_of_a_key_is_the_one_that_is_warned_of() {
    let push = ("enable.metrics.push", "true");
    let config = of(&[push, ("enable.metrics.push", "false")]).unwrap();
    assert_eq!(warnings(&config), [""; 0]);
    assert_eq!(shown(&config, "enable.metrics.push"), ("false".to_owned(), Source::Set));
    assert_eq!(shown(&of(&[push]).unwrap(), push.0), ("false".to_owned(), Source::Default));
    let many = [("acks", "1"), ("max.in.flight.requests.per.connection", "300")];
    let builder = Config::builder().bootstrap_servers("kafka:9092").properties(many);
    assert!(warnings(&builder.max_in_flight(7).config().unwrap()).is_empty());
}

#[test]
fn a_fault_is_forgotten_when_its_key_is_set_again() {
    let tls = [("security.protocol", "SSL"), ("security.protocol", "PLAINTEXT")];
    of(&tls).unwrap();
    let again = [("linger.ms", "soon"), ("acks", "2"), ("linger.ms", "later"), ("acks", "1")];
    let error = of(&again).unwrap_err();
    // Of the fault that is left, once.
    let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key()).collect();
    assert_eq!(keys, ["linger.ms"]);
    assert!(error.problems()[0].message().contains("later"), "{error}");
    let builder = Config::builder().properties([("linger.ms", "soon"), ("acks", "2")]);
    let builder = builder.bootstrap_servers("kafka:9092").linger(Duration::from_millis(5));
    let config = builder.acks(Acks::Leader).config().unwrap();
    assert_eq!(config.core().linger.as_millis(), 5);
    // The other way round, too: the last value counts, be it a fault.
    let bad = Config::builder().bootstrap_servers("kafka:9092").linger(Duration::ZERO);
    let error = bad.properties([("linger.ms", "soon")]).config().unwrap_err();
    assert_eq!(error.problems()[0].key(), "linger.ms");
}

#[test]
fn a_partitioner_that_is_given_after_one_s_own_takes_its_place() {
    let shown_of = |builder: Builder| {
        let config = builder.bootstrap_servers("kafka:9092").config().unwrap();
        shown(&config, "partitioner.class").0
    };
    let own = || Config::builder().partition_by(|_| 0);
    let round_robin = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
    assert_eq!(shown_of(own().partitioner(Partitioner::RoundRobin)), round_robin);
    assert_eq!(shown_of(own().partitioner(Partitioner::Sticky)), "");
    assert_eq!(shown_of(own().properties([("partitioner.class", round_robin)])), round_robin);
    let last = Config::builder().partitioner(Partitioner::RoundRobin).partition_by(|_| 0);
    assert_eq!(shown_of(last), "(Builder::partition_by)");
}

#[test]
fn the_settings_in_effect_say_where_they_come_from() {
    let config = Config::builder()
        .properties([("bootstrap.servers", "PLAINTEXT://[::1]:9092, b:1"), ("client.id", "")])
        .acks(Acks::Leader)
        .linger(Duration::from_millis(200_000))
        .reconnect_backoff(Duration::from_millis(70))
        .send_buffer(None)
        .connection_max_idle(Duration::MAX)
        .partition_by(|_| 0)
        .properties([("ssl.key.password", "secret"), ("sasl.mechanism", "PLAIN")])
        .config()
        .unwrap();
    let expected = [
        ("acks", "1", Source::Set),
        ("batch.size", "16384", Source::Default),
        ("bootstrap.servers", "[::1]:9092,b:1", Source::Set),
        ("client.id", "", Source::Default),
        ("compression.type", "none", Source::Default),
        ("connections.max.idle.ms", "-1", Source::Set),
        ("delivery.timeout.ms", "230000", Source::Derived),
        ("enable.idempotence", "false", Source::Derived),
        ("linger.ms", "200000", Source::Set),
        ("partitioner.class", "(Builder::partition_by)", Source::Set),
        ("reconnect.backoff.max.ms", "70", Source::Derived),
        ("reconnect.backoff.ms", "70", Source::Set),
        ("sasl.mechanism", "PLAIN", Source::Set),
        ("security.protocol", "PLAINTEXT", Source::Default),
        ("send.buffer.bytes", "-1", Source::Set),
        ("ssl.key.password", "[hidden]", Source::Set),
        ("transactional.id", "", Source::Default),
    ];
    for (key, value, source) in expected {
        assert_eq!(shown(&config, key), (value.to_owned(), source), "{key}");
    }
    let effective = config.effective();
    assert!(effective.iter().is_sorted_by_key(|setting| setting.key()));
    assert!(effective.get("ssl.truststore.type").is_none(), "without effect, and not set");
    assert_eq!(effective.iter().count(), effective.into_iter().count());
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn a_time_without_end_is_shown_as_one_that_can_be_set() {
    let forever = Duration::MAX;
    let builder = Config::builder().bootstrap_servers("kafka:9092").max_block(forever);
    let builder = builder.metadata_max_age(forever).connection_max_idle(forever);
    let config = builder.delivery_timeout(forever).config().unwrap();
    let value = |key| shown(&config, key).0;
    // Below zero is legal, and without end, for this one alone.
    assert_eq!(value("connections.max.idle.ms"), "-1");
    for key in ["metadata.max.age.ms", "max.block.ms", "delivery.timeout.ms"] {
        assert!(value(key).parse::<i64>().unwrap() > i64::MAX / 1_000_000, "{key} {}", value(key));
    }
    let again = ["metadata.max.age.ms", "max.block.ms"].map(|key| (key, value(key)));
    let again = again.each_ref().map(|(key, value)| (*key, value.as_str()));
    assert_eq!(warnings(&of(&again).unwrap()), [""; 0]);
}

#[test]
fn the_settings_in_effect_are_printed_aligned() {
    let text = of(&[("acks", "1")]).unwrap().effective().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "acks                                      set      1");
    assert!(lines.contains(&"batch.size                                default  16384"), "{text}");
    assert!(lines.contains(&"enable.idempotence                        derived  false"), "{text}");
    assert!(lines.iter().all(|line| !line.ends_with(' ')), "{text}");
}

#[test]
fn the_keys_are_listed() {
    let keys: Vec<_> = Config::keys().collect();
    assert!(keys.is_sorted_by_key(|key| key.name()));
    let linger = keys.iter().find(|key| key.name() == "linger.ms").unwrap();
    assert_eq!((linger.java_type(), linger.default()), ("long", "5"));
    assert_eq!((linger.legal().as_str(), linger.remark()), ("from 0 on", None));
    let lacking = keys.iter().find(|key| key.name() == "transactional.id").unwrap();
    assert!(lacking.remark().unwrap().contains("not there yet"));
    assert!(keys.iter().all(|key| !key.meaning().is_empty()));
}

#[test]
fn keys_that_do_not_exist_are_faults_unless_they_are_tolerated() {
    let unknown = [("schema.registry.url", "http://registry"), ("linger.mss", "5")];
    let builder = || Config::builder().bootstrap_servers("kafka:9092").properties(unknown);
    let error = builder().config().unwrap_err();
    let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key()).collect();
    assert_eq!(keys, ["schema.registry.url", "linger.mss"]);
    let config = builder().tolerate_unknown_keys(true).config().unwrap();
    let keys: Vec<&str> = config.warnings().iter().map(|warning| warning.key()).collect();
    assert_eq!(keys, ["linger.mss", "schema.registry.url"]);
    assert!(config.effective().get("linger.mss").is_none());
    // Everything else is as strict as before.
    let wrong = builder().tolerate_unknown_keys(true).properties([("linger.ms", "soon")]);
    assert_eq!(wrong.config().unwrap_err().problems().len(), 1);
}
