//! Runs a script on a host: the cluster, the links and the course of time are here.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::Duration;
use std::{fmt, thread};

use ottla_broker::{AutoCreate, Cluster, Config, Impossible, NewTopic, Replication};
use ottla_tokio::ConfigError;

use crate::fate::Fate;
use crate::host::{self, DAY, Host, Offer, Setup, Told};
use crate::net::Net;
use crate::rules::Rules;
use crate::script::{
    Election, Event, Given, Kind, PATIENCE, Place, Script, Way, Which, names_text, span_text,
};
use crate::{expect, trace};

/// After the last event, what takes a while may still show.
const REST: u64 = 2_000;

/// Something that is not as the script says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The line that says so.
    pub line: usize,
    /// What was expected, and what was seen.
    pub message: String,
}

/// How a script is run.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// What the producer draws from; that for tokio cannot be told.
    pub seed: u64,
    /// Tells on standard error what happens, and when.
    pub told: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, told: false }
    }
}

/// What came of a run.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Run {
    /// What was seen, in an order that is the same for all hosts.
    pub trace: Vec<String>,
    /// What was not as expected, apart from the recorded trace.
    pub failures: Vec<Failure>,
}

/// A record, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// The line on which it was produced.
    pub(crate) line: usize,
    /// Its outcome, and when it was told.
    pub(crate) fate: Option<(Fate, u64)>,
}

/// The world of a script.
pub(crate) struct World {
    pub(crate) now: u64,
    host: Box<dyn Host>,
    pub(crate) cluster: Cluster,
    pub(crate) net: Net,
    rules: Rules,
    /// Arrivals before this one are not looked at any more.
    looked: usize,
    pub(crate) records: Vec<Sent>,
    pub(crate) topics: Vec<String>,
    flushed: bool,
    closed: bool,
    told: bool,
    /// What nobody may do.
    broken: Option<String>,
    /// Logs have lost what they had, so that offsets need not be what they were.
    pub(crate) cuts_logs: bool,
}

/// The memory of `Fixed` is on the stack until it is in its box.
const STACK: usize = 64 << 20;

