//! The directory of everything fetched or built once and kept outside the source tree.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// `OTTLA_CACHE`, or `ottla` among the user's caches. Exists on return.
pub(crate) fn directory() -> Result<PathBuf> {
    let directory = set("OTTLA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|caches| caches.join("ottla")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("ottla")))
        .context("no place for a cache: set OTTLA_CACHE")?;
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory)
}

fn set(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Opens a file to be locked. Locks end with the process at the latest, so none can be left behind.
pub(crate) fn lock_file(path: &Path) -> Result<File> {
    let open = File::options().create(true).truncate(false).write(true).open(path);
    open.with_context(|| format!("cannot open {}", path.display()))
}

/// Fills `directory` by `make`, unless that was done before from the same `source`.
///
/// An interrupted or outdated attempt is removed first. The caller holds a lock.
pub(crate) fn make_once(
    directory: &Path,
    source: &str,
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = directory.join("made-from");
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == source) {
        return Ok(());
    }
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    make()?;
    fs::write(&stamp, source).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_again_only_from_another_source_or_after_a_failure() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("jars");
        let mut made = 0;
        let mut make = |source: &str, works: bool| {
            let result = make_once(&directory, source, || {
                made += 1;
                anyhow::ensure!(works);
                Ok(())
            });
            (result.is_ok(), made)
        };
        assert_eq!(make("one", true), (true, 1));
        assert_eq!(make("one", true), (true, 1));
        assert_eq!(make("two", false), (false, 2));
        assert_eq!(make("two", true), (true, 3));
        assert_eq!(make("two", true), (true, 3));
    }
}
