//! Bugs that real clients had, planted in a copy of the core: what is checked has to find each.

mod hunt;
mod patch;

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::context::{Context, Depth};
use crate::draw;
use crate::simulate;
use crate::tree::Tree;
pub(crate) use hunt::{Found, Hunt, Verdict};
pub(crate) use patch::Planted;

/// The table of the last run of all.
const TABLE: &str = "host-tests/planted/TABLE.md";

/// How many are looked for in a test run that is not of full depth.
const SOME: usize = 8;

/// Within so many seeds each has to be found.
const SEEDS: u64 = 10_000;

/// The check: all apply, and those that are looked for are found. Which they are changes with the
/// commit, so that all have their turn; at full depth they are all.
pub(crate) fn check(context: &Context) -> Result<()> {
    let all = Planted::all(&context.root)?;
    for planted in &all {
        planted.files(&context.root)?;
        planted.breaks()?;
    }
    let count = all.len();
    let wanted = if context.depth == Depth::Full {
        all
    } else {
        let seed = draw::hash(0, &simulate::commit(context));
        println!("{count} planted bugs apply; looking for {SOME} by seed {seed}");
        draw::draw(seed, all, SOME, |planted| &planted.name)
    };
    let rows = look(context, &wanted.iter().collect::<Vec<_>>(), &[], SEEDS, None)?;
    judge(&rows, SEEDS)
}

/// What `cargo xtask planted` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these, by the beginnings of their names; without any, they are listed
    names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Seeds within which each has to be found
    #[arg(long, default_value_t = SEEDS)]
    seeds: u64,
    /// Threads; as many as there are processors by default
    #[arg(long)]
    threads: Option<usize>,
    /// Keeps the table
    #[arg(long, requires = "all")]
    save: bool,
}

impl Arguments {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let all = Planted::all(&context.root)?;
        if self.names.is_empty() && !self.all {
            for planted in &all {
                println!("{:36} {}", planted.name, planted.title());
            }
            println!("{} planted bugs; `--all` looks for all of them", all.len());
            return Ok(());
        }
        for name in &self.names {
            ensure!(all.iter().any(|p| p.name.starts_with(name)), "no planted bug begins {name}");
        }
        let is_wanted = |planted: &&Planted| {
            self.all || self.names.iter().any(|name| planted.name.starts_with(name))
        };
        let wanted: Vec<&Planted> = all.iter().filter(is_wanted).collect();
        let rows = look(context, &wanted, &COUNTED_ON, self.seeds, self.threads)?;
        let table = table(&rows, self.seeds);
        if self.save {
            let commit = simulate::commit(context);
            let head = format!(
                "# Planted bugs, and what found them\n\n\
                 Made by `cargo xtask planted --all --save` at commit {commit}. Each file beside \
                 this one says\nwhat its bug is, and who had it. Within {} seeds each has to be \
                 found.\n\n",
                self.seeds
            );
            fs::write(context.root.join(TABLE), head + &table)?;
        }
        judge(&rows, self.seeds)
    }
}

/// All have to be found.
fn judge(rows: &[Row], seeds: u64) -> Result<()> {
    let missed: Vec<&str> = rows
        .iter()
        .filter(|row| row.verdict.found().is_none())
        .map(|row| row.name.as_str())
        .collect();
    ensure!(missed.is_empty(), "not found within {seeds} seeds: {}", missed.join(", "));
    println!("{} of {} planted bugs found", rows.len(), rows.len());
    Ok(())
}

/// One line of the table.
struct Row {
    name: String,
    /// The promises that its heading names.
    breaks: Vec<String>,
    verdict: Verdict,
    /// What of those that it has to be seen by, too, saw it, where another was quicker.
    own: Option<Verdict>,
    seconds: f64,
}

