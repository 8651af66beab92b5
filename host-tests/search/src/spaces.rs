//! The worlds that are searched, in groups.

use ottla_broker::Profile;

use crate::fault::Fault;
use crate::setup::Setup;

/// A group of worlds.
#[derive(Copy, Clone, Debug)]
pub struct Space {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether it is part of every full test run.
    pub always: bool,
    setups: fn() -> Vec<Setup>,
}

impl Space {
    /// Its worlds.
    #[must_use]
    pub fn setups(&self) -> Vec<Setup> {
        (self.setups)()
    }

    /// A group by its name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        SPACES.iter().find(|space| space.name == name)
    }
}

/// All groups.
pub const SPACES: &[Space] = &[
    Space {
        name: "pairs",
        about: "1 partition, 3 batches, 3 in flight, any two faults",
        always: true,
        setups: || each(Setup::new(1, 3), &pairs()),
    },
    Space {
        name: "partitions",
        about: "2 partitions, 2 batches each, any fault",
        always: true,
        setups: || each(Setup::new(2, 2), &singles()),
    },
    Space {
        name: "parts",
        about: "1 partition, 2 batches of 2 records, which may be too large, and any fault",
        always: true,
        setups: || each(Setup { records: 2, ..Setup::new(1, 2) }, &too_large(&singles())),
    },
    Space {
        name: "parts-pairs",
        about: "1 partition, 3 batches of 2 records, which may be too large, and any two faults",
        always: false,
        setups: || each(Setup { records: 2, ..Setup::new(1, 3) }, &too_large(&pairs())),
    },
    Space {
        name: "old",
        about: "Kafka 2.1: 1 partition, 3 batches, any two faults",
        always: true,
        setups: || each(Setup { release: Profile::V2_1, ..Setup::new(1, 3) }, &pairs()),
    },
    Space {
        name: "old-parts",
        about: "Kafka 2.1: 1 partition, 3 batches of 2 records, which may be too large, and any two faults",
        always: false,
        setups: || {
            let setup = Setup { records: 2, release: Profile::V2_1, ..Setup::new(1, 3) };
            each(setup, &too_large(&pairs()))
        },
    },
    Space {
        name: "six",
        about: "1 partition, 6 batches, 5 in flight, any fault",
        always: true,
        setups: || each(Setup { in_flight: 5, ..Setup::new(1, 6) }, &singles()),
    },
    Space {
        name: "wrap",
        about: "1 partition, 3 batches, sequences 2147483646, 2147483647 and 0, any fault",
        always: true,
        setups: || each(Setup { first: i32::MAX - 1, ..Setup::new(1, 3) }, &singles()),
    },
    Space {
        name: "close",
        about: "1 partition, 3 batches, any fault, closed at any time",
        always: true,
        setups: || each(Setup { closes: true, ..Setup::new(1, 3) }, &singles()),
    },
    Space {
        name: "slow",
        about: "1 partition, 3 batches, any fault, and two deadlines that pass early: records expire",
        always: true,
        setups: || each(Setup { early: 2, ..Setup::new(1, 3) }, &singles()),
    },
    Space {
        name: "slow-pairs",
        about: "1 partition, 3 batches, any two faults, and a deadline that passes early",
        always: true,
        setups: || each(Setup { early: 1, ..Setup::new(1, 3) }, &pairs()),
    },
    Space {
        name: "partition-pairs",
        about: "2 partitions, 2 batches each, any two faults",
        always: true,
        setups: || each(Setup::new(2, 2), &pairs()),
    },
    Space {
        name: "triples",
        about: "1 partition, 3 batches, 3 in flight, any three faults",
        always: false,
        setups: || each(Setup::new(1, 3), &triples()),
    },
    Space {
        name: "four",
        about: "1 partition, 4 batches, any two faults",
        always: false,
        setups: || each(Setup::new(1, 4), &pairs()),
    },
];

fn each(setup: Setup, faults: &[Vec<Fault>]) -> Vec<Setup> {
    faults.iter().map(|faults| setup.clone().with(faults)).collect()
}

/// With a refusal before them, which may say that a batch is too large.
fn too_large(faults: &[Vec<Fault>]) -> Vec<Vec<Fault>> {
    faults.iter().map(|faults| [vec![Fault::ErrorBefore], faults.clone()].concat()).collect()
}

fn singles() -> Vec<Vec<Fault>> {
    Fault::ALL.iter().map(|fault| vec![*fault]).collect()
}

/// Any two, the same one twice included.
fn pairs() -> Vec<Vec<Fault>> {
    combinations(&singles())
}

fn triples() -> Vec<Vec<Fault>> {
    combinations(&pairs())
}

/// Each of these with each fault that does not come before its last.
fn combinations(of: &[Vec<Fault>]) -> Vec<Vec<Fault>> {
    let mut all = Vec::new();
    for faults in of {
        for fault in Fault::ALL.iter().filter(|fault| faults.iter().all(|f| f <= *fault)) {
            all.push([faults.clone(), vec![*fault]].concat());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_all_there_are() {
        assert_eq!((singles().len(), pairs().len(), triples().len()), (8, 36, 120));
    }
}
