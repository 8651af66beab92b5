//! Mutants: small changes of the core, made by cargo-mutants. Unit tests have to catch each; of
//! those that survive, the simulator and the search. Who survives those, too, is explained in a file.

mod list;
mod outcomes;
mod survivors;

use std::fmt;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::context::{Context, Depth, UPDATE};
use crate::draw::draw;
use crate::install;
use crate::planted::{Found, Hunt, Planted, Verdict};
use crate::tree::Tree;
use list::Mutant;
use outcomes::Fate;
use survivors::Survivors;

/// All of these files' mutants are looked at.
const WHOLE: &str = "core/src/identity/";

/// And some of these.
const DRAWN_FROM: [&str; 4] =
    ["core/src/producer/", "core/src/link/", "core/src/record/", "core/src/cluster/"];

/// How mutants and the tests that look at them are built; see the workspace's manifest.
const PROFILE: &str = "mutants";

/// Seconds that a run of the unit tests may take; they take one.
const TIMEOUT: &str = "20";

/// Of viable mutants that came to an end, so many of a hundred have to be caught.
const LEAST: usize = 95;

/// Of all mutants, at most so many of a hundred may run into the time limit, and at least so many
/// have to be judged: what is left out says nothing.
const LATE_MOST: usize = 10;
const JUDGED_LEAST: usize = 75;

/// What `cargo xtask mutants` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The seed that draws from producer, link, record and cluster
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many are drawn from them, beside all of identity
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Only those that are drawn, without identity
    #[arg(long)]
    drawn: bool,
    /// Only mutants whose name has this text, of all of the core; nothing is drawn
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Seeds of the simulator for a mutant that unit tests did not catch
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// Lists the mutants and tests none
    #[arg(long)]
    list: bool,
}

/// The check: all of identity; at full depth those that are drawn, too.
pub(crate) fn check(context: &Context) -> Result<()> {
    let count = if context.depth == Depth::Full { 200 } else { 0 };
    Arguments { seed: 1, count, drawn: false, only: None, seeds: 300, list: false }.run(context)
}

impl Arguments {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let cargo_mutants = install::cargo_tool(context, &install::CARGO_MUTANTS)?;
        let tree = Tree::new(context)?;
        let all = Mutant::all(context, &tree, &cargo_mutants)?;
        let keys: Vec<String> = all.iter().map(|mutant| mutant.key.clone()).collect();
        let wanted = self.choose(all);
        self.is_enough(&wanted)?;
        match &self.only {
            Some(text) => println!("{} mutants with `{text}` in their names", wanted.len()),
            None => {
                let also = if self.drawn { "" } else { "all of identity, and " };
                println!("{} mutants: {also}{} by seed {}", wanted.len(), self.count, self.seed);
            }
        }
        if self.list {
            wanted.iter().for_each(|mutant| println!("{}", mutant.name));
            return Ok(());
        }
        let begun = Instant::now();
        let fates = outcomes::test(context, &tree, &cargo_mutants, &wanted)?;
        let unit_seconds = begun.elapsed().as_secs_f64();
        let missed: Vec<&Mutant> = of(&wanted, &fates, Fate::Missed).collect();
        let begun = Instant::now();
        let verdicts = self.look(context, &tree, &missed)?;
        let seconds = begun.elapsed().as_secs_f64();

