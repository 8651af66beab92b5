//! A planted bug: a heading that says what it is, and a change of the core.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchKind, PatchSet};

use crate::tree::Tree;

/// Where planted bugs are kept.
pub(super) const DIRECTORY: &str = "host-tests/planted";

/// There are at least so many.
const LEAST: usize = 20;

/// The last of the promises, which are I1 and so on, and of the rules.
const PROMISES: u8 = 21;
const RULES: u8 = 21;

/// A planted bug.
pub(crate) struct Planted {
    /// The name of its file, without the ending.
    pub(crate) name: String,
    text: String,
}

impl Planted {
    /// All of them, by name.
    ///
    /// # Errors
    /// There are fewer than there have to be.
    pub(super) fn all(root: &Path) -> Result<Vec<Planted>> {
        let mut all = Vec::new();
        let directory = root.join(DIRECTORY);
        for entry in fs::read_dir(&directory).with_context(|| DIRECTORY.to_owned())? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "patch") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let text = fs::read_to_string(&path).with_context(|| name.clone())?;
                all.push(Planted { name, text });
            }
        }
        let count = all.len();
        ensure!(count >= LEAST, "{DIRECTORY} has {count} planted bugs, fewer than {LEAST}");
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// A change that was made by a program.
    pub(crate) fn made(name: String, text: String) -> Planted {
        Planted { name, text }
    }

    /// What stands above the change.
    pub(super) fn heading(&self) -> &str {
        self.text.split("\n--- ").next().unwrap_or_default().trim()
    }

    /// The heading's first line.
    pub(super) fn title(&self) -> &str {
        self.heading().lines().next().unwrap_or_default()
    }

    /// The promises that it breaks: its heading ends with a line like `Breaks: I2, I11; R2, R8`,
    /// in which the rules that it goes against may stand behind them.
    pub(super) fn breaks(&self) -> Result<Vec<&str>> {
        let line = self.heading().lines().last().and_then(|line| line.strip_prefix("Breaks: "));
        let line = line.with_context(|| format!("{}: no last line `Breaks: `", self.name))?;
        let (promises, rules) = line.split_once("; ").map_or((line, None), |(p, r)| (p, Some(r)));
        let promises: Vec<&str> = promises.split(", ").collect();
        let are = |names: &[&str], letter, most| {
            names.iter().all(|name| {
                let number = name.strip_prefix(letter).and_then(|n| n.parse::<u8>().ok());
                number.is_some_and(|n| (1..=most).contains(&n) && *name == format!("{letter}{n}"))
            })
        };
        ensure!(
            are(&promises, 'I', PROMISES)
                && rules.is_none_or(|rules| are(
                    &rules.split(", ").collect::<Vec<_>>(),
                    'R',
                    RULES
                )),
            "{}: not understood: {line}",
            self.name
        );
        Ok(promises)
    }

    /// What the changed files become, by their paths.
    ///
    /// # Errors
    /// It does not apply to the files below `root`; its name is told.
    pub(super) fn files(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>> {
        self.changed(root).with_context(|| format!("{} does not apply", self.name))
    }

    fn changed(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>> {
        let mut files = BTreeMap::new();
        for part in PatchSet::parse(&self.text, ParseOptions::unidiff()) {
            let part = part.map_err(|error| anyhow!("{error}"))?;
            let FileOperation::Modify { modified, .. } = part.operation().strip_prefix(1) else {
                bail!("it makes or removes a file");
            };
            let path = PathBuf::from(&*modified);
            ensure!(path.starts_with("core/src"), "{} is no file of the core", path.display());
            let PatchKind::Text(patch) = part.patch() else { bail!("it is no text") };
            let told = || path.display().to_string();
            let old = fs::read_to_string(root.join(&path)).with_context(told)?;
            let new = diffy::apply(&old, patch).with_context(told)?;
            ensure!(new != old, "{} stays as it is", path.display());
            files.insert(path, new);
        }
        ensure!(!files.is_empty(), "it changes nothing");
        Ok(files)
    }

    /// Plants it in a copy of the workspace, and nothing beside it.
    pub(crate) fn plant(&self, tree: &Tree) -> Result<()> {
        tree.restore()?;
        for (path, content) in self.files(&tree.root)? {
            tree.write(&path, content.as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Context, Depth};

    fn root() -> PathBuf {
        Context::new(Depth::Quick).unwrap().root
    }

    #[test]
    fn all_apply_and_say_what_they_break() {
        let all = Planted::all(&root()).unwrap();
        for planted in &all {
            planted.files(&root()).unwrap();
            let heading = planted.heading();
            assert!(heading.lines().count() >= 3, "{}: its heading is too short", planted.name);
            assert!(!planted.breaks().unwrap().is_empty());
        }
    }

    #[test]
    fn a_directory_with_few_of_them_is_no_proof() {
        let root = std::env::temp_dir().join(format!("ottla-planted-{}", std::process::id()));
        fs::create_dir_all(root.join(DIRECTORY)).unwrap();
        let told = || Planted::all(&root).map(|all| all.len()).unwrap_err().to_string();
        assert!(told().contains("has 0 planted bugs"), "{}", told());
        fs::write(root.join(DIRECTORY).join("01-one.patch"), "A bug.").unwrap();
        assert!(told().contains("has 1 planted bugs"), "{}", told());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_it_breaks_is_data() {
        let of = |line: &str| {
            let text = format!("A bug.\n\nWho had it.\n{line}\n\n--- a/core/src/lib.rs\n");
            Planted::made("96-breaks".into(), text).breaks().map(|all| all.join(" ")).ok()
        };
        assert_eq!(of("Breaks: I2, I11; R2, R8").as_deref(), Some("I2 I11"));
        assert_eq!(of("Breaks: I17").as_deref(), Some("I17"));
        for line in ["Breaks I2.", "Breaks: ", "Breaks: I2, R8", "Breaks: I22", "Breaks: I2; I3"] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn what_does_not_apply_is_told_by_name() {
        let text = "A bug.\n\n--- a/core/src/lib.rs\n+++ b/core/src/lib.rs\n@@ -1 +1 @@\n\
                    -no such line\n+another\n";
        let planted = Planted::made("99-nowhere".into(), text.into());
        let error = format!("{:#}", planted.files(&root()).unwrap_err());
        assert!(error.starts_with("99-nowhere does not apply: core/src/lib.rs"), "{error}");
        let planted = Planted::made("98-elsewhere".into(), text.replace("core/src", "src"));
        let error = format!("{:#}", planted.files(&root()).unwrap_err());
        assert!(error.contains("is no file of the core"), "{error}");
        let planted = Planted::made("97-nothing".into(), "A bug.".into());
        assert!(planted.files(&root()).is_err());
    }
}
