//! A simulated cluster: the world of a seed, and what happens in it.

use arbitrary::{Result, Unstructured};
use ottla_simulator::operation::{Kind, Operation};
use ottla_simulator::{Fault, run};

/// A seed, from which the world is drawn, and operations: records that are sent, and faults. The
/// simulator judges what comes of it, with all its checkers.
///
/// # Panics
/// If a promise is broken that no fault of the input suspends.
pub fn target(data: &[u8]) {
    // An input that ends early has fewer operations.
    let Ok((seed, operations)) = draw(&mut Unstructured::new(data)) else { return };
    let outcome = run::operations(seed, &operations, false);
    if let Some(violation) = outcome.violation {
        let script = ottla_simulator::operation::script(seed, &operations);
        panic!("{violation}\n{script}");
    }
}

/// A run takes the longer the more there is to do.
const OPERATIONS_MAX: usize = 40;

fn draw(input: &mut Unstructured<'_>) -> Result<(u64, Vec<Operation>)> {
    let seed = u64::from(input.arbitrary::<u16>()?);
    let mut operations = Vec::new();
    while operations.len() < OPERATIONS_MAX && !input.is_empty() {
        operations.push(operation(input)?);
    }
    // Equal times stay in the order of drawing.
    operations.sort_by_key(|operation| operation.at);
    Ok((seed, operations))
}

/// Time in steps that are worth looking at: from a tenth of a millisecond to some minutes.
fn time(input: &mut Unstructured<'_>) -> Result<u64> {
    let (value, shift) = (u64::from(input.arbitrary::<u8>()?), input.int_in_range(0..=21_u32)?);
    Ok((100 + value) << shift)
}

/// How much of a fault: for most a time, for some a number of bytes or records, of which there is a
/// sensible most.
fn amount(fault: Fault, time: u64) -> u64 {
    match fault {
        Fault::Fill => time % 3_000,
        Fault::Grow => 1,
        Fault::Crumbs => 1 + time % 1_500,
        Fault::Throttle => 1 + time % 5_000,
        Fault::Reset => 1 + time % 4_000,
        Fault::Bandwidth => 300 + time % 50_000,
        _ => time,
    }
}

fn operation(input: &mut Unstructured<'_>) -> Result<Operation> {
    let kind = usize::from(input.arbitrary::<u8>()?);
    let at = time(input)?;
    let who = u32::from(input.arbitrary::<u8>()?) % 20;
    let (kind, span) = match kind {
        0..64 => (Kind::Send, 1 + u64::from(input.arbitrary::<u8>()?) % 60),
        64..72 => (Kind::Flush, 0),
        fault => {
            let fault = Fault::ALL[fault % Fault::ALL.len()];
            (Kind::Fault(fault), amount(fault, time(input)?))
        }
    };
    let what = input.arbitrary()?;
    Ok(Operation { at, kind, who, what, span })
}
