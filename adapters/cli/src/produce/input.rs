//! Reads lines in portions, on a thread of its own: files and terminals cannot be awaited.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use super::delimiter::Delimiter;

/// Bytes that are read at once, and that a portion has at most unless one line is longer.
const PORTION: usize = 128 * 1024;

/// Bytes that are kept of a line that is too long.
const HEAD: usize = 1_024;

/// Portions that are read ahead.
const AHEAD: usize = 2;

/// Whole lines of one file.
#[derive(Debug)]
pub(super) struct Portion {
    /// The lines with their ends; the end of the last line of a file may be missing.
    pub(super) bytes: Vec<u8>,
    /// Number of its first line within the file, from 1.
    pub(super) first_line: u64,
    /// Number of its lines that have an end.
    pub(super) lines: u64,
    /// Its place in the list of files.
    pub(super) file: usize,
    /// Bytes that are left out: of a line that is too long, and alone here, only the start is kept.
    pub(super) cut: u64,
}

impl Portion {
    /// Number of the line behind it, within the file.
    pub(super) fn next_line(&self) -> u64 {
        // Without any end, it is the last line of a file.
        self.first_line + self.lines.max(1)
    }
}

/// The portions, in order; the first error ends them.
#[derive(Debug)]
pub(super) struct Input {
    portions: mpsc::Receiver<anyhow::Result<Portion>>,
    used: Used,
    enough: Arc<AtomicBool>,
}

/// Takes memory back for reuse.
#[derive(Clone, Debug)]
pub(super) struct Used(blocking::Sender<Vec<u8>>);

impl Used {
    pub(super) fn recycle(&self, bytes: Vec<u8>) {
        // The reader may be through.
        let _ = self.0.send(bytes);
    }
}

/// How long to wait for what was read and is not handed over yet, once nothing more is read.
const QUIET: Duration = Duration::from_millis(100);

impl Input {
    /// Begins to read. Of a line that is longer than `line_max` only the start is kept, if it is not
    /// in memory as a whole anyway.
    pub(super) fn start(
        files: Vec<PathBuf>,
        delimiter: Delimiter,
        line_max: usize,
    ) -> anyhow::Result<Self> {
        let (send, portions) = mpsc::channel(AHEAD);
        let (used, free) = blocking::channel();
        let enough = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            send,
            free,
            enough: Arc::clone(&enough),
            delimiter,
            line_max,
            buffer: Vec::new(),
            line: 1,
        };
        let thread = thread::Builder::new().name("ottla-input".to_owned());
        thread.spawn(move || reader.run(&files)).context("no thread for the input")?;
        Ok(Self { portions, used: Used(used), enough })
    }

    /// The next portion.
    pub(super) async fn next(&mut self) -> Option<anyhow::Result<Portion>> {
        self.portions.recv().await
    }

    /// What takes memory back.
    pub(super) const fn used(&self) -> &Used {
        &self.used
    }

    /// Reads no more, and returns what was read already, in order.
    pub(super) async fn stop(mut self) -> Vec<Portion> {
        self.enough.store(true, Ordering::Relaxed);
        let mut rest = Vec::new();
        // The reader may wait for a pipe for ever: then it has nothing in hand.
        while let Ok(Some(Ok(portion))) = tokio::time::timeout(QUIET, self.portions.recv()).await {
            rest.push(portion);
        }
        rest
    }
}

