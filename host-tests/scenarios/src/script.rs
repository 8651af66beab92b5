//! What a script says, as data; and as text again.
//!
//! Reading is in [`crate::parse`]. [`Script`]'s `Display` is the other way round: who has a list of
//! steps, such as a search or a simulation that found something, keeps it by [`Script::new`].

use std::fmt;

use ottla::message::{Api, ErrorCode};
use ottla_broker::{Profile, Reload};

use crate::fate::{Fate, code_word};

/// A partition of a topic; without a number, the producer chooses one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// Name of the topic.
    pub topic: String,
    /// Number of the partition.
    pub partition: Option<i32>,
}

/// Something with the line on which it stands; 0 where it does not come from a file.
#[derive(Clone, Debug)]
pub struct Lined<T> {
    /// The line, from 1 on.
    pub line: usize,
    /// What stands there.
    pub it: T,
}

impl<T: PartialEq> PartialEq for Lined<T> {
    /// Whether the same stands there, on whatever line.
    fn eq(&self, other: &Self) -> bool {
        self.it == other.it
    }
}

/// What runs a script.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// The bare machine, in the memory of `Growable`.
    Growable,
    /// The bare machine, in the memory of `Fixed`.
    Fixed,
    /// The adapter for tokio.
    Tokio,
    /// The adapter for embassy.
    Embassy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Growable, Self::Fixed, Self::Tokio, Self::Embassy];

    /// Its name in scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Growable => "growable",
            Self::Fixed => "fixed",
            Self::Tokio => "tokio",
            Self::Embassy => "embassy",
        }
    }
}

/// What there is at the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    /// Which hosts run the script; all of them without this line.
    Hosts(Vec<Kind>),
    /// Number of nodes.
    Nodes(u8),
    /// A topic, the replicas of each of its partitions, and its settings.
    Topic {
        /// Its name.
        name: String,
        /// Nodes by partition, the leader first.
        on: Vec<Vec<i32>>,
        /// Settings by Kafka's names.
        settings: Vec<(String, String)>,
    },
    /// A setting of the producer by Kafka's name.
    Producer(String, String),
    /// Hosts of `bootstrap.servers`: `node2`, or any that does not exist.
    Bootstrap(Vec<String>),
    /// Which Kafka the nodes are like.
    Profile(Profile),
    /// A setting of the brokers by Kafka's name.
    Broker(String, String),
    /// How long bytes take from end to end.
    Link(u64),
    /// Followers have what their leader appended only when they are told.
    ManualReplication,
    /// Where the sequences of a partition begin; on the bare machine only.
    Sequence(Place, u32),
}

/// Which requests are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Which {
    /// The API; none: a connection that is asked for.
    pub api: Option<Api>,
    /// To which node.
    pub node: Option<i32>,
    /// With a batch for which partition.
    pub place: Option<Place>,
}

/// What is answered by hand.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The code.
    pub code: ErrorCode,
    /// Where the log begins.
    pub log_start: Option<i64>,
    /// Who leads, and in which epoch.
    pub leader: Option<(i32, i32)>,
    /// Which record is refused.
    pub record: Option<i32>,
}

/// What becomes of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// This code is answered, and nothing is done.
    Refuse(ErrorCode),
    /// As that, with more in the answer; of Produce only.
    Answer(Answer),
    /// InitProducerId is answered with this id and epoch.
    Give(i64, i16),
    /// It is done, and this code is answered.
    AppendAnd(ErrorCode),
    /// It is done, and the connection closed instead of an answer.
    AppendAndClose,
    /// It is done, and never answered.
    Swallow,
    /// The connection is closed.
    Close,
    /// It is done later.
    Delay(u64),
    /// It is done at once, and answered later.
    DelayAnswer(u64),
    /// It is done, and the producer told to wait.
    Throttle(u64),
}

/// Which way bytes go.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the producer to a node.
    Requests,
    /// From a node to the producer.
    Answers,
}

/// How a leader is chosen.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Election {
    /// Among the replicas in sync.
    Clean,
    /// Among all replicas.
    Unclean,
    /// Without a new leader epoch.
    InEpoch,
}

