//! One connection to a broker: made, its versions negotiated, one question at a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ottla::error::Fault;
use ottla::message::{AnyApi, Api, ErrorCode, Step, Versions, api_versions, request_header};
use ottla::wire::input::{Frame, Input};
use ottla::wire::parse;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::error::Failure;
use crate::reading::whole;

/// The version of ApiVersions that a client begins with where nothing is known. R15.
pub(crate) const FIRST: i16 = 4;

/// A question of one API, and how its answer is read.
pub(crate) trait Ask {
    /// The API.
    const API: AnyApi;
    /// What an answer says.
    type Answer;

    /// The versions in which it can be asked.
    fn versions(&self) -> Versions {
        Self::API.versions()
    }

    /// Since when brokers have these versions, for those that do not.
    fn hint(&self) -> &'static str {
        ""
    }

    /// Writes the body of a request whose answer is waited for so many milliseconds.
    fn write(&self, version: i16, wait_ms: i32, out: &mut Vec<u8>);

    /// Reads the body of an answer.
    fn read(version: i16, input: &mut Input<'_>) -> Result<Told<Self::Answer>, Fault>;
}

/// An answer, and how many milliseconds the broker wants to be left alone after it (KIP-219).
#[derive(Default, Debug)]
pub(crate) struct Told<T> {
    pub(crate) answer: T,
    pub(crate) throttle_ms: i32,
}

/// A connection that is ready for questions.
pub(crate) struct Link<S> {
    stream: S,
    /// Where it leads, as host:port.
    pub(crate) address: String,
    /// By key.
    apis: Vec<(i16, Versions)>,
    client_id: String,
    correlation: i32,
    /// When it was used last.
    pub(crate) used: Instant,
    muted: Option<Instant>,
}