        let that = |wanted: Verdict| {
            let all = missed.iter().zip(&verdicts);
            all.filter(move |(_, verdict)| **verdict == wanted).map(|(mutant, _)| *mutant)
        };
        let survivors: Vec<&Mutant> = that(Verdict::Nothing).collect();
        let late: Vec<&Mutant> =
            of(&wanted, &fates, Fate::TimedOut).chain(that(Verdict::NoEnd)).collect();
        let count = |fate| of(&wanted, &fates, fate).count();
        let tally = Tally {
            wanted: wanted.len(),
            unviable: count(Fate::Unviable),
            late: late.len(),
            by_unit_tests: count(Fate::Caught),
            by_others: verdicts.iter().filter_map(Verdict::found).count(),
        };
        println!("\n{tally}");
        println!("(unit tests: {unit_seconds:.0} s; the simulator and the search: {seconds:.0} s)");
        for mutant in &late {
            println!("time: {}", mutant.name);
        }
        let is_late = |mutant: &Mutant| late.iter().any(|late| late.name == mutant.name);
        let judged: Vec<&Mutant> = wanted.iter().filter(|mutant| !is_late(mutant)).collect();
        Survivors::read(context)?.judge(&keys, &judged, &survivors)?;
        tally.judge()
    }

    /// Where a file got another name, nothing would be looked at any more.
    fn is_enough(&self, wanted: &[Mutant]) -> Result<()> {
        ensure!(!wanted.is_empty(), "no mutant is wanted");
        if self.only.is_some() {
            return Ok(());
        }
        let whole = wanted.iter().filter(|mutant| mutant.file.starts_with(WHOLE)).count();
        ensure!(self.drawn || whole > 0, "{WHOLE} has no mutants");
        let drawn = wanted.len() - whole;
        ensure!(
            drawn == self.count,
            "there are {drawn} mutants to draw, fewer than {}",
            self.count
        );
        Ok(())
    }

    fn choose(&self, all: Vec<Mutant>) -> Vec<Mutant> {
        if let Some(text) = &self.only {
            return all.into_iter().filter(|mutant| mutant.name.contains(text)).collect();
        }
        let (mut wanted, rest): (Vec<Mutant>, Vec<Mutant>) =
            all.into_iter().partition(|mutant| mutant.file.starts_with(WHOLE));
        let from = |mutant: &Mutant| DRAWN_FROM.iter().any(|start| mutant.file.starts_with(start));
        if self.drawn {
            wanted.clear();
        }
        let rest: Vec<Mutant> = rest.into_iter().filter(from).collect();
        wanted.extend(draw(self.seed, rest, self.count, |mutant| &mutant.key));
        wanted
    }

    /// What the simulator and the search find of each of `missed`. Those that are explained are not
    /// looked for: that would take as long as all that the search ever does.
    fn look(&self, context: &Context, tree: &Tree, missed: &[&Mutant]) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        if missed.is_empty() {
            return Ok(verdicts);
        }
        let hunt = Hunt { context, tree, seeds: self.seeds, threads: None };
        hunt.keep()?;
        let mut explained = Survivors::read(context)?;
        for mutant in missed {
            if explained.take(mutant) {
                println!("{}: survived, as explained", mutant.name);
                verdicts.push(Verdict::Nothing);
                continue;
            }
            let planted = Planted::made(mutant.name.clone(), mutant.diff.clone());
            planted.plant(tree)?;
            let verdict = hunt.find().with_context(|| mutant.name.clone())?;
            let told = match &verdict {
                Verdict::Found(Found { by, after, .. }) => format!("{by} after {after}"),
                Verdict::Nothing => "survived".into(),
                Verdict::NoEnd => "a run did not end".into(),
            };
            println!("{}: {told}", mutant.name);
            verdicts.push(verdict);
        }
        hunt.end(verdicts.iter().filter_map(Verdict::found))?;
        Ok(verdicts)
    }
}

fn of<'a>(all: &'a [Mutant], fates: &'a [Fate], fate: Fate) -> impl Iterator<Item = &'a Mutant> {
    all.iter().zip(fates).filter(move |(_, of)| **of == fate).map(|(mutant, _)| mutant)
}

/// How many mutants came to which end.
struct Tally {
    wanted: usize,
    unviable: usize,
    late: usize,
    by_unit_tests: usize,
    by_others: usize,
}

impl Tally {
    const fn caught(&self) -> usize {
        self.by_unit_tests + self.by_others
    }

    const fn judged(&self) -> usize {
        self.wanted - self.unviable - self.late
    }

