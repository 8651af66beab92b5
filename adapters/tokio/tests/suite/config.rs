//! Settings by builder and from Java's names: values, faults, and what follows from others.

use std::time::Duration;

use ottla_tokio::{Acks, Config, ConfigError, Partitioner, Producer, Source};

fn of(properties: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let servers = [("bootstrap.servers", "kafka:9092")];
    Config::from_properties(servers.iter().chain(properties).copied())
}

fn fault(key: &str, value: &str) -> String {
    let error = of(&[(key, value)]).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert_eq!(error.problems()[0].key(), key);
    error.problems()[0].message().to_owned()
}

#[test]
fn every_key_is_taken_over() {
    let config = Config::from_properties([
        ("bootstrap.servers", "a:1,b:2"),
        ("client.id", "me"),
        ("acks", "-1"),
        ("enable.idempotence", "TRUE"),
        ("batch.size", "1"),
        ("linger.ms", " 2 "),
        ("buffer.memory", "3000"),
        ("max.request.size", "400"),
        ("retries", "5"),
        ("retry.backoff.ms", "6"),
        ("retry.backoff.max.ms", "7"),
        ("delivery.timeout.ms", "8000"),
        ("request.timeout.ms", "900"),
        ("max.in.flight.requests.per.connection", "4"),
        ("max.block.ms", "11"),
        ("reconnect.backoff.ms", "12"),
        ("reconnect.backoff.max.ms", "13"),
        ("socket.connection.setup.timeout.ms", "14"),
        ("socket.connection.setup.timeout.max.ms", "15"),
        ("connections.max.idle.ms", "16"),
        ("metadata.max.age.ms", "17"),
        ("send.buffer.bytes", "18"),
        ("receive.buffer.bytes", "19"),
        ("metadata.max.idle.ms", "5020"),
        ("metadata.recovery.strategy", "NONE"),
        ("metadata.recovery.rebootstrap.trigger.ms", "2100"),
        ("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner"),
        ("partitioner.ignore.keys", "true"),
        ("partitioner.adaptive.partitioning.enable", "false"),
        ("partitioner.availability.timeout.ms", "22"),
    ])
    .unwrap();
    let built = Config::builder()
        .bootstrap_servers("a:1, b:2")
        .client_id("me")
        .acks(Acks::All)
        .idempotence(true)
        .batch_size(1)
        .linger(Duration::from_millis(2))
        .buffer_memory(3_000)
        .max_request_size(400)
        .retries(5)
        .retry_backoff(Duration::from_millis(6))
        .retry_backoff_max(Duration::from_millis(7))
        .delivery_timeout(Duration::from_secs(8))
        .request_timeout(Duration::from_millis(900))
        .max_in_flight(4)
        .max_block(Duration::from_millis(11))
        .reconnect_backoff(Duration::from_millis(12))
        .reconnect_backoff_max(Duration::from_millis(13))
        .connection_setup_timeout(Duration::from_millis(14))
        .connection_setup_timeout_max(Duration::from_millis(15))
        .connection_max_idle(Duration::from_millis(16))
        .metadata_max_age(Duration::from_millis(17))
        .send_buffer(Some(18))
        .receive_buffer(Some(19))
        .metadata_max_idle(Duration::from_millis(5_020))
        .rebootstrap(false)
        .rebootstrap_trigger(Duration::from_millis(2_100))
        .partitioner(Partitioner::RoundRobin)
        .ignore_keys(true)
        .adaptive_partitioning(false)
        .availability_timeout(Duration::from_millis(22))
        .config()
        .unwrap();
    assert_eq!(config, built);
    let core = config.core();
    assert_eq!((core.batch_size, core.max_in_flight, core.retries), (1, 4, 5));
    assert_eq!(core.linger, ottla::Duration::from_millis(2));
    assert_eq!(core.connection_max_idle, ottla::Duration::from_millis(16));
    assert_eq!(config.bootstrap_servers(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!((config.buffer_memory(), config.max_block()), (3_000, Duration::from_millis(11)));
    assert_eq!(core.metadata_max_idle, ottla::Duration::from_millis(5_020));
    assert_eq!(core.rebootstrap_trigger, ottla::Duration::from_millis(2_100));
    assert_eq!(core.availability_timeout, ottla::Duration::from_millis(22));
    assert_eq!(core.partitioner, Partitioner::RoundRobin);
    assert_eq!(
        (core.rebootstrap, core.ignore_keys, core.adaptive_partitioning),
        (false, true, false)
    );
    assert_eq!((config.tcp().send_buffer, config.tcp().receive_buffer), (Some(18), Some(19)));
}

#[test]
fn all_faults_are_told_at_once_and_each_names_its_key() {
    let error = Config::from_properties([
        ("bootstrap.servers", "kafka:9092,kafka,kafka:9092,:1,kafka:0,ssl://kafka:9093"),
        ("linger.mss", "5"),
        ("linger.ms", "soon"),
        ("acks", "2"),
        ("enable.idempotence", "yes"),
        ("retries", "-1"),
        ("max.in.flight.requests.per.connection", "0"),
        ("compression.type", "zstd"),
        ("batch.size", "2147483648"),
        ("delivery.timeout.ms", "30004"),
        ("metadata.max.idle.ms", "4999"),
        ("metadata.recovery.strategy", "retry"),
        ("metadata.recovery.rebootstrap.trigger.ms", "-1"),
        ("partitioner.class", "com.example.Mine"),
        ("partitioner.ignore.keys", "1"),
        ("partitioner.adaptive.partitioning.enable", ""),
        ("partitioner.availability.timeout.ms", "-5"),
        ("partitioner.rack.aware", "true"),
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration is not valid
  linger.mss: there is no such key; the nearest one is linger.ms
  linger.ms: \"soon\" is no whole number from 0 to 9223372036854775807
  acks: \"2\" is none of all, -1, 0 and 1
  enable.idempotence: \"yes\" is neither true nor false
  retries: \"-1\" is no whole number from 0 to 2147483647
  max.in.flight.requests.per.connection: \"0\" is no whole number from 1 to 2147483647
  compression.type: \"zstd\" is not possible: compression is not there yet, only none
  batch.size: \"2147483648\" is no whole number from 0 to 2147483647
  metadata.max.idle.ms: \"4999\" is no whole number from 5000 to 9223372036854775807
  metadata.recovery.strategy: \"retry\" is neither rebootstrap nor none
  metadata.recovery.rebootstrap.trigger.ms: \"-1\" is no whole number from 0 to 9223372036854775807
  partitioner.class: \"com.example.Mine\" is neither org.apache.kafka.clients.producer.RoundRobinPartitioner nor \
empty, which is the built-in one; one of your own is given by Builder::partition_by
  partitioner.ignore.keys: \"1\" is neither true nor false
  partitioner.adaptive.partitioning.enable: \"\" is neither true nor false
  partitioner.availability.timeout.ms: \"-5\" is no whole number from 0 to 9223372036854775807
  partitioner.rack.aware: \"true\" is not possible: leaders in client.rack cannot be preferred yet, only false is \
there
  bootstrap.servers: \"kafka\" has no port; it has to be host:port
  bootstrap.servers: \"kafka:9092\" stands there twice
  bootstrap.servers: \":1\" has no legal host
  bootstrap.servers: \"kafka:0\" has no port from 1 to 65535
  bootstrap.servers: \"ssl://kafka:9093\" is not of a plaintext listener, the only kind there is yet
  delivery.timeout.ms: must be at least linger.ms + request.timeout.ms"
    );
    let required = Config::from_properties::<&str, &str>([]).unwrap_err();
    assert_eq!(
        required.to_string(),
        "the configuration is not valid\n  bootstrap.servers: is required: at least one address, \
         as host:port"
    );
}

#[test]
fn values_out_of_range_are_faults_of_their_key() {
    assert_eq!(
        fault("max.block.ms", "-1"),
        "\"-1\" is no whole number from 0 to 9223372036854775807"
    );
    assert_eq!(fault("request.timeout.ms", "0"), "must be above 0");
    assert_eq!(fault("send.buffer.bytes", "-2"), "\"-2\" is no whole number from -1 to 2147483647");
    assert_eq!(fault("buffer.memory", "16383"), "must be at least batch.size");
    assert_eq!(fault("max.request.size", "9"), "is too small for any record");
    assert_eq!(fault("client.id", &"x".repeat(256)), "256 bytes are more than 255");
    assert_eq!(fault("socket.connection.setup.timeout.ms", "0"), "must be above 0");
    assert_eq!(fault("connections.max.idle.ms", ""), "\"\" is no whole number");
}

#[test]
fn bootstrap_servers_without_an_address_are_no_servers_whatever_the_space() {
    let required = "is required: at least one address, as host:port";
    for list in ["", " ", "\n", ",\t,", "\r\n , "] {
        let error = Config::builder().bootstrap_servers(list).config().unwrap_err();
        assert_eq!(error.problems().len(), 1, "{list:?}: {error}");
        assert_eq!(error.problems()[0].message(), required, "{list:?}");
    }
    assert_eq!(
        fault("bootstrap.servers", "\tkafka"),
        "\"kafka\" has no port; it has to be host:port"
    );
}

#[test]
fn idempotence_is_off_where_it_cannot_be_unless_it_was_asked_for() {
    assert!(of(&[]).unwrap().core().idempotence);
    for (key, value) in [("acks", "1"), ("acks", "0"), ("retries", "0")] {
        assert!(!of(&[(key, value)]).unwrap().core().idempotence);
        let error = of(&[(key, value), ("enable.idempotence", "true")]).unwrap_err();
        assert_eq!(error.problems()[0].key(), key);
    }
    let many = ("max.in.flight.requests.per.connection", "6");
    let error = of(&[many]).unwrap_err();
    assert_eq!(error.problems()[0].message(), "must be at most 5 while enable.idempotence is true");
    assert_eq!(of(&[many, ("enable.idempotence", "false")]).unwrap().core().max_in_flight, 6);
    let many = ("max.in.flight.requests.per.connection", "1000000");
    assert_eq!(of(&[many, ("acks", "1")]).unwrap().core().max_in_flight, 255);
}

#[test]
fn delivery_timeout_follows_linger_and_request_timeout_unless_it_is_set() {
    let long = [("linger.ms", "100000"), ("request.timeout.ms", "50000")];
    let timeout = |config: Config| config.core().delivery_timeout.as_millis();
    assert_eq!(timeout(of(&long).unwrap()), 150_000);
    assert_eq!(timeout(of(&[]).unwrap()), 120_000);
    let error = of(&[long[0], long[1], ("delivery.timeout.ms", "149999")]).unwrap_err();
    assert_eq!(error.problems()[0].key(), "delivery.timeout.ms");
    assert_eq!(
        timeout(of(&[long[0], long[1], ("delivery.timeout.ms", "150000")]).unwrap()),
        150_000
    );
}

#[test]
fn the_reconnect_pause_does_not_grow_where_only_the_first_is_set() {
    let pauses = |config: &Config| {
        let core = config.core();
        (core.reconnect_backoff.as_millis(), core.reconnect_backoff_max.as_millis())
    };
    assert_eq!(pauses(&of(&[]).unwrap()), (50, 1_000));
    assert_eq!(pauses(&of(&[("reconnect.backoff.ms", "70")]).unwrap()), (70, 70));
    let both = [("reconnect.backoff.ms", "70"), ("reconnect.backoff.max.ms", "700")];
    assert_eq!(pauses(&of(&both).unwrap()), (70, 700));
}

#[test]
fn some_values_have_a_meaning_of_their_own() {
    let config = of(&[
        ("connections.max.idle.ms", "-1"),
        ("linger.ms", "9223372036854775807"),
        ("send.buffer.bytes", "-1"),
        ("retries", "1"),
        ("retries", "2"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.core().connection_max_idle, ottla::Duration::MAX);
    assert_eq!(config.core().linger.as_millis(), i32::MAX as u64);
    assert_eq!(config.tcp().send_buffer, None);
    assert_eq!(config.core().retries, 2, "the last value counts");
    let config = of(&[("bootstrap.servers", "PLAINTEXT://[::1]:9092, 10.0.0.1:1,")]).unwrap();
    assert_eq!(config.bootstrap_servers(), [("::1".to_owned(), 9092), ("10.0.0.1".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn producers_of_one_config_without_a_name_have_a_number_each() {
    let shown = |config: &Config| {
        let effective = config.effective();
        let setting = effective.get("client.id").unwrap();
        (setting.value().to_owned(), setting.source())
    };
    let config = of(&[("client.id", "")]).unwrap();
    assert_eq!(config.client_id(), "", "it is made up when a producer starts");
    assert_eq!(shown(&config), (String::new(), Source::Default));
    let producers = [(); 2].map(|()| Producer::new(config.clone()));
    let [one, other] = producers.each_ref().map(|producer| producer.config().client_id());
    assert!(one.starts_with("producer-") && other.starts_with("producer-"), "{one} {other}");
    assert_ne!(one, other);
    assert_eq!(producers[0].metrics().client_id(), one);
    assert_eq!(shown(producers[0].config()), (one.to_owned(), Source::Derived));
    // One that was set is everybody's.
    let config = of(&[("client.id", "me")]).unwrap();
    let names = [(); 2].map(|()| Producer::new(config.clone()).config().client_id().to_owned());
    assert_eq!(names, ["me", "me"]);
}

#[test]
fn a_partitioner_that_is_built_in_goes_by_java_s_name_or_by_none() {
    let of = |name| of(&[("partitioner.class", name)]).unwrap().core().partitioner;
    let round_robin = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
    assert_eq!(of(round_robin), Partitioner::RoundRobin);
    assert_eq!([of(""), of(" "), of("none")], [Partitioner::Sticky; 3]);
    // A class is called by its whole name, in its case.
    fault("partitioner.class", "RoundRobinPartitioner");
    fault("partitioner.class", &round_robin.to_lowercase());
}

#[test]
fn recovery_strategies_have_no_case() {
    let of = |name| of(&[("metadata.recovery.strategy", name)]).unwrap().core().rebootstrap;
    assert!(of("rebootstrap") && of("REBOOTSTRAP") && of("Rebootstrap"));
    assert!(!of("none") && !of("None"));
}

#[test]
fn properties_go_together_with_methods_of_the_builder() {
    let properties = [("bootstrap.servers", "a:1"), ("linger.ms", "7"), ("acks", "1")];
    let config = Config::builder().linger(Duration::from_millis(1)).properties(properties);
    let config = config.acks(Acks::None).ordered(true).config().unwrap();
    assert_eq!(config.core().linger.as_millis(), 7);
    assert_eq!(config.core().acks, Acks::None);
    assert!(config.core().ordered);
    assert!(!of(&[]).unwrap().core().ordered);
    let error = Config::builder()
        .properties([("retries", "many")])
        .metadata_max_idle(Duration::from_millis(4_999))
        .config()
        .unwrap_err();
    let keys: Vec<&str> = error.problems().iter().map(|problem| problem.key()).collect();
    assert_eq!(keys, ["retries", "bootstrap.servers", "metadata.max.idle.ms"]);
}
