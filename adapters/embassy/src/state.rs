//! What the lock is around: the core's producer, and who waits for it.

use core::task::{Poll, Waker};

use embassy_sync::waitqueue::WakerRegistration;
use embassy_time::Duration;
use ottla::error::Full;
use ottla::memory::Owner;
use ottla::{
    Accepted, Event, Flush, Instant, Link, LinkAction, Outcome, Reason, Record, Refused, Topic,
};

use crate::budget::Limit;
use crate::fmt::{debug, warning};
use crate::settings::Error;
use crate::waits::{NOWHERE, Waiting, Waits};

/// Where a link's future stands with the core's orders. Tagged by a byte of its own, so that
/// `Idle` is zero bits.
#[derive(Copy, Clone, Debug)]
#[repr(u8)]
pub(crate) enum LinkState {
    Idle,
    /// The core wants a connection.
    Wanted(Link),
    /// The future has it.
    Open(Link),
    /// The link is over; the future still ends the connection.
    Ending,
}

/// How far a record has come that waits to be accepted.
pub(crate) struct Attempt {
    /// Its place is kept for its outcome.
    tracked: bool,
    /// Since when it waits.
    turn: Option<u32>,
    /// What had happened when it was offered last, and why it was refused.
    changes: u32,
    last: Refused,
    pub(crate) deadline: embassy_time::Instant,
}

impl Attempt {
    pub(crate) const fn new(place: usize) -> Self {
        Self {
            tracked: place != NOWHERE,
            turn: None,
            changes: 0,
            last: Refused::Closed,
            deadline: embassy_time::Instant::MIN,
        }
    }
}

/// What the core was not told yet of what happened on a link.
pub(crate) enum Written {
    Nothing,
    /// It was connected.
    Connection,
    Bytes(usize),
}

/// What the runner does next.
pub(crate) enum Next {
    /// The links may go on.
    Links,
    /// Nothing, until it is woken, or this time has come.
    Wait(embassy_time::Instant),
    /// The producer is closed.
    End,
}

/// The producer stands behind what is small: code that reaches near is shorter.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct State<O, const LINKS: usize, const WAITS: usize> {
    /// The runner's task, and whether there is something for it to look at.
    runner: WakerRegistration,
    /// How often something happened that those who wait may have waited for; and how often it had
    /// when they were told.
    changes: u32,
    told: u32,
    poked: bool,
    /// A runner was handed out.
    pub(crate) started: bool,
    /// How many of the application take events.
    pub(crate) listeners: u8,
    links: [LinkState; LINKS],
    /// Where brokers are reached, if not at the addresses that they advertise.
    pub(crate) via: Option<crate::Via>,
    /// Looks whether the budget is spent, while there is one.
    pub(crate) check: Option<fn(&mut Self)>,
    pub(crate) max_block: Duration,
    pub(crate) limit: Limit,
    pub(crate) waits: Waits<WAITS>,
    pub(crate) producer: ottla::Producer<O>,
}

/// The core's clock is embassy's, in microseconds.
pub(crate) fn core_time(at: embassy_time::Instant) -> Instant {
    Instant::from_micros(at.as_micros())
}

/// The time, as the core wants it.
pub(crate) fn now() -> Instant {
    core_time(embassy_time::Instant::now())
}

/// The first tick at which the core's clock has reached `at`. Rounded down, the runner would
/// wake again and again until it has.
fn tick_of(at: Option<Instant>) -> embassy_time::Instant {
    let since_start = at.and_then(|at| Duration::try_from_micros(at.as_micros()));
    embassy_time::Instant::from_ticks(since_start.unwrap_or(Duration::MAX).as_ticks())
}

impl<O, const LINKS: usize, const WAITS: usize> State<O, LINKS, WAITS> {
    pub(crate) const fn new(owner: O) -> Self {
        Self {
            producer: ottla::Producer::unstarted(owner),
            links: [LinkState::Idle; LINKS],
            waits: Waits::new(),
            runner: WakerRegistration::new(),
            poked: false,
            changes: 0,
            told: 0,
            started: false,
            listeners: 0,
            max_block: Duration::from_ticks(0),
            via: None,
            check: None,
            limit: Limit::NONE,
        }
    }

    /// The core may have something for the runner.
    pub(crate) fn poke(&mut self) {
        self.poked = true;
        self.runner.wake();
    }

    /// Something happened that others may wait for.
    pub(crate) fn stir(&mut self) {
        self.change();
        self.poke();
    }

