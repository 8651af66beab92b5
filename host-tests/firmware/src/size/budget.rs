//! The budget: `firmware-examples/sizes.toml`. Its upper part are limits, which people set; below a
//! mark stand sizes as they were measured last.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Measured;

/// Below this line the file is written by the tool.
const MARK: &str = "# Measured; written by `cargo xtask firmware size --save`.\n";

/// Growth beyond so many per cent of what was measured last is an error.
const ALLOWANCE: u64 = 1;

/// Sizes by their names: `flash`, `ram`, `ottla`.
type Amounts = BTreeMap<String, u64>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Budget {
    /// By board: bounds that hold whatever was measured before.
    limits: BTreeMap<String, Amounts>,
    /// Of the sizes below.
    #[serde(default)]
    measured: Measurement,
    /// By board.
    #[serde(default)]
    sizes: BTreeMap<String, Amounts>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measurement {
    compiler: Option<String>,
}

impl Budget {
    pub(super) fn read(text: &str) -> Result<Budget> {
        Ok(toml::from_str(text)?)
    }

    /// What is beyond its limit.
    pub(super) fn limits_passed(&self, boards: &[Measured]) -> Vec<String> {
        self.compare(&self.limits, boards, |limit| limit, "the limit is")
    }

    /// What is beyond its limit, or has grown. Another compiler than the one before makes other
    /// code; then only the limits count.
    pub(super) fn problems(&self, compiler: &str, boards: &[Measured]) -> Vec<String> {
        let mut problems = self.limits_passed(boards);
        if self.measured.compiler.as_deref() == Some(compiler) {
            let bound = |before| before + before * ALLOWANCE / 100;
            problems.extend(self.compare(&self.sizes, boards, bound, "it was"));
            if !problems.is_empty() {
                problems.push("if growth is meant: `cargo xtask firmware size --save`".to_owned());
            }
        } else {
            println!(
                "growth is not checked, only limits: the budget is of {}, this is {compiler}",
                self.measured.compiler.as_deref().unwrap_or("no compiler")
            );
        }
        problems
    }

    fn compare(
        &self,
        kept: &BTreeMap<String, Amounts>,
        boards: &[Measured],
        bound: impl Fn(u64) -> u64,
        words: &str,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for board in boards {
            let now = amounts(board);
            for (name, before) in kept.get(&board.folder).into_iter().flatten() {
                match now.get(name.as_str()) {
                    Some(now) if *now <= bound(*before) => {}
                    Some(now) => problems
                        .push(format!("{}: {name} is {now} bytes, {words} {before}", board.folder)),
                    None => problems.push(format!("{}: {name} is not measured", board.folder)),
                }
            }
        }
        problems
    }
}

fn amounts(board: &Measured) -> BTreeMap<&'static str, u64> {
    let added = |of: fn(&super::Sizes) -> u64| of(&board.plain).saturating_sub(of(&board.bare));
    BTreeMap::from([
        ("flash", board.plain.flash()),
        ("ram", board.plain.ram()),
        ("ottla", board.plain.ottla()),
        ("ottla_flash", added(super::Sizes::flash)),
        ("ottla_ram", added(super::Sizes::ram)),
    ])
}

/// The file with other sizes.
pub(super) fn with_sizes(text: &str, compiler: &str, boards: &[Measured]) -> Result<String> {
    let (limits, _) = text
        .split_once(MARK)
        .with_context(|| format!("the line `{}` is missing", MARK.trim_end()))?;
    let mut file = format!("{limits}{MARK}[measured]\ncompiler = \"{compiler}\"\n");
    for board in boards {
        write!(file, "\n[sizes.{}]\n", board.folder)?;
        for (name, size) in amounts(board) {
            writeln!(file, "{name} = {size}")?;
        }
    }
    Ok(file)
}