/// Why version negotiation failed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The connection ended, or nothing came that could be read: another version may do.
    NoAnswer(String),
    /// The broker, or what listens there, is of no use.
    Useless(Fault),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Negotiates versions on a new connection, beginning with `version`. Code 35 is followed on
    /// the same connection, also where it names no versions. R15, KIP-511.
    pub(crate) async fn negotiate(
        stream: S,
        address: String,
        client_id: &str,
        mut version: i16,
        deadline: Instant,
    ) -> Result<Self, Refusal> {
        let client_id = client_id.to_owned();
        let (used, apis) = (Instant::now(), Vec::new());
        let mut link = Self { stream, address, apis, client_id, correlation: 0, used, muted: None };
        let api = AnyApi::Client(Api::ApiVersions);
        loop {
            let sent = link.send(api, version, deadline, |out| api_versions::request(out, version));
            let answer = match sent.await {
                Ok(()) => link.receive(deadline).await,
                Err(failure) => Err(failure),
            };
            let frame = match answer {
                Ok(frame) => frame,
                Err(Failure::Answer(fault @ (Fault::Http | Fault::Tls))) => {
                    return Err(Refusal::Useless(fault));
                }
                Err(Failure::Answer(fault)) => return Err(Refusal::NoAnswer(fault.to_string())),
                Err(Failure::NotSent(why) | Failure::Lost(why) | Failure::Unsupported(why)) => {
                    return Err(Refusal::NoAnswer(why));
                }
            };
            let (code, apis) = link
                .read(api, version, &frame, |input| read_versions(version, input))
                .map_err(|fault| Refusal::NoAnswer(fault.to_string()))?;
            match code {
                ErrorCode::NONE => {
                    link.apis = apis;
                    return Ok(link);
                }
                ErrorCode::UNSUPPORTED_VERSION if version > 0 => {
                    let named = apis.iter().find(|(key, _)| *key == api.key());
                    let common = named.and_then(|(_, has)| has.common(api.versions()));
                    version = common.unwrap_or(0).min(version - 1);
                }
                code => return Err(Refusal::Useless(Fault::Negotiation(code))),
            }
        }
    }

    /// The versions of an API that the broker has.
    pub(crate) fn listed(&self, api: AnyApi) -> Option<Versions> {
        self.apis.iter().find(|(key, _)| *key == api.key()).map(|(_, versions)| *versions)
    }

    /// Whether the connection still stands, and nobody said anything without being asked.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        poll_fn(|cx| {
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            Poll::Ready(read.is_pending())
        })
        .await
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What is known of the request. The connection is of no use any more, but after
    /// [`Failure::Unsupported`].
    pub(crate) async fn ask<A: Ask>(
        &mut self,
        ask: &A,
        deadline: Instant,
    ) -> Result<A::Answer, Failure> {
        let listed = self.listed(A::API);
        let wanted = ask.versions();
        let common = listed.and_then(|listed| listed.common(wanted));
        let unsupported = || Failure::unsupported(A::API, wanted, listed, ask.hint());
        let version = common.ok_or_else(unsupported)?;
        if let Some(until) = self.muted.take() {
            if until >= deadline {
                return Err(Failure::NotSent("the broker asked for a longer pause".to_owned()));
            }
            sleep_until(until).await;
        }
        let wait_ms = wait_ms(deadline.saturating_duration_since(Instant::now()));
        self.send(A::API, version, deadline, |out| ask.write(version, wait_ms, out)).await?;
        let frame = self.receive(deadline).await?;
        let told = self.read(A::API, version, &frame, |input| A::read(version, input));
        let Told { answer, throttle_ms } = told.map_err(Failure::Answer)?;
        self.used = Instant::now();
        let throttle = u64::try_from(throttle_ms).unwrap_or(0);
        self.muted = (throttle > 0).then(|| self.used + Duration::from_millis(throttle));
        Ok(answer)
    }

    /// Writes a request. An error says that its last byte was not taken.
    async fn send(
        &mut self,
        api: AnyApi,
        version: i16,
        deadline: Instant,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Failure> {
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        let mut frame = vec![0; 4];
        request_header(&mut frame, api, version, self.correlation, self.client_id.as_bytes());
        body(&mut frame);
        let Ok(size) = i32::try_from(frame.len() - 4) else {
            return Err(Failure::Unsupported("the request is larger than 2 GiB".to_owned()));
        };
        frame[..4].copy_from_slice(&size.to_be_bytes());
        match timeout_at(deadline, self.stream.write_all(&frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(Failure::NotSent(format!("the connection broke: {error}")));
            }
            Err(_) => return Err(Failure::NotSent("it did not take the request in time".into())),
        }
        match timeout_at(deadline, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::Lost(format!("the connection broke: {error}"))),
            Err(_) => Err(Failure::Lost("it did not take the request in time".to_owned())),
        }
    }

    /// Reads a frame, without its size.
    async fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, Failure> {
        match timeout_at(deadline, self.receive_frame()).await {
            Ok(received) => received,
            Err(_) => Err(Failure::Lost("it did not answer in time".to_owned())),
        }
    }

    async fn receive_frame(&mut self) -> Result<Vec<u8>, Failure> {
        let ended = || Failure::Lost("it ended the connection without an answer".to_owned());
        let broke = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ended(),
            _ => Failure::Lost(format!("the connection broke: {error}")),
        };
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.map_err(broke)?;
        // Refuses sizes beyond `FRAME_MAX`, and what other servers say.
        let (size, _) = Frame::default().size(&head).map_err(Failure::Answer)?;
        let size = size.unwrap_or(0);
        // It grows as bytes come in: an announced size alone takes no memory.
        let mut frame = Vec::new();
        let read = (&mut self.stream).take(size.into()).read_to_end(&mut frame).await;
        if read.map_err(broke)? < size as usize {
            return Err(ended());
        }
        Ok(frame)
    }

    /// Reads the header of an answer, and its body by `body`.
    fn read<T>(
        &self,
        api: AnyApi,
        version: i16,
        frame: &[u8],
        body: impl FnOnce(&mut Input<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut state = Frame::default();
        state.start(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        let mut input = Input::new(&mut state, frame);
        if whole(input.atom(parse::int32)?)? != self.correlation {
            return Err(Fault::WrongCorrelation);
        }
        if !input.no_tags(api.has_answer_tags(version))? {
            return Err(Fault::Truncated);
        }
        body(&mut input)
    }
}

/// What the broker is told to take at most: less than the client waits by a tenth, but by no more
/// than a second, so that its answer comes in time (R13).
fn wait_ms(wait: Duration) -> i32 {
    let shorter = wait.saturating_sub((wait / 10).min(Duration::from_secs(1)));
    i32::try_from(shorter.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// An error, and the versions by key.
type Listed = (ErrorCode, Vec<(i16, Versions)>);

fn read_versions(version: i16, input: &mut Input<'_>) -> Result<Listed, Fault> {
    let mut cursor = api_versions::Answer::default();
    let (mut code, mut apis) = (ErrorCode::NONE, Vec::new());
    loop {
        match cursor.next(version, input)? {
            Step::More => return Err(Fault::Truncated),
            Step::End => return Ok((code, apis)),
            Step::Item(api_versions::Item::Error(error)) => code = error,
            Step::Item(api_versions::Item::Api(key, versions)) => apis.push((key, versions)),
            Step::Item(api_versions::Item::Throttle(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_the_broker_is_given_a_little_less_time() {
        for (wait, told) in [(60_000, 59_000), (10_000, 9_000), (100, 90), (1, 1), (0, 1)] {
            assert_eq!(wait_ms(Duration::from_millis(wait)), told);
        }
        assert_eq!(wait_ms(Duration::MAX), i32::MAX);
    }
}
