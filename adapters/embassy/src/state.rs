//! What the lock is around: the core's producer, and who waits for it.

use embassy_sync::waitqueue::WakerRegistration;
use ottla::memory::Owner;
use ottla::{Event, Instant, Link, LinkAction, Outcome};

use crate::fmt::{debug, warning};
use crate::waits::Waits;

/// Where a link's future stands with the core's orders. Tagged by a byte of its own, so that
/// `Idle` is zero bits.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum LinkState {
    Idle,
    /// The core wants a connection.
    Wanted(Link),
    /// The future has it.
    Open(Link),
}

#[derive(Debug)]
pub(crate) struct State<O, const LINKS: usize, const WAITS: usize> {
    pub(crate) producer: ottla::Producer<O>,
    pub(crate) links: [LinkState; LINKS],
    pub(crate) waits: Waits<WAITS>,
    /// The runner's task, and whether there is something for it to look at.
    pub(crate) runner: WakerRegistration,
    pub(crate) poked: bool,
    /// A runner was handed out.
    pub(crate) started: bool,
    /// The application takes events itself.
    pub(crate) listening: bool,
    pub(crate) max_block: embassy_time::Duration,
    /// Where brokers are reached, if not at the addresses that they advertise.
    pub(crate) via: Option<crate::Via>,
}

/// The time, as the core wants it.
pub(crate) fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}

impl<O, const LINKS: usize, const WAITS: usize> State<O, LINKS, WAITS> {
    pub(crate) const fn new(owner: O) -> Self {
        Self {
            producer: ottla::Producer::unstarted(owner),
            links: [LinkState::Idle; LINKS],
            waits: Waits::new(),
            runner: WakerRegistration::new(),
            poked: false,
            started: false,
            listening: false,
            max_block: embassy_time::Duration::from_ticks(0),
            via: None,
        }
    }
}

impl<O: Owner, const LINKS: usize, const WAITS: usize> State<O, LINKS, WAITS> {
    /// Something changed that the runner has to look at.
    pub(crate) fn poke(&mut self) {
        self.poked = true;
        self.runner.wake();
    }

    pub(crate) fn link(&self, index: usize) -> LinkState {
        self.links.get(index).copied().unwrap_or(LinkState::Idle)
    }

    pub(crate) fn set_link(&mut self, index: usize, state: LinkState) {
        if let Some(entry) = self.links.get_mut(index) {
            *entry = state;
        }
    }

    /// What there is to do without waiting, and when to come back.
    pub(crate) fn turn(&mut self) -> Option<Instant> {
        let now = now();
        if self.producer.poll_timeout().is_some_and(|at| at <= now) {
            self.producer.handle_timeout(now);
        }
        while let Some(action) = self.producer.poll_link() {
            let (link, state) = match action {
                LinkAction::Connect(link, address) => {
                    debug!("connecting to {}:{}", address.host, address.port);
                    (link, LinkState::Wanted(link))
                }
                LinkAction::Close(link, reason) => {
                    debug!("closing a link: {}", reason);
                    (link, LinkState::Idle)
                }
            };
            // A future that has the old link finds it gone.
            self.set_link(link.index(), state);
        }
        self.waits.settle(&mut self.producer);
        if !self.listening {
            while let Some(event) = self.producer.poll_event() {
                report(&event);
            }
        }
        let closed = self.producer.is_closed();
        self.waits.wake(&mut self.producer, closed);
        self.producer.poll_timeout()
    }

    /// The next event for the application.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.waits.settle(&mut self.producer);
        let event = self.producer.poll_event()?;
        // Room may have come free.
        self.poke();
        Some(event)
    }

    /// Copies what there is for a link into `room`: how many bytes. They count as written when
    /// [`State::written`] says so.
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
        }
        filled
    }

    /// `count` bytes that were copied are with the transport.
    pub(crate) fn written(&mut self, link: Link, count: usize) {
        self.producer.consume_output(now(), link, count);
        self.poke();
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
