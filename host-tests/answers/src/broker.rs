//! The broker: one node that answers ApiVersions, Metadata, InitProducerId and Produce.

use ottla::Instant;
use ottla::message::{Api, ErrorCode};
use ottla::wire::parse::{self, Parsed};
use ottla::wire::write::{Put, Writer};

use crate::connection::frame_size;
use crate::faults::Fate;
use crate::{Connection, Faults, Log, Partition};

/// The highest versions that the broker has.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Maxima {
    /// Produce, 3 to 12.
    pub produce: i16,
    /// Metadata, 4 to 13.
    pub metadata: i16,
    /// ApiVersions, 0 to 4; above it, code 35 is the answer.
    pub api_versions: i16,
    /// InitProducerId, 0 to 5.
    pub init_producer_id: i16,
}

/// What a broker says of itself.
#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Name of the topic.
    pub topic: &'static str,
    /// Where the node is reached.
    pub host: &'static str,
    /// Its port.
    pub port: u16,
    /// The node's id.
    pub node: i32,
    /// Versions.
    pub maxima: Maxima,
    /// The epoch that new producer ids begin with. Kafka's is 0; near 32767 the next id is soon
    /// needed.
    pub first_epoch: i16,
}

impl Settings {
    /// Node 1 at `node:9092` with one topic, in the versions of Kafka 4.
    #[must_use]
    pub const fn new(topic: &'static str) -> Self {
        let maxima = Maxima { produce: 13, metadata: 13, api_versions: 4, init_producer_id: 5 };
        Self { topic, host: "node", port: 9092, node: 1, maxima, first_epoch: 0 }
    }
}

/// What [`Broker::serve`] did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Served {
    /// There is no whole request, or the answer before was not taken yet.
    Nothing,
    /// A request was carried out. Perhaps its answer is there.
    Request,
    /// The connection was closed.
    Closed,
}

/// A broker whose topic has so many partitions.
#[derive(Clone, Debug)]
pub struct Broker<const PARTITIONS: usize> {
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) partitions: [Partition; PARTITIONS],
    next_id: i64,
    malformed: u32,
}

/// The body of a request, or of one that cannot be read.
struct Request<'a> {
    key: i16,
    version: i16,
    correlation: i32,
    body: &'a [u8],
}

/// Passes a section of tagged fields.
pub(crate) fn tags(bytes: &[u8], flexible: bool) -> Parsed<'_, ()> {
    if !flexible {
        return Ok((bytes, ()));
    }
    let (mut rest, count) = parse::uvarint(bytes)?;
    for _ in 0..count {
        let (after, _) = parse::uvarint(rest)?;
        let (after, size) = parse::uvarint(after)?;
        (rest, _) = parse::take(after, size as usize)?;
    }
    Ok((rest, ()))
}

impl<'a> Request<'a> {
    fn read(frame: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, key) = parse::int16(frame)?;
        let (rest, version) = parse::int16(rest)?;
        let (rest, correlation) = parse::int32(rest)?;
        let (rest, _) = parse::nullable_string(rest, false)?;
        let flexible = Api::of_key(key).is_some_and(|api| api.is_flexible(version));
        let (body, ()) = tags(rest, flexible)?;
        Ok((&[], Self { key, version, correlation, body }))
    }
}

