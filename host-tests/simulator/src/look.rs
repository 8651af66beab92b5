//! What checkers looked at: one that looks at nothing finds nothing, and must not pass for one that
//! found everything well.

use std::fmt;

use crate::promise::Promise;

macro_rules! looks {
    ($($variant:ident $promise:ident $about:literal;)*) => {
        /// Something that a checker judges.
        #[derive(Copy, Clone, PartialEq, Eq, Debug)]
        pub(crate) enum Look {
            $($variant,)*
        }

        impl Look {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The promise that is judged by it, and what it is.
            pub(crate) const fn about(self) -> (Promise, &'static str) {
                match self {
                    $(Self::$variant => (Promise::$promise, $about),)*
                }
            }
        }
    };
}

looks! {
    Written I1 "records that were said to be written";
    Once I2 "records of idempotent producers in logs";
    Order I3 "records of idempotent producers in logs";
    Never I4 "records in logs";
    Outcome I7 "outcomes of runs of records";
    Cause I7 "causes of failures";
    End I7 "producers at their end";
    Flush I7 "marks of flushes";
    Timer I8 "oldest records, and their timers";
    Backlog I8 "backlogs after healing";
    Hope I8 "records with time enough when all healed";
    Fresh I8 "records sent when all was well";
    Pace I8 "connections to brokers that were lost";
    Close I8 "producers that had to be closed";
    Heap I9 "bytes on the heap";
    Idle I9 "blocks of producers at rest";
    Full I9 "refusals for want of memory";
    GivenBack I9 "blocks of closed producers";
    Request I10 "requests, by their bytes";
    Batch I11 "batches, by their sequences";
    Bytes I11 "records in logs, by their bytes";
    Epoch I12 "changes of epochs";
    Begin I17 "beginnings of Produce requests";
    AfterFatal I17 "records offered after a fatal answer";
    Twice I18 "runs that were compared";
    Write I19 "writes that were dropped";
    Read I19 "reads that were dropped";
    Rest I20 "producers at rest";
    Claim I21 "outcomes, by what acks can tell";
    Anew I21 "batches, by what was told of them before";
    Claimed I21 "records that were said to be written";
}

/// How often checkers looked at something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Looks([u64; Look::ALL.len()]);

impl Default for Looks {
    fn default() -> Self {
        Self([0; Look::ALL.len()])
    }
}

impl Looks {
    pub(crate) const fn count(&mut self, look: Look, times: u64) {
        self.0[look as usize] += times;
    }

    /// Those of two runs.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// What was never looked at.
    pub(crate) fn missing(&self) -> impl Iterator<Item = String> {
        let never = Look::ALL.iter().filter(|look| self.0[**look as usize] == 0);
        never.map(|look| {
            let (promise, about) = look.about();
            format!("{promise}, which judged no {about}")
        })
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:32} {:41}{:>11}", "checker", "judged", "times")?;
        for (look, times) in Look::ALL.iter().zip(self.0) {
            let (promise, about) = look.about();
            writeln!(f, "{:32} {about:41}{times:11}", promise.checker())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_is_judged_by_something() {
        for promise in Promise::ALL {
            assert!(Look::ALL.iter().any(|look| look.about().0 == promise), "{promise}");
        }
    }

    #[test]
    fn a_checker_that_looked_at_nothing_is_missed() {
        let mut looks = Looks::default();
        Look::ALL.iter().for_each(|look| looks.count(*look, 2));
        assert_eq!(looks.missing().count(), 0);
        looks.0[Look::Pace as usize] = 0;
        let missing: Vec<String> = looks.missing().collect();
        assert_eq!(missing.len(), 1);
        assert!(missing[0].starts_with("I8 in time, which judged no connections"), "{missing:?}");
    }
}
