//! Connections: made where they are needed, kept for the next call.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ottla::message::{AnyApi, Api};
use ottla_tokio::{Connector, first_of};
use tokio::time::{Instant, timeout_at};

use crate::call::after;
use crate::config::Config;
use crate::connection::{FIRST, Link, Refusal};
use crate::error::span;
use crate::view::{Broker, address};

/// After this long without a result the next address is tried, too (R15).
const NEXT_ADDRESS: Duration = Duration::from_secs(1);
/// Connections that are kept.
const KEPT_MAX: usize = 8;
/// Addresses of which the version to begin with is remembered; of more, all are forgotten.
const STARTS_MAX: usize = 4_096;

type Opening<'a, S> = Pin<Box<dyn Future<Output = Result<Link<S>, String>> + Send + 'a>>;

/// What makes connections, and those that nobody uses at the moment.
pub(crate) struct Links<C: Connector> {
    pub(crate) config: Config,
    connector: Mutex<C>,
    kept: Mutex<Vec<Link<C::Stream>>>,
    /// The version of ApiVersions to begin with, by address.
    starts: Mutex<HashMap<String, i16>>,
    /// Where brokers are, as far as they said so.
    known: Mutex<Vec<(String, u16)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Connector> Links<C> {
    pub(crate) fn new(config: Config, connector: C) -> Self {
        Self {
            config,
            connector: Mutex::new(connector),
            kept: Mutex::default(),
            starts: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Remembers where brokers are.
    pub(crate) fn learn(&self, brokers: &[Broker]) {
        let place = |broker: &Broker| Some((broker.host.clone(), u16::try_from(broker.port).ok()?));
        *lock(&self.known) = brokers.iter().filter_map(place).collect();
    }

    /// Forgets brokers and connections: the next call begins at `bootstrap.servers`. KIP-1102.
    pub(crate) fn begin_again(&self) {
        lock(&self.known).clear();
        lock(&self.kept).clear();
    }

    /// Keeps a connection for the next call.
    pub(crate) fn keep(&self, link: Link<C::Stream>) {
        let mut kept = lock(&self.kept);
        kept.push(link);
        if kept.len() > KEPT_MAX {
            kept.remove(0);
        }
    }

    /// A connection that was kept and still stands; to this address, if one is given.
    async fn kept(&self, address: Option<&str>) -> Option<Link<C::Stream>> {
        loop {
            let mut link = {
                let mut kept = lock(&self.kept);
                let place = kept.iter().rposition(|link| address.is_none_or(|a| a == link.address));
                kept.remove(place?)
            };
            let is_old = self.config.max_idle.is_some_and(|idle| link.used.elapsed() >= idle);
            if !is_old && link.is_quiet().await {
                return Some(link);
            }
        }
    }

    /// A connection to any broker: one that was kept, or the first to answer of
    /// `bootstrap.servers` and of the brokers that are known. An error says what is the matter with
    /// each address.
    pub(crate) async fn any(&self, deadline: Instant) -> Result<Link<C::Stream>, String> {
        if let Some(link) = self.kept(None).await {
            return Ok(link);
        }
        let mut addresses = self.config.bootstrap.clone();
        for known in lock(&self.known).iter() {
            if !addresses.contains(known) {
                addresses.push(known.clone());
            }
        }
        self.first_of(&addresses, deadline).await
    }

    /// A connection to a broker at the address that it advertises.
    pub(crate) async fn broker(
        &self,
        broker: &Broker,
        deadline: Instant,
    ) -> Result<Link<C::Stream>, String> {
        let address = broker.address();
        if let Some(link) = self.kept(Some(&address)).await {
            return Ok(link);
        }
        let opened = match u16::try_from(broker.port) {
            Ok(port) => self.open(&broker.host, port, deadline).await,
            Err(_) => Err(format!("{address}, which is no port")),
        };
        let id = broker.id;
        opened.map_err(|why| format!("bootstrap answered, but broker {id} advertises {why}"))
    }

    /// The first connection that comes about. The next address is tried when one fails, or has
    /// given no result for a second, while the earlier ones go on.
    async fn first_of(
        &self,
        addresses: &[(String, u16)],
        deadline: Instant,
    ) -> Result<Link<C::Stream>, String> {
        // Without a type of their own rustc does not see that these are `Send`.
        let attempts: Vec<Opening<'_, C::Stream>> = addresses
            .iter()
            .map(|(host, port)| Box::pin(self.open(host, *port, deadline)) as _)
            .collect();
        first_of(attempts, NEXT_ADDRESS).await.map_err(|failures| failures.join("; "))
    }

    /// Connects, and negotiates versions. Where a connection ends without an answer, the next one
    /// begins with an older version: brokers of old end it when they are asked in one that they do
    /// not know. R15. An error begins with the address.
    async fn open(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Link<C::Stream>, String> {
        let address = address(host, port);
        let deadline = deadline.min(after(self.config.setup_timeout));
        let mut last = String::new();
        for _ in 0..3 {
            let connecting = lock(&self.connector).connect(host, port);
            let stream = match timeout_at(deadline, connecting).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    // Another release may run there when it is back.
                    lock(&self.starts).remove(&address);
                    return Err(format!("{address}: {error}"));
                }
                Err(_) => {
                    let limit = span(self.config.setup_timeout.min(self.config.api_timeout));
                    return Err(format!("{address}: no connection within {limit}"));
                }
            };
            let version = lock(&self.starts).get(&address).copied().unwrap_or(FIRST);
            let client_id = &self.config.client_id;
            match Link::negotiate(stream, address.clone(), client_id, version, deadline).await {
                Ok(link) => {
                    let listed = link.listed(AnyApi::Client(Api::ApiVersions));
                    if listed.is_some_and(|listed| listed.max >= 5) {
                        self.begin_with(&address, 5);
                    }
                    tracing::debug!(target: "ottla_admin", %address, "connected");
                    return Ok(link);
                }
                Err(Refusal::Useless(fault)) => {
                    return Err(format!("{address} is no use: {fault}"));
                }
                Err(Refusal::NoAnswer(why)) => {
                    self.begin_with(&address, older(version));
                    last = why;
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(format!("{address} does not tell its versions: {last}"))
    }

    fn begin_with(&self, address: &str, version: i16) {
        let mut starts = lock(&self.starts);
        if starts.len() >= STARTS_MAX {
            starts.clear();
        }
        starts.insert(address.to_owned(), version);
    }
}

/// The version to begin with after one that had no answer.
const fn older(version: i16) -> i16 {
    match version {
        4.. => 3,
        1..=3 => 0,
        _ => FIRST,
    }
}