    const fn change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    fn set_link(&mut self, index: usize, state: LinkState) {
        if let Some(entry) = self.links.get_mut(index) {
            *entry = state;
        }
    }

    /// Whether a link's future still has what the core wants.
    pub(crate) fn is_open(&self, link: Link) -> bool {
        matches!(self.links.get(link.index()), Some(LinkState::Open(its)) if *its == link)
    }

    /// Gives a link's future, which has nothing any more, the connection that the core wants.
    pub(crate) fn take_wanted(&mut self, index: usize) -> Poll<Link> {
        match self.links.get(index) {
            Some(LinkState::Wanted(link)) => {
                let link = *link;
                self.set_link(index, LinkState::Open(link));
                return Poll::Ready(link);
            }
            Some(LinkState::Ending) => {
                self.set_link(index, LinkState::Idle);
                self.stir();
            }
            _ => {}
        }
        Poll::Pending
    }

    /// Whether no link has a connection, or wants one.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.links.iter().all(|link| matches!(link, LinkState::Idle))
    }
}

impl<O: Owner, const LINKS: usize, const WAITS: usize> State<O, LINKS, WAITS> {
    /// Links of an earlier run have nobody to serve them.
    pub(crate) fn restart(&mut self) {
        for index in 0..LINKS {
            if let Some(LinkState::Wanted(link) | LinkState::Open(link)) = self.links.get(index) {
                self.producer.handle_disconnected(now(), *link, Reason::Disconnected);
            }
            self.set_link(index, LinkState::Idle);
        }
    }

    /// A link's connection could not be made, or has ended by itself.
    pub(crate) fn ended(&mut self, link: Link, reason: Reason) {
        debug!("a connection ended: {}", reason);
        if self.is_open(link) {
            self.set_link(link.index(), LinkState::Ending);
            self.producer.handle_disconnected(now(), link, reason);
            self.stir();
        }
    }

    /// Does what can be done without waiting. With a waker, only if there is something to do;
    /// otherwise the next poke wakes it.
    pub(crate) fn turn(&mut self, waker: Option<&Waker>) -> Next {
        let now = now();
        let timeout = self.producer.poll_timeout();
        if timeout.is_some_and(|at| at <= now) {
            self.producer.handle_timeout(now);
            self.change();
        } else if let Some(waker) = waker
            && !self.poked
        {
            self.runner.register(waker);
            return Next::Wait(tick_of(timeout));
        }
        self.poked = false;
        self.link_actions();
        if let Some(check) = self.check {
            check(self);
        }
        self.waits.settle(&mut self.producer);
        if self.listeners == 0 {
            while let Some(event) = self.producer.poll_event() {
                report(&event);
                self.change();
            }
        }
        if self.told != self.changes {
            self.told = self.changes;
            self.waits.wake(&mut self.producer);
        }
        if self.is_at_rest() && self.producer.is_closed() {
            return Next::End;
        }
        Next::Links
    }

    /// Takes the core's orders. A future that has an old link finds it gone.
    pub(crate) fn link_actions(&mut self) {
        while let Some(action) = self.producer.poll_link() {
            match action {
                LinkAction::Connect(link, address) => {
                    debug!("connecting to {}:{}", address.host, address.port);
                    self.set_link(link.index(), LinkState::Wanted(link));
                }
                LinkAction::Close(link, reason) => {
                    debug!("closing a link: {}", reason);
                    let state =
                        if self.is_open(link) { LinkState::Ending } else { LinkState::Idle };
                    self.set_link(link.index(), state);
                }
            }
        }
    }

