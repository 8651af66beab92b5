//! One call: its time, and what is repeated in it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use ottla_tokio::Connector;
use tokio::time::{Instant, sleep_until};

use crate::ask::Verdict;
use crate::ask::metadata::{Everything, Metadata};
use crate::connection::{Ask, Link};
use crate::error::{Error, ErrorKind, Failure, TopicResult, span};
use crate::links::Links;
use crate::view::TopicId;
use ottla::message::ErrorCode;

/// A call under way.
pub(crate) struct Call<'a, C: Connector> {
    links: &'a Links<C>,
    deadline: Instant,
    /// How often something was repeated.
    repeats: u32,
}

/// What makes one change of several topics.
pub(crate) struct Changing<'a> {
    /// The topics.
    pub(crate) names: Vec<&'a str>,
    /// Nothing is changed: the cluster only checks.
    pub(crate) validate_only: bool,
}

/// What is known of one topic so far.
#[derive(Clone, Debug)]
struct Pending {
    /// Its place in the list of names.
    place: usize,
    /// The last attempt was answered by a code after which it may have been done all the same.
    doubt: Option<ErrorCode>,
    /// What was said last.
    last: Option<Error>,
}

const REQUEST_TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;
const THROTTLING_QUOTA_EXCEEDED: ErrorCode = ErrorCode(89);

/// Longer than anybody waits, and never too long for a clock: thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// When a time that begins now is over. One that no clock can tell the end of ends far away.
pub(crate) fn after(span: Duration) -> Instant {
    Instant::now() + span.min(FAR)
}

impl<'a, C: Connector> Call<'a, C> {
    pub(crate) fn new(links: &'a Links<C>) -> Self {
        Self { links, deadline: after(links.config.api_timeout), repeats: 0 }
    }

    /// When a request that is sent now has to be answered.
    fn request_deadline(&self) -> Instant {
        self.deadline.min(after(self.links.config.request_timeout))
    }

    /// Waits before a repetition, twice as long each time, give or take a fifth.
    ///
    /// # Errors
    /// `why`, if there is no time for another one.
    async fn pause(&mut self, why: Error) -> Result<(), Error> {
        let config = &self.links.config;
        let doubled = config.retry_backoff.saturating_mul(1 << self.repeats.min(16));
        let spread = 80 + RandomState::new().hash_one(self.repeats) % 41;
        let pause = doubled.min(config.retry_backoff_max).min(FAR).mul_f64(spread as f64 / 100.0);
        let until = after(pause.max(Duration::from_millis(1)));
        if self.repeats >= config.retries || until >= self.deadline {
            return Err(self.give_up(why));
        }
        self.repeats += 1;
        tracing::debug!(target: "ottla_admin", "{why}; once more in {}", span(pause));
        sleep_until(until).await;
        Ok(())
    }

    fn give_up(&self, why: Error) -> Error {
        let ErrorKind::Unreachable(last) = why.kind() else { return why };
        let limit = match self.repeats >= self.links.config.retries {
            true => format!("in {} attempts", self.repeats.saturating_add(1)),
            false => format!("within {}", span(self.links.config.api_timeout)),
        };
        Error::new(ErrorKind::Unreachable(format!("no broker answered {limit}: {last}")))
    }

    /// Asks any broker, until one answers.
    pub(crate) async fn question<A: Ask>(&mut self, ask: &A) -> Result<(A::Answer, String), Error> {
        loop {
            let why = match self.links.any(self.deadline).await {
                Ok(link) => match self.ask(link, ask).await {
                    Ok(answered) => return Ok(answered),
                    Err((address, Failure::Unsupported(why))) => {
                        return Err(Error::new(ErrorKind::Unsupported(why)).at(&address));
                    }
                    Err((address, Failure::Answer(fault))) => {
                        return Err(Error::new(ErrorKind::Answer(fault)).at(&address));
                    }
                    Err((address, failure)) => format!("{address}: {}", failure.why()),
                },
                Err(why) => why,
            };
            self.pause(Error::new(ErrorKind::Unreachable(why))).await?;
        }
    }

    /// Asks once. The address goes with what came of it.
    async fn ask<A: Ask>(
        &self,
        mut link: Link<C::Stream>,
        ask: &A,
    ) -> Result<(A::Answer, String), (String, Failure)> {
        let asked = link.ask(ask, self.request_deadline()).await;
        let address = link.address.clone();
        if matches!(asked, Ok(_) | Err(Failure::Unsupported(_))) {
            self.links.keep(link);
        }
        match asked {
            Ok(answer) => Ok((answer, address)),
            Err(failure) => Err((address, failure)),
        }
    }

    /// What the cluster is, and topics of it.
    pub(crate) async fn metadata(
        &mut self,
        topics: Option<&[&str]>,
    ) -> Result<(Everything, String), Error> {
        loop {
            let (everything, address) = self.question(&Metadata { topics }).await?;
            if everything.error.is_success() {
                self.links.learn(&everything.cluster.brokers);
                return Ok((everything, address));
            }
            if everything.error == ErrorCode::REBOOTSTRAP_REQUIRED {
                self.links.begin_again();
            }
            self.pause(Error::refused(everything.error, "").at(&address)).await?;
        }
    }

    /// A connection to the controller, or to the broker that takes requests for it.
    async fn controller(&mut self) -> Result<Link<C::Stream>, Error> {
        loop {
            let (everything, address) = self.metadata(Some(&[])).await?;
            let id = everything.cluster.controller;
            let controller = everything.cluster.brokers.iter().find(|b| Some(b.id) == id);
            let why = match controller {
                Some(broker) => match self.links.broker(broker, self.deadline).await {
                    Ok(link) => return Ok(link),
                    Err(why) => why,
                },
                None => format!("{address}: the cluster has no controller at the moment"),
            };
            self.pause(Error::new(ErrorKind::Unreachable(why))).await?;
        }
    }

