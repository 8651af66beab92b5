//! Reads lines in portions, on a thread of its own: files and terminals cannot be awaited.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::thread;

use anyhow::{Context, anyhow, bail};
use tokio::sync::mpsc;

/// Bytes that are read at once, and that a portion has at most unless one line is longer.
const PORTION: usize = 128 * 1024;

/// Portions that are read ahead.
const AHEAD: usize = 2;

/// Whole lines of one file.
#[derive(Debug)]
pub(super) struct Portion {
    /// The lines with their ends; the end of the last line of a file may be missing.
    pub(super) bytes: Vec<u8>,
    /// Number of its first line within the file, from 1.
    pub(super) first_line: u64,
    /// Its place in the list of files.
    pub(super) file: usize,
}

/// The portions, in order; the first error ends them.
#[derive(Debug)]
pub(super) struct Input {
    portions: mpsc::Receiver<anyhow::Result<Portion>>,
    used: blocking::Sender<Vec<u8>>,
}

impl Input {
    /// Begins to read. No line may be longer than `line_max`.
    pub(super) fn start(files: Vec<PathBuf>, line_max: usize) -> anyhow::Result<Self> {
        let (send, portions) = mpsc::channel(AHEAD);
        let (used, free) = blocking::channel();
        let reader = Reader { send, free, line_max, buffer: Vec::new(), line: 1 };
        let thread = thread::Builder::new().name("ottla-input".to_owned());
        thread.spawn(move || reader.run(&files)).context("no thread for the input")?;
        Ok(Self { portions, used })
    }

    /// The next portion.
    pub(super) async fn next(&mut self) -> Option<anyhow::Result<Portion>> {
        self.portions.recv().await
    }

    /// Gives memory back for reuse.
    pub(super) fn recycle(&self, bytes: Vec<u8>) {
        // The reader may be through.
        let _ = self.used.send(bytes);
    }
}

/// Whether a file is standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How errors call a file.
pub(super) fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn unreadable(path: &Path) -> String {
    format!("{} cannot be read", name(path))
}

/// Looks whether the files are there, and returns their size together if all are plain files.
pub(super) fn total_size(files: &[PathBuf]) -> anyhow::Result<Option<u64>> {
    let mut total = Some(0_u64);
    for path in files {
        if is_stdin(path) {
            total = None;
            continue;
        }
        let metadata = std::fs::metadata(path).with_context(|| unreadable(path))?;
        if metadata.is_dir() {
            bail!("{} is a folder, not a file of lines", name(path));
        }
        total = total.filter(|_| metadata.is_file()).map(|sum| sum.saturating_add(metadata.len()));
    }
    Ok(total)
}

struct Reader {
    send: mpsc::Sender<anyhow::Result<Portion>>,
    free: blocking::Receiver<Vec<u8>>,
    line_max: usize,
    buffer: Vec<u8>,
    /// Number of the line at the start of the buffer.
    line: u64,
}

impl Reader {
    fn run(mut self, files: &[PathBuf]) {
        for (file, path) in files.iter().enumerate() {
            match self.read(file, path) {
                Ok(true) => {}
                // Nobody listens any more.
                Ok(false) => return,
                Err(error) => {
                    let _ = self.send.blocking_send(Err(error));
                    return;
                }
            }
        }
    }

    fn read(&mut self, file: usize, path: &Path) -> anyhow::Result<bool> {
        self.line = 1;
        self.buffer.clear();
        let mut source: Box<dyn Read> = if is_stdin(path) {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).with_context(|| unreadable(path))?)
        };
        loop {
            let before = self.buffer.len();
            self.buffer.resize(before + PORTION, 0);
            let read = read_some(&mut *source, &mut self.buffer[before..]);
            self.buffer.truncate(before + read.as_ref().map_or(0, |read| *read));
            let read = read.with_context(|| unreadable(path))?;
            if read == 0 {
                let rest = std::mem::take(&mut self.buffer);
                return Ok(rest.is_empty() || self.hand_over(file, rest));
            }
            let Some(end) = memchr::memrchr(b'\n', &self.buffer[before..]) else {
                self.check_length(path)?;
                continue;
            };
            let mut next = self.free.try_recv().unwrap_or_default();
            next.clear();
            next.extend_from_slice(&self.buffer[before + end + 1..]);
            self.buffer.truncate(before + end + 1);
            let lines = std::mem::replace(&mut self.buffer, next);
            if !self.hand_over(file, lines) {
                return Ok(false);
            }
        }
    }

    /// A line that could not be sent anyway is not kept in memory.
    fn check_length(&self, path: &Path) -> anyhow::Result<()> {
        if self.buffer.len() <= self.line_max {
            return Ok(());
        }
        Err(anyhow!(
            "{}, line {}: it is longer than max.request.size ({} bytes); \
             -X max.request.size=... raises that",
            name(path),
            self.line,
            self.line_max
        ))
    }

    /// Returns whether anybody is there to take it.
    fn hand_over(&mut self, file: usize, bytes: Vec<u8>) -> bool {
        let first_line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        self.send.blocking_send(Ok(Portion { bytes, first_line, file })).is_ok()
    }
}

fn read_some(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The lines of a portion, without their ends.
pub(super) fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (line, rest) = match memchr::memchr(b'\n', bytes) {
            Some(end) => (&bytes[..end], &bytes[end + 1..]),
            None => (bytes, &[][..]),
        };
        bytes = rest;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_as_they_are() {
        let all = |bytes| lines(bytes).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert!(all(b"").is_empty());
        assert_eq!(all(b"\n"), [b""]);
        assert_eq!(all(b"a\r\n\n\xff\0b"), [&b"a\r"[..], b"", b"\xff\0b"]);
        assert_eq!(all(b"a\n"), [b"a"]);
    }
}
