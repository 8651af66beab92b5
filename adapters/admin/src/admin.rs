//! The client, and its calls.

use std::fmt;
use std::sync::Arc;

use ottla::error::Fault;
use ottla_tokio::{ConfigError, Connector, TcpConnector};

use crate::ask::alter_configs::AlterConfigs;
use crate::ask::create_partitions::CreatePartitions;
use crate::ask::create_topics::CreateTopics;
use crate::ask::delete_topics::DeleteTopics;
use crate::ask::describe_configs::DescribeConfigs;
use crate::ask::describe_topic_partitions::DescribeTopicPartitions;
use crate::call::{Call, Changing};
use crate::change::{Change, NewTopic, check_name};
use crate::config::{Builder, Config};
use crate::error::{Error, ErrorKind, TopicResult};
use crate::links::Links;
use crate::view::{Cluster, Setting, Topic, TopicId};

/// An administration client. Clones are the same client: they share its connections, and may be
/// used at once.
pub struct Admin<C: Connector = TcpConnector> {
    links: Arc<Links<C>>,
}

impl<C: Connector> Clone for Admin<C> {
    fn clone(&self) -> Self {
        Self { links: Arc::clone(&self.links) }
    }
}

impl<C: Connector> fmt::Debug for Admin<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("config", self.config()).finish_non_exhaustive()
    }
}

impl Admin {
    /// A builder with the defaults; `bootstrap_servers` is to be given.
    pub fn builder() -> Builder {
        Config::builder()
    }

    /// A client that connects over TCP. It connects at its first call.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let connector = config.tcp;
        Self::with_connector(config, connector)
    }

    /// A client with settings by Java's names: [`Config::from_properties`].
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        Config::from_properties(properties).map(Self::new)
    }
}

impl<C: Connector> Admin<C> {
    /// A client that connects by `connector`.
    #[must_use]
    pub fn with_connector(config: Config, connector: C) -> Self {
        Self { links: Arc::new(Links::new(config, connector)) }
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.links.config
    }

    // Questions.

    /// The cluster: its id, its controller and its brokers.
    ///
    /// # Errors
    /// Why no broker told.
    pub async fn cluster(&self) -> Result<Cluster, Error> {
        let (everything, _) = Call::new(&self.links).metadata(Some(&[])).await?;
        Ok(everything.cluster)
    }

    /// All topics that this client may see, in the order of their names: page by page from brokers
    /// that can tell them so (Kafka 3.8 on, KIP-966), else all at once.
    ///
    /// # Errors
    /// Why no broker told.
    pub async fn topics(&self) -> Result<Vec<Topic>, Error> {
        let (mut topics, _) = self.find_topics(None).await?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// These topics, in this order.
    ///
    /// # Errors
    /// Why no broker told; what is wrong with one topic stands in its place.
    pub async fn describe_topics(&self, names: &[&str]) -> Result<Vec<TopicResult<Topic>>, Error> {
        let legal = legal(names);
        if legal.is_empty() {
            return Ok(in_order(names, |_| None));
        }
        let (topics, address) = self.find_topics(Some(&legal)).await?;
        Ok(in_order(names, |name| {
            let found = topics.iter().find(|topic| topic.name == name);
            Some(match found {
                Some(topic) if topic.error.is_success() => Ok(topic.clone()),
                Some(topic) => Err(Error::refused(topic.error, "").at(&address)),
                None => Err(not_named(&address)),
            })
        }))
    }

    /// The settings of these topics, in this order, each in the order of their names.
    ///
    /// # Errors
    /// Why no broker told; what is wrong with one topic stands in its place.
    pub async fn describe_configs(
        &self,
        topics: &[&str],
    ) -> Result<Vec<TopicResult<Vec<Setting>>>, Error> {
        let legal = legal(topics);
        if legal.is_empty() {
            return Ok(in_order(topics, |_| None));
        }
        let ask = DescribeConfigs { topics: &legal };
        let (answer, address) = Call::new(&self.links).question(&ask).await?;
        Ok(in_order(topics, |name| {
            let found = answer.iter().find(|(verdict, _)| verdict.name == name);
            Some(match found {
                Some((verdict, settings)) if verdict.error.is_success() => {
                    let mut settings = settings.clone();
                    settings.sort_by(|a, b| a.name.cmp(&b.name));
                    Ok(settings)
                }
                Some((verdict, _)) => {
                    Err(Error::refused(verdict.error, verdict.text.clone()).at(&address))
                }
                None => Err(not_named(&address)),
            })
        }))
    }

    /// Topics, all or those of these names, and the address of the broker that told them last.
    async fn find_topics(&self, names: Option<&[&str]>) -> Result<(Vec<Topic>, String), Error> {
        let mut call = Call::new(&self.links);
        let (mut topics, mut next) = (Vec::<Topic>::new(), None);
        loop {
            let ask = DescribeTopicPartitions { topics: names.unwrap_or(&[]), from: next.as_ref() };
            let (page, address) = match call.question(&ask).await {
                Ok(answered) => answered,
                // An older broker: all at once.
                Err(error) if matches!(error.kind(), ErrorKind::Unsupported(_)) => {
                    let (everything, address) = call.metadata(names).await?;
                    return Ok((everything.topics, address));
                }
                Err(error) => return Err(error),
            };
            for topic in page.topics {
                // The first topic of a page may be the rest of the last one of the page before.
                match topics.last_mut().filter(|last| last.name == topic.name) {
                    Some(last) => last.partitions.extend(topic.partitions),
                    None => topics.push(topic),
                }
            }
            match page.next {
                None => {
                    for topic in &mut topics {
                        topic.partitions.sort_by_key(|partition| partition.index);
                    }
                    return Ok((topics, address));
                }
                // Pages that do not go on would never end.
                Some(from) if next.as_ref().is_some_and(|before| *before >= from) => {
                    return Err(Error::new(ErrorKind::Answer(Fault::Malformed)).at(&address));
                }
                from => next = from,
            }
        }
    }

    // Changes.

    /// Makes topics, or only has the cluster check whether it could. Of those that are made the id
    /// is told (Kafka 2.8 on).
    ///
    /// # Errors
    /// None, but per topic: there may be some that were made, and some that were not.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Vec<TopicResult<Option<TopicId>>> {
        let checked: Vec<_> = topics.iter().map(NewTopic::check).collect();
        let good: Vec<&NewTopic> =
            topics.iter().zip(&checked).filter(|(_, c)| c.is_ok()).map(|(t, _)| t).collect();
        let changing = Changing {
            names: good.iter().map(|topic| topic.name.as_str()).collect(),
            validate_only,
        };
        let make = |places: &[usize]| CreateTopics {
            topics: places.iter().map(|place| good[*place]).collect(),
            validate_only,
        };
        let mut results = Call::new(&self.links).change(&changing, make).await.into_iter();
        let result = |(topic, checked): (&NewTopic, Result<(), Error>)| match checked {
            Err(error) => Some(TopicResult { name: topic.name.clone(), result: Err(error) }),
            Ok(()) => results.next(),
        };
        topics.iter().zip(checked).filter_map(result).collect()
    }

