//! The producer: records in, outcomes out.

mod accumulate;
mod answer;
mod bootstrap;
mod choose;
mod connect;
mod discard;
mod discover;
mod divide;
mod expire;
mod machine;
mod outcome;
pub mod partitioner;
#[cfg(feature = "proof")]
mod proof;
mod ready;
mod resolve;
mod send;
mod slots;
mod texts;

#[cfg(test)]
mod tests;

pub use accumulate::TOPIC_NAME_MAX;
pub(crate) use machine::Machine;
pub(crate) use machine::Phase;
#[cfg(test)]
pub(crate) use machine::Question;
pub use outcome::{Accepted, Broker, Cause, Delivery, Doubt, Event, Flush, Outcome, Topic};
#[cfg(feature = "proof")]
pub use proof::View;
#[cfg(test)]
pub(crate) use slots::BatchState;
pub use slots::{Batch, BatchId, BatchSlot};
pub use texts::{Complaint, Complaints};

use crate::config::Config;
use crate::error::{Full, Refused};
use crate::link::{Link, Order, Reason, Source};
use crate::memory::{BlockId, Blocks, Memory, Owner};
use crate::message::Api;
use crate::record::Record;
use crate::time::Instant;

/// What happened so far; all counts go up only, and wrap.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Records reported written, or unacknowledged.
    pub written: u64,
    /// Records reported not written.
    pub not_written: u64,
    /// Records reported unknown.
    pub unknown: u64,
    /// Records that [`crate::config::WhenFull`] left out: those refused with
    /// [`Refused::Dropped`], and those reported not written for it.
    pub dropped: u64,
    /// Produce requests filled.
    pub requests: u64,
    /// Batches put into requests, those sent again included.
    pub batches: u64,
    /// Bytes of those batches.
    pub batch_bytes: u64,
    /// Attempts that have to be repeated.
    pub retries: u64,
    /// Times that the epoch was raised or the id given up.
    pub bumps: u64,
    /// Connections that were asked for.
    pub connections: u64,
    /// Bytes taken for writing.
    pub sent: Traffic,
    /// Bytes of answers that came in.
    pub received: Traffic,
}

/// Bytes on the wire by what they were for.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Traffic {
    /// Versions and producer ids.
    pub handshake: u64,
    /// Brokers, topics, leaders.
    pub metadata: u64,
    /// Records that were sent for the first time, with all that stands around them; and what was
    /// answered to them.
    pub produce: u64,
    /// Batches that were sent again.
    pub resend: u64,
}

impl Traffic {
    const ZERO: Self = Self { handshake: 0, metadata: 0, produce: 0, resend: 0 };

    /// All of it.
    #[must_use]
    pub const fn total(self) -> u64 {
        let asked = self.handshake.wrapping_add(self.metadata);
        asked.wrapping_add(self.produce).wrapping_add(self.resend)
    }

    fn add(&mut self, api: Api, again: bool, bytes: u32) {
        let count = match api {
            Api::ApiVersions | Api::InitProducerId => &mut self.handshake,
            Api::Metadata | Api::CreateTopics => &mut self.metadata,
            Api::Produce if again => &mut self.resend,
            Api::Produce => &mut self.produce,
        };
        *count = count.wrapping_add(u64::from(bytes));
    }
}

impl Counters {
    /// Nothing happened.
    pub(crate) const ZERO: Self = Self {
        written: 0,
        not_written: 0,
        unknown: 0,
        dropped: 0,
        requests: 0,
        batches: 0,
        batch_bytes: 0,
        retries: 0,
        bumps: 0,
        connections: 0,
        sent: Traffic::ZERO,
        received: Traffic::ZERO,
    };
}

/// What the adapter has to do for its links.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LinkAction<'a> {
    /// Connect to this address, then call [`Producer::handle_connected`] or
    /// [`Producer::handle_disconnected`].
    Connect(Link, Address<'a>),
    /// Close the connection. The link is over; nothing has to be told.
    Close(Link, Reason),
}

/// Where a broker is reached.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Address<'a> {
    /// Id of the broker; none for a bootstrap address.
    pub broker: Option<i32>,
    /// Host name or address.
    pub host: &'a str,
    /// Port.
    pub port: u16,
}

/// A piece of output.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Piece<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The block that they are a range of, and where in it they begin, if they are a batch: with
    /// [`crate::memory::Growable`] the block can be shared instead of copied. R18.
    pub block: Option<(BlockId, u32)>,
    /// A batch was sealed for this piece: enough for one hold of a lock. R17.
    pub sealed: bool,
}

/// A producer: the machine and the memory that it works in. Every method is described by its
/// kind on the [front page](crate).
#[derive(Clone, Debug)]
pub struct Producer<O> {
    machine: Machine,
    owner: O,
}

