//! `cargo xtask figures`: runs a proof at the size at which it is reported, and keeps what it said in
//! `host-tests/README.md`, between two marks.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use board_matrix::between_marks;
use clap::{Args, ValueEnum};

use crate::command::hear;
use crate::context::Context;
use crate::simulate::commit;

/// The page with the figures.
const PAGE: &str = "host-tests/README.md";

/// Ticks of a second in which the kernel counts the time of processes; the same on every Linux.
const TICKS: u64 = 100;

/// What `cargo xtask figures` takes.
#[derive(Args)]
pub(crate) struct Figures {
    /// Which
    proof: Proof,
    /// Its own arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// A proof that has figures.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Proof {
    Simulate,
    Search,
    Fuzz,
    Coverage,
    Planted,
    Mutants,
}

impl Proof {
    const ALL: [Self; 6] =
        [Self::Simulate, Self::Search, Self::Fuzz, Self::Coverage, Self::Planted, Self::Mutants];

    const fn mark(self) -> &'static str {
        match self {
            Self::Simulate => "<!-- simulate -->",
            Self::Search => "<!-- search -->",
            Self::Fuzz => "<!-- fuzz -->",
            Self::Coverage => "<!-- coverage -->",
            Self::Planted => "<!-- planted -->",
            Self::Mutants => "<!-- mutants -->",
        }
    }

    /// What it is called as, behind `cargo xtask`.
    const fn command(self) -> &'static [&'static str] {
        match self {
            Self::Simulate => &["simulate"],
            Self::Search => &["search"],
            Self::Fuzz => &["fuzz"],
            Self::Coverage => &["fuzz", "--coverage"],
            Self::Planted => &["planted"],
            Self::Mutants => &["mutants"],
        }
    }

    /// Of all that it says, what belongs on the page.
    fn choose(self, said: &[String]) -> Vec<&str> {
        let lines = said.iter().map(|line| line.trim_end());
        match self {
            Self::Simulate => lines.skip_while(|line| !line.starts_with("checker")).collect(),
            Self::Search => lines.filter(|l| !l.is_empty() && !l.starts_with("  ")).collect(),
            Self::Fuzz => lines.filter(|line| !line.is_empty()).collect(),
            Self::Coverage => {
                let end = |line: &&str| line.starts_with("all") || line.contains("not reached");
                lines.filter(end).collect()
            }
            Self::Planted => lines.rev().take(1).collect(),
            Self::Mutants => lines.skip_while(|line| !line.is_empty()).skip(1).collect(),
        }
    }
}

impl Figures {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut arguments = self.proof.command().to_vec();
        arguments.extend(self.arguments.iter().map(String::as_str));
        let line = format!("cargo xtask {}", arguments.join(" "));
        // What it keeps in the tree is not what it was run on.
        let commit = commit(context);
        let before = cpu_seconds()?;
        let said = hear(context.cargo(["xtask"]).args(&arguments))?;
        let seconds = cpu_seconds()? - before;
        let chosen = self.proof.choose(&said);
        ensure!(!chosen.is_empty(), "`{line}` said nothing that is kept");
        let text = format!(
            "```\n$ {line}      # commit {commit}, {seconds} s of CPU time, builds included\n{}\n```\n",
            chosen.join("\n")
        );
        let path = context.root.join(PAGE);
        let page = read(&path)?;
        fs::write(&path, between_marks(&page, self.proof.mark(), &text)?)?;
        println!("kept in {PAGE}");
        Ok(())
    }
}

/// The check: the page has the figures of each, or says why not.
pub(crate) fn check(context: &Context) -> Result<()> {
    let page = read(&context.root.join(PAGE))?;
    for proof in Proof::ALL {
        let mark = proof.mark();
        let parts: Vec<&str> = page.split(mark).collect();
        ensure!(
            parts.len() == 3 && !parts[1].trim().is_empty(),
            "{PAGE} says nothing between two marks {mark}: `cargo xtask figures`"
        );
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// The time that processors have spent for the children of this process that have ended.
pub(crate) fn cpu_seconds() -> Result<u64> {
    let text = read(Path::new("/proc/self/stat"))?;
    // Behind the program's name, which may hold anything.
    let (_, fields) = text.rsplit_once(')').context("/proc/self/stat")?;
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|f| f.parse::<u64>().ok());
    let (user, system) = ticks(13).zip(ticks(14)).context("/proc/self/stat has no child times")?;
    Ok((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(proof: Proof, said: &str) -> String {
        let said: Vec<String> = said.lines().map(String::from).collect();
        proof.choose(&said).join("|")
    }

    #[test]
    fn what_belongs_on_the_page_is_chosen() {
        assert_eq!(
            chosen(Proof::Simulate, "fault  hits\nx 3\n\nchecker  judged\nI1 5\n"),
            "checker  judged|I1 5"
        );
        assert_eq!(chosen(Proof::Search, "pairs\n  faults 3\n\n5 worlds"), "pairs|5 worlds");
        assert_eq!(chosen(Proof::Planted, "01 found\n2 of 2 found"), "2 of 2 found");
        assert_eq!(
            chosen(Proof::Mutants, "4 mutants: x\na: survived\n\n    4 mutants\n3 of 4"),
            "    4 mutants|3 of 4"
        );
    }

    #[test]
    fn time_of_children_is_counted() {
        let before = cpu_seconds().unwrap();
        assert!(cpu_seconds().unwrap() >= before);
    }
}
