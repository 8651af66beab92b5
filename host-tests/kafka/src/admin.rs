//! Kafka's admin client: topics, their partitions, who leads them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::java::tool;

/// From a change to its effect; several times what a slow machine needs.
const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);

/// A Java process that takes commands until this is dropped. What it is asked while nodes are
/// missing, it asks the others.
#[derive(Debug)]
pub struct Admin {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// A topic as its cluster sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Another one for a topic that was deleted and made again.
    pub id: String,
    /// The partitions, by number.
    pub partitions: Vec<Partition>,
}

/// A partition as its cluster sees it. Nodes go by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its leader, if it has one.
    pub leader: Option<usize>,
    /// Who has a copy; the first is who should lead.
    pub replicas: Vec<usize>,
    /// Who has everything that is committed.
    pub in_sync: Vec<usize>,
}

impl Admin {
    /// Starts one; `bootstrap` names nodes, past any proxy.
    pub fn start(bootstrap: &str) -> Result<Admin> {
        let mut command = tool("Harness")?;
        command.args(["administration", bootstrap]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // That nodes are gone is what tests are about; errors come as answers.
        let mut process = command.stderr(Stdio::null()).spawn().context("cannot run `java`")?;
        let commands = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        Ok(Admin { process, commands, answers })
    }

    /// Creates a topic and returns when all partitions have leaders.
    pub fn create(
        &mut self,
        name: &str,
        partitions: u32,
        replicas: usize,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let mut command = format!("create {name} {partitions} {replicas}");
        for (key, value) in configs {
            command.push_str(&format!(" {key}={value}"));
        }
        self.ask(&command)?;
        self.await_leaders(name, partitions)
    }

    /// Gives a topic more partitions, so many in all, and returns when all have leaders.
    pub fn grow(&mut self, name: &str, partitions: u32) -> Result<()> {
        self.ask(&format!("grow {name} {partitions}"))?;
        self.await_leaders(name, partitions)
    }

    /// Deletes a topic. Nodes learn of it a moment later.
    pub fn delete(&mut self, name: &str) -> Result<()> {
        self.ask(&format!("delete {name}")).map(drop)
    }

    /// Makes the preferred replicas of a topic lead: how many partitions changed their leader.
    pub fn elect_preferred(&mut self, name: &str) -> Result<u32> {
        Ok(self.ask(&format!("elect {name}"))?.parse()?)
    }

    /// The value of a topic's configuration that is in effect.
    pub fn config(&mut self, name: &str, key: &str) -> Result<String> {
        self.ask(&format!("config {name} {key}"))
    }

    /// How a topic stands.
    pub fn describe(&mut self, name: &str) -> Result<Description> {
        let answer = self.ask(&format!("describe {name}"))?;
        Description::parse(&answer).with_context(|| format!("not a description: {answer:?}"))
    }

    /// Returns when all replicas of a topic are in sync.
    pub fn await_in_sync(&mut self, name: &str) -> Result<Description> {
        self.await_that(name, "in sync", |topic| {
            topic.partitions.iter().all(|partition| {
                partition.leader.is_some() && partition.in_sync.len() == partition.replicas.len()
            })
        })
    }

    /// Returns when a topic's partitions are led by others than `node`.
    pub fn await_other_leaders(&mut self, name: &str, node: usize) -> Result<Description> {
        self.await_that(name, "led by others", |topic| {
            let mut leaders = topic.partitions.iter().map(|partition| partition.leader);
            leaders.all(|leader| leader.is_some_and(|leader| leader != node))
        })
    }

    fn await_leaders(&mut self, name: &str, partitions: u32) -> Result<()> {
        let led = |topic: &Description| {
            topic.partitions.len() == partitions as usize
                && topic.partitions.iter().all(|partition| partition.leader.is_some())
        };
        self.await_that(name, "led", led).map(drop)
    }

    fn await_that(
        &mut self,
        name: &str,
        what: &str,
        holds: impl Fn(&Description) -> bool,
    ) -> Result<Description> {
        let deadline = Instant::now() + LIMIT;
        loop {
            // A node that has not heard of the topic yet answers that there is none.
            let seen = self.describe(name);
            if let Ok(topic) = &seen
                && holds(topic)
            {
                return seen;
            }
            if Instant::now() > deadline {
                bail!("topic {name} is not {what} after {LIMIT:?}: {seen:?}");
            }
            thread::sleep(POLL);
        }
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.commands, "{command}").context("the admin client is gone")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("no answer of the admin client")?;
        match answer.trim_end().split_once(' ').unwrap_or((answer.trim_end(), "")) {
            ("ok", rest) => Ok(rest.to_owned()),
            ("error", rest) => bail!("`{command}`: {rest}"),
            _ => bail!("`{command}`: the admin client answered {answer:?}"),
        }
    }
}

impl Description {
    fn parse(text: &str) -> Option<Description> {
        let ids = |text: &str| -> Option<Vec<usize>> {
            text.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok()).collect()
        };
        let mut words = text.split(' ');
        let id = words.next()?.to_owned();
        let partitions = words.map(|word| {
            let mut fields = word.split('/');
            let leader = match fields.next()? {
                "-" => None,
                id => Some(id.parse().ok()?),
            };
            Some(Partition {
                leader,
                replicas: ids(fields.next()?)?,
                in_sync: ids(fields.next()?)?,
            })
        });
        Some(Description { id, partitions: partitions.collect::<Option<_>>()? })
    }

    /// How many partitions a node leads.
    pub fn led_by(&self, node: usize) -> usize {
        self.partitions.iter().filter(|partition| partition.leader == Some(node)).count()
    }

    /// How many partitions have another leader than before.
    pub fn moved_since(&self, before: &Description) -> usize {
        let pairs = self.partitions.iter().zip(&before.partitions);
        pairs.filter(|(now, before)| now.leader != before.leader).count()
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // Both fail only for a process that has already been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read_with_and_without_a_leader() {
        let topic = Description::parse("x_Y-1 2/1,2,3/2,3 -/3,1,2/").unwrap();
        let partition = |leader, replicas: &[usize], in_sync: &[usize]| Partition {
            leader,
            replicas: replicas.to_vec(),
            in_sync: in_sync.to_vec(),
        };
        assert_eq!(topic.id, "x_Y-1");
        assert_eq!(
            topic.partitions,
            [partition(Some(2), &[1, 2, 3], &[2, 3]), partition(None, &[3, 1, 2], &[])]
        );
        assert_eq!(topic.led_by(2), 1);
        assert_eq!(Description::parse("id 2/1,2,3"), None);
    }
}
