//! The identity rules alone ([`ottla::identity`]: window, wrap, bump, exhaustion), over every short
//! run: what they keep is compared with the same in numbers that never wrap.
//!
//! [`check`] takes its choices from whoever calls it: [`every`] makes all of them, one after another;
//! a bounded model checker (Kani) takes the same function with choices that it does not know.
#![allow(unexpected_cfgs, reason = "kani is set by the model checker alone")]

use ottla::Instant;
use ottla::identity::{Identity, Sequence, Sequences, WINDOW};

/// Steps of a run of [`every`].
pub const STEPS: u32 = 6;
/// Batches that a run can have open: more than ever may be.
const OPEN: usize = 8;
/// Sequences there are.
const WRAP: u64 = 1 << 31;
/// How old a success may be to keep the window open.
const PROOF: u64 = 300_000_000;

/// A batch that has a sequence and no outcome, by numbers that never wrap.
#[derive(Copy, Clone, Default)]
struct Open {
    base: u64,
    count: u64,
}

/// What should be known, in numbers that never wrap.
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
    fn window(&self) -> u8 {
        match self.proven {
            Some(at) if self.now - at <= PROOF => WINDOW,
            _ => 1,
        }
    }

    /// The oldest batch has its outcome.
    fn drop_head(&mut self) {
        self.open.copy_within(1.., 0);
        self.length -= 1;
    }

    fn adopt(&mut self, identity: Identity, sequences: &mut Sequences) {
        self.identity = identity;
        self.next = 0;
        self.acknowledged = None;
        self.proven = None;
        self.broken = false;
        self.length = 0;
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
            (sequences.next().get() >= 0, "a sequence is negative"),
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
    let epoch = match choices(3) {
        0 => 0,
        1 => i16::MAX - 1,
        _ => i16::MAX,
    };
    let mut sequences = Sequences::EMPTY;
    let identity = Identity { id: 7, epoch };
    let mut model = Model {
        identity,
        next: 0,
        acknowledged: None,
        proven: None,
        broken: false,
        open: [Open::default(); OPEN],
        length: 0,
        ids: 7,
        now: PROOF,
    };
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
    for _ in 0..steps {
        step(&mut model, &mut sequences, choices)?;
        model.compare(&sequences)?;
    }
    Ok(())
}

/// One step, as the producer takes them: a new batch only within the window, outcomes in order, an
/// epoch only when nothing is open.
fn step(
    model: &mut Model,
    sequences: &mut Sequences,
    choices: &mut impl FnMut(u32) -> u32,
) -> Result<(), &'static str> {
    match choices(7) {
        0 => assign(model, sequences, choices)?,
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
    if model.length >= usize::from(WINDOW) {
        return Err("a sixth batch is unresolved");
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

/// All runs of so many steps: how many there are.
///
/// # Errors
/// What is not as the rules say, and the choices that lead there.
pub fn every(steps: u32) -> Result<u64, String> {
    enumerate(|choices| check(steps, &mut |bound| choices(bound)))
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
        let mut model = Model {
            identity,
            next: 0,
            acknowledged: None,
            proven: None,
            broken: false,
            open: [Open::default(); OPEN],
            length: 0,
            ids: 7,
            now: 0,
        };
        model.adopt(identity, &mut sequences);
        assert_eq!(model.compare(&sequences), Ok(()));
        let _ = sequences.assign(2);
        assert_eq!(model.compare(&sequences), Err("another sequence is next"));
    }

    #[test]
    fn the_rules_hold_in_every_run() {
        let runs = every(4).unwrap();
        assert!(runs > 10_000, "{runs} runs only");
    }
}