/// Runs a script on a host.
///
/// # Panics
/// If the host does, or there is no thread for it.
#[must_use]
pub fn run(script: &Script, kind: Kind, options: Options) -> Run {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let thread = builder.spawn_scoped(scope, || run_here(script, kind, options));
        let result = thread.expect("a thread").join();
        result.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn run_here(script: &Script, kind: Kind, options: Options) -> Run {
    let mut world = match World::new(script, kind, options) {
        Ok(world) => world,
        Err(failure) => return Run { trace: Vec::new(), failures: vec![failure] },
    };
    let mut failures = Vec::new();
    for event in &script.events {
        if let Err(message) = world.event(event.line, &event.it) {
            failures.push(Failure { line: event.line, message });
            break;
        }
    }
    if failures.is_empty() {
        world.pass(PATIENCE, World::all_told);
        let end = world.now + REST;
        world.pass_until(end);
        failures.extend(world.loose_ends(script));
    }
    failures.extend(expect::check(&world, script));
    Run { trace: trace::text(&world), failures }
}

impl World {
    fn new(script: &Script, kind: Kind, options: Options) -> Result<Self, Failure> {
        let setup = setup(script, options.seed)?;
        let mut config = Config { auto_create: AutoCreate::No, ..Config::new(1) };
        let mut delay = 1;
        for given in &script.given {
            match &given.it {
                Given::Nodes(count) => config.nodes = Config::new(*count).nodes,
                Given::Profile(profile) => config.profile = *profile,
                Given::Link(span) => delay = (*span).max(1),
                Given::ManualReplication => config.replication = Replication::Manual,
                Given::Broker(key, value) => {
                    broker_setting(&mut config, key, value)
                        .map_err(|message| Failure { line: given.line, message })?;
                }
                Given::Hosts(_)
                | Given::Topic { .. }
                | Given::Producer(..)
                | Given::Bootstrap(_) => {}
                Given::Sequence(..) => {
                    if !matches!(kind, Kind::Growable | Kind::Fixed) {
                        let message = "only the bare machine can be told, so name the hosts";
                        return Err(Failure { line: given.line, message: message.to_owned() });
                    }
                }
            }
        }
        let mut world = Self {
            now: 0,
            host: host::start(kind, &setup),
            cluster: Cluster::new(config),
            net: Net::new(delay),
            rules: Rules::default(),
            looked: 0,
            records: Vec::new(),
            topics: Vec::new(),
            flushed: false,
            closed: false,
            told: options.told,
            broken: None,
            cuts_logs: false,
        };
        world.rules.install(&mut world.cluster);
        for given in &script.given {
            if let Given::Topic { name, on, settings } = &given.it {
                world
                    .create(name, on, settings)
                    .map_err(|message| Failure { line: given.line, message })?;
            }
        }
        Ok(world)
    }

    fn create(
        &mut self,
        name: &str,
        on: &[Vec<i32>],
        settings: &[(String, String)],
    ) -> Result<(), String> {
        let assignments: Vec<&[i32]> = on.iter().map(Vec::as_slice).collect();
        let mut topic = NewTopic::assigned(name, &assignments);
        topic.configs = settings.to_vec();
        self.cluster.create_topic(&topic).map_err(|(code, text)| format!("{code}: {text}"))?;
        if let Some(id) = self.cluster.topic_id(name) {
            self.net.names.topic_is(id, name);
            self.rules.lock().names.topic_is(id, name);
        }
        if !self.topics.iter().any(|known| known == name) {
            self.topics.push(name.to_owned());
        }
        Ok(())
    }

    fn micros(&self) -> u64 {
        self.now * 1_000
    }

    /// Everything that goes on now.
    fn settle(&mut self) {
        let now = self.now;
        self.net.tidy();
        self.net.deliver_up(now, &mut self.cluster, &self.rules, &mut *self.host);
        if self.cluster.poll_timeout().is_some_and(|at| at <= self.micros()) {
            self.cluster.handle_timeout(self.micros());
        }
        if let Err(what) = self.net.drain(now, &mut self.cluster) {
            self.broken.get_or_insert(what);
        }
        self.net.deliver_down(now, &mut self.cluster, &mut *self.host);
        loop {
            let told = self.host.run(now);
            if told.is_empty() {
                return;
            }
            self.hear(told);
        }
    }

    fn hear(&mut self, told: Vec<Told>) {
        for told in told {
            if self.told {
                eprintln!("{:>8} {told}", self.now);
            }
            match told {
                Told::Connect(line, host, port) => self.net.dial(self.now, line, &host, port),
                Told::Written(line, bytes) => {
                    if let Err(what) = self.net.write(self.now, line, bytes) {
                        self.broken.get_or_insert(what);
                    }
                }
                Told::HungUp(line) => self.net.hang_up(self.now, line),
                Told::Outcome(number, fate) => {
                    let Some(record) = self.records.get_mut(number) else { continue };
                    if let Some((first, _)) = record.fate {
                        let name = &record.name;
                        self.broken.get_or_insert(format!("{name} was {first}, and then {fate}"));
                    }
                    record.fate = Some((fate, self.now));
                }
                Told::Flushed => self.flushed = true,
                Told::Closed => self.closed = true,
            }
        }
    }

    /// Lets time pass for so long, or until a condition holds. Returns whether it does.
    fn pass(&mut self, span: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now.saturating_add(span);
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            if self.now >= until || self.broken.is_some() {
                return false;
            }
            let cluster = self.cluster.poll_timeout().map(|at| at.div_ceil(1_000));
            let next = self.net.next().into_iter().chain(cluster).chain([until]).min();
            let next = next.unwrap_or(until).max(self.now + 1);
            let told = self.host.run(next);
            self.now = self.host.now();
            self.hear(told);
        }
    }

    fn pass_until(&mut self, at: u64) {
        self.pass(at.saturating_sub(self.now), |_| false);
        self.looked = self.rules.lock().arrivals.len();
    }

    fn all_told(&self) -> bool {
        self.records.iter().all(|record| record.fate.is_some())
    }

    fn are_told(&self, names: &[String]) -> bool {
        let mut of_them = self.records.iter().filter(|record| names.contains(&record.name));
        of_them.all(|record| record.fate.is_some())
    }

    /// Where the first of the arrivals stands that nobody has looked at and that is meant.
    fn arrived(&self, which: &Which) -> Option<usize> {
        let state = self.rules.lock();
        let mut new = state.arrivals.iter().enumerate().skip(self.looked);
        new.find(|(_, a)| which.is(a.api, a.node, &a.places)).map(|(place, _)| place)
    }

    fn wait(
        &mut self,
        limit: u64,
        what: &dyn fmt::Display,
        done: impl FnMut(&Self) -> bool,
    ) -> Result<(), String> {
        if self.pass(limit, done) {
            return Ok(());
        }
        Err(format!("after {} there is still not: {what}", span_text(limit)))
    }

    fn event(&mut self, line: usize, event: &Event) -> Result<(), String> {
        if self.told {
            eprintln!("{:>8} - {event}", self.now);
        }
        self.carry_out(line, event)?;
        self.settle();
        self.broken.take().map_or(Ok(()), Err)
    }

    fn carry_out(&mut self, line: usize, event: &Event) -> Result<(), String> {
        match event {
            Event::Produce { place, names, key, size } => {
                for name in names {
                    self.produce(line, place, name, key.as_deref(), *size);
                }
            }
            Event::Flush => {
                self.flushed = false;
                self.host.flush();
            }
            Event::Close(span) => self.host.close(Duration::from_millis(*span)),
            Event::Next { count, which, action } => self.rules.add(*count, which, action),
            Event::NoRules => self.rules.clear(),
            Event::At(at) if *at < self.now => {
                return Err(format!("it is {} already", span_text(self.now)));
            }
            Event::At(at) => self.pass_until(*at),
            Event::After(span) => self.pass_until(self.now + span),
            Event::UntilRequest(which, limit) => {
                self.wait(*limit, which, |world| world.arrived(which).is_some())?;
                self.looked = self.arrived(which).map_or(self.looked, |place| place + 1);
            }
            Event::UntilTold(names, limit) => {
                let what = format!("an outcome of {}", names_text(names));
                self.wait(*limit, &what, |world| world.are_told(names))?;
                self.looked = self.rules.lock().arrivals.len();
            }
            Event::UntilAllTold(limit) => {
                self.wait(*limit, &"an outcome of every record", Self::all_told)?;
                self.looked = self.rules.lock().arrivals.len();
            }
            Event::UntilFlushed(limit) => {
                self.wait(*limit, &"the end of the flush", |world| world.flushed)?;
            }
            Event::UntilClosed(limit) => {
                self.wait(*limit, &"the end of the producer", |world| world.closed)?;
            }
            Event::Quiet(which, span) => {
                self.looked = self.rules.lock().arrivals.len();
                let from = self.now;
                if self.pass(*span, |world| world.arrived(which).is_some()) {
                    let after = span_text(self.now - from);
                    return Err(format!("there was one after {after}: {which}"));
                }
                self.looked = self.rules.lock().arrivals.len();
            }
            Event::Create { name, on } => self.create(name, on, &[])?,
            Event::Cut(node, after) => {
                let (net, host) = (&mut self.net, &mut *self.host);
                net.cut(self.now, *node, *after, &mut self.cluster, host);
            }
            Event::Hold(node, way) => self.net.hold(*node, *way, true),
            Event::Release(node) => {
                self.net.hold(*node, Way::Requests, false);
                self.net.hold(*node, Way::Answers, false);
            }
            Event::Refuse(node, true) => self.net.refusing.push(*node),
            Event::Ignore(node, true) => self.net.ignoring.push(*node),
            Event::Refuse(node, false) | Event::Ignore(node, false) => {
                self.net.refusing.retain(|n| n != node);
                self.net.ignoring.retain(|n| n != node);
            }
            happening => {
                self.cuts_logs |= matches!(
                    happening,
                    Event::Truncate(..) | Event::Delete(_) | Event::Lead(_, _, Election::Unclean)
                );
                self.happen(happening).map_err(|why| format!("impossible: {why}"))?;
            }
        }
        Ok(())
    }

    /// What happens to the cluster.
    fn happen(&mut self, event: &Event) -> Result<(), Impossible> {
        let (now, cluster) = (self.micros(), &mut self.cluster);
        let index = |place: &Place| place.partition.unwrap_or(0);
        match event {
            Event::Kill(node) => cluster.kill(now, *node),
            Event::Start(node) => cluster.start(now, *node),
            Event::Restart(node, reload) => cluster.restart(now, *node, *reload),
            Event::Reload(node, reload) => cluster.reload(now, *node, *reload),
            Event::Lead(place, node, how) => match how {
                Election::Clean => cluster.move_leader(now, &place.topic, index(place), *node),
                Election::Unclean => cluster.elect_unclean(now, &place.topic, index(place), *node),
                Election::InEpoch => {
                    cluster.move_leader_in_epoch(now, &place.topic, index(place), *node)
                }
            },
            Event::Truncate(place, offset) => {
                let all = ottla_broker::Reload::All;
                cluster.truncate(now, &place.topic, index(place), *offset, all)
            }
            Event::Forget(place) => cluster.forget_producers(&place.topic, index(place)),
            Event::Delete(topic) => cluster.delete_topic(now, topic),
            Event::Grow(topic, count) => cluster.add_partitions(now, topic, *count),
            Event::Leave(place, node) => {
                cluster.leave_in_sync(now, &place.topic, index(place), *node)
            }
            Event::Disk(place, node, true) => {
                cluster.fail_disk(now, &place.topic, index(place), *node)
            }
            Event::Disk(place, node, false) => {
                cluster.repair_disk(now, &place.topic, index(place), *node)
            }
            Event::Replicate => {
                cluster.replicate_all(now);
                Ok(())
            }
            // The others are the driver's.
            _ => Ok(()),
        }
    }

    fn produce(
        &mut self,
        line: usize,
        place: &Place,
        name: &str,
        key: Option<&str>,
        size: Option<usize>,
    ) {
        let mut value = name.as_bytes().to_vec();
        // What stands behind the first dot is no part of the name.
        value.resize(size.unwrap_or(0).max(value.len()), b'.');
        let offer = Offer {
            number: self.records.len(),
            topic: place.topic.clone(),
            partition: place.partition,
            key: key.map(str::to_owned),
            value,
            timestamp: DAY.saturating_add_unsigned(self.now),
        };
        let (name, place) = (name.to_owned(), place.clone());
        self.records.push(Sent { name, place, line, fate: None });
        self.host.produce(offer);
    }

    /// What is left when it should not be.
    fn loose_ends(&mut self, script: &Script) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut silent: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.fate.is_none()) {
            silent.entry(record.line).or_default().push(record.name.clone());
        }
        for (line, names) in silent {
            let message = format!("no outcome was told of {}", names_text(&names));
            failures.push(Failure { line, message });
        }
        let last = script.events.last().map_or(0, |event| event.line);
        if let Some(message) = self.broken.take() {
            failures.push(Failure { line: last, message });
        }
        for rule in self.rules.unused() {
            let at = script.events.iter().rev().find(|event| match &event.it {
                Event::Next { which, action, .. } => rule.ends_with(&format!("{which}: {action}")),
                _ => false,
            });
            let message = format!("no request came for: {rule}");
            failures.push(Failure { line: at.map_or(last, |event| event.line), message });
        }
        failures
    }
}

