//! From a frame to its answer: decoded, shown to the hook, handled, answered or held.

#[cfg(test)]
mod tests;

use ottla::error::Fault;
use ottla::message::broker::{RequestHeader, answer};
use ottla::message::{AnyApi, Api};

use crate::cluster::Cluster;
use crate::connection::{Busy, Closed, Connection};
use crate::hooks::{Action, Seen, Silence};
use crate::request::{Asking, Forced, Request};
use crate::{
    api_versions, create_partitions, create_topics, delete_topics, describe_cluster,
    describe_configs, describe_topic_partitions, incremental_alter_configs, init_producer_id,
    metadata, produce,
};

/// Who calls itself so may write to internal topics.
const ADMIN: &[u8] = b"__admin_client";

impl Cluster {
    /// Handles the requests of a connection until one has to wait.
    pub(crate) fn serve(&mut self, connection: Connection) {
        let max = self.config().max_request_bytes;
        while let Some(line) = self.line_mut(connection) {
            if line.busy.is_some() || line.closed.is_some() {
                break;
            }
            match line.frame(max) {
                Ok(Some(frame)) => self.handle_frame(connection, frame, true),
                Ok(None) => break,
                Err(closed) => self.close(connection, closed),
            }
        }
        self.arm(connection);
    }

    /// Handles one request. `ask`: the hook has not seen it yet.
    fn handle_frame(&mut self, connection: Connection, frame: Vec<u8>, ask: bool) {
        match self.handle_request(connection, &frame, ask) {
            Ok(None) => {}
            Ok(Some(later)) => self.set_busy(connection, Busy::Delayed(later, frame)),
            Err(closed) => self.close(connection, closed),
        }
    }

    /// Returns when to handle the request instead, if the hook delays it.
    fn handle_request(
        &mut self,
        connection: Connection,
        frame: &[u8],
        ask: bool,
    ) -> Result<Option<u64>, Closed> {
        let (header, body) = RequestHeader::read(frame).map_err(Closed::Malformed)?;
        let RequestHeader { key, version, correlation, client_id } = header;
        let Some(line) = self.line_mut(connection) else { return Ok(None) };
        let (node, listener) = (line.node, line.listener);
        let profile = self.profile(node);
        let api = AnyApi::of_key(key).filter(|api| profile.listed(*api).is_some());
        let api = api.ok_or(Closed::UnknownApi(key))?;
        if !profile.serves(api, version) {
            if api != AnyApi::Client(Api::ApiVersions) {
                return Err(Closed::UnsupportedVersion(key, version));
            }
            self.send(connection, api_versions::refuse_version(profile, correlation));
            return Ok(None);
        }
        let request = read(api, version, body).map_err(Closed::Malformed)?;
        let now = self.now();
        let request = &request;
        let seen = Seen { now, node, connection, api, version, correlation, client_id, request };
        let action = if ask { self.ask_hook(&seen) } else { Action::Proceed };
        let mut asking = Asking {
            node,
            listener,
            profile,
            connection,
            api,
            version,
            correlation,
            is_admin: client_id == Some(ADMIN),
            throttle_ms: 0,
            forced: Forced::Not,
            delay: 0,
            silence: None,
        };
        match action {
            Action::Proceed => {}
            Action::Delay(span) => return Ok(Some(now.saturating_add(span))),
            Action::DelayAnswer(span) => asking.delay = span,
            Action::Refuse(code) => asking.forced = Forced::Before(code),
            Action::AnswerAfter(code) => asking.forced = Forced::After(code),
            Action::LeaveOut => asking.forced = Forced::LeaveOut,
            Action::Swallow(silence) => asking.silence = Some(silence),
            Action::Throttle(ms) => asking.throttle_ms = i32::try_from(ms).unwrap_or(i32::MAX),
            Action::Answer(body) => {
                let frame = answer(api, version, correlation, |out| out.extend_from_slice(&body));
                self.send(connection, frame);
                return Ok(None);
            }
            Action::Close => return Err(Closed::Hook),
        }
        self.carry_out(asking, request).map(|()| None)
    }