/// Looks for each of `wanted`, and sees that where one was found nothing is without it. Where it
/// breaks some of `promises`, and another was quicker, these are looked for alone.
fn look(
    context: &Context,
    wanted: &[&Planted],
    promises: &[&str],
    seeds: u64,
    threads: Option<usize>,
) -> Result<Vec<Row>> {
    // That they apply is seen first: it takes no time.
    for planted in wanted {
        planted.files(&context.root)?;
        planted.breaks()?;
    }
    let tree = Tree::new(context)?;
    let hunt = Hunt { context, tree: &tree, seeds, threads };
    hunt.keep()?;
    let mut rows = Vec::new();
    for planted in wanted {
        let begun = Instant::now();
        planted.plant(&tree)?;
        let verdict = hunt.find().with_context(|| planted.name.clone())?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{:36} {}, {seconds:.1} s", planted.name, told(&verdict));
        let breaks = planted.breaks()?;
        let own: Vec<&str> =
            breaks.iter().copied().filter(|promise| promises.contains(promise)).collect();
        let is_seen = |found: &Found| own.is_empty() || promises.contains(&found.number());
        let own = match verdict.found() {
            Some(found) if !is_seen(found) => {
                let verdict = hunt.find_by_seed(&own).with_context(|| planted.name.clone())?;
                println!("{:36} {}", "  of what applications count on", told(&verdict));
                Some(verdict)
            }
            _ => None,
        };
        let breaks = breaks.into_iter().map(String::from).collect();
        rows.push(Row { name: planted.name.clone(), breaks, verdict, own, seconds });
    }
    hunt.end(rows.iter().filter_map(|row| row.verdict.found()))?;
    Ok(rows)
}

/// What an application counts on. The other promises are about what stands behind these.
const COUNTED_ON: [&str; 4] = ["I1", "I2", "I3", "I4"];

fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Found(Found { by, after, .. }) => format!("{by:30} after {after}"),
        Verdict::Nothing => "not found".into(),
        Verdict::NoEnd => "not found, as a run did not end".into(),
    }
}

fn table(rows: &[Row], seeds: u64) -> String {
    let mut text = String::from(
        "| bug | breaks | found by | after | of I1 to I4, judged alone | after | seconds, with building |\n\
         |---|---|---|---|---|---|---:|\n",
    );
    let cells = |verdict: Option<&Verdict>, none| match verdict {
        Some(Verdict::Found(Found { by, after, .. })) => format!("{by} | {after}"),
        Some(Verdict::Nothing) => format!("none | {seeds} seeds"),
        Some(Verdict::NoEnd) => "none, as a run did not end | ".into(),
        None => format!("{none} | "),
    };
    for Row { name, breaks, verdict, own, seconds } in rows {
        let (breaks, first) = (breaks.join(", "), cells(Some(verdict), ""));
        let is_one = verdict.found().is_some_and(|found| COUNTED_ON.contains(&found.number()));
        let own = cells(own.as_ref(), if is_one { "the same" } else { "" });
        text += &format!("| {name} | {breaks} | {first} | {own} | {seconds:.1} |\n");
    }
    text + "\nA bug that breaks one of I1 to I4 by what is said of it, but was found by the checker of another\n\
            promise, is looked for again while only those are judged: whether logs come out wrong, or what is\n\
            said of them, when nothing else ends the run.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict) -> Row {
        let breaks = ["I2", "I11"].map(String::from).to_vec();
        Row { name: "01-a-bug".into(), breaks, verdict, own: None, seconds: 1.0 }
    }

    fn found(by: &str) -> Verdict {
        Verdict::Found(Found::by_seed(by, 3))
    }

    #[test]
    fn all_have_to_be_found() {
        assert!(judge(&[row(found("I3 in order"))], 9).is_ok());
        for verdict in [Verdict::Nothing, Verdict::NoEnd] {
            let error = judge(&[row(found("I3 in order")), row(verdict)], 9).unwrap_err();
            assert_eq!(error.to_string(), "not found within 9 seeds: 01-a-bug");
        }
    }
    #[test]
    fn the_table_tells_what_applications_would_see() {
        let line = |by, own| {
            let text = table(&[Row { own, ..row(found(by)) }], 9);
            text.lines().nth(2).unwrap_or_default().to_owned()
        };
        let own = line("I2 nothing twice", None);
        assert_eq!(own, "| 01-a-bug | I2, I11 | I2 nothing twice | 4 seeds | the same |  | 1.0 |");
        let other = "I11 same sequence, same bytes";
        let both = line(other, Some(found("I2 nothing twice")));
        assert!(both.ends_with("| 4 seeds | I2 nothing twice | 4 seeds | 1.0 |"), "{both}");
        let none = line(other, Some(Verdict::Nothing));
        assert!(none.ends_with("| 4 seeds | none | 9 seeds | 1.0 |"), "{none}");
        let none = line(other, Some(Verdict::NoEnd));
        assert!(none.ends_with("| 4 seeds | none, as a run did not end |  | 1.0 |"), "{none}");
        assert!(line(other, None).ends_with("| 4 seeds |  |  | 1.0 |"));
    }
}
