//! What a person sees in a terminal: the tool on a pseudo-terminal, its output on a screen.

#![cfg(target_os = "linux")]

mod common;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use common::{Folder, bootstrap, broker};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const ROWS: u16 = 50;

/// What was on the screen.
struct Seen {
    /// After each thing that was written.
    screens: Vec<String>,
    /// At the end.
    last: String,
    /// All bytes.
    bytes: Vec<u8>,
    code: Option<i32>,
}

impl Seen {
    /// Whether something was shown in colours.
    fn has_colours(&self) -> bool {
        let colour = |bytes: &[u8]| bytes.starts_with(b"\x1b[3") || bytes.starts_with(b"\x1b[1");
        // A sequence that ends with m sets how what follows looks; others move and clear.
        self.bytes.windows(8).any(|bytes| {
            let end = bytes.iter().position(|byte| byte.is_ascii_alphabetic());
            colour(bytes) && end.is_some_and(|end| bytes[end] == b'm')
        })
    }
}

/// Runs the tool in a terminal of so many columns.
fn terminal(columns: u16, arguments: &[&str], no_colour: bool) -> Seen {
    typed(columns, arguments, no_colour, None)
}

/// As [`terminal`]; somebody types `keys`.
fn typed(columns: u16, arguments: &[&str], no_colour: bool, keys: Option<&[u8]>) -> Seen {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let window = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, window).unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OpenptFlags::NOCTTY.bits().cast_signed());
    let slave = options.open(name).unwrap();

    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command
        .args(arguments)
        .env("TERM", "xterm-256color")
        .env_remove("CI")
        .env_remove("OTTLA_BOOTSTRAP");
    command.env_remove("CLICOLOR_FORCE").env_remove("COLUMNS");
    match no_colour {
        true => command.env("NO_COLOR", "1"),
        false => command.env_remove("NO_COLOR"),
    };
    match keys {
        None => command.stdin(Stdio::null()),
        Some(_) => command.stdin(slave.try_clone().unwrap()),
    };
    command.stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // Its ends of the terminal: the last of them to be closed ends the reading.
    drop(command);

    let size = |number| NonZero::new(number).unwrap();
    let mut parser = vt100::Parser::new(size(ROWS), size(columns), 0);
    let mut master = File::from(master);
    master.write_all(keys.unwrap_or_default()).unwrap();
    let (mut bytes, mut screens) = (Vec::new(), Vec::new());
    let mut chunk = [0; 4_096];
    while let Ok(read @ 1..) = master.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..read]);
        parser.process(&chunk[..read]);
        screens.push(rows(parser.screen(), columns));
    }
    let code = child.wait().unwrap().code();
    Seen { screens, last: parser.screen().contents(), bytes, code }
}

/// The rows of a screen that have something in them. (Its own text takes rows that are filled with
/// spaces, as progress is, for one long line.)
fn rows(screen: &vt100::Screen, columns: u16) -> String {
    let rows: Vec<_> = screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n").trim_end().to_owned()
}

/// The lines of a text.
fn lines(count: usize) -> String {
    (0..count).map(|n| format!("{n}\n")).collect()
}

#[test]
fn progress_of_produce_is_one_line() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("terminal");
    let input = folder.file("input", lines(3_000));
    for (columns, bar) in [(80, true), (40, false)] {
        for no_colour in [false, true] {
            let arguments = ["produce", "-b", &hosts, "-t", "t", "--rate", "3000", &input];
            let seen = terminal(columns, &arguments, no_colour);
            assert_eq!(seen.code, Some(0), "{}", seen.last);
            let progress: Vec<_> =
                seen.screens.iter().filter(|screen| screen.contains(" %")).collect();
            assert!(progress.len() > 3, "{:?}", seen.screens);
            for screen in &progress {
                assert_eq!(screen.lines().count(), 1, "{screen}");
                assert!(screen.chars().count() <= columns.into(), "{screen}");
            }
            let last = progress[progress.len() - 1];
            assert!(last.contains(" written, ") && last.ends_with("/s"), "{last}");
            assert_eq!(last.contains('━'), bar, "{last}");
            // Nothing but the summary is left.
            assert!(seen.last.starts_with("3,000 records written to t in "), "{}", seen.last);
            assert!(
                seen.last.ends_with(" per second)") && seen.last.lines().count() == 1,
                "{}",
                seen.last
            );
            assert!(!seen.has_colours());
            let percent = |screen: &&String| {
                let number = screen.split(" %").next()?.split_whitespace().last()?;
                number.parse::<u8>().ok()
            };
            let percents: Vec<_> = progress.iter().filter_map(percent).collect();
            assert!(percents.iter().any(|percent| (20..80).contains(percent)), "{percents:?}");
        }
    }
}

