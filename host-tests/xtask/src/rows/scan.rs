//! Finding the tests that are named after rows, in the sources of the workspace and among the
//! scenario scripts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use syn::visit::Visit;
use syn::{Attribute, ItemFn};

use super::Row;

/// Categories of rows. Tests named `i19_…` or `r03_…` are about promises and rules.
const CATEGORIES: &str = "abcdefghkl";

/// Where the scenario scripts are.
const SCRIPTS: &str = "host-tests/scenarios";

/// A test that is named after a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) row: Row,
    pub(super) name: String,
    pub(super) file: String,
}

/// All tests that are named after rows.
pub(super) fn tests(root: &Path) -> Result<Vec<Test>> {
    let mut folders = vec![root.join("core/src")];
    for parent in ["adapters", "host-tests"] {
        for package in entries(&root.join(parent))? {
            folders.extend(["src", "tests"].map(|part| package.join(part)));
        }
    }
    let mut tests = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for file in sources(folder)? {
            let text = fs::read_to_string(&file)?;
            let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            tests.extend(tests_of(&text, &name).with_context(|| name.clone())?);
        }
    }
    for file in entries(&root.join(SCRIPTS))? {
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        tests.extend(script(&name));
    }
    Ok(tests)
}

/// Whether a file is a scenario script.
pub(super) fn is_script(file: &str) -> bool {
    let path = Path::new(file);
    path.parent() == Some(Path::new(SCRIPTS)) && path.extension().is_some_and(|end| end == "txt")
}

/// The test that a file is, if it is a script that is named after a row.
pub(super) fn script(file: &str) -> Option<Test> {
    let name = Path::new(file).file_stem()?.to_str()?;
    let row = row_of(name).filter(|_| is_script(file))?;
    Some(Test { row, name: name.to_owned(), file: file.to_owned() })
}

/// What is in a folder, in the order of names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> =
        read.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The tests of one source file. It is parsed, so that what stands in comments, in strings, or
/// among functions that are not tests is not taken for one.
pub(super) fn tests_of(text: &str, file: &str) -> Result<Vec<Test>> {
    let mut finder = Finder { file, tests: Vec::new() };
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.tests)
}

struct Finder<'a> {
    file: &'a str,
    tests: Vec<Test>,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let name = function.sig.ident.to_string();
        if is_test(&function.attrs)
            && let Some(row) = row_of(&name)
        {
            self.tests.push(Test { row, name, file: self.file.to_owned() });
        }
    }
}

/// Whether a function is run as a test: `#[test]`, or an attribute like `#[tokio::test(…)]`.
fn is_test(attributes: &[Attribute]) -> bool {
    let is_named = |attribute: &Attribute, name: &str| {
        attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
    };
    attributes.iter().any(|attribute| is_named(attribute, "test"))
        && !attributes.iter().any(|attribute| is_named(attribute, "ignore"))
}

/// The row that a name begins with: `d35_…` is of row D 35.
fn row_of(name: &str) -> Option<Row> {
    let (start, _) = name.split_once('_')?;
    let category = start.chars().next().filter(|letter| CATEGORIES.contains(*letter))?;
    let digits = &start[1..];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Row { category: category.to_ascii_uppercase(), number: digits.parse().ok()? })
}