impl<O> Producer<O> {
    /// A producer over `owner` without settings: it accepts nothing before
    /// [`Producer::start`]. With [`crate::memory::Fixed`] it is all zero bits, so a `static` of
    /// it takes no flash and is never on the stack.
    #[must_use]
    pub const fn unstarted(owner: O) -> Self {
        Self { machine: Machine::EMPTY, owner }
    }
}

impl<O: Owner> Producer<O> {
    /// Gives a producer that was not started its settings; of several calls, the first counts.
    /// As [`Producer::new`] otherwise.
    pub fn start(&mut self, config: Config, seed: u64) {
        self.machine.start(config, seed);
    }

    /// A producer over `owner`. `seed`: the source of all randomness (jitter, choice of
    /// partitions); different in every process. The caller has looked at [`Config::problems`].
    pub fn new(owner: O, config: Config, seed: u64) -> Self {
        let mut producer = Self::unstarted(owner);
        producer.start(config, seed);
        producer
    }

    /// Calls the machine; if it lacked room in a table, lets the owner enlarge it afterwards and
    /// the machine go on.
    fn call<R>(&mut self, f: impl FnOnce(&mut Machine, &mut Memory<'_>) -> R) -> R {
        let result = f(&mut self.machine, &mut self.owner.memory());
        while let Some(full) = self.machine.take_full() {
            if !self.owner.grow(full) {
                break;
            }
            self.machine.maintain(&mut self.owner.memory());
        }
        result
    }

    /// Makes room where a call was refused. True: the call can be made again.
    fn make_room(&mut self, refused: Refused) -> bool {
        match refused {
            Refused::Full(Full::Partitions) => {
                self.owner.grow(Full::Partitions)
                    || self.machine.free_idle_partition(&mut self.owner.memory())
            }
            Refused::Full(full) => self.owner.grow(full),
            _ => false,
        }
    }

    // Application verbs.

    /// Sets `client.id`: brokers log it and apply quotas by it; without it, it is `ottla`. False,
    /// and nothing changes, if it is longer than [`crate::config::CLIENT_ID_MAX`] bytes, the
    /// memory for names is full, or a connection was asked for before.
    pub fn set_client_id(&mut self, id: &str) -> bool {
        if self.machine.set_client_id(&mut self.owner.memory(), id) {
            return true;
        }
        id.len() <= crate::config::CLIENT_ID_MAX
            && self.machine.links.links.high() == 0
            && self.owner.grow(Full::Names)
            && self.machine.set_client_id(&mut self.owner.memory(), id)
    }

    /// Adds an address to begin with (`bootstrap.servers`). False, and nothing is added, if the
    /// table of brokers is full or the host longer than the memory for one (`host`).
    pub fn bootstrap(&mut self, host: &str, port: u16) -> bool {
        if self.machine.bootstrap(&mut self.owner.memory(), host, port) {
            return true;
        }
        self.owner.grow(Full::Brokers)
            && self.machine.bootstrap(&mut self.owner.memory(), host, port)
    }

    /// The topic called `name`, for [`Producer::produce`]. The first call for a name makes its
    /// metadata wanted.
    ///
    /// # Errors
    /// [`Refused::IllegalName`], or a full table.
    pub fn topic(&mut self, name: &str) -> Result<Topic, Refused> {
        self.declare_topic(name, 0)
    }

    /// As [`Producer::topic`], of a topic that is known to have `partitions` partitions: records
    /// are accepted before metadata. R16.
    ///
    /// # Errors
    /// As [`Producer::topic`].
    pub fn declare_topic(&mut self, name: &str, partitions: u32) -> Result<Topic, Refused> {
        loop {
            match self.call(|machine, memory| machine.topic(memory, name, partitions)) {
                Err(refused) if self.make_room(refused) => {}
                result => return result,
            }
        }
    }

    /// Accepts a record. It gets exactly one outcome, by [`Event::Delivered`].
    ///
    /// # Errors
    /// [`Refused`]: nothing was done. After [`Full::Memory`] and [`Full::Batches`] the call can
    /// be made again when a delivery event was taken.
    pub fn produce(
        &mut self,
        now: Instant,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Accepted, Refused> {
        loop {
            let memory = &mut self.owner.memory();
            match self.machine.produce(memory, now, topic, record) {
                Err(refused) if self.make_room(refused) => {}
                result => return result,
            }
        }
    }

    /// Makes every record accepted so far due now. R6.
    pub fn flush(&mut self, now: Instant) -> Flush {
        self.call(|machine, memory| machine.flush(memory, now))
    }

    /// Accepts no more records, sends what there is, and ends with [`Event::Closed`]: at
    /// `deadline` at the latest, when everything left gets its outcome. R5.
    pub fn close(&mut self, now: Instant, deadline: Instant) {
        self.call(|machine, memory| machine.close(memory, now, deadline));
    }

    /// Ends every connection and makes none before [`Producer::resume`]: for a radio that is
    /// switched off. Records are accepted and kept, and [`Producer::poll_timeout`] has nothing to
    /// tell. Batches whose time is over get their outcome afterwards.
    pub fn pause(&mut self, now: Instant) {
        self.call(|machine, memory| machine.pause(memory, now));
    }

    /// Goes on after a pause, and tries at once what had failed before. [`Producer::close`] does
    /// so, too.
    pub fn resume(&mut self, now: Instant) {
        self.call(|machine, memory| machine.resume(memory, now));
    }

    /// Whether it is paused.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.machine.paused
    }

    /// Tells the time of day: `unix_millis` milliseconds since 1970 at `now`. Records without a
    /// timestamp get it from here; before the first call [`Config::unknown_time`] decides.
    ///
    /// False, and nothing changes, for a time before 2020 or before
    /// [`UnknownTime::Floor`](crate::config::UnknownTime::Floor): a clock that was not set. Kafka
    /// forgets what it knows of a producer, and deletes records, by their timestamps.
    pub fn set_wall_clock(&mut self, now: Instant, unix_millis: u64) -> bool {
        self.machine.set_wall_clock(now, unix_millis)
    }

    // Inputs.

    /// The connection of a link is made.
    pub fn handle_connected(&mut self, now: Instant, link: Link) {
        self.call(|machine, memory| machine.handle_connected(memory, now, link));
    }

    /// Bytes came in on a link. All of them are used.
    pub fn handle_input(&mut self, now: Instant, link: Link, bytes: &[u8]) {
        self.call(|machine, memory| machine.handle_input(memory, now, link, bytes));
    }

    /// The connection of a link could not be made, or has ended.
    pub fn handle_disconnected(&mut self, now: Instant, link: Link, reason: Reason) {
        self.call(|machine, memory| machine.handle_disconnected(memory, now, link, reason));
    }

    /// Time has passed. To be called when [`Producer::poll_timeout`]'s instant is reached; at
    /// any other time it does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.call(|machine, memory| machine.handle_timeout(memory, now));
    }