    /// Has the controller change topics, by requests that `make` makes of places in the list of
    /// names.
    ///
    /// An attempt whose answer never came is not repeated: it may have been carried out, and the
    /// next one might undo what somebody else did meanwhile. One that was refused for the moment
    /// is, until the time is over.
    pub(crate) async fn change<A: Ask<Answer = Vec<Verdict>>>(
        &mut self,
        changing: &Changing<'_>,
        make: impl Fn(&[usize]) -> A,
    ) -> Vec<TopicResult<Option<TopicId>>> {
        let mut results: Vec<Option<Result<Option<TopicId>, Error>>> =
            vec![None; changing.names.len()];
        let mut pending: Vec<Pending> = (0..changing.names.len())
            .map(|place| Pending { place, doubt: None, last: None })
            .collect();
        while !pending.is_empty() {
            let why = match self.controller().await {
                Ok(link) => {
                    let places: Vec<usize> = pending.iter().map(|topic| topic.place).collect();
                    match self.ask(link, &make(&places)).await {
                        Ok((verdicts, address)) => {
                            pending.retain_mut(|topic| {
                                let name = changing.names[topic.place];
                                let verdict = verdicts.iter().find(|v| v.name == name);
                                let known = judge(topic, changing, name, verdict, &address);
                                let is_open = known.is_none();
                                results[topic.place] = known;
                                is_open
                            });
                            let Some(first) = pending.first() else { break };
                            first.last.clone().unwrap_or_else(|| Error::unknown(""))
                        }
                        Err((address, Failure::Unsupported(why))) => {
                            let error = Error::new(ErrorKind::Unsupported(why)).at(&address);
                            fill(&mut results, &pending, changing, &error);
                            break;
                        }
                        Err((address, failure)) => match failure.may_be_done() {
                            Some(what) if !changing.validate_only => {
                                let error = Error::unknown(what).at(&address);
                                fill(&mut results, &pending, changing, &error);
                                break;
                            }
                            _ => Error::new(ErrorKind::Unreachable(format!(
                                "{address}: {}",
                                failure.why()
                            ))),
                        },
                    }
                }
                Err(why) => {
                    fill(&mut results, &pending, changing, &why);
                    break;
                }
            };
            if let Err(why) = self.pause(why).await {
                fill(&mut results, &pending, changing, &why);
                break;
            }
        }
        let results = changing.names.iter().zip(results).map(|(name, result)| TopicResult {
            name: (*name).to_owned(),
            result: result
                .unwrap_or_else(|| Err(Error::unknown("nothing is known").of_topic(name))),
        });
        results.collect()
    }
}

/// What is said of the topics that are still open when a call ends.
fn fill(
    results: &mut [Option<Result<Option<TopicId>, Error>>],
    pending: &[Pending],
    changing: &Changing<'_>,
    why: &Error,
) {
    for topic in pending {
        let name = changing.names[topic.place];
        let error = match (topic.doubt, &topic.last) {
            (Some(_), Some(last)) if why.topic().is_some() => {
                Error::unknown(format!("the last answer was {}", last.saying()))
            }
            (Some(code), _) if !why.may_be_done() => {
                let what =
                    format!("an attempt was answered {code}, and the next one failed: {why}");
                Error::unknown(what)
            }
            (None, Some(last)) if why.topic().is_some() => last.clone(),
            _ => why.clone(),
        };
        results[topic.place] = Some(Err(error.of_topic(name)));
    }
}

/// What an answer says of a topic. `None`: it is to be asked again.
fn judge(
    topic: &mut Pending,
    changing: &Changing<'_>,
    name: &str,
    verdict: Option<&Verdict>,
    address: &str,
) -> Option<Result<Option<TopicId>, Error>> {
    let unknown = |what: String| Some(Err(Error::unknown(what).of_topic(name).at(address)));
    let Some(Verdict { error, text, id, .. }) = verdict else {
        return unknown("the broker's answer does not name the topic".to_owned());
    };
    let code = *error;
    if code.is_success() {
        // Kafka tells an id of a topic that it only checked, too; no topic will have it.
        return Some(Ok(id.filter(|_| !changing.validate_only)));
    }
    let refused = Error::refused(code, text.clone()).of_topic(name).at(address);
    let said = refused.saying();
    if changing.validate_only && !code.is_retriable() {
        return Some(Err(refused));
    }
    match (code, topic.doubt) {
        // The controller goes on with it; and nobody knows how far a broker came that fails.
        (REQUEST_TIMED_OUT | ErrorCode::UNKNOWN_SERVER_ERROR, _) if !changing.validate_only => {
            unknown(format!("the broker answered {said}"))
        }
        (code, _) if code.is_retriable() && !is_final(code) => {
            // A controller that steps down cannot say whether what it wrote will stand.
            if code != THROTTLING_QUOTA_EXCEEDED && !changing.validate_only {
                topic.doubt = Some(code);
            }
            topic.last = Some(refused);
            None
        }
        // Whatever stands in the way of this attempt: the one before it may have been carried out,
        // and be the very reason.
        (_, Some(before)) => {
            unknown(format!("an attempt was answered {before}, and the next one {said}"))
        }
        _ => Some(Err(refused)),
    }
}

/// Retriable codes that say of a change what will stay: there is no such topic.
fn is_final(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID)
}
