//! Reading scripts. The grammar is on the [front page](crate).

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use ottla::message::Api;
use ottla_broker::Reload;

use crate::fate::{Fate, read_code};
use crate::script::{
    Action, Answer, Election, Event, Expected, Given, Kind, Lined, PATIENCE, Place, Script,
    SentBatch, Way, Which,
};

#[cfg(test)]
mod tests;

/// What is wrong with a script, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1 on.
    pub line: usize,
    /// The word at fault; empty at the end of a line.
    pub word: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, word, message } = self;
        write!(f, "{}:{line}: ", file.display())?;
        match word.as_str() {
            "" => write!(f, "at the end of the line: {message}"),
            word => write!(f, "`{word}`: {message}"),
        }
    }
}

impl std::error::Error for Fault {}

/// The word at fault, and what is wrong with it.
type Wrong = (String, String);

/// The words of a line.
struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        (self.peek().unwrap_or("").to_owned(), message.into())
    }

    /// The next word, which is `what`.
    fn take(&mut self, what: &str) -> Result<&'a str, Wrong> {
        let word = self.peek().ok_or_else(|| self.wrong(format!("{what} is needed")))?;
        self.next += 1;
        Ok(word)
    }

    /// Passes a word if it is the next one.
    fn pass(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        self.next += usize::from(is_next);
        is_next
    }

    fn must(&mut self, word: &str) -> Result<(), Wrong> {
        if self.pass(word) { Ok(()) } else { Err(self.wrong(format!("`{word}` is needed"))) }
    }

    fn end(&self) -> Result<(), Wrong> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("nothing more is expected here")),
        }
    }

    /// The next word as `what`, read by `read`.
    fn read<T>(&mut self, what: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Wrong> {
        let word = self.take(what)?;
        read(word).ok_or_else(|| (word.to_owned(), format!("{what} is needed")))
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Wrong> {
        self.read("a number", |word| word.parse().ok())
    }

    fn span(&mut self) -> Result<u64, Wrong> {
        self.read("a time with ms, s, min or h", read_span)
    }

    fn place(&mut self) -> Result<Place, Wrong> {
        self.read("a topic, or topic/partition", read_place)
    }

    /// A place with a partition.
    fn partition(&mut self) -> Result<Place, Wrong> {
        self.read("topic/partition", |w| read_place(w).filter(|place| place.partition.is_some()))
    }

    fn name(&mut self, what: &str) -> Result<String, Wrong> {
        self.read(what, |word| is_name(word).then(|| word.to_owned()))
    }

    fn node(&mut self) -> Result<i32, Wrong> {
        self.must("node")?;
        self.number()
    }

    fn code(&mut self) -> Result<ottla::message::ErrorCode, Wrong> {
        let word = self.take("an error code")?;
        read_code(word).map_err(|message| (word.to_owned(), message))
    }

    /// Names of records, as long as there are some.
    fn names(&mut self) -> Result<Vec<String>, Wrong> {
        let mut names = Vec::new();
        while let Some(word) = self.peek() {
            let Some(more) = read_names(word) else { break };
            names.extend(more);
            self.next += 1;
        }
        if names.is_empty() {
            return Err(self.wrong("the name of a record is needed, such as b1, or b1..b9"));
        }
        Ok(names)
    }

    /// Replicas by partition: `1,2 2,1`.
    fn replicas(&mut self) -> Result<Vec<Vec<i32>>, Wrong> {
        self.must("on")?;
        let mut all = Vec::new();
        while let Some(word) = self.peek() {
            let nodes: Option<Vec<i32>> = word.split(',').map(|n| n.parse().ok()).collect();
            let Some(nodes) = nodes else { break };
            all.push(nodes);
            self.next += 1;
        }
        if all.is_empty() {
            return Err(self.wrong("the nodes of a partition are needed, such as 1,2"));
        }
        Ok(all)
    }

    fn which(&mut self) -> Result<Which, Wrong> {
        let api = self.read("an API, or `connection`,", |word| match word {
            "connection" => Some(None),
            name => Api::ALL.into_iter().find(|api| format!("{api:?}") == name).map(Some),
        })?;
        let node = if self.pass("to") { Some(self.node()?) } else { None };
        let place = if self.pass("of") { Some(self.place()?) } else { None };
        Ok(Which { api, node, place })
    }

    fn within(&mut self) -> Result<u64, Wrong> {
        if self.pass("within") { self.span() } else { Ok(PATIENCE) }
    }

    fn way(&mut self) -> Result<Way, Wrong> {
        self.read("`requests` or `answers`", |word| match word {
            "requests" => Some(Way::Requests),
            "answers" => Some(Way::Answers),
            _ => None,
        })
    }

    fn reload(&mut self) -> Result<Reload, Wrong> {
        self.read("`all`, `newest` or `forgetful`", |word| match word {
            "all" => Some(Reload::All),
            "newest" => Some(Reload::NewestOnly),
            "forgetful" => Some(Reload::Nothing),
            _ => None,
        })
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn read_span(word: &str) -> Option<u64> {
    let digits = word.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = word.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis)
}

fn read_place(word: &str) -> Option<Place> {
    let (topic, partition) = match word.split_once('/') {
        Some((topic, partition)) => (topic, Some(partition.parse().ok()?)),
        None => (word, None),
    };
    is_name(topic).then(|| Place { topic: topic.to_owned(), partition })
}

/// `b1`, or `b1..b9`.
fn read_names(word: &str) -> Option<Vec<String>> {
    let Some((first, last)) = word.split_once("..") else {
        return is_name(word).then(|| vec![word.to_owned()]);
    };
    let stem = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let from: u32 = first.strip_prefix(stem)?.parse().ok()?;
    let to: u32 = last.strip_prefix(stem)?.parse().ok()?;
    (is_name(first) && from <= to).then(|| (from..=to).map(|n| format!("{stem}{n}")).collect())
}

fn given(words: &mut Words<'_>) -> Result<Given, Wrong> {
    let keys = "hosts, nodes, topic, producer, bootstrap, profile, broker, link, replication or \
                sequence";
    Ok(match words.take(keys)? {
        "hosts" => {
            let mut kinds = Vec::new();
            while words.peek().is_some() {
                kinds.push(words.read("growable, fixed, tokio or embassy", |word| {
                    Kind::ALL.into_iter().find(|kind| kind.name() == word)
                })?);
            }
            if kinds.is_empty() {
                return Err(words.wrong("growable, fixed, tokio or embassy is needed"));
            }
            Given::Hosts(kinds)
        }
        "nodes" => Given::Nodes(words.number()?),
        "topic" => {
            let (name, on) = (words.name("the name of a topic")?, words.replicas()?);
            let mut settings = Vec::new();
            while words.peek().is_some() {
                settings.push(words.read("setting=value", |word| {
                    word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
                })?);
            }
            Given::Topic { name, on, settings }
        }
        "producer" => {
            let key = words.take("a setting")?.to_owned();
            Given::Producer(key, words.take("a value")?.to_owned())
        }
        "bootstrap" => {
            let mut hosts = Vec::new();
            while words.peek().is_some() {
                hosts.push(words.name("a host")?);
            }
            Given::Bootstrap(hosts)
        }
        "profile" => {
            let word = words.take("a release")?;
            Given::Profile(word.parse().map_err(|why| (word.to_owned(), format!("{why}")))?)
        }
        "broker" => {
            let key = words.take("a setting")?.to_owned();
            Given::Broker(key, words.take("a value")?.to_owned())
        }
        "link" => Given::Link(words.span()?),
        "replication" => {
            words.must("manual")?;
            Given::ManualReplication
        }
        "sequence" => {
            let place = words.partition()?;
            let is_one = |word: &str| word.parse().ok().filter(|n| *n <= i32::MAX.unsigned_abs());
            Given::Sequence(place, words.read("a sequence up to 2147483647", is_one)?)
        }
        word => return Err((word.to_owned(), format!("it has to be {keys}"))),
    })
}

fn action(words: &mut Words<'_>) -> Result<Action, Wrong> {
    let verbs = "refuse, answer, give, append, close, delay, delay-answer or throttle";
    Ok(match words.take(verbs)? {
        "refuse" => Action::Refuse(words.code()?),
        "answer" => {
            let mut answer = Answer { code: words.code()?, ..Answer::default() };
            if words.pass("log-start") {
                answer.log_start = Some(words.number()?);
            }
            if words.pass("leader") {
                let node = words.number()?;
                words.must("epoch")?;
                answer.leader = Some((node, words.number()?));
            }
            if words.pass("record") {
                answer.record = Some(words.number()?);
            }
            Action::Answer(answer)
        }
        "give" => {
            words.must("id")?;
            let id = words.number()?;
            words.must("epoch")?;
            Action::Give(id, words.number()?)
        }
        "append" => {
            words.must("and")?;
            match words.take("answer, close or swallow")? {
                "answer" => Action::AppendAnd(words.code()?),
                "close" => Action::AppendAndClose,
                "swallow" => Action::Swallow,
                word => {
                    return Err((word.to_owned(), "it has to be answer, close or swallow".into()));
                }
            }
        }
        "close" => Action::Close,
        "delay" => Action::Delay(words.span()?),
        "delay-answer" => Action::DelayAnswer(words.span()?),
        "throttle" => Action::Throttle(words.span()?),
        word => return Err((word.to_owned(), format!("it has to be {verbs}"))),
    })
}

/// `next 2 Produce to node 1: close`, after its first word.
fn rule(words: &mut Words<'_>, count: Option<u32>) -> Result<Event, Wrong> {
    let which = words.which()?;
    words.must(":")?;
    Ok(Event::Next { count, which, action: action(words)? })
}

fn until(words: &mut Words<'_>) -> Result<Event, Wrong> {
    if words.pass("flushed") {
        return Ok(Event::UntilFlushed(words.within()?));
    }
    if words.pass("closed") {
        return Ok(Event::UntilClosed(words.within()?));
    }
    if words.pass("all") {
        words.must("told")?;
        return Ok(Event::UntilAllTold(words.within()?));
    }
    if words.pass("told") {
        let mut names = Vec::new();
        while let Some(word) = words.peek().filter(|word| *word != "within") {
            names.extend(read_names(word).ok_or_else(|| words.wrong("it is no name of a record"))?);
            words.next += 1;
        }
        if names.is_empty() {
            return Err(words.wrong("the name of a record is needed"));
        }
        return Ok(Event::UntilTold(names, words.within()?));
    }
    let which = words.which()?;
    Ok(Event::UntilRequest(which, words.within()?))
}

fn produce(words: &mut Words<'_>) -> Result<Event, Wrong> {
    let (place, names) = (words.place()?, words.names()?);
    let (mut key, mut size) = (None, None);
    while let Some(word) = words.peek() {
        match word.split_once('=') {
            Some(("key", value)) => key = Some(value.to_owned()),
            Some(("size", value)) => {
                size = Some(value.parse().map_err(|_| words.wrong("size needs a number"))?);
            }
            _ => return Err(words.wrong("it is neither a name, nor key=TEXT, nor size=NUMBER")),
        }
        words.next += 1;
    }
    Ok(Event::Produce { place, names, key, size })
}

fn cut(words: &mut Words<'_>) -> Result<Event, Wrong> {
    let node = words.node()?;
    if !words.pass("after") {
        return Ok(Event::Cut(node, None));
    }
    let bytes = words.number()?;
    words.must("bytes")?;
    words.must("of")?;
    Ok(Event::Cut(node, Some((bytes, words.way()?))))
}

fn connections(words: &mut Words<'_>) -> Result<i32, Wrong> {
    words.must("connections")?;
    words.must("to")?;
    words.node()
}

fn event(words: &mut Words<'_>) -> Result<Event, Wrong> {
    Ok(match words.take("an event")? {
        "produce" => produce(words)?,
        "flush" => Event::Flush,
        "close" => Event::Close(words.span()?),
        "next" => {
            let count = words.peek().and_then(|word| word.parse().ok());
            words.next += usize::from(count.is_some());
            rule(words, Some(count.unwrap_or(1)))?
        }
        "every" => rule(words, None)?,
        "no" if words.pass("rules") => Event::NoRules,
        "no" => {
            let which = words.which()?;
            words.must("for")?;
            Event::Quiet(which, words.span()?)
        }
        "at" => Event::At(words.span()?),
        "after" => Event::After(words.span()?),
        "until" => until(words)?,
        "kill" => Event::Kill(words.node()?),
        "start" => Event::Start(words.node()?),
        "restart" => Event::Restart(words.node()?, words.reload()?),
        "reload" => Event::Reload(words.node()?, words.reload()?),
        "lead" => {
            let place = words.partition()?;
            words.must("by")?;
            let node = words.node()?;
            let how = match (words.pass("unclean"), words.pass("in-epoch")) {
                (true, _) => Election::Unclean,
                (_, true) => Election::InEpoch,
                _ => Election::Clean,
            };
            Event::Lead(place, node, how)
        }
        "truncate" => {
            let place = words.partition()?;
            words.must("at")?;
            Event::Truncate(place, words.number()?)
        }
        "forget" => Event::Forget(words.partition()?),
        "delete" => Event::Delete(words.name("the name of a topic")?),
        "create" => {
            Event::Create { name: words.name("the name of a topic")?, on: words.replicas()? }
        }
        "grow" => {
            let topic = words.name("the name of a topic")?;
            words.must("by")?;
            Event::Grow(topic, words.number()?)
        }
        "leave" => Event::Leave(words.partition()?, words.node()?),
        "replicate" => Event::Replicate,
        word @ ("break" | "repair") => {
            let place = words.partition()?;
            words.must("on")?;
            Event::Disk(place, words.node()?, word == "break")
        }
        "cut" => cut(words)?,
        "hold" => {
            let way = words.way()?;
            words.must("of")?;
            Event::Hold(words.node()?, way)
        }
        "release" => Event::Release(words.node()?),
        "refuse" => Event::Refuse(connections(words)?, true),
        "ignore" => Event::Ignore(connections(words)?, true),
        "accept" => Event::Refuse(connections(words)?, false),
        word => return Err((word.to_owned(), "there is no such event".to_owned())),
    })
}

/// `e0 s3 b1 b2`, or only names.
fn batch(words: &mut Words<'_>) -> Result<SentBatch, Wrong> {
    let letter = |word: &str, letter: char| word.strip_prefix(letter).map(str::to_owned);
    let epoch = words.peek().and_then(|word| letter(word, 'e')?.parse().ok());
    let sequence = match epoch {
        Some(epoch) => {
            words.next += 1;
            let read = |word: &str| letter(word, 's')?.parse().ok();
            Some((epoch, words.read("a sequence, such as s0,", read)?))
        }
        None => None,
    };
    Ok(SentBatch { sequence, names: words.names()? })
}

fn expected(words: &mut Words<'_>) -> Result<Expected, Wrong> {
    let keys = "outcome, told, log, sent or count";
    Ok(match words.take(keys)? {
        "outcome" => {
            const FATES: [&str; 5] = ["written", "sent", "not-written", "unknown", "refused"];
            let rest = &words.words[words.next..];
            let at = rest.iter().position(|word| FATES.contains(word)).unwrap_or(rest.len());
            let names = rest[..at].iter().map(|word| {
                let wrong = || ((*word).to_owned(), "it is no name of a record".to_owned());
                read_names(word).ok_or_else(wrong)
            });
            let names: Vec<String> = names.collect::<Result<Vec<_>, _>>()?.concat();
            let fate = Fate::read(&rest[at..]).map_err(|(place, message)| {
                ((*rest.get(at + place).unwrap_or(&"")).to_owned(), message)
            })?;
            words.next = words.words.len();
            if names.is_empty() {
                return Err((fate.to_string(), "whose outcome?".to_owned()));
            }
            Expected::Outcome(names, fate)
        }
        "told" => {
            let end = words.words.iter().position(|word| *word == "from");
            let end = end.ok_or_else(|| words.wrong("`from` is needed"))?;
            let mut names = Vec::new();
            while words.next < end {
                names.extend(words.read("the name of a record", read_names)?);
            }
            words.must("from")?;
            let from = words.span()?;
            words.must("to")?;
            Expected::Told(names, from, words.span()?)
        }
        "log" => {
            let place = words.partition()?;
            let names = if words.pass("empty") { Vec::new() } else { words.names()? };
            Expected::Log(place, names)
        }
        "sent" => {
            let place = words.partition()?;
            let mut batches = Vec::new();
            if !words.pass("nothing") {
                batches.push(batch(words)?);
                while words.pass(",") {
                    batches.push(batch(words)?);
                }
            }
            Expected::Sent(place, batches)
        }
        "count" => {
            let count = words.number()?;
            Expected::Count(words.which()?, count)
        }
        word => return Err((word.to_owned(), format!("it has to be {keys}"))),
    })
}

#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Given,
    Events,
    Expected,
    Trace,
}

/// The line on which the recorded trace begins: what stands from there on is rewritten.
pub const TRACE: &str = "trace";

/// Reads a script.
///
/// # Errors
/// The first fault, with its line and word.
pub fn script(file: impl AsRef<Path>, text: &str) -> Result<Script, Fault> {
    let mut script = Script::default();
    let mut part = None;
    for (line, raw) in (1..).zip(text.lines()) {
        let fault = |(word, message)| Fault { file: file.as_ref().into(), line, word, message };
        if part == Some(Part::Trace) {
            if !raw.trim().is_empty() {
                let it = raw.strip_prefix("  ").unwrap_or(raw).trim_end().to_owned();
                script.trace.push(Lined { line, it });
            }
            continue;
        }
        if part.is_none()
            && let Some(remark) = raw.strip_prefix('#')
        {
            script.title.push(remark.trim().to_owned());
        }
        let bare = raw.split('#').next().unwrap_or("").trim();
        if bare.is_empty() {
            continue;
        }
        let next = match bare {
            "given" => Some(Part::Given),
            "events" => Some(Part::Events),
            "expected" => Some(Part::Expected),
            TRACE => Some(Part::Trace),
            _ => None,
        };
        if let Some(next) = next.filter(|_| !raw.starts_with(' ')) {
            if part.is_some_and(|part| part >= next) {
                let message = "parts come once, in the order given, events, expected, trace";
                return Err(fault((bare.to_owned(), message.to_owned())));
            }
            part = Some(next);
            continue;
        }
        // Marks stand for themselves, with or without space before them.
        let spaced = bare.replace(": ", " : ").replace(',', "\u{0},").replace("\u{0}, ", " , ");
        let spaced = spaced.replace('\u{0}', "");
        let mut words = Words { words: spaced.split_whitespace().collect(), next: 0 };
        let words = &mut words;
        let done = match part {
            None => Err((bare.to_owned(), "a script begins with the line `given`".to_owned())),
            Some(Part::Given) => given(words).map(|it| script.given.push(Lined { line, it })),
            Some(Part::Events) => event(words).map(|it| script.events.push(Lined { line, it })),
            _ => expected(words).map(|it| script.expected.push(Lined { line, it })),
        };
        done.and_then(|()| words.end()).map_err(fault)?;
    }
    check_names(&script).map_err(|(line, word, message)| Fault {
        file: file.as_ref().into(),
        line,
        word,
        message: message.to_owned(),
    })?;
    Ok(script)
}

/// Names of records are each one's own, and no others are spoken of.
fn check_names(script: &Script) -> Result<(), (usize, String, &'static str)> {
    let mut produced = BTreeSet::new();
    let known = |line, names: &[String], produced: &BTreeSet<String>| {
        let unknown = names.iter().find(|name| !produced.contains(*name));
        unknown.map_or(Ok(()), |name| Err((line, name.clone(), "no such record was produced")))
    };
    for event in &script.events {
        match &event.it {
            Event::Produce { names, .. } => {
                for name in names {
                    if !produced.insert(name.clone()) {
                        let message = "another record has this name";
                        return Err((event.line, name.clone(), message));
                    }
                }
            }
            Event::UntilTold(names, _) => known(event.line, names, &produced)?,
            _ => {}
        }
    }
    for expected in &script.expected {
        match &expected.it {
            Expected::Outcome(names, _) | Expected::Told(names, ..) | Expected::Log(_, names) => {
                known(expected.line, names, &produced)?;
            }
            Expected::Sent(_, batches) => {
                for batch in batches {
                    known(expected.line, &batch.names, &produced)?;
                }
            }
            Expected::Count(..) => {}
        }
    }
    Ok(())
}
