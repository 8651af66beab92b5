//! What can happen next in a world, and what comes of it.

use std::rc::Rc;

use arrayvec::ArrayVec;
use ottla_simulator::Promise;
use ottla_simulator::frames::is_fatal;

use crate::action::Action;
use crate::book::{Book, records};
use crate::brokers::{Brokers, Change, Forced};
use crate::check::{self, Checker, Violation};
use crate::client::{Effect, Facts, Input, LINKS, Told};
use crate::clients::Clients;
use crate::fault::{AFTER, BEFORE, Fault, TOO_LARGE};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::frames::{Content, FrameId, Frames};
use crate::setup::{Lie, PARTITIONS, RECORDS, Setup};
use crate::world::{Line, Queue, World};

/// Things that can happen in one state.
pub const ACTIONS: usize = 96;

/// What a search knows beside its worlds: the states of their parts.
#[derive(Debug)]
pub struct Engine {
    pub(crate) setup: Setup,
    pub(crate) frames: Frames,
    pub(crate) brokers: Brokers,
    pub(crate) clients: Clients,
    scratch: Fingerprinter,
    /// Links that ended, or were to end by a fault, when no more late requests could be kept.
    pub(crate) forgone: u64,
}

impl Engine {
    /// For the worlds of a setup.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let mut frames = Frames::default();
        let brokers = Brokers::new(setup);
        let clients = Clients::new(setup, &mut frames);
        let scratch = Fingerprinter::default();
        Self { setup: setup.clone(), frames, brokers, clients, scratch, forgone: 0 }
    }

    /// The world at the beginning.
    ///
    /// # Errors
    /// What the producer must not do.
    pub fn start(&mut self) -> Result<World, Violation> {
        let mut world = World {
            client: 0,
            broker: 0,
            lines: [const { None }; LINKS],
            late: ArrayVec::new(),
            produced: [0; PARTITIONS],
            told: [Told::Nothing; RECORDS],
            book: Book::new(self.setup.first),
            budget: self.setup.budget(),
            early: self.setup.early,
            forgotten: [false; PARTITIONS],
            fatal: false,
            closed: false,
        };
        let effects = self.clients.start().to_vec();
        self.take(&mut world, &effects)?;
        Ok(world)
    }

    /// Whether a frame is a request to produce.
    #[must_use]
    pub fn is_produce(&self, frame: FrameId) -> bool {
        self.frames.is_produce(frame)
    }

    /// Whether every record was produced, if the producer did not end before, and told.
    #[must_use]
    pub fn is_over(&self, world: &World) -> bool {
        let facts = self.clients.facts(world.client);
        if world.closed || world.fatal {
            return facts.pending | facts.held | facts.untaken == 0;
        }
        let count = self.setup.partitions * self.setup.per_partition();
        world.told.iter().take(usize::from(count)).all(|told| *told != Told::Nothing)
    }

    /// The fingerprint of a world: the same for two worlds in which the same can happen.
    pub fn fingerprint(&mut self, world: &World) -> Fingerprint {
        use std::hash::Hash;
        self.scratch.clear();
        world.hash(&mut self.scratch);
        self.scratch.fingerprint()
    }

    /// All that can happen next, in a fixed order.
    #[must_use]
    pub fn enabled(&self, world: &World) -> ArrayVec<Action, ACTIONS> {
        let mut actions = ArrayVec::new();
        let setup = &self.setup;
        let facts = self.clients.facts(world.client);
        let lines = || {
            let lines = world.lines.iter().zip(0_u8..);
            lines.filter_map(|(line, slot)| line.as_ref().map(|line| (line, slot)))
        };
        for (line, slot) in lines().filter(|(line, _)| !line.silent) {
            if !line.open {
                actions.push(Action::Connected(slot));
            }
            if !line.answers.is_empty() {
                actions.push(Action::Answer(slot));
            }
            if !line.requests.is_empty() && !line.answers.is_full() {
                actions.push(Action::Deliver(slot));
            }
        }
        if facts.untaken != 0 {
            actions.push(Action::TakeEvents);
        }
        let moves = lines().any(|(line, _)| line.moves());
        if facts.pending != 0
            && let Some(wait) = facts.wait
            && (wait == 0 || !moves || world.early > 0)
        {
            actions.push(Action::Deadline);
        }
        for partition in 0..setup.partitions {
            if world.produced[usize::from(partition)] < setup.batches
                && !world.fatal
                && !world.closed
            {
                actions.push(Action::Produce(partition));
            }
        }
        if setup.closes && !world.closed {
            actions.push(Action::Close);
        }
        for place in 0..world.late.len() {
            actions.push(Action::Late(place as u8));
        }
        self.faults(world, &mut actions);
        actions
    }

    fn faults(&self, world: &World, actions: &mut ArrayVec<Action, ACTIONS>) {
        let may = |fault| world.budget.has(fault);
        let produce = |request: &FrameId| self.frames.is_produce(*request);
        for (line, slot) in world.lines.iter().zip(0_u8..) {
            let Some(line) = line.as_ref().filter(|line| !line.silent) else { continue };
            for silent in [false, true] {
                if may(Fault::LostRequest) && !line.requests.is_empty() {
                    actions.push(Action::LoseRequest(slot, silent));
                }
                if may(Fault::LostReply) && !line.answers.is_empty() {
                    actions.push(Action::LoseReply(slot, silent));
                }
                if may(Fault::LateRequest) && line.requests.iter().any(produce) {
                    actions.push(Action::Delay(slot, silent));
                }
            }
            if line.requests.first().is_some_and(produce) && !line.answers.is_full() {
                if may(Fault::ErrorBefore) {
                    actions.extend(BEFORE.map(|code| Action::ErrorBefore(slot, code)));
                    if self.setup.records > 1 {
                        actions.push(Action::ErrorBefore(slot, TOO_LARGE));
                    }
                }
                if may(Fault::ErrorAfter) {
                    actions.extend(AFTER.map(|code| Action::ErrorAfter(slot, code)));
                    actions.push(Action::LeaveOut(slot));
                }
            }
        }
        if may(Fault::Reload) {
            actions.push(Action::Reload);
        }
        for partition in 0..self.setup.partitions {
            if may(Fault::Expiry) {
                actions.push(Action::Expire(partition));
            }
            if may(Fault::LeaderMove) {
                actions.push(Action::MoveLeader(partition));
            }
        }
    }

    /// Lets something happen. `None`: it changes nothing here.
    ///
    /// # Errors
    /// What was broken.
    pub fn apply(&mut self, world: &World, action: Action) -> Result<Option<World>, Violation> {
        let mut world = world.clone();
        let changed = self.happen(&mut world, action)?;
        if changed {
            self.check(&world)?;
        }
        Ok(changed.then_some(world))
    }

    /// As that in place, and nothing is checked in the state that it leads to. Returns whether it
    /// changes anything.
    pub(crate) fn happen(&mut self, world: &mut World, action: Action) -> Result<bool, Violation> {
        match action {
            Action::Produce(partition) => {
                world.produced[usize::from(partition)] += 1;
                self.input(world, Input::Produce(partition))?;
            }
            Action::TakeEvents => self.input(world, Input::TakeEvents)?,
            Action::Close => {
                world.closed = true;
                self.input(world, Input::Close)?;
            }
            Action::Connected(slot) => {
                if let Some(line) = line(world, slot) {
                    line.open = true;
                }
                self.input(world, Input::Connected(slot))?;
            }
            Action::Deliver(slot) => self.serve(world, slot, Forced::Nothing)?,
            Action::Answer(slot) => self.answer(world, slot)?,
            Action::Deadline => {
                let moves = world.lines.iter().flatten().any(Line::moves);
                let wait = self.clients.facts(world.client).wait;
                if moves && wait != Some(0) {
                    world.early -= 1;
                }
                self.input(world, Input::Deadline)?;
            }
            Action::Late(place) => {
                let late = &mut world.late[usize::from(place)];
                let node = late.node;
                let request = late.requests.remove(0);
                if late.requests.is_empty() {
                    world.late.remove(usize::from(place));
                }
                world.late.sort();
                let (frames, broker) = (&mut self.frames, world.broker);
                let served = self.brokers.serve(frames, broker, node, request, Forced::Nothing);
                world.broker = served.broker;
            }
            Action::LoseRequest(slot, silent) => {
                world.budget.spend(Fault::LostRequest);
                self.lose(world, slot, silent, false)?;
            }
            Action::LoseReply(slot, silent) => {
                world.budget.spend(Fault::LostReply);
                self.lose(world, slot, silent, false)?;
            }
            Action::Delay(_, _) if world.late.is_full() => {
                self.forgone += 1;
                return Ok(false);
            }
            Action::Delay(slot, silent) => {
                world.budget.spend(Fault::LateRequest);
                self.lose(world, slot, silent, true)?;
            }
            Action::ErrorBefore(slot, code) => {
                world.budget.spend(Fault::ErrorBefore);
                self.serve(world, slot, Forced::Before(code))?;
            }
            Action::ErrorAfter(slot, code) => {
                world.budget.spend(Fault::ErrorAfter);
                self.serve(world, slot, Forced::After(code))?;
            }
            Action::LeaveOut(slot) => {
                world.budget.spend(Fault::ErrorAfter);
                self.serve(world, slot, Forced::LeftOut)?;
            }
            Action::Reload => {
                world.budget.spend(Fault::Reload);
                let Some(after) = self.brokers.change(world.broker, Change::Reload) else {
                    return Ok(false);
                };
                world.broker = after;
            }
            Action::Expire(partition) => {
                world.budget.spend(Fault::Expiry);
                let change = Change::Expire(partition);
                let Some(after) = self.brokers.change(world.broker, change) else {
                    return Ok(false);
                };
                world.broker = after;
                let excused = check::is_suspended(Promise::I1, &[Fault::Expiry]);
                world.forgotten[usize::from(partition)] |= excused;
            }
            Action::MoveLeader(partition) => {
                world.budget.spend(Fault::LeaderMove);
                let change = Change::Move(partition);
                let Some(after) = self.brokers.change(world.broker, change) else {
                    return Ok(false);
                };
                world.broker = after;
            }
        }
        Ok(true)
    }

    /// The broker reads the next request of a link.
    fn serve(&mut self, world: &mut World, slot: u8, forced: Forced) -> Result<(), Violation> {
        let Some(line) = line(world, slot) else { return Ok(()) };
        let request = line.requests.remove(0);
        let node = line.node;
        let served = self.brokers.serve(&mut self.frames, world.broker, node, request, forced);
        world.broker = served.broker;
        match served.answer {
            Some(answer) => {
                if let Some(line) = self::line(world, slot) {
                    line.answers.push((request, answer));
                }
                Ok(())
            }
            None => {
                let what = format!("no broker can read {}", self.frames.describe(request));
                Err(Checker::I10.broken(what))
            }
        }
    }

    /// The next answer of a link comes.
    fn answer(&mut self, world: &mut World, slot: u8) -> Result<(), Violation> {
        let Some(line) = line(world, slot) else { return Ok(()) };
        let (request, answer) = line.answers.remove(0);
        let decided = self.clients.facts(world.client).decided;
        if let Content::Produced(codes) = &self.frames.get(answer).content {
            for part in self.frames.parts(request) {
                let code = codes.iter().find(|(index, _)| *index == part.partition);
                let code = code.map(|(_, code)| *code);
                // From here on, whether or not the application has been told. What comes after a
                // batch was given up for its time only mends sequences (R3).
                let open = records(part.first as u8, part.count as u8) & !decided != 0;
                world.fatal |= open && code.is_some_and(is_fatal);
                world.book.answered(part, code);
            }
        }
        let answer = match self.setup.lie {
            Some(Lie::HideFatal) if world.fatal => self.brokers.soften(&mut self.frames, request),
            _ => answer,
        };
        self.input(world, Input::Answer(slot, answer))
    }

    /// A link ends, or falls silent. `late`: what the broker has not read comes later.
    fn lose(
        &mut self,
        world: &mut World,
        slot: u8,
        silent: bool,
        late: bool,
    ) -> Result<(), Violation> {
        let Some(line) = line(world, slot) else { return Ok(()) };
        if late {
            let node = line.node;
            let produce = |request: &FrameId| self.frames.is_produce(*request);
            let requests: Queue<FrameId> = line.requests.iter().copied().filter(produce).collect();
            world.keep_late(node, requests);
        }
        let Some(line) = self::line(world, slot) else { return Ok(()) };
        if silent {
            line.lost = line.unanswered().collect();
            line.requests.clear();
            line.answers.clear();
            line.silent = true;
            return Ok(());
        }
        self.end(world, slot, false);
        self.input(world, Input::Lost(slot))
    }

    /// A link is over. `late`: what the broker has not read may still come.
    fn end(&mut self, world: &mut World, slot: u8, late: bool) {
        let Some(line) = world.lines[usize::from(slot)].take() else { return };
        for request in line.unanswered() {
            self.frames.parts(request).iter().for_each(|part| world.book.ended(part));
        }
        let produce = |request: &FrameId| self.frames.is_produce(*request);
        let requests: Queue<FrameId> = line.requests.iter().copied().filter(produce).collect();
        if !late || requests.is_empty() {
            return;
        }
        if world.late.is_full() {
            self.forgone += 1;
        } else {
            world.keep_late(line.node, requests);
        }
    }

    /// Gives the producer an input, and takes what comes of it.
    fn input(&mut self, world: &mut World, input: Input) -> Result<(), Violation> {
        let step = self.clients.step(&mut self.frames, world.client, input);
        if let Some(broken) = &step.broken {
            return Err((**broken).clone());
        }
        world.client = step.client;
        let effects = Rc::clone(&step.effects);
        self.take(world, &effects)
    }

    fn take(&mut self, world: &mut World, effects: &[Effect]) -> Result<(), Violation> {
        let Facts { decided, certain, .. } = *self.clients.facts(world.client);
        for effect in effects {
            match effect {
                Effect::Connect(slot, node) => {
                    world.lines[usize::from(*slot)] = Some(Line::new(*node));
                }
                Effect::Close(slot) => self.end(world, *slot, true),
                Effect::Write(slot, frame) => {
                    let parts = self.frames.parts(*frame);
                    if world.fatal && !parts.is_empty() {
                        return Err(Checker::I17.broken("a batch is sent after a fatal answer"));
                    }
                    for part in parts {
                        check::anew(part, certain, &world.told)?;
                        world.book.sent(part, decided)?;
                    }
                    if let Some(line) = line(world, *slot) {
                        if line.silent {
                            line.lost.push(*frame);
                        } else {
                            line.requests.push(*frame);
                        }
                    }
                }
                Effect::Told(record, told, timeout) => {
                    let before = &mut world.told[usize::from(*record)];
                    if *before != Told::Nothing {
                        let what =
                            format!("record {record} was told {before:?}, and then {told:?}");
                        return Err(Checker::I7.broken(what));
                    }
                    *before = *told;
                    if *timeout && self.setup.early == 0 {
                        let what = format!(
                            "record {record} was given up for its time, and nothing was slow"
                        );
                        return Err(Checker::I8.broken(what));
                    }
                }
                Effect::Fatal => world.fatal = true,
            }
        }
        Ok(())
    }

    /// The promises that are looked at in every state.
    pub(crate) fn check(&self, world: &World) -> Result<(), Violation> {
        if self.brokers.is_damaged(world.broker) {
            return Err(Checker::I11.broken("a log holds what nobody sent"));
        }
        for partition in 0..self.setup.partitions {
            let log = self.brokers.log(world.broker, partition);
            let forgotten = world.forgotten[usize::from(partition)];
            check::log(&self.setup, partition, log, &world.told, forgotten)?;
        }
        let facts = self.clients.facts(world.client);
        if facts.pending != 0 && facts.wait.is_none() {
            return Err(Checker::I8.broken("records have no outcome, and no deadline is armed"));
        }
        let told = |record: u8| world.told[usize::from(record)] != Told::Nothing;
        for record in 0..self.setup.partitions * self.setup.per_partition() {
            let partition = record / self.setup.per_partition();
            let place = record % self.setup.per_partition();
            let produced = world.produced[usize::from(partition)] * self.setup.records;
            let open = (facts.pending | facts.held | facts.untaken) & 1 << record != 0;
            if place < produced && !open && !told(record) {
                let what = format!("record {record} is over, and nothing was told of it");
                return Err(Checker::I7.broken(what));
            }
        }
        Ok(())
    }
}