/// Whether a file is standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether somebody types what is read.
pub(super) fn is_typed(files: &[PathBuf]) -> bool {
    files.iter().any(|path| is_stdin(path)) && io::stdin().is_terminal()
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
    /// Nothing more is to be read.
    enough: Arc<AtomicBool>,
    delimiter: Delimiter,
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
        // Bytes at the start of the buffer that no delimiter begins in.
        let mut searched = 0;
        // Start and length of a line that is too long, the rest of which is passed over.
        let mut long: Option<(Vec<u8>, u64)> = None;
        while !self.enough.load(Ordering::Relaxed) {
            let before = self.buffer.len();
            self.buffer.resize(before + PORTION, 0);
            let read = read_some(&mut *source, &mut self.buffer[before..]);
            self.buffer.truncate(before + read.as_ref().map_or(0, |read| *read));
            let read = read.with_context(|| unreadable(path))?;
            if read == 0 {
                let rest = std::mem::take(&mut self.buffer);
                return Ok(match long {
                    Some((head, length)) => {
                        self.hand_over(file, head, 0, length + rest.len() as u64)
                    }
                    None => rest.is_empty() || self.hand_over(file, rest, 0, 0),
                });
            }
            if let Some((head, length)) = &mut long {
                let Some(end) = self.delimiter.find(&self.buffer) else {
                    *length += self.drop_searched();
                    continue;
                };
                let (head, length) = (std::mem::take(head), *length + end as u64);
                long = None;
                self.buffer.drain(..end + self.delimiter.length());
                if !self.hand_over(file, head, 1, length) {
                    return Ok(false);
                }
            }
            let (lines, end) = self.delimiter.ends(&self.buffer[searched..]);
            if lines == 0 {
                searched = self.searched();
                // A line that could not be sent anyway is not kept in memory.
                if self.buffer.len() > self.line_max {
                    let head = self.buffer.iter().copied().take(HEAD.min(searched)).collect();
                    long = Some((head, self.drop_searched()));
                    searched = 0;
                }
                continue;
            }
            let end = searched + end;
            searched = 0;
            let mut next = self.free.try_recv().unwrap_or_default();
            next.clear();
            next.extend_from_slice(&self.buffer[end..]);
            self.buffer.truncate(end);
            let portion = std::mem::replace(&mut self.buffer, next);
            if !self.hand_over(file, portion, lines, 0) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Bytes at the start of the buffer that no delimiter begins in, if it has none.
    fn searched(&self) -> usize {
        (self.buffer.len() + 1).saturating_sub(self.delimiter.length())
    }

    /// Drops those, and returns how many there were.
    fn drop_searched(&mut self) -> u64 {
        self.buffer.drain(..self.searched()).len() as u64
    }

    /// Hands lines over, or the start of a line that has `length` bytes, if that is not 0. Returns
    /// whether anybody is there to take them.
    fn hand_over(&mut self, file: usize, bytes: Vec<u8>, lines: u64, length: u64) -> bool {
        let first_line = self.line;
        self.line += lines;
        let cut = length.saturating_sub(bytes.len() as u64);
        self.send.blocking_send(Ok(Portion { bytes, first_line, lines, file, cut })).is_ok()
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Lines around what is read at once, and delimiters across its ends.
    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over_and_those_behind_it_are_read() {
        const MAX: usize = 1_000;
        for delimiter in [&b"\n"[..], b"--", b"<end>"] {
            for length in (PORTION - 6..PORTION + 6).chain([700_000]) {
                for end in [delimiter, b""] {
                    let name = format!("ottla-input-long-{}", std::process::id());
                    let path = std::env::temp_dir().join(name);
                    let long = [&b"-"[..], &vec![b'x'; length - 1]].concat();
                    let mut bytes = [&long[..], end].concat();
                    if !end.is_empty() {
                        bytes.extend_from_slice(&[b"b", delimiter, b"c"].concat());
                    }
                    std::fs::write(&path, bytes).unwrap();
                    let parted = Delimiter::new(delimiter);
                    let mut input = Input::start(vec![path.clone()], parted.clone(), MAX).unwrap();
                    let (mut lines, mut next) = (Vec::new(), 1);
                    while let Some(portion) = input.next().await {
                        let portion = portion.unwrap();
                        assert_eq!(portion.first_line, next);
                        next = portion.next_line();
                        let cut = usize::try_from(portion.cut).unwrap();
                        assert!(cut == 0 || portion.bytes[..] == long[..HEAD]);
                        let parts = parted.split(&portion.bytes);
                        lines.extend(parts.map(|part| (part.len() + cut, part[0])));
                    }
                    std::fs::remove_file(path).unwrap();
                    let rest = if end.is_empty() { &[][..] } else { &[(1, b'b'), (1, b'c')] };
                    assert_eq!(lines, [&[(length, b'-')], rest].concat(), "{delimiter:?}");
                }
            }
        }
    }

    /// Parts that are far longer than what is read at once, and delimiters across its ends.
    #[tokio::test]
    async fn portions_end_where_records_do() {
        for delimiter in [&b"\n"[..], b"--", b"aa", b"<end>"] {
            let path = std::env::temp_dir().join(format!("ottla-input-{}", std::process::id()));
            let mut file = File::create(&path).unwrap();
            let mut bytes = Vec::new();
            for length in [1, PORTION - 3, 0, 5, 2 * PORTION + 1, PORTION - 1, 700_000, 0, 3] {
                bytes.extend(
                    (0..length).map(|n| if n % 3 == 0 { b'-' } else { b'a' + n as u8 % 7 }),
                );
                bytes.extend_from_slice(delimiter);
            }
            bytes.extend_from_slice(b"the end");
            file.write_all(&bytes).unwrap();
            let delimiter = Delimiter::new(delimiter);
            let mut input =
                Input::start(vec![path.clone()], delimiter.clone(), usize::MAX).unwrap();
            let mut parts = Vec::new();
            while let Some(portion) = input.next().await {
                let portion = portion.unwrap();
                assert_eq!(portion.first_line, parts.len() as u64 + 1);
                parts.extend(delimiter.split(&portion.bytes).map(<[u8]>::to_vec));
                input.used().recycle(portion.bytes);
            }
            std::fs::remove_file(path).unwrap();
            let expected: Vec<_> = delimiter.split(&bytes).map(<[u8]>::to_vec).collect();
            assert!(parts == expected, "{delimiter:?}");
        }
    }
}
