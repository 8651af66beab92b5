//! The mutants that there are.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::context::Context;
use crate::tree::Tree;

/// A change of the core.
pub(super) struct Mutant {
    /// File, line, column, and what is changed.
    pub(super) name: String,
    pub(super) file: String,
    /// File and what is changed: what of the name stays when lines move.
    pub(super) key: String,
    /// The change, as a patch.
    pub(super) diff: String,
}

/// What cargo-mutants tells of one.
#[derive(Deserialize)]
struct Told {
    name: String,
    file: String,
    diff: String,
}

impl Mutant {
    /// All of the core.
    pub(super) fn all(context: &Context, tree: &Tree, program: &Path) -> Result<Vec<Mutant>> {
        let mut command = super::command(context, tree, program);
        let text = super::said(command.args(["--list", "--json", "--diff"]), &[0])?;
        let told: Vec<Told> = serde_json::from_str(&text).context("the list of mutants")?;
        told.into_iter().map(Mutant::of).collect()
    }

    fn of(told: Told) -> Result<Mutant> {
        let Told { name, file, diff } = told;
        // core/src/link/mod.rs:12:34: replace ...
        let key = key(&name).with_context(|| format!("not understood: {name}"))?;
        let (_, change) = diff.split_once("\n@@").with_context(|| name.clone())?;
        let diff = format!("{name}\n\n--- a/{file}\n+++ b/{file}\n@@{change}");
        Ok(Mutant { name, file, key, diff })
    }
}

/// A name without its line and column.
fn key(name: &str) -> Option<String> {
    let (file, rest) = name.split_once(':')?;
    let (_, rest) = rest.split_once(':')?;
    let (_, change) = rest.split_once(": ")?;
    Some(format!("{file}: {change}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_known_when_lines_move() {
        let told = |line: u32| Told {
            name: format!("core/src/a.rs:{line}:9: replace a::b -> bool with true"),
            file: "core/src/a.rs".into(),
            diff: "--- core/src/a.rs\n+++ replace\n@@ -1 +1 @@\n-a\n+b\n".into(),
        };
        let (one, other) = (Mutant::of(told(3)).unwrap(), Mutant::of(told(4)).unwrap());
        assert_eq!(one.key, "core/src/a.rs: replace a::b -> bool with true");
        assert_eq!(one.key, other.key);
        assert!(one.diff.contains("\n--- a/core/src/a.rs\n+++ b/core/src/a.rs\n@@ -1 +1 @@\n-a"));
    }
}
