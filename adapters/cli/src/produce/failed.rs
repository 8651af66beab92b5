//! Keeps the records that failed, so that they can be sent again.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use ottla_tokio::{SendError, SendErrorKind};
use same_file::Handle;

use super::input;
use super::json::{Failed, What};
use super::shape::Shape;
use crate::exit::Usage;

/// Where they go.
#[derive(Debug)]
pub(super) struct Keep {
    path: PathBuf,
    /// None: standard output.
    file: Option<File>,
    /// What is to be written, as whole lines.
    lines: Vec<u8>,
    /// Lines in it.
    count: u64,
    /// Lines that are written.
    kept: u64,
    /// Lines that went to standard output instead.
    elsewhere: u64,
    /// Lines that went nowhere.
    lost: u64,
}

/// A line of the input, for what is said of it.
#[derive(Copy, Clone, Debug)]
pub(super) struct Line<'l> {
    pub(super) file: &'l str,
    /// From 1.
    pub(super) number: u64,
    pub(super) bytes: &'l [u8],
    /// It is only the start of one.
    pub(super) is_cut: bool,
}

impl Keep {
    /// Makes the file, or adds to it. It must be none of `inputs`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn open(path: &Path, inputs: &[PathBuf]) -> anyhow::Result<Self> {
        let name = path.display();
        let file = if input::is_stdin(path) {
            None
        } else {
            let file = OpenOptions::new().append(true).create(true).open(path);
            Some(file.with_context(|| format!("--failed {name} cannot be written"))?)
        };
        let own = match &file {
            Some(file) => Handle::from_file(file.try_clone()?),
            None => Handle::stdout(),
        };
        if let Some(input) = own.ok().and_then(|own| inputs.iter().find(|i| is_read(&own, i))) {
            return Err(Usage(format!(
                "--failed {name} is also read ({}): records that fail again would be read again, \
                 for ever; give another file",
                input::name(input)
            ))
            .into());
        }
        let path = path.to_owned();
        Ok(Self { path, file, lines: Vec::new(), count: 0, kept: 0, elsewhere: 0, lost: 0 })
    }

    /// Adds a record. It is written by the next [`Keep::flush`].
    pub(super) fn add(&mut self, shape: &Shape, line: Line<'_>, error: &SendError, text: &str) {
        let reason = match error.kind() {
            SendErrorKind::Refused(_) | SendErrorKind::Partitioner => "refused",
            SendErrorKind::Unknown(..) => "unknown",
            _ => "not written",
        };
        self.add_for(shape, line, reason, text, error.partition());
    }

    /// As [`Keep::add`], for a line that was not sent.
    pub(super) fn add_unsent(&mut self, shape: &Shape, line: Line<'_>, text: &str) {
        self.add_for(shape, line, "refused", text, None);
    }

    fn add_for(
        &mut self,
        shape: &Shape,
        line: Line<'_>,
        reason: &'static str,
        error: &str,
        partition: Option<i32>,
    ) {
        let content = shape.content(line.bytes);
        let what = match &content {
            // A part must not be sent as if it was the whole.
            Ok(content) if !line.is_cut => What::record(content, partition),
            _ => What::line(line.bytes),
        };
        let failed = Failed { what, reason, error, file: line.file, line: line.number };
        let before = self.lines.len();
        match serde_json::to_writer(&mut self.lines, &failed) {
            Ok(()) => {
                self.lines.push(b'\n');
                self.count += 1;
            }
            // There is no such record; if there was, it would not be lost in silence.
            Err(_) => {
                self.lines.truncate(before);
                self.lost += 1;
            }
        }
    }

    /// Whether nothing is to be written.
    pub(super) const fn is_flushed(&self) -> bool {
        self.count == 0
    }

    /// Writes what was added. If that is not possible, it goes to standard output.
    ///
    /// # Errors
    /// Why it cannot be written, and where it went.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return Ok(());
        }
        let written = match &mut self.file {
            None => to_stdout(&self.lines),
            Some(file) => write_whole(file, &self.lines),
        };
        let result = match written {
            Ok(()) => {
                self.kept += count;
                Ok(())
            }
            Err(error) => Err(self.rescue(count, &error)),
        };
        self.lines.clear();
        result
    }

    fn rescue(&mut self, count: u64, error: &io::Error) -> String {
        let name = self.name();
        if self.file.is_some() && to_stdout(&self.lines).is_ok() {
            self.elsewhere += count;
            format!(
                "--failed {name} cannot be written: {error}; the records that are not in it are \
                 on standard output"
            )
        } else {
            self.lost += count;
            format!(
                "--failed {name} cannot be written: {error}; nor can standard output: records \
                 that failed are kept nowhere"
            )
        }
    }

    /// Sees to it that what was written is on the disk.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn sync(&self) -> Result<(), String> {
        let Some(file) = self.file.as_ref().filter(|_| self.kept > 0) else { return Ok(()) };
        // Pipes and the like have nothing to be synchronized with.
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(());
        }
        let name = self.path.display();
        file.sync_data().map_err(|error| format!("--failed {name} may not be complete: {error}"))
    }

    /// How many records are in the file, on standard output in its place, and nowhere.
    pub(super) const fn counts(&self) -> (u64, u64, u64) {
        (self.kept, self.elsewhere, self.lost)
    }

    /// What stands before its name.
    pub(super) const fn preposition(&self) -> &'static str {
        if self.file.is_some() { "in" } else { "on" }
    }

    /// How it is called.
    pub(super) fn name(&self) -> String {
        match self.file {
            None => "standard output".to_owned(),
            Some(_) => self.path.display().to_string(),
        }
    }
}

/// Writes whole lines, or none: half a line would spoil the next one.
fn write_whole(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let length = |file: &File| file.metadata().ok().filter(Metadata::is_file).map(|now| now.len());
    let before = length(file);
    let mut rest = lines;
    while !rest.is_empty() {
        let error = match file.write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let written = (lines.len() - rest.len()) as u64;
        // Unless somebody else has added something. A line that stays broken is an error when it
        // is read, and so is not passed over in silence.
        if let Some(before) = before.filter(|before| length(file) == Some(before + written)) {
            let _ = file.set_len(before);
        }
        return Err(error);
    }
    Ok(())
}

fn to_stdout(lines: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(lines)?;
    out.flush()
}

/// Whether a file that is added to is also the one that `input` reads, under whatever name. Only
/// of plain files one reads what was added.
fn is_read(own: &Handle, input: &Path) -> bool {
    let is_plain = |file: &File| file.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_plain(own.as_file()) {
        return false;
    }
    if input::is_stdin(input) {
        return Handle::stdin().is_ok_and(|input| input == *own);
    }
    // Looked at before it is opened: a pipe would wait for its other end.
    input.is_file() && Handle::from_path(input).is_ok_and(|input| input == *own)
}