#[test]
fn a_measurement_is_seen_and_leaves_its_result() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    for columns in [80, 40] {
        let arguments =
            ["bench", "produce", "-b", &hosts, "-t", "t", "--rate", "2000", "-d", "1500ms"];
        let seen = terminal(columns, &arguments, true);
        assert_eq!(seen.code, Some(0), "{}", seen.last);
        let blocks: Vec<_> =
            seen.screens.iter().filter(|screen| screen.contains("in flight ")).collect();
        assert!(blocks.len() > 3, "{:?}", seen.screens);
        for block in &blocks {
            // While it is drawn, some of its lines are there.
            assert!(block.lines().count() <= 4, "{block}");
            assert!(block.lines().all(|line| line.chars().count() <= 40), "{block}");
        }
        let whole = blocks
            .iter()
            .find(|block| block.lines().count() == 4 && block.contains("p99 "))
            .unwrap();
        for part in ["produce  ", " %", "records/s", "errors 0", "p50 "] {
            assert!(whole.contains(part), "{part}: {whole}");
        }
        // Behind "in flight" and before "records/s".
        let numbers = |screen: &&String| {
            let rate = screen.lines().nth(1)?.split_once(" records/s")?.0.replace(',', "");
            let flying = screen.split_once("in flight ")?.1.split_once(' ')?.0.replace(',', "");
            Some((rate.parse::<u64>().ok()?, flying.parse::<u64>().ok()?))
        };
        let (rate, flying) = blocks.iter().rev().find_map(numbers).unwrap();
        assert!((100..4_000).contains(&rate) && flying < 1_000, "{rate}, {flying}");
        assert!(seen.last.starts_with("records "), "{}", seen.last);
        for part in ["p99.9", "max", "━", "latency of "] {
            assert!(seen.last.contains(part), "{part}: {}", seen.last);
        }
        assert!(!seen.last.contains("in flight"), "{}", seen.last);
        assert!(seen.last.lines().all(|line| line.chars().count() <= 40), "{}", seen.last);
    }
}

#[test]
fn nothing_is_drawn_where_somebody_types() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    // Ctrl-D ends it.
    let keys = b"one\ntwo\n\x04";
    let seen = typed(80, &["produce", "-b", &hosts, "-t", "t"], false, Some(keys));
    assert_eq!(seen.code, Some(0), "{}", seen.last);
    assert!(seen.last.starts_with("one\ntwo\n2 records written to t in "), "{}", seen.last);
    assert!(!seen.bytes.contains(&b'\x1b'), "{}", seen.last);
    assert_eq!(common::log(&server).len(), 2);
}

#[test]
fn an_error_while_there_is_progress_stands_above_it() {
    let server = broker(1);
    let hosts = bootstrap(&server);
    let folder = Folder::new("terminal-error");
    let input = folder.file("input", format!("{}\n{}", "x".repeat(2_000), lines(1_000)));
    let arguments = [
        "produce",
        "-b",
        &hosts,
        "-t",
        "t",
        "--rate",
        "1000",
        "-X",
        "max.request.size=1000",
        &input,
    ];
    let seen = terminal(80, &arguments, true);
    assert_eq!(seen.code, Some(1));
    let both =
        seen.screens.iter().find(|screen| screen.contains("error: ") && screen.contains(" %"));
    let both = both.unwrap_or_else(|| panic!("{:?}", seen.screens));
    assert!(both.starts_with("error: ") && both.contains(", line 1: the record takes"), "{both}");
    assert_eq!(seen.last.lines().count(), 2, "{}", seen.last);
    assert!(
        seen.last.lines().nth(1).unwrap().contains("1,000 records written to t"),
        "{}",
        seen.last
    );
    assert!(seen.last.contains("; 1 not written"), "{}", seen.last);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let wrong = ["produce", "-b", "127.0.0.1:9", "-t", "t", "-X", "acks=7"];
    for arguments in [&wrong[..], &["--help"], &["produce", "--nonsense"], &["produce", "--help"]] {
        let (with, without) = (terminal(80, arguments, false), terminal(80, arguments, true));
        assert!(with.has_colours(), "{}", with.last);
        assert!(!without.has_colours(), "{}", without.last);
        assert_eq!(with.last, without.last);
        let piped = common::run(arguments);
        assert!(!piped.stdout.contains(&b'\x1b') && !piped.stderr.contains(&b'\x1b'));
    }
    let log =
        ["-v", "produce", "-b", "127.0.0.1:9", "-t", "t", "-X", "max.block.ms=100", "/dev/null"];
    let piped = common::run(&log);
    assert!(!piped.stderr.contains(&b'\x1b'), "{}", common::errors(&piped));
}

#[test]
fn help_fits_narrow_terminals() {
    for columns in [40, 80] {
        for command in [&["--help"][..], &["produce", "-h"], &["bench", "produce", "-h"]] {
            let seen = terminal(columns, command, true);
            let widest = seen.last.lines().map(|line| line.chars().count()).max();
            assert!(widest.is_some_and(|widest| widest <= columns.into()), "{}", seen.last);
        }
    }
}
