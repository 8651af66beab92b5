//! The identity rules alone ([`ottla::identity`]: window, wrap, bump, exhaustion), over every short
//! run: what they keep is compared with the same in numbers that never wrap.
//!
//! [`check`] takes its choices from whoever calls it: a bounded model checker (Kani) gives it choices
//! that it does not know. [`every`] makes all choices, and goes on from each state once, whatever
//! led there: the rules know nothing but what is compared, so the same comes of the same.
//!
//! For Kani: `cargo kani --harness identity_rules`. Its four steps reach what eleven do from nothing,
//! as runs may begin with four batches open: a fifth, a sixth that has to wait, and what follows.
#![allow(unexpected_cfgs, reason = "kani is set by the model checker alone")]

use hashbrown::HashSet;
use ottla::Instant;
use ottla::identity::{Identity, Sequence, Sequences};

/// Steps of [`every`]: from nothing to a full window, and what may come of it.
pub const STEPS: u32 = 7;
/// Batches of a partition that brokers remember (KIP-98): no more may be open.
const WINDOW: u8 = 5;
/// Batches that a run can have open: more than ever may be.
const OPEN: usize = 8;
/// The choice of another batch.
const ASSIGN: u32 = 0;
/// Sequences there are.
const WRAP: u64 = 1 << 31;
/// How old a success may be to keep the window open.
const PROOF: u64 = 300_000_000;

/// A batch that has a sequence and no outcome, by numbers that never wrap.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
struct Open {
    base: u64,
    count: u64,
}

/// What should be known, in numbers that never wrap.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Model {
    identity: Identity,
    next: u64,
    acknowledged: Option<u64>,
    proven: Option<u64>,
    broken: bool,
    open: [Open; OPEN],
    length: usize,
    /// How often an identity was taken up, and the highest id so far.
    ids: i64,
    now: u64,
}

impl Model {
    /// Nothing was sent under an identity.
    fn new(identity: Identity, now: u64) -> Self {
        Self {
            identity,
            next: 0,
            acknowledged: None,
            proven: None,
            broken: false,
            open: [Open::default(); OPEN],
            length: 0,
            ids: identity.id,
            now,
        }
    }

    /// Batches that may be open. R7.
    fn window(&self) -> u8 {
        match self.proven {
            Some(at) if self.now - at <= PROOF => WINDOW,
            _ => 1,
        }
    }

    /// The oldest batch has its outcome.
    fn drop_head(&mut self) {
        self.open.copy_within(1.., 0);
        self.open[OPEN - 1] = Open::default();
        self.length -= 1;
    }

    fn adopt(&mut self, identity: Identity, sequences: &mut Sequences) {
        *self = Self { ids: self.ids, ..Self::new(identity, self.now) };
        sequences.adopt(identity);
    }

    fn compare(&self, sequences: &Sequences) -> Result<(), &'static str> {
        let now = Instant::from_micros(self.now);
        let wrapped = |number: u64| i32::try_from(number % WRAP).unwrap_or(-1);
        let told = sequences.acknowledged().map(Sequence::get);
        let checks = [
            (sequences.identity() == Some(self.identity), "another identity is in use"),
            (sequences.next().get() == wrapped(self.next), "another sequence is next"),
            (told == self.acknowledged.map(wrapped), "what is acknowledged went wrong"),
            (usize::from(sequences.unresolved()) == self.length, "another number is unresolved"),
            (sequences.is_broken() == self.broken, "broken, or not broken, without a reason"),
            (sequences.window(now) == self.window(), "the window is not what was proven"),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(what),
            None => Ok(()),
        }
    }
}

/// One run of so many steps: `choices` is asked for each choice with the number of what can be
/// chosen.
///
/// # Errors
/// What is not as the rules say.
pub fn check(steps: u32, choices: &mut impl FnMut(u32) -> u32) -> Result<(), &'static str> {
    let (mut model, mut sequences) = begin(choices);
    for _ in 0..steps {
        step(&mut model, &mut sequences, choices)?;
        model.compare(&sequences)?;
    }
    Ok(())
}

/// An identity that was just taken up, or under which nearly all sequences were used; with nothing
/// open, or with one batch less than may be.
fn begin(choices: &mut impl FnMut(u32) -> u32) -> (Model, Sequences) {
    let epoch = match choices(3) {
        0 => 0,
        1 => i16::MAX - 1,
        _ => i16::MAX,
    };
    let mut sequences = Sequences::EMPTY;
    let identity = Identity { id: 7, epoch };
    let mut model = Model::new(identity, PROOF);
    model.adopt(identity, &mut sequences);
    // As after all the records that came before: some, or nearly as many as there are sequences.
    let before = match choices(3) {
        0 => 0,
        1 => WRAP - 1,
        _ => WRAP - 3,
    };
    if before > 0 {
        let base = sequences.assign(before as u32);
        sequences.succeeded(base.after(before as u32), Instant::from_micros(model.now));
        sequences.resolved();
        sequences.doubt();
        model.next = before;
        model.acknowledged = Some(before);
    }
    if choices(2) == 1 {
        // A success has opened the window, and it has room for one more batch.
        let base = sequences.assign(1);
        sequences.succeeded(base.after(1), Instant::from_micros(model.now));
        sequences.resolved();
        model.next += 1;
        model.acknowledged = Some(model.next);
        model.proven = Some(model.now);
        while model.length < usize::from(WINDOW) - 1 {
            let _ = sequences.assign(1);
            model.open[model.length] = Open { base: model.next, count: 1 };
            model.length += 1;
            model.next += 1;
        }
    }
    (model, sequences)
}

