//! A copy of the workspace in which the core may be changed. The product's own tree never is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::context::Context;

/// A copy of the workspace, and where what is built of it goes: one place for all changes, so that
/// only the core and what stands on it is built again.
pub(crate) struct Tree {
    source: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// Held while the copy is in use: there is one, and whoever comes second waits.
    _lock: Option<File>,
}

impl Tree {
    /// The copy, made or brought up to date.
    pub(crate) fn new(context: &Context) -> Result<Tree> {
        let place = context.root.join(context.target_directory()).join("changed-core");
        let told = || place.display().to_string();
        fs::create_dir_all(&place).with_context(told)?;
        let lock = File::create(place.join("lock")).with_context(told)?;
        lock.lock().with_context(told)?;
        let (root, target) = (place.join("tree"), place.join("build"));
        let tree = Tree { source: context.root.clone(), root, target, _lock: Some(lock) };
        tree.restore()?;
        Ok(tree)
    }

    /// Makes the copy what the workspace is. Files that are the same stay as they are, so that
    /// cargo does not take them for changed.
    pub(crate) fn restore(&self) -> Result<()> {
        let wanted = files(&self.source)?;
        for path in files(&self.root)?.difference(&wanted) {
            fs::remove_file(self.root.join(path)).with_context(|| path.display().to_string())?;
        }
        for path in &wanted {
            let content = fs::read(self.source.join(path));
            self.write(path, &content.with_context(|| path.display().to_string())?)?;
        }
        Ok(())
    }

    /// Gives a file this content.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let at = self.root.join(path);
        if fs::read(&at).is_ok_and(|old| old == content) {
            return Ok(());
        }
        let told = || at.display().to_string();
        fs::create_dir_all(at.parent().unwrap_or(&self.root)).with_context(told)?;
        fs::write(&at, content).with_context(told)
    }

    /// The context's cargo, in the copy.
    pub(crate) fn cargo<'a>(
        &self,
        context: &Context,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let mut cargo = context.cargo(arguments);
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }
}

/// The files below a directory, by their paths in it; without hidden ones and what was built.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let at = root.join(&directory);
        if !at.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&at).with_context(|| at.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            let is_hidden = name.to_string_lossy().starts_with('.');
            let path = directory.join(&name);
            if entry.file_type()?.is_dir() {
                if !is_hidden && name != "target" {
                    open.push(path);
                }
            } else if !is_hidden {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Depth;

    #[test]
    fn what_is_copied_is_source() {
        let context = Context::new(Depth::Quick).unwrap();
        let files = files(&context.root).unwrap();
        assert!(files.contains(Path::new("core/src/lib.rs")));
        assert!(files.contains(Path::new("Cargo.lock")));
        assert!(files.iter().all(|path| !path.starts_with("target") && !path.starts_with(".git")));
    }

    #[test]
    fn a_copy_is_brought_back_to_what_it_is_a_copy_of() {
        let place = std::env::temp_dir().join(format!("ottla-tree-{}", std::process::id()));
        let (source, root) = (place.join("source"), place.join("tree"));
        fs::create_dir_all(source.join("a")).unwrap();
        fs::write(source.join("a/b"), "as it is").unwrap();
        let tree = Tree { source, root, target: place.join("build"), _lock: None };
        tree.restore().unwrap();
        tree.write(Path::new("a/b"), b"changed").unwrap();
        tree.write(Path::new("a/c"), b"added").unwrap();
        tree.restore().unwrap();
        assert_eq!(fs::read_to_string(tree.root.join("a/b")).unwrap(), "as it is");
        assert!(!tree.root.join("a/c").exists());
        fs::remove_dir_all(place).unwrap();
    }
}
