//! Every change of every table happens, and ARCHITECTURE draws the tables as they are.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;
use std::{env, format, fs};

use crate::cluster::{Course, TopicState};
use crate::link::{LinkState, Negotiation};
use crate::producer::{BatchState, Phase, Question};

type Change = (&'static str, &'static str, &'static str);

std::thread_local! {
    /// Changes that happened in this thread.
    static SEEN: RefCell<BTreeSet<Change>> = const { RefCell::new(BTreeSet::new()) };
}

/// A change of a state happens.
pub(crate) fn note(state: &'static str, from: &'static str, to: &'static str) {
    SEEN.with_borrow_mut(|seen| seen.insert((state, from, to)));
}

/// The tables, by the names that their diagrams have.
const TABLES: &[(&str, &str, &[Change])] = &[
    ("a batch", "BatchState", BatchState::CHANGES),
    ("a partition, after an error", "Course", Course::CHANGES),
    ("a link", "LinkState", LinkState::CHANGES),
    ("version negotiation with a broker", "Negotiation", Negotiation::CHANGES),
    ("a topic", "TopicState", TopicState::CHANGES),
    ("metadata; the producer id", "Question", Question::CHANGES),
    ("the producer", "Phase", Phase::CHANGES),
];

/// Changes of the tables that have not happened in this thread.
pub(crate) fn missing() -> Vec<Change> {
    let all = TABLES.iter().flat_map(|(_, state, changes)| {
        changes.iter().map(move |(from, to, _)| (*state, *from, *to))
    });
    SEEN.with_borrow(|seen| all.filter(|change| !seen.contains(change)).collect())
}

/// The table of a state as a diagram in Mermaid's language, which code hosts draw.
fn diagram(changes: &[Change]) -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n");
    for (from, to, why) in changes {
        // A colon would end the label.
        let why = why.replace(": ", ", ");
        text += &format!("    {from} --> {to}: {why}\n");
    }
    text + "```\n"
}

/// `UPDATE=1` draws the diagrams anew.
#[test]
fn architecture_draws_the_tables_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let page = fs::read_to_string(path).expect("ARCHITECTURE.md stands beside the core");
    let mut drawn = page.clone();
    for (title, state, changes) in TABLES {
        let name = drawn.find(&format!("`{state}`"));
        let name = name.unwrap_or_else(|| panic!("nothing names `{state}`, {title}"));
        let (before, rest) = drawn.split_at(name);
        let (about, rest) = rest.split_once("```mermaid\n").expect("a diagram follows");
        let (_, after) = rest.split_once("```\n").expect("the diagram ends");
        drawn = format!("{before}{about}{}{after}", diagram(changes));
    }
    if drawn != page && env::var_os("UPDATE").is_some() {
        fs::write(path, &drawn).expect("ARCHITECTURE.md can be written");
    } else {
        assert!(drawn == page, "the diagrams are old: run this test with UPDATE=1");
    }
}