    fn judge(&self) -> Result<()> {
        let Tally { wanted, late, .. } = self;
        let (caught, judged) = (self.caught(), self.judged());
        ensure!(
            late * 100 <= wanted * LATE_MOST,
            "{late} of {wanted} ran into the time limit, more than {LATE_MOST} of 100: is the \
             machine slow?"
        );
        ensure!(
            judged > 0 && judged * 100 >= wanted * JUDGED_LEAST,
            "{judged} of {wanted} were judged, fewer than {JUDGED_LEAST} of 100"
        );
        ensure!(caught * 100 >= judged * LEAST, "fewer than {LEAST} of 100 are caught");
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caught, judged) = (self.caught(), self.judged());
        writeln!(f, "{:5} mutants", self.wanted)?;
        writeln!(f, "{:5} do not compile", self.unviable)?;
        writeln!(f, "{:5} ran into the time limit", self.late)?;
        writeln!(f, "{:5} caught by unit tests", self.by_unit_tests)?;
        writeln!(f, "{:5} caught by the simulator or the search", self.by_others)?;
        writeln!(f, "{:5} survived", judged - caught)?;
        let percent = if judged == 0 { 0.0 } else { 100.0 * caught as f64 / judged as f64 };
        write!(f, "{caught} of {judged} caught: {percent:.1} %")
    }
}

/// cargo-mutants, on the core of a copy of the workspace.
fn command(context: &Context, tree: &Tree, program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&tree.root).env("CARGO_TARGET_DIR", &tree.target);
    command.env("CARGO", context.cargo([]).get_program()).env_remove(UPDATE);
    // Little is built anew for each mutant, whatever else is built without. And looking up where a
    // test failed takes longer than the test.
    command.env("CARGO_INCREMENTAL", "1").env("RUST_BACKTRACE", "0");
    command.args(["mutants", "--no-config", "--package", "ottla"]);
    command
}

/// What a command said, if it went as one of these codes says.
fn said(command: &mut Command, codes: &[i32]) -> Result<String> {
    let output = crate::command::catch(command)?;
    let code = output.status.code();
    if !code.is_some_and(|code| codes.contains(&code)) {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("cargo-mutants ended with {code:?}: {}", complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(unviable: usize, late: usize, caught: usize) -> Tally {
        Tally { wanted: 100, unviable, late, by_unit_tests: caught, by_others: 0 }
    }

    #[test]
    fn few_may_be_left_out_and_few_survive() {
        assert!(tally(10, 5, 85).judge().is_ok());
        let told = |tally: Tally| tally.judge().unwrap_err().to_string();
        assert!(told(tally(0, 100, 0)).contains("100 of 100 ran into the time limit"));
        assert!(told(tally(100, 0, 0)).contains("0 of 100 were judged"));
        assert!(told(tally(26, 0, 74)).contains("74 of 100 were judged"));
        assert!(told(tally(0, 0, 94)).contains("are caught"));
        assert!(Tally { wanted: 0, ..tally(0, 0, 0) }.judge().is_err());
    }

    #[test]
    fn there_is_something_to_look_at() {
        let arguments =
            Arguments { seed: 1, count: 1, drawn: false, only: None, seeds: 1, list: false };
        let mutant = |file: &str| Mutant {
            name: format!("{file}:1:1: replace a with b"),
            file: file.into(),
            key: format!("{file}: replace a with b"),
            diff: String::new(),
        };
        let (whole, drawn) =
            (|| mutant("core/src/identity/mod.rs"), || mutant("core/src/link/a.rs"));
        let is_enough = |all: Vec<Mutant>| arguments.is_enough(&arguments.choose(all)).is_ok();
        assert!(is_enough(vec![whole(), drawn(), drawn()]));
        assert!(!is_enough(vec![whole()]) && !is_enough(vec![drawn()]) && !is_enough(vec![]));
    }

    #[test]
    fn what_is_told_adds_up() {
        let told = tally(3, 2, 90).to_string();
        assert!(told.contains("    5 survived") && told.ends_with("90 of 95 caught: 94.7 %"));
    }
}
