//! The examples of the help do what they say.

#![cfg(unix)]

mod common;

use std::process::{Command, Output};

use common::{Folder, bootstrap, broker, errors, run};

/// The lines of the help of a command that begin under `Examples:`.
fn examples(command: &[&str]) -> Vec<String> {
    let output = run(&[command, &["--help"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let help = String::from_utf8(output.stdout).unwrap();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
}

/// Runs a line of shell in a folder, with the tool in the path.
fn shell(line: &str, folder: &Folder) -> Output {
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_ottla")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder.path("")).env("HOME", folder.path(""));
    command.env("PATH", format!("{}:{path}", bin.display())).output().unwrap()
}

#[test]
fn examples_of_produce_send() {
    let server = broker(3);
    let hosts = bootstrap(&server);
    let folder = Folder::new("examples");
    std::fs::create_dir(folder.path("logs")).unwrap();
    folder.file("logs/one.log", "a\nb\n");
    folder.file("events.txt", "c\n");
    folder.file("dump.txt", "d\n");
    folder.file("client.properties", format!("bootstrap.servers = {hosts}\n"));
    let lines = examples(&["produce"]);
    assert!(lines.len() >= 8, "{lines:?}");
    for line in lines {
        let here = ["kafka1:9092,kafka2:9092", "kafka:9092", "localhost:9092"];
        let line = here.iter().fold(line, |line, host| line.replace(host, &hosts));
        let output = shell(&line, &folder);
        let error = errors(&output);
        assert_eq!(output.status.code(), Some(0), "{line}: {error}");
        assert!(error.contains(" written to ") || line.contains("failed.jsonl"), "{line}: {error}");
    }
}

#[test]
fn shells_take_the_completions() {
    let folder = Folder::new("completions");
    for shell_name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell_name]);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        for word in ["produce", "dev-broker", "key-delimiter", "print-config"] {
            assert!(text.contains(word), "{shell_name}: {word}");
        }
    }
    // What bash offers where somebody has typed so much.
    let script = "eval \"$(ottla completions bash)\"
        offer() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _ottla ottla \"${@: -1}\" \
        \"${@: -2:1}\"; echo ${COMPREPLY[*]}; }
        offer ottla pro; offer ottla produce --fai; offer ottla produce --report js";
    let path = folder.file("try.bash", script);
    let output = shell(&format!("bash {path}"), &folder);
    let offered = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(offered, "produce\n--failed\njson\n", "{}", errors(&output));
}

#[test]
fn every_command_has_a_page() {
    let folder = Folder::new("man");
    let output = run(&["man", &folder.path("man1")]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    for (page, part) in [
        ("ottla.1", "ottla\\-produce(1)"),
        ("ottla-produce.1", "Exit codes"),
        ("ottla-bench-produce.1", "\\-\\-warmup"),
        ("ottla-dev-broker.1", "\\-\\-listen"),
    ] {
        let text = std::fs::read_to_string(folder.path(&format!("man1/{page}"))).unwrap();
        assert!(text.contains(part), "{page}: {part}: {text}");
    }
    let output = run(&["man"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains(".TH ottla 1"));
    let file = folder.file("file", "");
    let output = run(&["man", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains(&format!("{file} cannot be written to")));
}