/// Something that happens, or is waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The application sends records, all at once.
    Produce {
        /// Where to.
        place: Place,
        /// Their names, which are their values, too.
        names: Vec<String>,
        /// Their key.
        key: Option<String>,
        /// Bytes of their values.
        size: Option<usize>,
    },
    /// The application makes everything due.
    Flush,
    /// The application closes the producer, within a time.
    Close(u64),
    /// What becomes of the next requests of a kind.
    Next {
        /// Of how many; none: of all from now on.
        count: Option<u32>,
        /// Which.
        which: Which,
        /// What.
        action: Action,
    },
    /// No rule of `next` is left.
    NoRules,
    /// Time passes until a time after the start.
    At(u64),
    /// Time passes.
    After(u64),
    /// Time passes until a node has got a request of a kind.
    UntilRequest(Which, u64),
    /// Time passes until records have their outcome.
    UntilTold(Vec<String>, u64),
    /// Time passes until all records have their outcome.
    UntilAllTold(u64),
    /// Time passes until a flush is over.
    UntilFlushed(u64),
    /// Time passes until the producer is closed.
    UntilClosed(u64),
    /// So long no node gets a request of a kind.
    Quiet(Which, u64),
    /// A node loses its power.
    Kill(i32),
    /// A node that was killed starts.
    Start(i32),
    /// A node is killed and started, and knows this much of producers.
    Restart(i32, Reload),
    /// A node loads anew what it knows of producers.
    Reload(i32, Reload),
    /// A partition gets another leader.
    Lead(Place, i32, Election),
    /// The log of a partition is cut at an offset.
    Truncate(Place, i64),
    /// All replicas of a partition forget all producers.
    Forget(Place),
    /// A topic is deleted.
    Delete(String),
    /// A topic is created.
    Create {
        /// Its name.
        name: String,
        /// Nodes by partition, the leader first.
        on: Vec<Vec<i32>>,
    },
    /// A topic gets more partitions.
    Grow(String, usize),
    /// A replica fails its leader, and is not in sync any more.
    Leave(Place, i32),
    /// Followers get all that their leaders have.
    Replicate,
    /// The disk under a replica breaks, or is repaired.
    Disk(Place, i32, bool),
    /// Connections to a node break: now, or after so many more bytes on one way.
    Cut(i32, Option<(usize, Way)>),
    /// What is on the way on the present connections of a node stays there.
    Hold(i32, Way),
    /// What was held goes on.
    Release(i32),
    /// A node refuses connections, or accepts them again.
    Refuse(i32, bool),
    /// Nobody answers who connects to a node, or somebody does again.
    Ignore(i32, bool),
}

/// What is to be seen in the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// What became of records; of several that are written, the offset is the first one's.
    Outcome(Vec<String>, Fate),
    /// When the outcomes of records were told.
    Told(Vec<String>, u64, u64),
    /// What stands in the log of a partition.
    Log(Place, Vec<String>),
    /// Batches of a partition in the order in which they were sent.
    Sent(Place, Vec<SentBatch>),
    /// How many requests of a kind, or connections, there were.
    Count(Which, u32),
}

/// A batch that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentBatch {
    /// Epoch and sequence; none without idempotence.
    pub sequence: Option<(i16, i32)>,
    /// Its records.
    pub names: Vec<String>,
}

/// A script.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Script {
    /// Remarks at the top, without `#`.
    pub title: Vec<String>,
    /// What there is.
    pub given: Vec<Lined<Given>>,
    /// What happens.
    pub events: Vec<Lined<Event>>,
    /// What is to be seen.
    pub expected: Vec<Lined<Expected>>,
    /// What was seen when it was recorded, line by line.
    pub trace: Vec<Lined<String>>,
}

impl Script {
    /// A script of simple steps, without a recorded trace. Its text is that of `to_string()`; with
    /// `UPDATE=1` in the environment the tests add the trace.
    ///
    /// ```
    /// use ottla_scenarios::script::{Event, Given, Place, Script};
    /// let place = Place { topic: "t".into(), partition: Some(0) };
    /// let b1 = vec!["b1".to_string()];
    /// let given = [Given::Topic { name: "t".into(), on: vec![vec![1]], settings: vec![] }];
    /// let events = [Event::Produce { place, names: b1, key: None, size: None }, Event::Kill(1)];
    /// let script = Script::new("Found by a search", given, events, []);
    /// let text = script.to_string();
    /// assert!(text.contains("\n  produce t/0 b1\n  kill node 1\n"));
    /// assert_eq!(ottla_scenarios::parse::script("x.txt", &text).unwrap(), script);
    /// ```
    #[must_use]
    pub fn new(
        title: &str,
        given: impl IntoIterator<Item = Given>,
        events: impl IntoIterator<Item = Event>,
        expected: impl IntoIterator<Item = Expected>,
    ) -> Self {
        fn lined<T>(all: impl IntoIterator<Item = T>) -> Vec<Lined<T>> {
            all.into_iter().map(|it| Lined { line: 0, it }).collect()
        }
        Self {
            title: title.lines().map(str::to_owned).collect(),
            given: lined(given),
            events: lined(events),
            expected: lined(expected),
            trace: Vec::new(),
        }
    }

