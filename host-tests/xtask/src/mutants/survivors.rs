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

    /// Sees that every survivor is explained, each as often as it survived.
    pub(super) fn judge(mut self, survivors: &[&Mutant]) -> Result<()> {
        let mut unknown = Vec::new();
        for mutant in survivors {
            match self.0.iter().position(|key| *key == mutant.key) {
                Some(place) => _ = self.0.swap_remove(place),
                None => unknown.push(mutant.name.as_str()),
            }
        }
        ensure!(
            unknown.is_empty(),
            "not caught, and not explained in {FILE}:\n{}",
            unknown.join("\n")
        );
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

    #[test]
    fn each_survivor_has_to_be_explained_once() {
        let text = "# Survivors\n\n- `a.rs: replace < with <=`: it is never equal.\n  Really.\n";
        let (known, other) = (mutant("a.rs: replace < with <="), mutant("a.rs: replace + with -"));
        assert!(Survivors::of(text).judge(&[]).is_ok());
        assert!(Survivors::of(text).judge(&[&known]).is_ok());
        let error = Survivors::of(text).judge(&[&known, &other]).unwrap_err().to_string();
        assert!(error.ends_with("\na.rs: replace + with -, here"), "{error}");
        assert!(Survivors::of(text).judge(&[&known, &known]).is_err());
    }
}
