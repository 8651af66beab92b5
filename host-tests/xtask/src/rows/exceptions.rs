//! The table of rows that have no test, or half of one.

use std::fmt;

use anyhow::{Result, bail, ensure};

use super::Row;

/// How much of a row has no test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    Full,
    Half,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Extent::Full => "full",
            Extent::Half => "half",
        })
    }
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) row: Row,
    pub(super) extent: Extent,
    pub(super) why: String,
}

/// Reads a page's lines of the form `| row | full or half | why |`, below the head of their table.
pub(super) fn parse(page: &str) -> Result<Vec<Exception>> {
    let lines = page.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(line).collect()
}

fn line(line: &str) -> Result<Exception> {
    let cells: Vec<&str> = line.trim_matches('|').splitn(3, '|').map(str::trim).collect();
    let [row, extent, why] = cells[..] else { bail!("`{line}` does not have three cells") };
    let extent = match extent {
        "full" => Extent::Full,
        "half" => Extent::Half,
        _ => bail!("`{extent}` is neither `full` nor `half`: `{line}`"),
    };
    ensure!(!why.is_empty(), "`{line}` gives no reason");
    Ok(Exception { row: Row::parse(row)?, extent, why: why.to_owned() })
}
