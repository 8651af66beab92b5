//! Sends portion by portion.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_tokio::{
    Deliveries, Producer, Refused, SendError, SendErrorKind, SendManyError, TopicHandle,
};
use tokio::sync::watch;

use super::input::Input;
use super::outcomes::{Hold, Outcomes};
use super::shape::{Content, Form, Place, Shape, Template};
use crate::pace::Pace;

/// How the sending ended.
#[derive(Debug)]
pub(super) enum End {
    /// All of it was read and accepted, or counted.
    Complete,
    /// By an error that was told, at this place of the input, if it is not the input's own.
    Failed(Option<String>),
    /// By a signal, at this place of the input.
    Interrupted(String),
}

/// What sends.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    producer: &'a Producer,
    shape: &'a Shape,
    template: Template<'a>,
    outcomes: &'a Outcomes,
    topics: HashMap<String, TopicHandle>,
    pace: Option<Pace>,
    /// Records that are still to be sent, if not all are.
    left: Option<u64>,
    interrupted: watch::Receiver<Option<u8>>,
    /// Bytes of the portion that were shown as sent.
    shown: u64,
}

/// What stands in the way of all records, from a place of a portion on.
enum Stop {
    Interrupted { place: Place },
    Failed { place: Place, error: SendError },
}

/// A record of JSON, with its place in its portion.
struct Parsed<'l> {
    place: Place,
    content: Content<'l>,
    topic: TopicHandle,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        producer: &'a Producer,
        shape: &'a Shape,
        outcomes: &'a Outcomes,
        pace: Option<Pace>,
        left: Option<u64>,
        interrupted: watch::Receiver<Option<u8>>,
    ) -> Self {
        let (template, topics) = (Template::new(shape), HashMap::new());
        Self { producer, shape, template, outcomes, topics, pace, left, interrupted, shown: 0 }
    }

    /// The topics that something was sent to.
    pub(super) fn into_topics(self) -> Vec<String> {
        self.topics.into_keys().collect()
    }

    /// Sends what there is to read.
    ///
    /// # Errors
    /// The topic cannot be one.
    pub(super) async fn run(&mut self, mut input: Input) -> Result<End, SendError> {
        if let Some(topic) = &self.shape.topic {
            let handle = self.producer.topic(topic)?;
            self.topics.insert(topic.clone(), handle);
        }
        // Where the next portion begins, if it is of the same file.
        let mut at = (0, 1);
        while self.left != Some(0) {
            let portion = tokio::select! {
                biased;
                _ = self.interrupted.wait_for(Option::is_some) => None,
                portion = input.next() => Some(portion),
            };
            let Some(portion) = portion else {
                return Ok(self.interrupt(input, None, at).await);
            };
            let portion = match portion {
                None => return Ok(End::Complete),
                Some(Err(error)) => {
                    self.outcomes.stop(&format!("{error:#}"));
                    return Ok(End::Failed(None));
                }
                Some(Ok(portion)) => portion,
            };
            let hold = self.outcomes.hold(portion, input.used()).await;
            self.shown = 0;
            at = (hold.file, hold.next_line());
            let sent = match self.outcomes.is_broken() {
                // That was told.
                true => {
                    let text = "what failed could not be kept";
                    let at = self.leave(input, Some((&hold, Place::default())), at, text).await;
                    return Ok(End::Failed(Some(at)));
                }
                false => self.portion(&hold).await,
            };
            self.outcomes.flush();
            match sent {
                Ok(()) => self.show(&hold, u64::MAX),
                Err(Stop::Interrupted { place }) => {
                    return Ok(self.interrupt(input, Some((&hold, place)), at).await);
                }
                Err(Stop::Failed { place, error }) => {
                    let text = advise(&error);
                    let at = self.leave(input, Some((&hold, place)), at, &text).await;
                    self.outcomes.stop(&format!("{text}; stopped at {at}"));
                    return Ok(End::Failed(Some(at)));
                }
            }
        }
        Ok(End::Complete)
    }

    async fn interrupt(
        &self,
        input: Input,
        current: Option<(&Hold, Place)>,
        at: (usize, u64),
    ) -> End {
        End::Interrupted(self.leave(input, current, at, "interrupted before it was sent").await)
    }

    /// Sends no more. What was read is kept, if what fails is. Returns the place of the input that
    /// nothing was sent or kept from.
    async fn leave(
        &self,
        input: Input,
        current: Option<(&Hold, Place)>,
        mut at: (usize, u64),
        text: &str,
    ) -> String {
        if self.outcomes.keeps() {
            if let Some((hold, place)) = current {
                self.outcomes.unsent(hold, place, text);
            }
            for portion in input.stop().await {
                self.outcomes.unsent(&portion, Place::default(), text);
                at = (portion.file, portion.next_line());
            }
        } else if let Some((hold, place)) = current {
            at = (hold.file, hold.first_line + place.line);
        }
        self.outcomes.place(at.0, at.1)
    }

    /// Sends the records of a portion. Those that are at fault themselves are counted and told.
    async fn portion(&mut self, hold: &Arc<Hold>) -> Result<(), Stop> {
        match self.shape.form {
            _ if hold.cut > 0 => {
                self.outcomes.too_long(hold);
                self.count(1);
                Ok(())
            }
            Form::Lines => self.lines(hold).await,
            Form::Json => self.objects(hold).await,
        }
    }

    async fn lines(&mut self, hold: &Arc<Hold>) -> Result<(), Stop> {
        let shape = self.shape;
        // There is one where there are lines.
        let topic = shape.topic.as_ref().and_then(|topic| self.topics.get(topic)).cloned();
        let Some(topic) = topic else { return Ok(()) };
        let mut place = Place::default();
        loop {
            self.show(hold, place.line);
            let quota = self.quota(place).await?;
            if quota == 0 {
                return Ok(());
            }
            let (template, lines) =
                (&self.template, shape.delimiter.split(place.rest(&hold.bytes)));
            let records = lines.take(quota).map(|line| template.record(&topic, line));
            let (deliveries, refused) = parts(self.producer.send_many(records).await);
            let sent = deliveries.len();
            self.outcomes.follow(deliveries, hold, place).await;
            self.count(sent);
            if refused.is_none() && sent < quota {
                return Ok(());
            }
            // Records are taken in portions: those after a refused one were taken, and not sent.
            place = shape.behind(&hold.bytes, place, sent);
            if let Some(error) = refused {
                self.refused(hold, place, error)?;
                place = shape.behind(&hold.bytes, place, 1);
            }
        }
    }

    async fn objects(&mut self, hold: &Arc<Hold>) -> Result<(), Stop> {
        let shape = self.shape;
        let mut lines = shape.lines(&hold.bytes, Place::default()).peekable();
        // All at once: growing leaves holes in memory between the lines that are kept.
        let most = usize::try_from(hold.lines.saturating_add(1)).unwrap_or(usize::MAX);
        let most = self.pace.as_ref().map_or(most, |pace| pace.portion().min(most));
        let mut parsed = Vec::with_capacity(most);
        while let Some((place, _)) = lines.peek() {
            self.show(hold, place.line);
            let quota = self.quota(*place).await?;
            if quota == 0 {
                break;
            }
            let mut wrong = None;
            for (place, line) in lines.by_ref().take(quota) {
                match self.parse(place, line) {
                    Ok(record) => parsed.push(record),
                    Err(text) => {
                        wrong = Some((place, text));
                        break;
                    }
                }
            }
            self.all(hold, &parsed).await?;
            parsed.clear();
            if let Some((place, text)) = wrong {
                self.outcomes.no_record(hold, place, &text);
                self.count(1);
            }
        }
        Ok(())
    }

    fn parse<'l>(&mut self, place: Place, line: &'l [u8]) -> Result<Parsed<'l>, String>
    where
        'a: 'l,
    {
        let content = self.shape.content(line)?;
        let topic = match self.topics.get(&*content.topic) {
            Some(topic) => topic.clone(),
            None => {
                let topic = self.producer.topic(&content.topic);
                let topic = topic.map_err(|error| error.to_string())?;
                self.topics.insert(content.topic.clone().into_owned(), topic.clone());
                topic
            }
        };
        Ok(Parsed { place, content, topic })
    }

    async fn all(&mut self, hold: &Arc<Hold>, mut parsed: &[Parsed<'_>]) -> Result<(), Stop> {
        let headers: Vec<_> = parsed.iter().map(|parsed| parsed.content.headers()).collect();
        let mut headers = &headers[..];
        while let Some(first) = parsed.first() {
            let records = parsed.iter().zip(headers);
            let records = records.map(|(parsed, h)| parsed.content.record(&parsed.topic, h));
            let (deliveries, refused) = parts(self.producer.send_many(records).await);
            let sent = deliveries.len();
            self.outcomes.follow(deliveries, hold, first.place).await;
            self.count(sent);
            let mut through = sent;
            if let (Some(error), Some(first)) = (refused, parsed.get(sent)) {
                self.refused(hold, first.place, error)?;
                through += 1;
            }
            parsed = parsed.get(through..).unwrap_or_default();
            headers = headers.get(through..).unwrap_or_default();
        }
        Ok(())
    }

    /// Counts a refused record, if it is at fault itself.
    fn refused(&mut self, hold: &Hold, place: Place, error: SendError) -> Result<(), Stop> {
        let own = Refused::LargerThanRequest;
        match error.kind() {
            SendErrorKind::Refused(refused)
                if refused == own || refused == Refused::LargerThanMemory =>
            {
                self.outcomes.refused(hold, place, &error);
                self.count(1);
                Ok(())
            }
            _ if self.interrupted.borrow().is_some() => Err(Stop::Interrupted { place }),
            _ => Err(Stop::Failed { place, error }),
        }
    }

    /// Waits for the turn of the next records, and returns how many it is of. `place` is that of
    /// the first.
    async fn quota(&mut self, place: Place) -> Result<usize, Stop> {
        let left = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let Some(pace) = self.pace.as_mut().filter(|_| left > 0) else { return Ok(left) };
        // It may take long, and what failed is not to wait for it.
        self.outcomes.flush();
        tokio::select! {
            biased;
            _ = self.interrupted.wait_for(Option::is_some) => Err(Stop::Interrupted { place }),
            () = pace.wait() => Ok(pace.portion().min(left)),
        }
    }

    /// Shows how much of a portion is sent: so many of its lines, which are taken for equally long.
    fn show(&mut self, hold: &Hold, lines: u64) {
        let bytes = hold.bytes.len() as u64 + hold.cut;
        let part = bytes.saturating_mul(lines).checked_div(hold.lines).unwrap_or(bytes).min(bytes);
        self.outcomes.read(part.saturating_sub(self.shown));
        self.shown = part;
    }

    fn count(&mut self, records: usize) {
        self.left = self.left.map(|left| left.saturating_sub(records as u64));
        if let Some(pace) = &mut self.pace {
            pace.sent(records);
        }
    }
}

fn parts(sent: Result<Deliveries, SendManyError>) -> (Deliveries, Option<SendError>) {
    match sent {
        Ok(deliveries) => (deliveries, None),
        Err(SendManyError { accepted, error, .. }) => (accepted, Some(error)),
    }
}

/// An error, and what can be done about it.
fn advise(error: &SendError) -> String {
    let advice = match error.kind() {
        SendErrorKind::Refused(Refused::TopicUnknown) if error.hint().is_none() => {
            "; does the topic exist, and is its name right?"
        }
        SendErrorKind::Refused(Refused::TopicUnknown) => {
            "; is the address right, and does the broker run?"
        }
        _ => "",
    };
    format!("{error}{advice}")
}