fn line(world: &mut World, slot: u8) -> Option<&mut Line> {
    world.lines.get_mut(usize::from(slot))?.as_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is on its way comes, until this holds.
    fn until(engine: &mut Engine, world: &World, holds: impl Fn(&Engine, &World) -> bool) -> World {
        let mut world = world.clone();
        while !holds(engine, &world) {
            let moves = |action: &&Action| {
                matches!(action, Action::Connected(_) | Action::Answer(_) | Action::Deliver(_))
            };
            let action = *engine.enabled(&world).iter().find(moves).expect("something moves");
            world = engine.apply(&world, action).unwrap().unwrap();
        }
        world
    }

    /// A world in which a batch of the first partition was just sent, and the slot of its link.
    fn sent(engine: &mut Engine) -> (World, u8) {
        let start = engine.start().unwrap();
        let world = engine.apply(&start, Action::Produce(0)).unwrap().unwrap();
        let place = |engine: &Engine, world: &World| {
            let has = |line: &Line| line.requests.iter().any(|frame| engine.is_produce(*frame));
            world.lines.iter().position(|line| line.as_ref().is_some_and(has))
        };
        let world = until(engine, &world, |engine, world| place(engine, world).is_some());
        let slot = place(engine, &world).unwrap() as u8;
        (world, slot)
    }

    #[test]
    fn an_expiry_excuses_its_own_partition_only() {
        let mut engine = Engine::new(&Setup::new(2, 1).with(&[Fault::Expiry]));
        let (world, slot) = sent(&mut engine);
        let world = engine.apply(&world, Action::Deliver(slot)).unwrap().unwrap();
        let world = engine.apply(&world, Action::Expire(0)).unwrap().unwrap();
        assert_eq!(world.forgotten, [true, false]);
        // As if both partitions had lost what was told to be in them.
        let told = |record: usize| {
            let mut world = world.clone();
            world.told[record] = Told::Written(5);
            engine.check(&world).err().map(|violation| violation.checker)
        };
        assert_eq!((told(0), told(1)), (None, Some(Checker::I1)));
    }

    #[test]
    fn what_has_its_outcome_and_is_sent_again_is_found() {
        let mut engine = Engine::new(&Setup::new(1, 2));
        let (world, slot) = sent(&mut engine);
        let frame = world.lines[usize::from(slot)].as_ref().unwrap().requests[0];
        // As if the producer wrote what it wrote once more.
        let again = |engine: &mut Engine, world: &World| {
            let result = engine.take(&mut world.clone(), &[Effect::Write(slot, frame)]);
            result.err().map(|violation| violation.checker)
        };
        let mut world = engine.apply(&world, Action::Deliver(slot)).unwrap().unwrap();
        assert_eq!(again(&mut engine, &world), Some(Checker::R7), "beside itself");
        world = engine.apply(&world, Action::Answer(slot)).unwrap().unwrap();
        assert_eq!(world.told[0], Told::Nothing);
        assert_eq!(again(&mut engine, &world), Some(Checker::I21), "the producer knows");
        world = engine.apply(&world, Action::TakeEvents).unwrap().unwrap();
        assert_eq!(again(&mut engine, &world), Some(Checker::I21), "the application knows");
        world.told[0] = Told::Unknown;
        assert_eq!(again(&mut engine, &world), None);
    }

    #[test]
    fn a_sixth_attempt_without_an_answer_is_found() {
        let mut engine = Engine::new(&Setup { in_flight: 5, ..Setup::new(1, 6) });
        let (mut world, slot) = sent(&mut engine);
        for action in [Action::Deliver(slot), Action::Answer(slot)] {
            world = engine.apply(&world, action).unwrap().unwrap();
        }
        for _ in 1..6 {
            world = engine.apply(&world, Action::Produce(0)).unwrap().unwrap();
        }
        let requests = &world.lines[usize::from(slot)].as_ref().unwrap().requests;
        assert_eq!(requests.len(), 5, "as many as may be");
        let last = requests[4];
        // As if the producer wrote one of them once more.
        let broken = engine.take(&mut world.clone(), &[Effect::Write(slot, last)]);
        assert_eq!(broken.map_err(|violation| violation.checker), Err(Checker::I11));
    }

    #[test]
    fn a_fault_that_there_is_no_room_for_is_counted() {
        let mut engine = Engine::new(&Setup::new(1, 1).with(&[Fault::LateRequest]));
        let (mut world, slot) = sent(&mut engine);
        let requests = world.lines[usize::from(slot)].as_ref().unwrap().requests.clone();
        let delay = Action::Delay(slot, false);
        while !world.late.is_full() {
            assert!(engine.apply(&world, delay).unwrap().is_some());
            world.keep_late(1, requests.clone());
        }
        assert_eq!(engine.forgone, 0);
        assert!(engine.enabled(&world).contains(&delay));
        assert!(engine.apply(&world, delay).unwrap().is_none());
        assert_eq!(engine.forgone, 1, "the search is not complete");
    }
}
