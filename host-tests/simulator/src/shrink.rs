//! A list of operations that breaks a promise is cut to a short one.

use crate::operation::Operation;
use crate::promise::Promise;
use crate::run;

/// Runs that a cut may take.
const RUNS_MAX: u32 = 2_000;

/// The operations of a seed without those that are not needed to break `promise`.
#[must_use]
pub fn shrink(seed: u64, operations: &[Operation], promise: Promise) -> Vec<Operation> {
    let mut runs = 0;
    let breaks = |operations: &[Operation]| {
        let violation = run::operations(seed, operations, false).violation;
        violation.is_some_and(|violation| violation.promise == promise)
    };
    let short = cut(operations, &mut runs, &breaks);
    let short = fewer(short, &mut runs, &breaks);
    // What was made small may not be needed at all any more.
    cut(&short, &mut runs, &breaks)
}

/// Leaves out longer parts first, then shorter ones, as long as it still breaks.
fn cut(
    operations: &[Operation],
    runs: &mut u32,
    breaks: &dyn Fn(&[Operation]) -> bool,
) -> Vec<Operation> {
    let mut kept = operations.to_vec();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let before = kept.len();
        let mut at = 0;
        while at < kept.len() && *runs < RUNS_MAX {
            let mut without = kept.clone();
            without.drain(at..(at + size).min(kept.len()));
            *runs += 1;
            if breaks(&without) {
                kept = without;
            } else {
                at += size;
            }
        }
        // Once more with single ones, until none can be left out.
        size = if size == 1 && kept.len() < before { 1 } else { size / 2 };
        if *runs >= RUNS_MAX {
            break;
        }
    }
    kept
}

/// Makes numbers smaller: fewer records, shorter times.
fn fewer(
    mut operations: Vec<Operation>,
    runs: &mut u32,
    breaks: &dyn Fn(&[Operation]) -> bool,
) -> Vec<Operation> {
    for at in 0..operations.len() {
        loop {
            let span = operations[at].span;
            let smaller = [1, span / 2].into_iter().find(|less| {
                if *less >= span || *runs >= RUNS_MAX {
                    return false;
                }
                *runs += 1;
                let mut tried = operations.clone();
                tried[at].span = *less;
                breaks(&tried)
            });
            match smaller {
                Some(less) => operations[at].span = less,
                None => break,
            }
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Kind;

    fn operation(at: u64, span: u64) -> Operation {
        Operation { at, kind: Kind::Send, who: 0, what: 0, span }
    }

    #[test]
    fn only_what_is_needed_is_left() {
        let all: Vec<_> = (0..100).map(|at| operation(at, 1_000)).collect();
        let breaks = |operations: &[Operation]| {
            let of = |at| operations.iter().any(|o| o.at == at && o.span >= 10);
            of(7) && of(93)
        };
        let mut runs = 0;
        let kept = fewer(cut(&all, &mut runs, &breaks), &mut runs, &breaks);
        let kept: Vec<(u64, u64)> = kept.iter().map(|o| (o.at, o.span)).collect();
        assert_eq!(kept.iter().map(|o| o.0).collect::<Vec<_>>(), [7, 93]);
        assert!(kept.iter().all(|o| (10..20).contains(&o.1)), "{kept:?}");
        assert!(runs < 200, "{runs}");
    }
}
