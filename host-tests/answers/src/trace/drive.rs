//! What goes on between the producer and the broker in a step.

use core::hash::{Hash, Hasher};
use core::mem;

use ottla::{Duration, Event, Instant, LinkAction, Reason};

use super::world::World;
use super::{Rule, Shape};
use crate::Served;

/// More than any producer has to do at one instant.
const TURNS_MAX: u32 = 2_000;

impl<O: Shape> World<O> {
    /// Carries out what the producer wants for its links, and ends attempts that are due.
    pub(super) fn links(&mut self) -> bool {
        let mut busy = false;
        while let Some(action) = self.producer.poll_link() {
            busy = true;
            match action {
                LinkAction::Connect(link, address) => {
                    (link, address).hash(&mut self.fnv);
                    let latest = if self.calm { 0 } else { self.habits.latency };
                    let takes = u64::from(self.random.below(latest));
                    let free = match self.wires.get_mut(link.index()) {
                        Some(wire) => {
                            let free = wire.link.replace(link).is_none();
                            wire.connected = false;
                            wire.due = Some(self.now.after(Duration::from_micros(takes)));
                            wire.connection.reset();
                            free
                        }
                        None => false,
                    };
                    if !free {
                        self.ledger.blame(Rule::Link, -1, 0);
                    }
                }
                LinkAction::Close(link, reason) => {
                    (link, reason).hash(&mut self.fnv);
                    let index = link.index();
                    match self.wires.get(index).map(|wire| wire.link) {
                        Some(Some(open)) if open == link => self.bury(index),
                        // The connection was lost before the producer's word came.
                        Some(None) => {}
                        _ => self.ledger.blame(Rule::Link, -1, 1),
                    }
                }
            }
        }
        for index in 0..self.wires.len() {
            busy |= self.connect(index);
        }
        busy
    }

    /// Ends an attempt to connect that is due.
    fn connect(&mut self, index: usize) -> bool {
        let wire = &mut self.wires[index];
        let (Some(link), Some(due)) = (wire.link, wire.due) else { return false };
        if due > self.now {
            return false;
        }
        wire.due = None;
        let fails = !self.calm && self.random.chance(self.habits.refuse);
        let now = self.time();
        if !fails {
            self.wires[index].connected = true;
            self.producer.handle_connected(now, link);
            return true;
        }
        // The third: nobody ever answers.
        let reasons = [Some(Reason::Refused), Some(Reason::Unresolved), None];
        if let Some(reason) = self.random.pick(&reasons) {
            self.wires[index].link = None;
            self.producer.handle_disconnected(now, link, reason);
        }
        true
    }

    /// Writes some of what is lent for a link.
    pub(super) fn write(&mut self, index: usize) -> bool {
        let wire = &self.wires[index];
        let (Some(link), true) = (wire.link, wire.connected) else { return false };
        let most = if self.calm { usize::MAX } else { self.random.pick(&MOST) };
        let mut taken = 0;
        let mut any = false;
        while let Some(piece) = self.producer.output(link) {
            any = true;
            self.fnv.write(piece.bytes);
            piece.sealed.hash(&mut self.fnv);
            let room = piece.bytes.len().min(most - taken);
            let count = self.wires[index].connection.accept(&piece.bytes[..room]);
            taken += count;
            let alone = !self.calm && self.random.chance(100);
            if count < piece.bytes.len() || alone {
                break;
            }
        }
        if !self.calm && self.random.chance(self.habits.interrupt) {
            self.interrupt();
        }
        if any {
            let now = self.time();
            self.producer.consume_output(now, link, taken);
        }
        taken > 0
    }

    /// Has the broker look at a connection.
    pub(super) fn serve(&mut self, index: usize) -> bool {
        let connection = &mut self.wires[index].connection;
        self.broker.serve(self.now, connection, &mut self.ledger) == Served::Request
    }

    /// Hands in some of what the broker has sent, or that the connection is over.
    pub(super) fn read(&mut self, index: usize) -> bool {
        let wire = &self.wires[index];
        let (Some(link), true) = (wire.link, wire.connected) else { return false };
        let now = self.time();
        let wire = &mut self.wires[index];
        let bytes = wire.connection.answers(self.now);
        if !bytes.is_empty() {
            let most = if self.calm { usize::MAX } else { self.random.pick(&MOST) };
            let count = bytes.len().min(most);
            self.producer.handle_input(now, link, &bytes[..count]);
            wire.connection.taken(count);
            return true;
        }
        if wire.connection.is_closed() {
            wire.link = None;
            wire.connected = false;
            self.producer.handle_disconnected(now, link, Reason::Disconnected);
            return true;
        }
        false
    }