    /// Removes topics, with all that is in them.
    ///
    /// # Errors
    /// None, but per topic: there may be some that were removed, and some that were not.
    pub async fn delete_topics(&self, names: &[&str]) -> Vec<TopicResult<()>> {
        let legal = legal(names);
        let changing = Changing { names: legal, validate_only: false };
        let make = |places: &[usize]| DeleteTopics {
            topics: places.iter().map(|place| changing.names[*place]).collect(),
        };
        let results = Call::new(&self.links).change(&changing, make).await;
        in_order(names, |name| {
            let found = results.iter().find(|result| result.name == name)?;
            Some(found.result.clone().map(drop))
        })
    }

    /// Gives a topic more partitions, `total` with those that it has, or only has the cluster check
    /// whether it could. Keys go to other partitions then; records that are there stay.
    ///
    /// # Errors
    /// Why not.
    pub async fn create_partitions(
        &self,
        name: &str,
        total: i32,
        validate_only: bool,
    ) -> Result<(), Error> {
        check_name(name)?;
        let changing = Changing { names: vec![name], validate_only };
        let make = |_: &[usize]| CreatePartitions { topic: name, total, validate_only };
        only(Call::new(&self.links).change(&changing, make).await, name)
    }

    /// Changes settings of a topic, all of `changes` or none, or only has the cluster check whether
    /// it could. From Kafka 2.3 on.
    ///
    /// # Errors
    /// Why not.
    pub async fn alter_configs(
        &self,
        topic: &str,
        changes: &[Change],
        validate_only: bool,
    ) -> Result<(), Error> {
        check_name(topic)?;
        Change::check(changes).map_err(|error| error.of_topic(topic))?;
        let changing = Changing { names: vec![topic], validate_only };
        let make = |_: &[usize]| AlterConfigs { topic, changes, validate_only };
        only(Call::new(&self.links).change(&changing, make).await, topic)
    }
}

/// Those of the names that a topic may have.
fn legal<'a>(names: &[&'a str]) -> Vec<&'a str> {
    names.iter().copied().filter(|name| check_name(name).is_ok()).collect()
}

/// A result for each name: what `find` finds of it, unless no topic can have the name.
fn in_order<T>(
    names: &[&str],
    find: impl Fn(&str) -> Option<Result<T, Error>>,
) -> Vec<TopicResult<T>> {
    let result = |name: &&str| {
        let result = match check_name(name) {
            Err(error) => Err(error),
            Ok(()) => find(name)
                .unwrap_or_else(|| Err(Error::unknown("nothing is known of it")))
                .map_err(|error| error.of_topic(name)),
        };
        TopicResult { name: (*name).to_owned(), result }
    };
    names.iter().map(result).collect()
}

/// A question that the answer passes over.
fn not_named(address: &str) -> Error {
    Error::new(ErrorKind::Answer(Fault::Malformed)).at(address)
}

/// The result of a change of one topic.
fn only(results: Vec<TopicResult<Option<TopicId>>>, name: &str) -> Result<(), Error> {
    match results.into_iter().next() {
        Some(result) => result.result.map(drop),
        None => Err(Error::unknown("nothing is known of it").of_topic(name)),
    }
}
