//! The table of boards in the README of their folder, out of the matrix.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{Board, FOLDER};

/// Text between two of these is the table.
const MARK: &str = "<!-- boards -->";

/// The README of the boards: where it is, its text as it is, and as it should be.
pub fn readme(root: &Path) -> Result<(PathBuf, String, String)> {
    let path = root.join(FOLDER).join("README.md");
    let now = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let current = between_marks(&now, MARK, &table(&crate::all(root)?))
        .with_context(|| format!("in {}", path.display()))?;
    Ok((path, now, current))
}

fn table(boards: &[Board]) -> String {
    let mut table = String::from(
        "| folder | board | core | flash | RAM | network | how tested |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for Board { folder, name, core, flash, ram, network, tested, .. } in boards {
        let (flash, ram) = (size(*flash), size(*ram));
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| [{folder}]({folder}) | {name} | {core} | {flash} | {ram} | {network} | {tested} |"
        );
    }
    table
}

fn size(bytes: u32) -> String {
    const KIB: u32 = 1 << 10;
    const MIB: u32 = 1 << 20;
    if bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{} KiB", bytes / KIB)
    }
}

/// A text with something else between its two marks.
pub fn between_marks(text: &str, mark: &str, with: &str) -> Result<String> {
    let parts: Vec<&str> = text.split(mark).collect();
    ensure!(
        parts.len() == 3,
        "the mark {mark} has to stand before and after the table, each in a line of its own"
    );
    Ok([parts[0], mark, "\n\n", with, "\n", mark, parts[2]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_boards_is_current() {
        let (_, now, current) = readme(crate::tests::root()).unwrap();
        assert_eq!(now, current, "run `cargo xtask firmware table`");
    }

    #[test]
    fn what_stands_between_marks_is_replaced_and_nothing_else() {
        let text =
            between_marks("a\n<!-- x -->\nold\n<!-- x -->\nb\n", "<!-- x -->", "new\n").unwrap();
        assert_eq!(text, "a\n<!-- x -->\n\nnew\n\n<!-- x -->\nb\n");
        assert_eq!(between_marks(&text, "<!-- x -->", "new\n").unwrap(), text);
        assert!(between_marks("no mark", "<!-- x -->", "").is_err());
    }

    #[test]
    fn sizes_are_in_the_larger_unit_that_divides_them() {
        assert_eq!(size(2 << 20), "2 MiB");
        assert_eq!(size(270_336), "264 KiB");
    }
}