    /// Takes an event.
    pub(super) fn event(&mut self) -> bool {
        let Some(event) = self.producer.poll_event() else { return false };
        event.hash(&mut self.fnv);
        match event {
            Event::Delivered(delivery) => {
                self.ledger.delivered(&delivery);
                for complaint in self.producer.complaints() {
                    complaint.place.hash(&mut self.fnv);
                    self.fnv.write(complaint.text);
                }
            }
            Event::Fatal(_) => self.ledger.blame(Rule::Fatal, -1, 0),
            Event::Closed => self.closed = true,
            _ => {}
        }
        true
    }

    /// The producer gave a connection up, or lost it. What it has sent may be carried out later.
    pub(super) fn bury(&mut self, index: usize) {
        let wire = &mut self.wires[index];
        wire.link = None;
        wire.connected = false;
        wire.due = None;
        // A broker fences the old epochs of an id, but no old id: what arrives late under one that
        // was used up is appended, wherever the log is by then. So not where ids are used up.
        let fenced = self.broker.settings().first_epoch == 0;
        if !self.calm && fenced && self.orphan.due.is_none() && self.random.chance(512) {
            mem::swap(&mut self.orphan.connection, &mut wire.connection);
            self.orphan.connection.mute = true;
            self.orphan.connection.answers.clear();
            let later = u64::from(self.random.below(10_000_000));
            self.orphan.due = Some(self.now.after(Duration::from_micros(later)));
        }
        self.wires[index].connection.reset();
    }

    /// Carries out what a connection had sent that was given up.
    pub(super) fn bring_up(&mut self) {
        if self.orphan.due.is_some_and(|due| due <= self.now) {
            self.orphan.due = None;
            let connection = &mut self.orphan.connection;
            while self.broker.serve(self.now, connection, &mut self.ledger) == Served::Request {}
            connection.reset();
        }
    }

    /// Breaks a connection, at whatever byte it is.
    pub(super) fn cut(&mut self, index: usize) {
        let wire = &mut self.wires[index];
        let Some(link) = wire.link else { return };
        if self.random.chance(512) && wire.connected {
            // The producer hears of it when it reads.
            wire.connection.close();
            return;
        }
        self.bury(index);
        let now = self.time();
        self.producer.handle_disconnected(now, link, Reason::Disconnected);
    }

    pub(super) fn restart(&mut self) {
        self.broker.restart();
        self.orphan.due = None;
        self.orphan.connection.reset();
        self.wires.iter_mut().for_each(|wire| wire.connection.close());
    }

    /// Lets everything happen that needs no time, and looks whether what must be is.
    pub(super) fn settle(&mut self) {
        let mut turns = 0;
        while self.turn() {
            turns += 1;
            if turns == TURNS_MAX {
                return self.ledger.blame(Rule::Restless, -1, 0);
            }
        }
        if !self.producer.is_paused() {
            let timeout = self.producer.config().delivery_timeout;
            self.ledger.check_time(self.now, timeout);
            if !self.ledger.all_resolved() && self.producer.poll_timeout().is_none() {
                self.ledger.blame(Rule::NoTimer, -1, 0);
            }
        }
        if let Some(flush) = self.flush {
            self.producer.is_flushed(flush).hash(&mut self.fnv);
        }
    }

    fn turn(&mut self) -> bool {
        self.bring_up();
        let mut busy = self.links();
        for index in 0..self.wires.len() {
            busy |= self.write(index);
            busy |= self.serve(index);
            busy |= self.read(index);
        }
        if self.producer.poll_timeout().is_some_and(|at| at <= self.now) {
            self.producer.handle_timeout(self.now);
            busy = true;
        }
        while self.event() {
            busy = true;
        }
        busy
    }

    /// Lets time pass until something is due.
    pub(super) fn pass_to_next(&mut self) {
        let due = |wire: &super::world::Wire| {
            let at = [wire.due, wire.connection.answer_at()];
            at.into_iter().flatten().filter(|at| *at > self.now).min()
        };
        let wires = self.wires.iter().filter_map(due).min();
        let next: Option<Instant> =
            [self.producer.poll_timeout(), wires, self.orphan.due].into_iter().flatten().min();
        let second = self.now.after(Duration::from_secs(1));
        self.now = self.now.max(next.unwrap_or(second));
    }
}

/// So many bytes at a time.
const MOST: [usize; 6] = [1, 3, 61, 200, usize::MAX, usize::MAX];
