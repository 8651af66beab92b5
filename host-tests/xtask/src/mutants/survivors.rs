//! The mutants that nothing catches, and why that is right.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::list::Mutant;
use crate::context::Context;

/// Where they are explained: a line for each begins with `- ` and names file and change in
/// backquotes, as the command tells them, without line and column. The rest is for people.
const FILE: &str = "host-tests/planted/SURVIVORS.md";

/// Mutants that are explained, by [`Mutant::key`].
pub(super) struct Survivors(Vec<String>);

impl Survivors {
    pub(super) fn read(context: &Context) -> Result<Survivors> {
        let text = fs::read_to_string(context.root.join(FILE)).context(FILE)?;
        Ok(Survivors::of(&text))
    }

    fn of(text: &str) -> Survivors {
        let keys = text.lines().filter_map(|line| {
            let (key, _) = line.strip_prefix("- `")?.split_once("`")?;
            Some(key.to_owned())
        });
        Survivors(keys.collect())
    }

    /// Takes the line of a mutant out. False: there is none.
    pub(super) fn take(&mut self, mutant: &Mutant) -> bool {
        let place = self.0.iter().position(|key| *key == mutant.key);
        place.map(|place| self.0.swap_remove(place)).is_some()
    }

    /// Sees that every survivor is explained, each as often as it survived, and that nothing is
    /// explained that is caught or not there: of a key, no more lines may be left than there are
    /// mutants in `all` that nobody has `judged`.
    pub(super) fn judge(
        mut self,
        all: &[String],
        judged: &[&Mutant],
        survivors: &[&Mutant],
    ) -> Result<()> {
        let mut problems = Vec::new();
        for mutant in survivors {
            if !self.take(mutant) {
                problems.push(format!("{}: not caught, and not explained", mutant.name));
            }
        }
        self.0.sort();
        for lines in self.0.chunk_by(|a, b| a == b) {
            let key = &lines[0];
            let there = all.iter().filter(|one| *one == key).count();
            let judged = judged.iter().filter(|mutant| mutant.key == *key).count();
            if there == 0 {
                problems.push(format!("{key}: there is no such mutant; take its line out"));
            } else if lines.len() > there.saturating_sub(judged) {
                problems.push(format!("{key}: is caught; take its line out"));
            }
        }
        ensure!(problems.is_empty(), "{FILE}:\n{}", problems.join("\n"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(key: &str) -> Mutant {
        let (name, file, diff) = (format!("{key}, here"), String::new(), String::new());
        Mutant { name, file, key: key.into(), diff }
    }

    const TEXT: &str =
        "# Survivors\n\n- `a.rs: replace < with <=`: it is never equal.\n  Really.\n";

    #[test]
    fn each_survivor_has_to_be_explained_once() {
        let (known, other) = (mutant("a.rs: replace < with <="), mutant("a.rs: replace + with -"));
        let all = [known.key.clone(), known.key.clone(), other.key.clone()];
        let judge = |survivors: &[&Mutant]| Survivors::of(TEXT).judge(&all, survivors, survivors);
        assert!(judge(&[&known]).is_ok());
        let error = judge(&[&known, &other]).unwrap_err().to_string();
        assert!(error.ends_with("\na.rs: replace + with -, here: not caught, and not explained"));
        assert!(judge(&[&known, &known]).is_err());
    }

    #[test]
    fn a_line_about_what_is_caught_has_to_go() {
        let known = mutant("a.rs: replace < with <=");
        let judge =
            |all: &[String], judged: &[&Mutant]| Survivors::of(TEXT).judge(all, judged, &[]);
        let told = |all: &[String], judged: &[&Mutant]| judge(all, judged).unwrap_err().to_string();
        let all = [known.key.clone(), known.key.clone()];
        assert!(judge(&all, &[]).is_ok(), "it was not drawn, or came to no end");
        assert!(judge(&all, &[&known]).is_ok(), "it may be the other one");
        assert!(told(&all, &[&known, &known]).ends_with("with <=: is caught; take its line out"));
        assert!(told(&[], &[]).ends_with("with <=: there is no such mutant; take its line out"));
    }
}