    /// Offers a record in its turn.
    pub(crate) fn offer(
        &mut self,
        turn: Option<u32>,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Accepted, Refused> {
        if let Some(refused) = self.waits.in_front(turn, topic, record) {
            return Err(refused);
        }
        let dropped = self.producer.counters().dropped;
        let result = self.producer.produce(now(), topic, record);
        if self.producer.counters().dropped != dropped {
            // Others had to make room.
            self.stir();
        }
        match result {
            Ok(accepted) if !accepted.wake => {}
            // For what it refused a record, the core may have something to do.
            _ => self.poke(),
        }
        result
    }

    /// Offers a record that may wait: the first time in front of nobody, then in its turn.
    pub(crate) fn admit(
        &mut self,
        attempt: &mut Attempt,
        place: &mut usize,
        topic: Topic,
        record: &Record<'_>,
        waker: &Waker,
    ) -> Poll<Result<Accepted, Error>> {
        let time = embassy_time::Instant::now();
        // Polled for something else, it is not offered again: that would wake the runner, and that
        // again this, if they are one task.
        if attempt.turn.is_none() || attempt.changes != self.changes {
            attempt.last = match self.offer(attempt.turn, topic, record) {
                Ok(accepted) => {
                    if attempt.tracked {
                        self.waits.set(*place, Waiting::Outcome(accepted.batch, accepted.number));
                    }
                    if attempt.turn.is_some() {
                        // Whoever stands behind is next.
                        self.stir();
                    }
                    return Poll::Ready(Ok(accepted));
                }
                Err(refused) => refused,
            };
            attempt.changes = self.changes;
            let turn = match attempt.turn {
                Some(turn) => turn,
                None => {
                    attempt.deadline = time.saturating_add(self.max_block);
                    *attempt.turn.insert(self.waits.next_turn())
                }
            };
            let waiting = match attempt.last {
                Refused::Full(Full::Memory | Full::Batches) => Waiting::Room(turn),
                Refused::TopicUnknown => Waiting::Topic(turn, topic),
                Refused::TimeUnknown => Waiting::Time(turn),
                refused => return Poll::Ready(Err(Error::Refused(refused))),
            };
            if !self.waits.take(place, waiting) {
                return Poll::Ready(Err(Error::Waits));
            }
        }
        if time >= attempt.deadline {
            return Poll::Ready(Err(Error::Waited(attempt.last)));
        }
        self.waits.register(*place, waker);
        Poll::Pending
    }

    /// Begins a flush.
    pub(crate) fn flush(&mut self) -> Flush {
        let flush = self.producer.flush(now());
        self.stir();
        flush
    }

    /// Has a task wait, unless what it waits for is over, or everything is.
    pub(crate) fn wait(
        &mut self,
        over: bool,
        place: &mut usize,
        waiting: Waiting,
        waker: &Waker,
    ) -> Poll<Result<(), Error>> {
        if over || self.producer.is_closed() {
            return Poll::Ready(Ok(()));
        }
        if !self.waits.take(place, waiting) {
            return Poll::Ready(Err(Error::Waits));
        }
        self.waits.register(*place, waker);
        Poll::Pending
    }

    /// The next event for the application.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.waits.settle(&mut self.producer);
        let event = self.producer.poll_event()?;
        // Room may have come free.
        self.stir();
        Some(event)
    }

    /// Copies what there is for a link into `room`, up to the first batch that had to be sealed
    /// for it: how many bytes. They count as written when [`State::poll_output`] is told so.
    pub(crate) fn fill(&mut self, link: Link, room: &mut [u8]) -> usize {
        let mut filled = 0_usize;
        while let Some(rest) = room.get_mut(filled..)
            && !rest.is_empty()
            && let Some(piece) = self.producer.output(link)
        {
            let count = rest.len().min(piece.bytes.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..count), piece.bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            filled = filled.saturating_add(count);
            if piece.sealed {
                break;
            }
        }
        if filled > 0 {
            // A deadline may have begun.
            self.poke();
        }
        filled
    }

    /// Takes note of what was written, and waits for more to write. After nothing was found
    /// although there seemed to be something, the next wake-up may know more.
    pub(crate) fn poll_output(&mut self, link: Link, written: &mut Written) -> Poll<()> {
        match core::mem::replace(written, Written::Nothing) {
            Written::Bytes(0) => return Poll::Pending,
            Written::Bytes(count) => {
                self.producer.consume_output(now(), link, count);
                self.stir();
            }
            Written::Connection => {
                self.producer.handle_connected(now(), link);
                self.stir();
            }
            Written::Nothing => {}
        }
        if self.producer.has_output(link) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Says of an event that nobody takes what is to be known.
fn report(event: &Event) {
    match event {
        Event::Delivered(delivery) => match delivery.outcome {
            Outcome::Written { .. } | Outcome::Unacknowledged => {}
            outcome => warning!("{} records: {}", delivery.count, outcome),
        },
        Event::Topic(_, Err(code)) => warning!("a topic cannot be used: {}", code),
        Event::LinkEnded(_, reason) => warning!("a link ended: {}", reason),
        Event::Fatal(code) => warning!("the producer can only be closed: {}", code),
        _ => {}
    }
}