impl<const PARTITIONS: usize> Broker<PARTITIONS> {
    /// A broker without trouble.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            faults: Faults::none(),
            partitions: [const { Partition::EMPTY }; PARTITIONS],
            next_id: 4_000,
            malformed: 0,
        }
    }

    /// From here on there is this trouble.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// What the broker says of itself.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The partitions.
    #[must_use]
    pub const fn partitions(&self) -> &[Partition; PARTITIONS] {
        &self.partitions
    }

    /// Requests and batches that were not well-formed. A producer sends none.
    #[must_use]
    pub const fn malformed(&self) -> u32 {
        self.malformed
    }

    /// As after a restart: see [`Partition::reload`]. The caller closes the connections.
    pub fn restart(&mut self) {
        self.partitions.iter_mut().for_each(Partition::reload);
    }

    /// Carries out the next request of a connection, if it is whole and the answer before it was
    /// taken. `log` is told of what is appended.
    pub fn serve<const REQUESTS: usize, const ANSWERS: usize>(
        &mut self,
        now: Instant,
        connection: &mut Connection<REQUESTS, ANSWERS>,
        log: &mut impl Log,
    ) -> Served {
        if connection.closed || !connection.answers.is_empty() {
            return Served::Nothing;
        }
        let Some(size) = frame_size(connection.requests.as_slice()) else {
            return Served::Nothing;
        };
        if size > REQUESTS {
            self.malformed = self.malformed.wrapping_add(1);
            connection.close();
            return Served::Closed;
        }
        let fate = self.faults.request();
        let Some(frame) = connection.requests.as_slice().get(4..size) else {
            return Served::Nothing;
        };
        if fate == Fate::CloseBefore {
            connection.close();
            return Served::Closed;
        }
        // The first four bytes are the size's.
        let written = match connection.answers.vacant().split_first_chunk_mut::<4>() {
            Some((head, room)) => {
                let written = self.answer(frame, room, log);
                *head = u32::try_from(written.unwrap_or(0)).unwrap_or(0).to_be_bytes();
                written
            }
            None => None,
        };
        connection.requests.drop_front(size);
        connection.mute |= fate == Fate::Mute;
        match written {
            Some(_) if fate != Fate::CloseAfter => {}
            _ => {
                connection.close();
                return Served::Closed;
            }
        }
        if let Some(length) = written
            && length > 0
            && !connection.mute
        {
            connection.answers.fill(length + 4);
            connection.ready = now.after(self.faults.latency());
        }
        Served::Request
    }

    /// Writes the answer to a request: how many bytes, 0 if it has none. `None`: the request
    /// cannot be read, or the answer does not fit.
    fn answer(&mut self, frame: &[u8], room: &mut [u8], log: &mut impl Log) -> Option<usize> {
        let mut out = Writer::new(room);
        let answered = Request::read(frame).ok().and_then(|(_, request)| {
            let api = Api::of_key(request.key)?;
            out.int32(request.correlation);
            let version = request.version;
            out.no_tags(api.has_answer_tags(version));
            let head = out.length();
            let wanted = match api {
                Api::ApiVersions => Some(self.api_versions(version, &mut out)),
                _ if version > self.max(api) => None,
                Api::Metadata => self.metadata(request.body, version, &mut out),
                Api::InitProducerId => Some(self.init_producer_id(version, &mut out)),
                Api::Produce => self.produce(request.body, version, &mut out, log),
                _ => None,
            }?;
            Some(wanted && out.length() > head)
        });
        match (answered, out.finish()) {
            (Some(true), Some(written)) => Some(written.len()),
            (Some(false), _) => Some(0),
            _ => {
                self.malformed = self.malformed.wrapping_add(1);
                None
            }
        }
    }

    const fn max(&self, api: Api) -> i16 {
        let maxima = &self.settings.maxima;
        match api {
            Api::Produce => maxima.produce,
            Api::Metadata => maxima.metadata,
            Api::ApiVersions => maxima.api_versions,
            Api::InitProducerId => maxima.init_producer_id,
            _ => -1,
        }
    }

    fn api_versions(&self, version: i16, out: &mut Writer<'_>) -> bool {
        let known = version <= self.max(Api::ApiVersions);
        // What is not known is refused in version 0.
        let version = if known { version } else { 0 };
        let flexible = version >= 3;
        let code = if known { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_VERSION };
        out.int16(code.0);
        let apis = [Api::Produce, Api::Metadata, Api::ApiVersions, Api::InitProducerId];
        out.length_prefix(apis.len() as u32, flexible);
        for api in apis {
            out.int16(api.key());
            out.int16(0);
            out.int16(self.max(api));
            out.no_tags(flexible);
        }
        if version >= 1 {
            out.int32(0);
        }
        out.no_tags(flexible);
        true
    }

    fn metadata(&mut self, body: &[u8], version: i16, out: &mut Writer<'_>) -> Option<bool> {
        let flexible = Api::Metadata.is_flexible(version);
        let (mut rest, count) = parse::bytes_length(body, flexible).ok()?;
        let count = count?;
        let Settings { topic: mine, host, port, node, .. } = self.settings;
        out.int32(0);
        out.length_prefix(1, flexible);
        out.int32(node);
        out.string(host.as_bytes(), flexible);
        out.int32(i32::from(port));
        out.nullable_string(None, flexible);
        out.no_tags(flexible);
        out.nullable_string(Some(b"answers"), flexible);
        out.int32(node);
        out.length_prefix(count, flexible);
        for _ in 0..count {
            if version >= 10 {
                (rest, _) = parse::uuid(rest).ok()?;
            }
            let (after, name) = parse::nullable_string(rest, flexible).ok()?;
            (rest, ()) = tags(after, flexible).ok()?;
            let known = name == Some(mine.as_bytes());
            let code = if known { 0 } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0 };
            out.int16(code);
            out.string(name?, flexible);
            if version >= 10 {
                out.raw(if known { &TOPIC_ID } else { &[0; 16] });
            }
            out.boolean(false);
            let partitions = if known { PARTITIONS } else { 0 };
            out.length_prefix(partitions as u32, flexible);
            for index in 0..partitions {
                self.metadata_partition(index, version, out);
            }
            if version >= 8 {
                out.int32(i32::MIN);
            }
            out.no_tags(flexible);
        }
        if (8..=10).contains(&version) {
            out.int32(i32::MIN);
        }
        if version >= 13 {
            out.int16(0);
        }
        out.no_tags(flexible);
        Some(true)
    }

    fn metadata_partition(&mut self, index: usize, version: i16, out: &mut Writer<'_>) {
        let flexible = Api::Metadata.is_flexible(version);
        let node = self.settings.node;
        let leaderless = self.faults.no_leader();
        out.int16(if leaderless { ErrorCode::LEADER_NOT_AVAILABLE.0 } else { 0 });
        out.int32(index as i32);
        out.int32(if leaderless { -1 } else { node });
        if version >= 7 {
            out.int32(3);
        }
        for _ in 0..2 {
            out.length_prefix(1, flexible);
            out.int32(node);
        }
        if version >= 5 {
            out.length_prefix(0, flexible);
        }
        out.no_tags(flexible);
    }

    fn init_producer_id(&mut self, version: i16, out: &mut Writer<'_>) -> bool {
        let refused = self.faults.no_id();
        if !refused {
            self.next_id = self.next_id.wrapping_add(1);
        }
        out.int32(0);
        out.int16(if refused { COORDINATOR_NOT_AVAILABLE } else { 0 });
        out.int64(if refused { -1 } else { self.next_id });
        out.int16(if refused { -1 } else { self.settings.first_epoch });
        out.no_tags(Api::InitProducerId.is_flexible(version));
        true
    }

    pub(crate) fn note_malformed(&mut self) {
        self.malformed = self.malformed.wrapping_add(1);
    }
}

/// The id of the one topic.
pub(crate) const TOPIC_ID: [u8; 16] = [7; 16];

const COORDINATOR_NOT_AVAILABLE: i16 = 15;