    /// The hosts that run it.
    #[must_use]
    pub fn hosts(&self) -> Vec<Kind> {
        let named = self.given.iter().rev().find_map(|given| match &given.it {
            Given::Hosts(kinds) => Some(kinds.clone()),
            _ => None,
        });
        named.unwrap_or_else(|| Kind::ALL.to_vec())
    }
}

/// Names in a row, with runs of numbers cut short: `b1 b2 r1..r9`.
#[must_use]
pub fn names_text(names: &[String]) -> String {
    let split = |name: &str| {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (stem, number) = name.split_at(name.len() - digits);
        let plain = number == "0" || !number.starts_with('0');
        Some((stem.to_owned(), number.parse::<u32>().ok().filter(|_| plain)?))
    };
    let mut words = Vec::new();
    let mut rest = names;
    while let Some(first) = rest.first() {
        let follows = |place: usize| {
            let (stem, number) = split(first)?;
            let next = number.checked_add(u32::try_from(place).ok()?)?;
            (rest.get(place)? == &format!("{stem}{next}")).then_some(())
        };
        let run = (1..).take_while(|place| follows(*place).is_some()).count() + 1;
        let taken = if run > 2 { run } else { 1 };
        words.push(match rest.get(taken - 1) {
            Some(last) if taken > 1 => format!("{first}..{last}"),
            _ => first.clone(),
        });
        rest = &rest[taken..];
    }
    words.join(" ")
}

/// A span of time with its unit: `5ms`, `2s`.
#[must_use]
pub fn span_text(millis: u64) -> String {
    match millis {
        0 => "0ms".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}min", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// How long a condition may take, unless a script says otherwise.
pub const PATIENCE: u64 = 300_000;

fn within(limit: u64) -> String {
    if limit == PATIENCE { String::new() } else { format!(" within {}", span_text(limit)) }
}

fn nodes_text(on: &[Vec<i32>]) -> String {
    let words =
        on.iter().map(|nodes| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    words.collect::<Vec<_>>().join(" ")
}

/// How much a node knows after a load, in scripts.
#[must_use]
pub const fn reload_word(reload: Reload) -> &'static str {
    match reload {
        Reload::All => "all",
        Reload::NewestOnly => "newest",
        Reload::Nothing => "forgetful",
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            Some(partition) => write!(f, "{}/{partition}", self.topic),
            None => f.write_str(&self.topic),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.api {
            Some(api) => write!(f, "{api:?}")?,
            None => f.write_str("connection")?,
        }
        if let Some(node) = self.node {
            write!(f, " to node {node}")?;
        }
        match &self.place {
            Some(place) => write!(f, " of {place}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(code) => write!(f, "refuse {}", code_word(*code)),
            Self::Answer(Answer { code, log_start, leader, record }) => {
                write!(f, "answer {}", code_word(*code))?;
                if let Some(offset) = log_start {
                    write!(f, " log-start {offset}")?;
                }
                if let Some((node, epoch)) = leader {
                    write!(f, " leader {node} epoch {epoch}")?;
                }
                record.map_or(Ok(()), |record| write!(f, " record {record}"))
            }
            Self::Give(id, epoch) => write!(f, "give id {id} epoch {epoch}"),
            Self::AppendAnd(code) => write!(f, "append and answer {}", code_word(*code)),
            Self::AppendAndClose => f.write_str("append and close"),
            Self::Swallow => f.write_str("append and swallow"),
            Self::Close => f.write_str("close"),
            Self::Delay(span) => write!(f, "delay {}", span_text(*span)),
            Self::DelayAnswer(span) => write!(f, "delay-answer {}", span_text(*span)),
            Self::Throttle(span) => write!(f, "throttle {}", span_text(*span)),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Answers => "answers",
        })
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                write!(f, "hosts {}", names.join(" "))
            }
            Self::Nodes(count) => write!(f, "nodes {count}"),
            Self::Topic { name, on, settings } => {
                write!(f, "topic {name} on {}", nodes_text(on))?;
                settings.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::Producer(key, value) => write!(f, "producer {key} {value}"),
            Self::Bootstrap(hosts) => write!(f, "bootstrap {}", hosts.join(" ")),
            Self::Profile(profile) => write!(f, "profile {profile}"),
            Self::Broker(key, value) => write!(f, "broker {key} {value}"),
            Self::Link(span) => write!(f, "link {}", span_text(*span)),
            Self::ManualReplication => f.write_str("replication manual"),
            Self::Sequence(place, first) => write!(f, "sequence {place} {first}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Produce { place, names, key, size } => {
                write!(f, "produce {place} {}", names_text(names))?;
                if let Some(key) = key {
                    write!(f, " key={key}")?;
                }
                size.map_or(Ok(()), |size| write!(f, " size={size}"))
            }
            Self::Flush => f.write_str("flush"),
            Self::Close(span) => write!(f, "close {}", span_text(*span)),
            Self::Next { count: None, which, action } => write!(f, "every {which}: {action}"),
            Self::Next { count: Some(1), which, action } => write!(f, "next {which}: {action}"),
            Self::Next { count: Some(n), which, action } => {
                write!(f, "next {n} {which}: {action}")
            }
            Self::NoRules => f.write_str("no rules"),
            Self::At(at) => write!(f, "at {}", span_text(*at)),
            Self::After(span) => write!(f, "after {}", span_text(*span)),
            Self::UntilRequest(which, limit) => write!(f, "until {which}{}", within(*limit)),
            Self::UntilTold(names, limit) => {
                write!(f, "until told {}{}", names_text(names), within(*limit))
            }
            Self::UntilAllTold(limit) => write!(f, "until all told{}", within(*limit)),
            Self::UntilFlushed(limit) => write!(f, "until flushed{}", within(*limit)),
            Self::UntilClosed(limit) => write!(f, "until closed{}", within(*limit)),
            Self::Quiet(which, span) => write!(f, "no {which} for {}", span_text(*span)),
            Self::Kill(node) => write!(f, "kill node {node}"),
            Self::Start(node) => write!(f, "start node {node}"),
            Self::Restart(node, how) => write!(f, "restart node {node} {}", reload_word(*how)),
            Self::Reload(node, how) => write!(f, "reload node {node} {}", reload_word(*how)),
            Self::Lead(place, node, how) => {
                write!(f, "lead {place} by node {node}")?;
                f.write_str(match how {
                    Election::Clean => "",
                    Election::Unclean => " unclean",
                    Election::InEpoch => " in-epoch",
                })
            }
            Self::Truncate(place, offset) => write!(f, "truncate {place} at {offset}"),
            Self::Forget(place) => write!(f, "forget {place}"),
            Self::Delete(topic) => write!(f, "delete {topic}"),
            Self::Create { name, on } => write!(f, "create {name} on {}", nodes_text(on)),
            Self::Grow(topic, count) => write!(f, "grow {topic} by {count}"),
            Self::Leave(place, node) => write!(f, "leave {place} node {node}"),
            Self::Replicate => f.write_str("replicate"),
            Self::Disk(place, node, broken) => {
                let word = if *broken { "break" } else { "repair" };
                write!(f, "{word} {place} on node {node}")
            }
            Self::Cut(node, None) => write!(f, "cut node {node}"),
            Self::Cut(node, Some((bytes, way))) => {
                write!(f, "cut node {node} after {bytes} bytes of {way}")
            }
            Self::Hold(node, way) => write!(f, "hold {way} of node {node}"),
            Self::Release(node) => write!(f, "release node {node}"),
            Self::Refuse(node, true) => write!(f, "refuse connections to node {node}"),
            Self::Ignore(node, true) => write!(f, "ignore connections to node {node}"),
            Self::Refuse(node, false) | Self::Ignore(node, false) => {
                write!(f, "accept connections to node {node}")
            }
        }
    }
}

