//! Processes of applications: each has one producer, and they follow one another.

use ottla::{Duration, Instant};

use crate::draw::TOPICS;
use crate::fault::Fault;
use crate::look::Look;
use crate::promise::Promise;
use crate::world::{Due, World};

impl World {
    /// A producer begins, in a new process.
    pub(crate) fn begin(&mut self, c: usize) {
        let seed = self.random.bits();
        self.count_full(c);
        let client = &self.clients[c];
        let (setup, clock) = (client.setup.clone(), client.clock);
        let config = &setup.config;
        let producer = self.ledger.begin(config, setup.style);
        self.ledger.processes[producer as usize].first_sequence = setup.first_sequence;
        let mut engine = setup.shape.start(setup.config, seed);
        let first = 1 + self.random.below(u32::from(self.setup.nodes)) as u16;
        let node = |at: u16| 1 + (first + at) % u16::from(self.setup.nodes);
        // Small memory has few places for addresses.
        for at in 0..self.setup.nodes.min(2) {
            let node = node(u16::from(at));
            engine.bootstrap(&format!("node{node}"), 9_091 + node);
        }
        let now = Instant::from_micros(self.now.saturating_add(clock));
        if setup.named {
            engine.set_client_id("sim");
        }
        if setup.learns_time == 0 {
            engine.set_wall_clock(now, self.told_time().cast_unsigned());
        } else {
            self.later(setup.learns_time, Due::Time(c as u32));
        }
        let mut topics = Vec::new();
        for (name, partitions) in TOPICS.iter().zip(&self.setup.topics) {
            let known = if setup.declares { *partitions } else { 0 };
            topics.extend(engine.declare_topic(name, known));
        }
        let client = &mut self.clients[c];
        client.engine = engine;
        client.topics = topics;
        client.producer = producer;
        (client.fatal, client.closed, client.armed) = (false, false, None);
        (client.closing, client.numb) = (None, None);
        client.flushes.clear();
        client.gone.clear();
        client.epochs.clear();
        client.lost.clear();
        client.heard = now.as_micros();
        client.short.clear();
    }

    /// Notes which tables of a process were full.
    pub(crate) fn count_full(&mut self, c: usize) {
        for (full, times) in self.clients[c].engine.fullness() {
            if times > 0 {
                self.coverage.full(full, times);
            }
        }
    }

    /// A process ends without a word, and another begins.
    pub(crate) fn renew(&mut self, c: usize) {
        for id in std::mem::take(&mut self.clients[c].wires) {
            self.part(id, true);
        }
        self.ledger.end(self.clients[c].producer);
        self.begin(c);
        self.pump(c);
    }

    /// After a fatal answer everything has its outcome; the application begins anew.
    pub(crate) fn renew_fatal(&mut self, c: usize) {
        // What was on its way has its outcome when it is answered, or when its time is over.
        let client = &self.clients[c];
        let pending = self.ledger.pending(client.producer) > 0;
        if pending || client.asleep > self.now || client.deaf > self.now {
            return self.later(5_000_000, Due::Renew(c as u32));
        }
        self.check_outcomes(c);
        self.renew(c);
    }

    /// I7, of a process that is at its end.
    pub(crate) fn check_outcomes(&mut self, c: usize) {
        let client = &self.clients[c];
        let counters = client.engine.counters();
        let counted = counters.written + counters.not_written + counters.unknown;
        let result = crate::ledger::one_outcome(&self.ledger, client.producer, counted);
        self.looks.count(Look::End, 1);
        if let Err(what) = result {
            self.blame(Promise::I7, format!("client {c}: {what}"));
        }
    }

    /// The application closes its producer, with a deadline.
    pub(crate) fn close_early(&mut self, c: usize, fault: Fault, span: u64) {
        let client = &self.clients[c];
        if client.closing.is_some() || client.fatal {
            return;
        }
        let (now, producer) = (self.time(c), self.clients[c].producer);
        self.clients[c].closing = Some(self.now + span);
        let deadline = now.after(Duration::from_micros(span));
        self.clients[c].engine.close(now, deadline);
        self.clients[c].lost.clear();
        self.ledger.processes[producer as usize].deadline = Some(deadline.as_micros());
        self.later(span + 1, Due::Shut(c as u32, producer));
        if fault == Fault::CloseCrash {
            self.later(span / 2, Due::Quit(c as u32, producer));
        } else {
            self.fired.count(fault);
        }
    }

    /// The deadline of a close is over: everything has its outcome, and has been told to who listens.
    pub(crate) fn shut(&mut self, c: usize, producer: u32) {
        let client = &self.clients[c];
        if client.producer != producer || client.closed {
            return;
        }
        let later = client.asleep.max(client.deaf);
        if later > self.now {
            return self.at(later + 1, Due::Shut(c as u32, producer));
        }
        if client.engine.is_paused() {
            return self.later(1_000_000, Due::Shut(c as u32, producer));
        }
        self.pump(c);
        self.looks.count(Look::Close, 1);
        if !self.clients[c].closed {
            self.blame(Promise::I8, format!("client {c} is not closed by its deadline"));
        }
    }

    /// A process ends while its producer closes.
    pub(crate) fn quit(&mut self, c: usize, producer: u32) {
        let client = &self.clients[c];
        if client.producer == producer && !client.closed && client.asleep <= self.now {
            self.fired.count(Fault::CloseCrash);
            self.coverage.went("ended while closing");
            self.renew(c);
        }
    }

    /// A producer that its application has closed is followed by another.
    pub(crate) fn reopen(&mut self, c: usize, producer: u32) {
        let client = &self.clients[c];
        if client.producer != producer || client.closing.is_none() {
            return;
        }
        if client.asleep > self.now {
            return self.at(client.asleep, Due::Reopen(c as u32, producer));
        }
        self.coverage.went("closed by itself");
        self.check_end(c);
        self.renew(c);
    }

    /// I7, I9, of a producer that is closed.
    pub(crate) fn check_end(&mut self, c: usize) {
        self.check_outcomes(c);
        let used = self.clients[c].engine.blocks_used();
        self.looks.count(Look::GivenBack, 1);
        if let Err(what) = all_given_back(used) {
            self.blame(Promise::I9, format!("client {c}: {what}"));
        }
    }
}

/// I9: a closed producer has no blocks.
fn all_given_back(used: usize) -> Result<(), String> {
    if used == 0 { Ok(()) } else { Err(format!("closed, and {used} blocks are not given back")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_are_kept_are_found() {
        assert!(all_given_back(0).is_ok() && all_given_back(1).is_err());
    }
}