/// The settings of the producer.
fn setup(script: &Script, seed: u64) -> Result<Setup, Failure> {
    let mut lines = Vec::new();
    // The same on all hosts; a script's own comes later.
    let mut properties = vec![("client.id".to_owned(), "producer-1".to_owned())];
    let mut bootstrap = vec!["node1".to_owned()];
    let mut sequences = Vec::new();
    for given in &script.given {
        match &given.it {
            Given::Producer(key, value) => {
                lines.push((key.clone(), given.line));
                properties.push((key.clone(), value.clone()));
            }
            Given::Bootstrap(hosts) => bootstrap.clone_from(hosts),
            Given::Sequence(place, first) => sequences.push((place.clone(), *first)),
            _ => {}
        }
    }
    let port = |host: &String| {
        let node = host.strip_prefix("node").and_then(|node| node.parse::<u16>().ok());
        9_091_u16.saturating_add(node.unwrap_or(1))
    };
    let servers: Vec<String> = bootstrap.iter().map(|h| format!("{h}:{}", port(h))).collect();
    properties.push(("bootstrap.servers".to_owned(), servers.join(",")));
    let wrong = |error: ConfigError| {
        let problem = error.problems().first();
        let key = problem.map_or("", |problem| problem.key());
        let line = lines.iter().find(|(its, _)| its == key).map_or(0, |(_, line)| *line);
        Failure { line, message: error.to_string() }
    };
    let config = ottla_tokio::Config::from_properties(properties).map_err(wrong)?;
    Ok(Setup { config, seed, sequences })
}

/// A setting of the brokers by Kafka's name.
fn broker_setting(config: &mut Config, key: &str, value: &str) -> Result<(), String> {
    fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
        value.parse().map_err(|_| format!("{value} is no number"))
    }
    match key {
        "message.max.bytes" => config.max_message_bytes = number(value)?,
        "min.insync.replicas" => config.min_in_sync = number(value)?,
        "producer.id.expiration.ms" => config.producer_expiration_ms = number(value)?,
        "producer.id.expiration.check.interval.ms" => {
            config.producer_expiration_check = number::<u64>(value)?.saturating_mul(1_000);
        }
        "connections.max.idle.ms" => {
            config.max_idle = Some(number::<u64>(value)?.saturating_mul(1_000));
        }
        "auto.create.topics.enable" => {
            config.auto_create = match value {
                "true" => AutoCreate::AtOnce,
                "false" => AutoCreate::No,
                _ => return Err(format!("{value} is neither true nor false")),
            };
        }
        _ => return Err(format!("there is no setting {key} here")),
    }
    Ok(())
}