impl fmt::Display for SentBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((epoch, sequence)) = self.sequence {
            write!(f, "e{epoch} s{sequence} ")?;
        }
        f.write_str(&names_text(&self.names))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(names, fate) => write!(f, "outcome {} {fate}", names_text(names)),
            Self::Told(names, from, to) => {
                let (from, to) = (span_text(*from), span_text(*to));
                write!(f, "told {} from {from} to {to}", names_text(names))
            }
            Self::Log(place, names) if names.is_empty() => write!(f, "log {place} empty"),
            Self::Log(place, names) => write!(f, "log {place} {}", names_text(names)),
            Self::Sent(place, batches) if batches.is_empty() => write!(f, "sent {place} nothing"),
            Self::Sent(place, batches) => {
                let batches: Vec<String> = batches.iter().map(ToString::to_string).collect();
                write!(f, "sent {place} {}", batches.join(", "))
            }
            Self::Count(which, count) => write!(f, "count {count} {which}"),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn part<T: fmt::Display>(
            f: &mut fmt::Formatter<'_>,
            name: &str,
            lines: &[Lined<T>],
        ) -> fmt::Result {
            if lines.is_empty() {
                return Ok(());
            }
            writeln!(f, "\n{name}")?;
            lines.iter().try_for_each(|line| writeln!(f, "  {}", line.it))
        }
        self.title.iter().try_for_each(|line| writeln!(f, "# {line}"))?;
        part(f, "given", &self.given)?;
        part(f, "events", &self.events)?;
        part(f, "expected", &self.expected)?;
        part(f, "trace", &self.trace)
    }
}