/// One step, as the producer takes them: a new batch only within the window, outcomes in order, an
/// epoch only when nothing is open.
fn step(
    model: &mut Model,
    sequences: &mut Sequences,
    choices: &mut impl FnMut(u32) -> u32,
) -> Result<(), &'static str> {
    match choices(7) {
        ASSIGN => assign(model, sequences, choices)?,
        1 if model.length > 0 => {
            // Any of them may succeed: answers of earlier ones may be lost.
            let which = choices(model.length as u32) as usize;
            let Open { base, count } = model.open[which];
            let end = base + count;
            let told = Sequence::new((base % WRAP) as u32).after(count as u32);
            sequences.succeeded(told, Instant::from_micros(model.now));
            model.proven = Some(model.now);
            model.broken = false;
            model.acknowledged = Some(model.acknowledged.map_or(end, |known| known.max(end)));
        }
        2 => {
            sequences.doubt();
            model.proven = None;
        }
        3 if model.length > 0 => {
            // The head has its outcome, written or given up.
            sequences.resolved();
            model.drop_head();
            if choices(2) == 1 {
                sequences.give_up();
                model.broken = true;
            }
        }
        4 => model.now += [1, PROOF, PROOF + 1][choices(3) as usize],
        5 => {
            sequences.withdraw();
            model.open = [Open::default(); OPEN];
            model.length = 0;
            model.broken = true;
        }
        6 if model.length == 0 => {
            let next = match model.identity.bumped() {
                Some(next) if next.epoch <= model.identity.epoch => {
                    return Err("an epoch goes back");
                }
                Some(next) if next.id != model.identity.id => return Err("a bump changes the id"),
                Some(next) => next,
                None if model.identity.epoch < i16::MAX => return Err("an id ends too early"),
                None => {
                    model.ids += 1;
                    Identity { id: model.ids, epoch: 0 }
                }
            };
            model.adopt(next, sequences);
        }
        _ => {}
    }
    Ok(())
}

fn assign(
    model: &mut Model,
    sequences: &mut Sequences,
    choices: &mut impl FnMut(u32) -> u32,
) -> Result<(), &'static str> {
    let now = Instant::from_micros(model.now);
    if sequences.is_broken() || sequences.unresolved() >= sequences.window(now) {
        return Ok(());
    }
    if model.length >= usize::from(model.window()) {
        return Err("a batch is sent beyond the window");
    }
    let count = 1 + choices(3);
    let base = sequences.assign(count);
    if u64::from(base.get().cast_unsigned()) != model.next % WRAP {
        return Err("a batch does not follow the one before it");
    }
    let end = base.after(count);
    if end.before(count) != base || !base.is_before(end) || end.is_before(base) {
        return Err("a sequence and the one after it are in no order");
    }
    model.open[model.length] = Open { base: model.next, count: u64::from(count) };
    model.length += 1;
    model.next += u64::from(count);
    Ok(())
}

/// What [`every`] went through.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub struct Reached {
    /// Different states.
    pub states: usize,
    /// Steps from one to another, or to itself.
    pub steps: u64,
    /// States in which as many batches are open as ever may be.
    pub full: usize,
    /// Steps in which another was to go then, and had to wait.
    pub refused: u64,
}

/// Every state that so many steps lead to, and every step from those before.
///
/// # Errors
/// What is not as the rules say, and the choices that lead there.
pub fn every(steps: u32) -> Result<Reached, String> {
    let mut reached = Reached::default();
    let mut known = HashSet::new();
    let mut level: Vec<(Model, Sequences, Vec<u32>)> = Vec::new();
    enumerate(|choices| {
        let mut path = Vec::new();
        let (model, sequences) = begin(&mut |bound| noted(&mut path, choices(bound)));
        model.compare(&sequences)?;
        known.insert((model.clone(), sequences.clone()));
        level.push((model, sequences, path));
        Ok(())
    })?;
    for _ in 0..steps {
        let mut next = Vec::new();
        for (model, sequences, before) in &level {
            let taken = enumerate(|choices| {
                let (mut model, mut sequences) = (model.clone(), sequences.clone());
                let mut path = before.clone();
                let full = model.length == usize::from(WINDOW) && model.window() == WINDOW;
                step(&mut model, &mut sequences, &mut |bound| noted(&mut path, choices(bound)))?;
                model.compare(&sequences)?;
                let sends = path.get(before.len()) == Some(&ASSIGN);
                reached.refused += u64::from(full && !sequences.is_broken() && sends);
                if known.insert((model.clone(), sequences.clone())) {
                    reached.full += usize::from(model.length == usize::from(WINDOW));
                    next.push((model, sequences, path));
                }
                Ok(())
            });
            reached.steps += taken.map_err(|what| format!("{what}, after {before:?}"))?;
        }
        level = next;
    }
    reached.states = known.len();
    Ok(reached)
}

