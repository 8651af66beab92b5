//! What the search finds is a script that the scenarios' own driver reads and runs.

use ottla_scenarios::script::Kind;
use ottla_scenarios::{Options, parse, run};
use ottla_search::fault::Fault;
use ottla_search::script::script;
use ottla_search::search::search;
use ottla_search::setup::{Lie, Setup};

#[test]
fn a_path_is_a_script_that_runs() {
    let setup = Setup { lie: Some(Lie::ForgetProducers), ..Setup::new(1, 2) };
    for fault in [Fault::ErrorAfter, Fault::LostReply, Fault::LateRequest] {
        let setup = setup.clone().with(&[fault]);
        let found = search(&setup, 100_000).found.unwrap();
        let text = script(&setup, &found);
        let script = parse::script("found.txt", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        // This broker tells no lies, so nothing is wrong but what the fault does.
        let run = run(&script, Kind::Growable, Options::default());
        assert_eq!(run.failures, [], "{text}");
        let sent = |line: &&String| line.contains("Produce") && line.contains("r0");
        assert_eq!(run.trace.iter().filter(sent).count(), 2, "{:?}\n{text}", run.trace);
        assert!(run.trace.iter().any(|line| line == "log t/0: r0"), "{:?}", run.trace);
    }
}
