//! How much of the core the inputs that are kept reach: by file, and which functions they do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{PACKAGE, of_core, uncovered};
use crate::command::{read, run};
use crate::context::Context;
use crate::install;

/// The functions of the core that no input reaches, with the reason why.
const PAGE: &str = "host-tests/fuzz/UNCOVERED.md";

/// What is counted of a file.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Count {
    of: u64,
    reached: u64,
}

impl Count {
    fn read(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64();
        Some(Self { of: number("count")?, reached: number("covered")? })
    }

    fn add(&mut self, other: Self) {
        self.of += other.of;
        self.reached += other.reached;
    }

    fn percent(self) -> f64 {
        if self.of == 0 { 100.0 } else { 100.0 * self.reached as f64 / self.of as f64 }
    }
}

/// A function by where it begins, and how often it was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) file: String,
    pub(super) name: String,
}

/// Measures, prints a table, and holds what is not reached against the page with the reasons.
pub(super) fn check(context: &Context) -> Result<()> {
    let llvm = Llvm::find()?;
    let report: Value =
        serde_json::from_str(&llvm.measure(context)?).context("llvm-cov's report")?;
    let data = report.pointer("/data/0").context("llvm-cov's report has no data")?;
    print_files(context, data)?;
    let missed = missed(&context.root, data)?;
    let page = context.root.join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let known = uncovered::parse(&text)?;
    let problems = uncovered::compare(&known, &missed);
    println!("{} functions are not reached; {PAGE} says why", missed.len());
    ensure!(problems.is_empty(), "{PAGE}:\n{}", problems.join("\n"));
    Ok(())
}

/// LLVM's programs, of the version of the compiler's own.
struct Llvm {
    version: &'static str,
}

impl Llvm {
    fn find() -> Result<Self> {
        Ok(Self { version: install::llvm()? })
    }

    fn program(&self, name: &str) -> Command {
        Command::new(format!("{name}-{}", self.version))
    }

    /// Runs the tests over the inputs that are kept, and returns what was counted, as JSON.
    fn measure(&self, context: &Context) -> Result<String> {
        let target = context.root.join(context.target_directory()).join("coverage");
        let counts = target.join("counts");
        if counts.exists() {
            fs::remove_dir_all(&counts)?;
        }
        let cargo = |arguments: &[&str]| {
            let test = ["test", "--package", "ottla-fuzz", "--test", "corpus"];
            let mut command = context.cargo(test.iter().chain(arguments).copied());
            command.env("CARGO_TARGET_DIR", &target);
            command.env("RUSTFLAGS", "-C instrument-coverage");
            command.env("LLVM_PROFILE_FILE", counts.join("%p-%m.profraw"));
            command
        };
        let built = read(&mut cargo(&["--no-run", "--message-format=json"]))?;
        // Building runs programs, too, which leave counts of their own.
        if counts.exists() {
            fs::remove_dir_all(&counts)?;
        }
        run(&mut cargo(&[]))?;
        let program = program(&built)?;
        let merged = target.join("merged.profdata");
        let raw = fs::read_dir(&counts).context("nothing was counted")?;
        let raw = raw.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
        run(self
            .program("llvm-profdata")
            .args(["merge", "--sparse", "-o"])
            .arg(&merged)
            .args(raw))?;
        let mut export = self.program("llvm-cov");
        export.args(["export", "--format=text", "--instr-profile"]).arg(&merged).arg(&program);
        read(export.arg(context.root.join("core").join("src")))
    }
}

/// The program that cargo has built for the tests.
fn program(messages: &str) -> Result<PathBuf> {
    let lines = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = lines.filter_map(|message| {
        let is_test = message.pointer("/target/name")? == "corpus";
        let path = message.get("executable")?.as_str()?;
        is_test.then(|| PathBuf::from(path))
    });
    paths.next().with_context(|| format!("cargo has built no tests of {PACKAGE}"))
}

fn print_files(context: &Context, data: &Value) -> Result<()> {
    let names = ["lines", "regions", "functions"];
    let mut all = [Count::default(); 3];
    println!("{:34}{:>15}{:>15}{:>15}", "", names[0], names[1], names[2]);
    let print = |name: &str, counts: &[Count; 3]| {
        print!("{name:34}");
        for count in counts {
            print!("{:>8}{:>6.1}%", format!("{}", count.of), count.percent());
        }
        println!();
    };
    let files = data.get("files").and_then(Value::as_array).context("no files")?;
    for file in files {
        let path = file.get("filename").and_then(Value::as_str).context("a file without a name")?;
        let Some(path) = of_core(&context.root, Path::new(path)) else { continue };
        let mut counts = [Count::default(); 3];
        for ((count, all), name) in counts.iter_mut().zip(&mut all).zip(names) {
            let summary = file.pointer(&format!("/summary/{name}"));
            *count = summary.and_then(Count::read).with_context(|| format!("no {name}"))?;
            all.add(*count);
        }
        print(&path.display().to_string(), &counts);
    }
    ensure!(all[0].of > 0, "nothing of the core was measured");
    print("all", &all);
    Ok(())
}