    // Outputs.

    /// The next thing to do for a link, if there is one.
    pub fn poll_link(&mut self) -> Option<LinkAction<'_>> {
        match self.call(Machine::poll_link)? {
            Order::Close(link, reason) => Some(LinkAction::Close(link, reason)),
            Order::Connect(id) => {
                let memory = self.owner.memory();
                let slot = memory.links.into_slot(id.number());
                let link = Link { id, generation: slot.generation };
                let broker = slot.broker;
                let address = self.address(broker);
                Some(LinkAction::Connect(link, address))
            }
        }
    }

    fn address(&mut self, broker: crate::memory::BrokerId) -> Address<'_> {
        let memory = self.owner.memory();
        let range = memory.host_range(broker);
        let host = memory.hosts.get(range).unwrap_or(&[]);
        let slot = memory.brokers.into_slot(broker.number());
        // Hosts come from the caller or from brokers; what is no text cannot be resolved.
        let host = core::str::from_utf8(host).unwrap_or("");
        Address { broker: slot.id, host, port: slot.port }
    }

    /// The address of a broker that an event named.
    pub fn broker_address(&mut self, broker: Broker) -> Address<'_> {
        self.address(broker.id)
    }

    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.call(Machine::poll_event)
    }

    /// When [`Producer::handle_timeout`] is to be called; never, if there is no answer.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.machine.poll_timeout(&self.owner.memory())
    }

    /// The next bytes to write on a link: those that follow what was lent since the last
    /// [`Producer::consume_output`]. Call again for more.
    pub fn output(&mut self, link: Link) -> Option<Piece<'_>> {
        let lent = self.call(|machine, memory| machine.output(memory, link))?;
        let range = lent.from as usize..lent.to as usize;
        let mut block = None;
        let bytes = match lent.source {
            Source::Scratch => &self.machine.scratch[..],
            Source::Names(at) => {
                let names: &[u8] = self.owner.memory().names;
                names.get(at as usize..).unwrap_or(&[])
            }
            Source::Block(id) => {
                block = Some((id, lent.from));
                let blocks: &dyn Blocks = self.owner.memory().blocks;
                blocks.get(id)
            }
        };
        Some(Piece { bytes: bytes.get(range).unwrap_or(&[]), block, sealed: lent.sealed })
    }

    /// Whether [`Producer::output`] has something for a link.
    pub fn has_output(&mut self, link: Link) -> bool {
        self.machine.has_output(&self.owner.memory(), link)
    }

    /// `count` bytes of what was lent on a link have been written. What was lent beyond them is
    /// lent again by the next [`Producer::output`].
    pub fn consume_output(&mut self, now: Instant, link: Link, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.call(|machine, memory| {
            machine.tick(now);
            machine.consume(memory, link, count);
        });
    }

    // Getters.

    /// The address of an open link's broker.
    pub fn link_address(&mut self, link: Link) -> Option<Address<'_>> {
        let memory = self.owner.memory();
        let link = self.machine.links.resolve(&memory, link)?;
        let broker = memory.links[link].broker;
        Some(self.address(broker))
    }

    /// The outcome of the record with this number in a batch, from when it is decided until its
    /// event is taken; of a written record with its own offset. R20.
    pub fn outcome(&mut self, batch: Batch, number: u64) -> Option<Outcome> {
        let memory = self.owner.memory();
        let slot = &memory.batches[batch.id];
        let place = number.checked_sub(slot.first_number)?;
        if place >= u64::from(slot.count) {
            return None;
        }
        Some(match slot.outcome()? {
            Outcome::Written { base_offset, append_time } if base_offset >= 0 => {
                let base_offset = base_offset.saturating_add_unsigned(place);
                Outcome::Written { base_offset, append_time }
            }
            outcome => outcome,
        })
    }

    /// Whether closing is complete: every record has its outcome, every link is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.machine.phase, Phase::Closed)
    }

    /// Whether every record that was accepted has its outcome, and that was taken
    /// ([`Producer::poll_event`]).
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.machine.live_first.is_none() && self.machine.event_first.is_none()
    }

    /// Whether every record accepted before a flush has its outcome.
    pub fn is_flushed(&mut self, flush: Flush) -> bool {
        self.machine.is_flushed(&self.owner.memory(), flush)
    }

    /// Name of a topic.
    pub fn topic_name(&mut self, topic: Topic) -> &str {
        let memory = self.owner.memory();
        let (from, length) = {
            let slot = &memory.topics[topic.id];
            (slot.name_at as usize, usize::from(slot.name_length))
        };
        let name = memory.names.get(from..from.saturating_add(length)).unwrap_or(&[]);
        // Names were checked to be ASCII when they came in.
        core::str::from_utf8(name).unwrap_or("")
    }

    /// Number of partitions of a topic, 0 while it is not known.
    pub fn partition_count(&mut self, topic: Topic) -> u32 {
        self.owner.memory().topics[topic.id].partitions
    }

    /// What the broker said of the batch whose [`Event::Delivered`] was taken last (KIP-467).
    /// Good until the next event is taken.
    pub fn complaints(&mut self) -> Complaints<'_> {
        let memory = self.owner.memory();
        let range = self.machine.complaint_range(&memory);
        let Some((batch, end)) = range else { return Complaints { bytes: &[] } };
        let block = memory.batches[batch].block;
        let blocks: &dyn Blocks = memory.blocks;
        Complaints { bytes: blocks.get(block).get(..end as usize).unwrap_or(&[]) }
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.machine.counters
    }

    /// Requests of all kinds that are not answered yet, on all links; some may not be written yet.
    #[must_use]
    pub fn requests_in_flight(&mut self) -> u32 {
        let memory = self.owner.memory();
        let queued = self.machine.open_links().map(|link| memory.links[link].queued);
        queued.fold(0, |sum, queued| sum.saturating_add(queued.into()))
    }

    /// When metadata was last answered in full. `None`: not yet, or it is to be asked for anew.
    #[must_use]
    pub const fn metadata_at(&self) -> Option<Instant> {
        self.machine.refresh.done_at
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.machine.config
    }

    /// Where the sequences of a partition begin: so that they wrap within a test. Brokers take any
    /// first sequence of a producer that they don't know. Changes nothing once one was used, or
    /// before a record was accepted.
    #[cfg(feature = "proof")]
    pub fn begin_sequences_at(
        &mut self,
        topic: Topic,
        partition: i32,
        first: crate::identity::Sequence,
    ) {
        self.machine.begin_sequences_at(&mut self.owner.memory(), topic.id, partition, first);
    }

    /// Shows `see` all of the state that later calls depend on, for searches that ask whether two
    /// producers will behave the same.
    #[cfg(feature = "proof")]
    pub fn view(&mut self, see: &mut dyn FnMut(View<'_>)) {
        self.machine.view(&self.owner.memory(), see);
    }

    /// The memory's owner, for what it offers beside lending.
    #[must_use]
    pub const fn owner(&self) -> &O {
        &self.owner
    }
}

#[cfg(feature = "alloc")]
impl<B: crate::memory::Buffer> Producer<crate::memory::Growable<B>> {
    /// Takes out the memory that no batch has: [`Growable`](crate::memory::Growable) keeps it for the
    /// next ones. For producers that have nothing to do after they had much.
    pub fn release_memory(&mut self) -> crate::memory::Released<B> {
        self.owner.release()
    }
}
