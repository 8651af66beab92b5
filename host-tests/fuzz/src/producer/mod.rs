//! The whole producer, whatever is called, and whatever comes back.
//!
//! The input is a setup and a list of calls (`call.rs`); at its end everything is driven as an
//! adapter does it, by brokers that mean well, and then closed. What is judged, by the names of
//! the design's promises:
//!
//! - I7: exactly one outcome for each accepted record, and none for others;
//! - I8: outcomes by `delivery.timeout.ms` or the first wake-up after, and a timer for what waits;
//! - I9: memory stays within its bound;
//! - I10: no panic; requests that a broker can read; calls for links that have ended are ignored;
//!   no loop over outputs goes on for ever;
//! - I11, R2: the same sequence has the same bytes, unless every attempt was refused;
//! - records have their own time, or that of day by the largest instant seen;
//! - I18: the same calls give the same outputs;
//! - I20: when nothing is left to do, no timer is.

mod call;
mod judge;
mod memory;
mod peer;
mod setup;
mod world;

use arbitrary::Unstructured;
use ottla::Producer;

use call::Call;
use memory::{Checked, Heap, Shape, Tiny, Wide};
use setup::Setup;
use world::World;

/// A setup, and calls until the bytes end.
///
/// # Panics
/// If a promise is broken.
pub fn target(data: &[u8]) {
    let input = &mut Unstructured::new(data);
    let Ok(setup) = Setup::draw(input) else { return };
    let calls = call::draw_all(input);
    let first = run(&setup, &calls);
    assert_eq!(run(&setup, &calls), first, "I18: the same calls, and other outputs");
}

/// Prints what an input means: its setup and its calls.
pub fn tell(data: &[u8]) {
    let input = &mut Unstructured::new(data);
    if let Ok(setup) = Setup::draw(input) {
        println!("{setup:#?}");
        for (place, call) in call::draw_all(input).iter().enumerate() {
            println!("{place:4} {call:?}");
        }
    }
}

/// A hash of all outputs.
fn run(setup: &Setup, calls: &[Call<'_>]) -> u64 {
    match setup.shape {
        Shape::Tiny => run_in(Tiny::new(), setup, calls),
        Shape::Wide => run_in(Wide::new(), setup, calls),
        Shape::Heap(bytes) => run_in(Heap::new(bytes), setup, calls),
    }
}

fn run_in<O: Checked>(owner: O, setup: &Setup, calls: &[Call<'_>]) -> u64 {
    let mut world = World::new(Producer::unstarted(owner), setup);
    if setup.ready {
        world.call(Call::Start);
        world.call(Call::Bootstrap { host: 0 });
    }
    for call in calls {
        world.call(*call);
    }
    world.end()
}

#[cfg(test)]
mod tests {
    use ottla::error::Full;
    use ottla::memory::{Memory, Owner};

    use super::*;

    /// Memory that takes more than it may.
    #[derive(Debug)]
    struct Greedy(Heap);

    impl Owner for Greedy {
        fn memory(&mut self) -> Memory<'_> {
            self.0.memory()
        }

        fn grow(&mut self, full: Full) -> bool {
            self.0.grow(full)
        }
    }

    impl Checked for Greedy {
        fn charged(&self) -> (u64, u64) {
            let (charged, bound) = self.0.charged();
            (charged + bound, bound)
        }
    }

    fn setup() -> Setup {
        Setup::draw(&mut Unstructured::new(&[])).expect("zeros are a setup")
    }

    #[test]
    fn nothing_at_all_is_a_run() {
        target(&[]);
    }

    #[test]
    #[should_panic(expected = "I9")]
    fn memory_beyond_its_bound_is_found() {
        let produce = Call::Produce { topic: 0, partition: 0, length: 9, fields: 0 };
        run_in(
            Greedy(Heap::new(1 << 16)),
            &setup(),
            &[Call::Topic { name: 0, partitions: 0 }, produce],
        );
    }

    #[test]
    fn other_calls_give_other_outputs() {
        let (pump, topic) = (Call::Pump, Call::Topic { name: 0, partitions: 0 });
        assert_eq!(run(&setup(), &[pump]), run(&setup(), &[pump]));
        assert_ne!(run(&setup(), &[pump]), run(&setup(), &[topic, pump]));
    }
}