fn noted(path: &mut Vec<u32>, choice: u32) -> u32 {
    path.push(choice);
    choice
}

fn enumerate(
    mut run: impl FnMut(&mut dyn FnMut(u32) -> u32) -> Result<(), &'static str>,
) -> Result<u64, String> {
    // Choices that are made, each with the number of what could be chosen.
    let mut made: Vec<(u32, u32)> = Vec::new();
    let mut runs = 0;
    loop {
        let mut at = 0;
        let result = run(&mut |bound| {
            if at == made.len() {
                made.push((0, bound));
            }
            at += 1;
            made[at - 1].0
        });
        runs += 1;
        if let Err(what) = result {
            let choices: Vec<u32> = made.iter().map(|(choice, _)| *choice).collect();
            return Err(format!("{what}, by the choices {choices:?}"));
        }
        made.truncate(at);
        while made.pop_if(|(choice, bound)| *choice + 1 == *bound).is_some() {}
        match made.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return Ok(runs),
        }
    }
}

#[cfg(kani)]
mod proofs {
    /// Every run, by a bounded model checker.
    #[kani::proof]
    #[kani::unwind(9)]
    fn identity_rules() {
        let result = super::check(4, &mut |bound| {
            let choice: u32 = kani::any();
            kani::assume(choice < bound);
            choice
        });
        assert!(result.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use ottla::Duration;

    use super::*;

    #[test]
    fn every_choice_is_made_once() {
        let mut seen = Vec::new();
        let runs = enumerate(|choices| {
            let first = choices(3);
            let second = if first == 1 { choices(2) } else { 9 };
            seen.push((first, second));
            Ok(())
        });
        assert_eq!(runs, Ok(4));
        assert_eq!(seen, [(0, 9), (1, 0), (1, 1), (2, 9)]);
    }

    #[test]
    fn a_wrong_rule_is_found_with_its_choices() {
        // A window that is open without a proof: as if the first success were not awaited.
        let found = enumerate(|choices| {
            let mut sequences = Sequences::EMPTY;
            sequences.adopt(Identity { id: 7, epoch: 0 });
            if choices(2) == 1 {
                sequences.succeeded(Sequence::new(1), Instant::from_micros(0));
            }
            let late = Instant::ZERO.after(Duration::from_micros(PROOF + 1));
            if sequences.window(if choices(2) == 1 { late } else { Instant::ZERO }) == 1 {
                Ok(())
            } else {
                Err("the window is open")
            }
        });
        assert_eq!(found, Err("the window is open, by the choices [1, 0]".to_string()));
    }

    #[test]
    fn a_model_that_differs_is_told() {
        let mut sequences = Sequences::EMPTY;
        let identity = Identity { id: 7, epoch: 0 };
        let mut model = Model::new(identity, 0);
        model.adopt(identity, &mut sequences);
        assert_eq!(model.compare(&sequences), Ok(()));
        let _ = sequences.assign(2);
        assert_eq!(model.compare(&sequences), Err("another sequence is next"));
    }

    #[test]
    fn the_rules_hold_in_every_run_up_to_a_full_window_and_on() {
        let reached = every(4).unwrap();
        assert!(reached.full > 100 && reached.refused > 100, "{reached:?}");
        let reached = every(1).unwrap();
        assert!(reached.full > 0 && reached.refused == 0, "one step is too few: {reached:?}");
    }

    /// Runs that are told apart by what they did are one by what they are.
    #[test]
    fn every_run_is_among_the_states() {
        let runs = enumerate(|choices| check(3, &mut |bound| choices(bound))).unwrap();
        let reached = every(3).unwrap();
        assert!(reached.steps < runs && (reached.states as u64) < reached.steps, "{reached:?}");
    }

    #[test]
    fn a_sixth_batch_is_found() {
        let (mut model, mut sequences) = begin(&mut |_| 0);
        assert_eq!(assign(&mut model, &mut sequences, &mut |_| 0), Ok(()));
        sequences.succeeded(Sequence::new(1), Instant::from_micros(model.now));
        model.proven = Some(model.now);
        model.acknowledged = Some(1);
        for open in 2..=5 {
            assert_eq!(assign(&mut model, &mut sequences, &mut |_| 0), Ok(()));
            assert_eq!((model.length, model.compare(&sequences)), (open, Ok(())));
        }
        assert_eq!(assign(&mut model, &mut sequences, &mut |_| 0), Ok(()), "it has to wait");
        assert_eq!((model.length, model.compare(&sequences)), (5, Ok(())));
        // As if the window had been wider, or a batch not been counted.
        let mut wider = sequences.clone();
        let _ = wider.assign(1);
        model.next += 1;
        assert_eq!(model.compare(&wider), Err("another number is unresolved"));
        wider.resolved();
        wider.resolved();
        let beyond = assign(&mut model, &mut wider, &mut |_| 0);
        assert_eq!(beyond, Err("a batch is sent beyond the window"));
    }
}
