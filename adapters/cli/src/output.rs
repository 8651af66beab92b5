//! Lines for people and programs, and the progress line of a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a progress line is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// Writes a line to standard output. A reader that has gone is no failure: it has seen enough.
///
/// # Errors
/// What the system says.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("standard output cannot be written"))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error. There is nobody to tell if that fails.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes an error as one line, whatever it contains.
pub(crate) fn error(text: &str) {
    note(&format!("{} {}", word("error:", 1), one_line(text)));
}

/// Writes what there is to be known, but is no error, as one line.
pub(crate) fn warning(text: &str) {
    note(&format!("{} {}", word("warning:", 3), one_line(text)));
}

/// Breaks within a text become semicolons.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

/// A progress line on standard error; hidden if that is no terminal, or if `quiet`. With a
/// `length` it has a bar.
pub(crate) fn progress(length: Option<u64>, quiet: bool) -> ProgressBar {
    let template = match length {
        // Narrow terminals have no room for a bar.
        Some(_) if width() < WIDE => "{percent:>3} %  {wide_msg}",
        Some(_) => "{bar:20} {percent:>3} %  {wide_msg}",
        None => "{spinner} {wide_msg}",
    };
    bar(length, template, quiet)
}

/// As [`progress`], with a `title` and lines of its own below.
pub(crate) fn block(title: &str, length: Option<u64>, quiet: bool) -> ProgressBar {
    let template = match length {
        Some(_) => "{prefix}  {bar:16} {percent:>3} %\n{msg}",
        None => "{prefix}  {elapsed}\n{msg}",
    };
    bar(length, template, quiet).with_prefix(title.to_owned())
}

fn bar(length: Option<u64>, template: &str, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(length, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// Columns from which on there is room for everything.
const WIDE: u16 = 64;

/// Columns of the terminal.
fn width() -> u16 {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(WIDE, |size| size.ws_col)
}

/// Whether what is written there may have colours: it is a terminal, and nobody said no.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let no = std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
    !no && stream.is_terminal()
}

/// A word that stands out where colours may be used. 1 is red, 3 yellow.
fn word(word: &str, colour: u8) -> String {
    match has_colours(&io::stderr()) {
        true => format!("\x1b[1;3{colour}m{word}\x1b[0m"),
        false => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line() {
        assert_eq!(one_line("wrong:\n  a: b\n\n  c: d\n"), "wrong:; a: b; c: d");
    }
}
