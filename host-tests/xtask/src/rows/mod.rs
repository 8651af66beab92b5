//! `cargo xtask rows`: every scenario row has a test that is named after it, or a stated reason.
//!
//! The rows are in `rows.txt`, the reasons in `ROWS.md` beside the producer's tests. A test of row
//! 35 of category D is a function `d35_…`, in any package of the workspace, or a scenario script
//! `d35_….txt`, which the tests of their package run.

mod exceptions;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::context::Context;
use exceptions::{Exception, Extent};
use scan::Test;

/// The rows: category, number, and what each is about.
const ROWS: &str = "host-tests/xtask/rows.txt";

/// Rows without a test, or with half of one.
const EXCEPTIONS: &str = "core/src/producer/tests/ROWS.md";

/// A row's name: its category and its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Row {
    category: char,
    number: u32,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.category, self.number)
    }
}

impl Row {
    /// Reads `A 12`.
    fn parse(text: &str) -> Result<Row> {
        let parts = text.split_once(' ');
        let (category, number) = parts.with_context(|| format!("`{text}` is not a row"))?;
        let (Some(category), None) = (category.chars().next(), category.chars().nth(1)) else {
            bail!("`{text}` is not a row");
        };
        let number = number.parse().with_context(|| format!("`{text}` is not a row"))?;
        Ok(Row { category, number })
    }
}

/// What rows are about, by row.
type Rows = BTreeMap<Row, String>;

/// Lists the rows without a test, and fails if one of them has no reason.
pub(crate) fn list(context: &Context) -> Result<()> {
    let rows = rows(context)?;
    let exceptions = exceptions(context)?;
    for Exception { row, extent, why } in &exceptions {
        let about = rows.get(row).map_or("?", String::as_str);
        println!("{:6} {extent:5} {about}: {why}", row.to_string());
    }
    verdict(context, &rows, &exceptions)
}

/// The same as a step of the checks, which tells no more than it has to.
pub(crate) fn check(context: &Context) -> Result<()> {
    verdict(context, &rows(context)?, &exceptions(context)?)
}

fn verdict(context: &Context, rows: &Rows, exceptions: &[Exception]) -> Result<()> {
    let tests = scan::tests(&context.root)?;
    let problems = problems(rows, exceptions, &tests);
    for problem in &problems {
        println!("   {problem}");
    }
    ensure!(problems.is_empty(), "{} row(s) are not as listed in {EXCEPTIONS}", problems.len());
    let full = exceptions.iter().filter(|exception| exception.extent == Extent::Full).count();
    let scripts = tests.iter().filter(|test| scan::is_script(&test.file)).count();
    println!(
        "   {} rows: {} with {} tests, {scripts} of which are scripts, {} of them by half; \
         {full} without, for a reason",
        rows.len(),
        rows.len() - full,
        tests.len(),
        exceptions.len() - full,
    );
    Ok(())
}

/// What does not fit together, a line each.
fn problems(rows: &Rows, exceptions: &[Exception], tests: &[Test]) -> Vec<String> {
    let mut problems = Vec::new();
    let tested: BTreeSet<Row> = tests.iter().map(|test| test.row).collect();
    for Test { row, name, file } in tests {
        if !rows.contains_key(row) {
            problems.push(format!("{name} in {file}: there is no row {row}"));
        }
    }
    let mut listed = BTreeMap::new();
    for Exception { row, extent, .. } in exceptions {
        if !rows.contains_key(row) {
            problems.push(format!("row {row} is listed, and does not exist"));
        }
        if listed.insert(*row, *extent).is_some() {
            problems.push(format!("row {row} is listed twice"));
        }
    }
    for (row, about) in rows {
        match (listed.get(row), tested.contains(row)) {
            (None, true) | (Some(Extent::Half), true) | (Some(Extent::Full), false) => {}
            (None, false) => problems.push(format!("row {row} has no test: {about}")),
            (Some(Extent::Half), false) => {
                problems.push(format!("row {row} is listed as half, and has no test: {about}"));
            }
            (Some(Extent::Full), true) => {
                problems.push(format!("row {row} is listed as without a test, and has one"));
            }
        }
    }
    problems
}

fn rows(context: &Context) -> Result<Rows> {
    parse_rows(&read(context, ROWS)?).context(ROWS)
}

fn exceptions(context: &Context) -> Result<Vec<Exception>> {
    exceptions::parse(&read(context, EXCEPTIONS)?).context(EXCEPTIONS)
}

fn read(context: &Context, file: &str) -> Result<String> {
    fs::read_to_string(context.root.join(file)).with_context(|| format!("cannot read {file}"))
}

/// Reads lines like `A 12 a commit makes everything ready`.
fn parse_rows(text: &str) -> Result<Rows> {
    let mut rows = Rows::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (at, _) = line.match_indices(' ').nth(1).with_context(|| format!("`{line}`"))?;
        let row = Row::parse(&line[..at])?;
        let about = line[at..].trim();
        ensure!(!about.is_empty(), "`{line}` says nothing");
        ensure!(rows.insert(row, about.to_owned()).is_none(), "row {row} stands there twice");
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