/// The functions that were never called. One that is compiled several times, for several types, is
/// reached if one of them is.
fn missed(root: &Path, data: &Value) -> Result<Vec<Function>> {
    let mut calls: BTreeMap<(PathBuf, u64), u64> = BTreeMap::new();
    for function in data.get("functions").and_then(Value::as_array).context("no functions")? {
        let file = function.pointer("/filenames/0").and_then(Value::as_str);
        let line = function.pointer("/regions/0/0").and_then(Value::as_u64);
        let count = function.get("count").and_then(Value::as_u64);
        let (Some(file), Some(line), Some(count)) = (file, line, count) else {
            bail!("a function without a file, a line or a count");
        };
        if let Some(file) = of_core(root, Path::new(file)) {
            *calls.entry((file.to_owned(), line)).or_default() += count;
        }
    }
    let mut texts = BTreeMap::new();
    let mut missed = Vec::new();
    for ((file, line), _) in calls.iter().filter(|(_, count)| **count == 0) {
        if !texts.contains_key(file) {
            let path = root.join("core").join("src").join(file);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            texts.insert(file.clone(), text);
        }
        // What has no name of its own, a closure, is part of a function that has.
        if let Some(name) = name(&texts[file], *line) {
            let function = Function { file: file.display().to_string(), name };
            if !missed.contains(&function) {
                missed.push(function);
            }
        }
    }
    Ok(missed)
}

/// The name of the function that begins on a line, after the type that it belongs to, if any.
fn name(text: &str, line: u64) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    let head = lines.get(at)?;
    let name = head.split_once("fn ")?.1;
    let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    let indent = |line: &str| line.len() - line.trim_start().len();
    let outer = (0..at).rev().find(|place| {
        let (line, text) = (lines[*place], lines[*place].trim_start());
        indent(line) < indent(head)
            && [
                "impl",
                "mod ",
                "pub mod ",
                "pub(super) mod ",
                "pub(crate) mod ",
                "trait ",
                "pub trait ",
            ]
            .iter()
            .any(|word| text.starts_with(word))
    });
    let Some(outer) = outer else { return Some(name.to_string()) };
    // A head may go on over lines, up to its brace.
    let lines = lines[outer..at].iter().map(|line| line.trim());
    let end = lines.clone().position(|line| line.ends_with('{')).unwrap_or(0);
    let outer: Vec<&str> = lines.take(end + 1).collect();
    Some(format!("{}::{name}", owner(&outer.join(" "))))
}

/// `Writer` of `impl Put for Writer<'_> {`, `broker` of `pub mod broker {`.
fn owner(head: &str) -> &str {
    let head = head.trim_end_matches('{').trim_end();
    let head = head.rsplit_once(" for ").map_or(head, |(_, name)| name);
    let head = head.rsplit_once("mod ").map_or(head, |(_, name)| name);
    let head = head.rsplit_once("trait ").map_or(head, |(_, name)| name);
    let head = head.strip_prefix("impl").unwrap_or(head);
    let head = if head.starts_with('<') {
        head.split_once("> ").map_or(head, |(_, name)| name)
    } else {
        head
    };
    let end = head.find(['<', ':']).filter(|end| *end > 0).unwrap_or(head.len());
    head[..end].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_after_their_type() {
        let text = "impl<O: Owner> Producer<O> {\n    pub fn topic(\n        &mut self) {}\n}\n\
                    impl Put for Writer<'_> {\n    fn raw(&mut self) {}\n}\nfn alone() {}\n\
                    pub mod broker {\n    impl<'a> Request<'a> {\n        fn read() {}\n    }\n\
                    \x20   fn list() {}\n}\nimpl<\n    const N: usize,\n> Default\n    for Fixed<N>\n\
                    {\n    fn default() {}\n}\n";
        let names: Vec<_> = [2, 6, 8, 11, 13, 20].map(|line| name(text, line)).into();
        let expected = [
            "Producer::topic",
            "Writer::raw",
            "alone",
            "Request::read",
            "broker::list",
            "Fixed::default",
        ];
        assert_eq!(names, expected.map(|name| Some(name.to_string())));
        assert_eq!((name(text, 1), name(text, 0), name(text, 99)), (None, None, None));
    }

    #[test]
    fn a_function_is_reached_if_one_of_its_kinds_is() {
        let root = tempfile_root();
        let file = root.join("core/src/x.rs").display().to_string();
        let function = |line: u64, count: u64| serde_json::json!({"filenames": [file], "regions": [[line, 1]], "count": count});
        let data =
            serde_json::json!({"functions": [function(1, 0), function(1, 3), function(2, 0)]});
        let missed = missed(&root, &data).unwrap();
        assert_eq!(missed, [Function { file: "x.rs".into(), name: "second".into() }]);
        fs::remove_dir_all(root).unwrap();
    }

    fn tempfile_root() -> PathBuf {
        let root = std::env::temp_dir().join(format!("coverage-{}", std::process::id()));
        fs::create_dir_all(root.join("core/src")).unwrap();
        fs::write(root.join("core/src/x.rs"), "fn first() {}\nfn second() {}\n").unwrap();
        root
    }
}
