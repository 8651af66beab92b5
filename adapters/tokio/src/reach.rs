//! Which addresses could be reached, for messages that name the one at fault. R15.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ottla::Reason;
use tokio::time::Instant;

use crate::connector::ConnectError;

/// Where a link leads.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Target {
    /// Id of the broker that advertises the address; none for one of `bootstrap.servers`.
    pub(crate) broker: Option<i32>,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A target, and where it was mapped to
/// ([`Builder::map_address`](crate::Builder::map_address)), if that is elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) target: Target,
    pub(crate) mapped: Option<(String, u16)>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)?;
        let Some((host, port)) = &self.mapped else { return Ok(()) };
        write!(f, ", mapped to {host}:{port}")
    }
}

#[derive(Debug, Default)]
struct Peer {
    /// It answered at least once.
    reached: bool,
    failures: u32,
    /// When it failed last, on which way, and why.
    fault: Option<(Instant, Route, ConnectError)>,
}

/// What is known of the addresses that were tried.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    peers: HashMap<Target, Peer>,
    /// Any of them answered.
    answered: bool,
}

/// Addresses that are remembered; of more, all are forgotten.
const PEERS_MAX: usize = 4_096;

/// A fault that was not met again for so long explains nothing.
const STALE: Duration = Duration::from_secs(120);

impl Reach {
    /// A peer could not be reached, or was left for a fault. Returns how often in a row.
    pub(crate) fn failed(&mut self, route: &Route, now: Instant, fault: ConnectError) -> u32 {
        if self.peers.len() >= PEERS_MAX {
            self.peers.clear();
        }
        let peer = self.peers.entry(route.target.clone()).or_default();
        peer.failures = peer.failures.saturating_add(1);
        peer.fault = Some((now, route.clone(), fault));
        peer.failures
    }

    /// A peer answered.
    pub(crate) fn answered(&mut self, target: &Target) {
        self.answered = true;
        let peer = self.peers.entry(target.clone()).or_default();
        *peer = Peer { reached: true, ..Peer::default() };
    }

    /// What keeps the producer from the cluster, if anything does: an advertised address that
    /// never answered before all else, then one that did, then one of `bootstrap.servers`.
    pub(crate) fn hint(&self, now: Instant) -> Option<Arc<str>> {
        let mut found: Option<(u8, &Instant, &Route, &ConnectError)> = None;
        for (target, peer) in &self.peers {
            let Some((at, route, fault)) = &peer.fault else { continue };
            let rank = match target.broker {
                Some(_) if !peer.reached => 2,
                Some(_) => 1,
                None if peer.reached || !self.answered => 0,
                // Another address of the list served.
                None => continue,
            };
            let stale = now.saturating_duration_since(*at) > STALE;
            if !stale && found.is_none_or(|(best, last, ..)| (rank, at) >= (best, last)) {
                found = Some((rank, at, route, fault));
            }
        }
        let (rank, _, route, fault) = found?;
        let id = route.target.broker.unwrap_or(-1);
        let who = match rank {
            2 => format!("bootstrap answered, but broker {id} advertises {route}"),
            1 => format!("broker {id} is lost: {route}"),
            _ if self.answered => format!("the cluster is lost: {route}"),
            _ => format!("no broker of bootstrap.servers answered: last was {route}"),
        };
        let detail = match fault.detail() {
            "" => String::new(),
            detail => format!(" ({detail})"),
        };
        Some(format!("{who}, {}{detail}", which(fault.reason())).into())
    }
}

/// What an address does that cannot be used.
fn which(reason: Reason) -> Cow<'static, str> {
    Cow::Borrowed(match reason {
        Reason::Unresolved => "which does not resolve",
        Reason::Refused => "which does not accept connections",
        Reason::SetupTimeout => "which did not answer within socket.connection.setup.timeout.ms",
        Reason::RequestTimeout => "which did not answer within request.timeout.ms",
        Reason::Fault(fault) => return Cow::Owned(format!("which is no use: {fault}")),
        _ => "which ended the connection",
    })
}

#[cfg(test)]
mod tests {
    use ottla::error::Fault;

    use super::*;

    fn target(broker: Option<i32>, host: &str) -> Route {
        let target = Target { broker, host: host.to_owned(), port: 9092 };
        Route { target, mapped: None }
    }

    #[test]
    fn r15_an_unreachable_advertised_address_is_named() {
        let (bootstrap, kafka) = (target(None, "localhost"), target(Some(2), "kafka"));
        let now = Instant::now();
        let mut reach = Reach::default();
        reach.answered(&bootstrap.target);
        assert_eq!(reach.hint(now), None);
        assert_eq!(reach.failed(&kafka, now, ConnectError::new(Reason::Unresolved, "")), 1);
        let expected =
            "bootstrap answered, but broker 2 advertises kafka:9092, which does not resolve";
        assert_eq!(reach.hint(now).as_deref(), Some(expected));
        // A dead address of bootstrap.servers beside it is not what matters.
        let dead = target(None, "elsewhere");
        reach.failed(&dead, now, ConnectError::new(Reason::Unresolved, ""));
        assert_eq!(reach.hint(now).as_deref(), Some(expected));
        reach.answered(&kafka.target);
        assert_eq!(reach.hint(now), None);
        reach.failed(&kafka, now, ConnectError::new(Reason::Refused, "os error 111"));
        let expected =
            "broker 2 is lost: kafka:9092, which does not accept connections (os error 111)";
        assert_eq!(reach.hint(now).as_deref(), Some(expected));
        assert_eq!(reach.hint(now + STALE * 2), None);
    }

    #[test]
    fn an_address_that_is_mapped_is_named_with_where_it_was_mapped_to_last() {
        let now = Instant::now();
        let mut reach = Reach::default();
        reach.answered(&target(None, "localhost").target);
        for port in [19_092, 19_093] {
            let mapped = Some(("localhost".to_owned(), port));
            let route = Route { mapped, ..target(Some(2), "kafka") };
            reach.failed(&route, now, ConnectError::new(Reason::Refused, ""));
        }
        let expected = "bootstrap answered, but broker 2 advertises kafka:9092, mapped to \
                        localhost:19093, which does not accept connections";
        assert_eq!(reach.hint(now).as_deref(), Some(expected));
        reach.answered(&target(Some(2), "kafka").target);
        assert_eq!(reach.hint(now), None, "one way to it is enough");
    }

    #[test]
    fn what_answers_as_something_else_is_named() {
        let now = Instant::now();
        let mut reach = Reach::default();
        reach.failed(&target(None, "web"), now, ConnectError::new(Reason::Fault(Fault::Http), ""));
        let expected = "no broker of bootstrap.servers answered: last was web:9092, \
                        which is no use: it answered as an HTTP server does";
        assert_eq!(reach.hint(now).as_deref(), Some(expected));
    }
}
