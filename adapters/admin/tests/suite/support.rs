//! Brokers and clients that the tests share.

use std::time::Duration;

use ottla_admin::{Admin, Error, TopicResult};
use ottla_broker::{Cluster, Config, NewTopic, Profile, Server};

/// Three nodes like a release, with the topic `t`: two partitions, two replicas each.
pub(crate) fn like(profile: Profile) -> Server {
    let mut cluster = Cluster::new(Config { profile, ..Config::new(3) });
    cluster.create_topic(&NewTopic::new("t", 2, 2)).expect("a new topic");
    Server::start(cluster, &[]).expect("free ports")
}

/// A client that gives up after ten seconds.
pub(crate) fn client(server: &Server) -> Admin {
    client_of(&server.addresses()[0].to_string())
}

pub(crate) fn client_of(bootstrap: &str) -> Admin {
    let builder =
        Admin::builder().bootstrap_servers(bootstrap).retry_backoff(Duration::from_millis(5));
    builder.api_timeout(Duration::from_secs(10)).build().expect("sound settings")
}

/// The only result.
pub(crate) fn one<T>(results: Vec<TopicResult<T>>) -> Result<T, Error> {
    let [result] = <[_; 1]>::try_from(results).ok().expect("one result");
    result.result
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> i16 {
    let error = result.expect_err("a refusal");
    error.code().unwrap_or_else(|| panic!("no code: {error:?}")).0
}