    /// Handles a request, and answers it unless it has to wait.
    fn carry_out(&mut self, asking: Asking, request: &Request<'_>) -> Result<(), Closed> {
        self.counters.requests += 1;
        let frame = match request {
            Request::Produce(request) => {
                let mut held = produce::handle(self, &asking, request);
                if let Forced::After(code) = asking.forced {
                    held.force(code);
                }
                let is_due = held.acks == 0 || asking.silence.is_some();
                if !is_due && !held.review(self, asking.node) {
                    self.set_busy(asking.connection, Busy::Replicas(asking, held));
                    return Ok(());
                }
                match held.error() {
                    Some(code) if held.acks == 0 && asking.silence.is_none() => {
                        return Err(Closed::WithoutAnswer(code));
                    }
                    _ if held.acks == 0 => None,
                    _ => Some(held.answer(self, &asking)),
                }
            }
            Request::Metadata(request) => Some(metadata::handle(self, &asking, request)),
            Request::ApiVersions(request) => Some(api_versions::handle(self, &asking, request)),
            Request::CreateTopics(request) => Some(create_topics::handle(self, &asking, request)),
            Request::InitProducerId(request) => {
                Some(init_producer_id::handle(self, &asking, request))
            }
            Request::DeleteTopics(request) => Some(delete_topics::handle(self, &asking, request)),
            Request::DescribeConfigs(request) => {
                Some(describe_configs::handle(self, &asking, request))
            }
            Request::CreatePartitions(request) => {
                Some(create_partitions::handle(self, &asking, request))
            }
            Request::IncrementalAlterConfigs(request) => {
                Some(incremental_alter_configs::handle(self, &asking, request))
            }
            Request::DescribeCluster(request) => {
                Some(describe_cluster::handle(self, &asking, request))
            }
            Request::DescribeTopicPartitions(request) => {
                Some(describe_topic_partitions::handle(self, &asking, request))
            }
        };
        self.finish(&asking, frame);
        Ok(())
    }

    /// Sends an answer, or does what the hook wants instead. No frame: `acks=0`.
    fn finish(&mut self, asking: &Asking, frame: Option<Vec<u8>>) {
        let connection = asking.connection;
        match asking.silence {
            Some(Silence::Close) => return self.close(connection, Closed::Hook),
            Some(Silence::Stay) => return self.set_busy(connection, Busy::Silent),
            None => {}
        }
        let now = self.now();
        let busy = match frame {
            Some(frame) if asking.delay > 0 => {
                Some(Busy::Answer(now.saturating_add(asking.delay), frame))
            }
            frame => {
                if let Some(frame) = frame {
                    self.send(connection, frame);
                }
                let wait = u64::try_from(asking.throttle_ms).unwrap_or(0).saturating_mul(1_000);
                (wait > 0).then(|| Busy::Muted(now.saturating_add(wait)))
            }
        };
        if let Some(busy) = busy {
            self.set_busy(connection, busy);
        }
    }

    fn send(&mut self, connection: Connection, frame: Vec<u8>) {
        let now = self.now();
        if let Some(line) = self.line_mut(connection) {
            line.send(now, frame);
            self.announce(connection);
        }
    }

    /// Looks whether a connection that waits for replicas can answer.
    pub(crate) fn review(&mut self, connection: Connection) {
        match self.take_busy(connection) {
            Some(Busy::Replicas(asking, mut held)) => {
                if held.review(self, asking.node) {
                    let frame = held.answer(self, &asking);
                    self.finish(&asking, Some(frame));
                    self.resume(connection);
                } else {
                    self.set_busy(connection, Busy::Replicas(asking, held));
                }
            }
            Some(other) => self.set_busy(connection, other),
            None => {}
        }
    }

    /// The deadline of a connection has come.
    pub(crate) fn wake(&mut self, connection: Connection) {
        match self.take_busy(connection) {
            Some(Busy::Delayed(_, frame)) => {
                self.handle_frame(connection, frame, false);
                if self.line_mut(connection).is_some_and(|line| line.gone) {
                    self.forget(connection);
                }
            }
            Some(Busy::Answer(_, frame)) => self.send(connection, frame),
            Some(Busy::Muted(_)) => {}
            Some(waiting @ Busy::Replicas(..)) => {
                self.set_busy(connection, waiting);
                return self.review(connection);
            }
            Some(Busy::Silent) => return self.set_busy(connection, Busy::Silent),
            None => return self.close(connection, Closed::Idle),
        }
        self.resume(connection);
    }

    /// Goes on with a connection that had to wait; more input may be wanted.
    fn resume(&mut self, connection: Connection) {
        if self.line_mut(connection).is_some() {
            self.announce(connection);
            self.serve(connection);
        }
    }
}

/// Decodes a request. The codec takes more than Kafka does in one place: names of topics in
/// Metadata requests below version 10 cannot be null.
fn read(api: AnyApi, version: i16, body: &[u8]) -> Result<Request<'_>, Fault> {
    let request = Request::read(api, version, body)?;
    if let Request::Metadata(metadata) = &request {
        let mut topics = metadata.topics.iter().flatten();
        if version < 10 && topics.any(|topic| topic.name.is_none()) {
            return Err(Fault::UnexpectedNull);
        }
    }
    Ok(request)
}
