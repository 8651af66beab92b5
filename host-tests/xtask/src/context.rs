//! What every step is told.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The variable with which tests record what they have seen. Checks unset it, for with it they would
/// pass whatever they see.
pub(crate) const UPDATE: &str = "UPDATE";

/// How much is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The inner loop.
    Quick,
    /// What every change has to pass.
    Normal,
    /// With the long runs.
    Full,
}

/// Where the project is, and how much of it is checked.
pub(crate) struct Context {
    pub(crate) depth: Depth,
    pub(crate) root: PathBuf,
}

impl Context {
    pub(crate) fn new(depth: Depth) -> Result<Context> {
        let this_package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = this_package.ancestors().nth(2).context("xtask is not where it was built")?;
        Ok(Context { depth, root: root.to_owned() })
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.depth == Depth::Quick
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target_directory(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }

    /// The cargo that runs this program, at the root of the workspace.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(arguments).env_remove(UPDATE);
        command
    }

    /// `cargo test`, at full depth with the variable by which tests know that they may take long.
    pub(crate) fn cargo_test(&self) -> Command {
        let mut command = self.cargo(["test"]);
        if self.depth == Depth::Full {
            command.env("OTTLA_LONG_TESTS", "1");
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_record_nothing() {
        let context = Context::new(Depth::Quick).unwrap();
        for command in [context.cargo(["run"]), context.cargo_test()] {
            assert!(command.get_envs().any(|variable| variable == (UPDATE.as_ref(), None)));
        }
    }
}
