//! The records of a topic as Kafka's own consumer sees them, streamed from a Java process;
//! or as another client sees them that writes the same.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::java::{tail, tool};

/// Precedes a record in the stream.
const RECORD: u8 = b'R';
/// Ends the stream; one without it was cut.
const END: u8 = b'E';

/// A record in the log. Null and empty keys, values and header values are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The partition it is in.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<Header>,
}

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Option<Vec<u8>>,
}

/// The offsets that one partition held when reading began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRange {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub beginning: i64,
    /// The offset after the last; control records count too, so there may be fewer records than
    /// offsets.
    pub end: i64,
}

/// An iterator over all records that a topic held when reading began, in offset order within each
/// partition.
///
/// It holds one record at a time, so the topic may be larger than memory. It ends without an error
/// only after Java has said that this was all.
#[derive(Debug)]
pub struct ReadBack {
    stream: Stream<BufReader<ChildStdout>>,
    reader: Child,
    complaints: File,
    ranges: Vec<PartitionRange>,
    finished: bool,
}

impl ReadBack {
    /// Reads by Kafka's own consumer, from the cluster of `bootstrap`.
    pub(crate) fn by_kafka(bootstrap: &str, topic: &str) -> Result<ReadBack> {
        let mut command = tool("Harness")?;
        command.args(["read-back", bootstrap, topic]);
        ReadBack::start(&mut command).with_context(|| format!("cannot read topic {topic}"))
    }

    /// Reads by a program that writes what `read-back` of `Harness.java` does.
    pub(crate) fn start(command: &mut Command) -> Result<ReadBack> {
        let complaints = tempfile::tempfile().context("cannot create a temporary file")?;
        command
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().context("cannot share a temporary file")?);
        let mut reader = command.spawn().context("cannot run the reader")?;
        let stdout = reader.stdout.take().context("the reader has no standard output")?;
        let stream = Stream { input: BufReader::with_capacity(1 << 16, stdout) };
        let mut read_back =
            ReadBack { stream, reader, complaints, ranges: Vec::new(), finished: false };
        match read_back.stream.ranges() {
            Ok(ranges) => read_back.ranges = ranges,
            Err(error) => return Err(read_back.explain(error)),
        }
        Ok(read_back)
    }

    /// The offsets of each partition when reading began, by partition.
    pub fn ranges(&self) -> &[PartitionRange] {
        &self.ranges
    }

    fn advance(&mut self) -> Result<Option<Record>> {
        if let Some(record) = self.stream.record()? {
            return Ok(Some(record));
        }
        let status = self.reader.wait().context("cannot wait for the reader")?;
        ensure!(status.success(), "the reader failed after its last record ({status})");
        Ok(None)
    }

    /// Adds what Java said to an error.
    fn explain(&mut self, error: anyhow::Error) -> anyhow::Error {
        self.end();
        let mut said = String::new();
        // Java writes through the same file position.
        let read =
            self.complaints.rewind().and_then(|()| self.complaints.read_to_string(&mut said));
        match read {
            Ok(_) => error.context(format!("the reader failed:\n{}", tail(&said))),
            Err(unreadable) => {
                error.context(format!("the reader failed, and what it said is lost: {unreadable}"))
            }
        }
    }

    /// Ends the process if it still runs.
    fn end(&mut self) {
        // Both fail only for a process that has already been waited for.
        let _ = self.reader.kill();
        let _ = self.reader.wait();
    }
}

impl Iterator for ReadBack {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        if self.finished {
            return None;
        }
        let next = self.advance().map_err(|error| self.explain(error)).transpose();
        self.finished = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Drop for ReadBack {
    fn drop(&mut self) {
        self.end();
    }
}

/// The format written by `read-back` in `Harness.java`; all integers are big-endian.
#[derive(Debug)]
struct Stream<R> {
    input: R,
}

impl<R: Read> Stream<R> {
    fn ranges(&mut self) -> Result<Vec<PartitionRange>> {
        let count = self.int()?;
        (0..count)
            .map(|_| {
                Ok(PartitionRange {
                    partition: self.int()?,
                    beginning: self.long()?,
                    end: self.long()?,
                })
            })
            .collect()
    }

    /// The next record, or none at the end mark.
    fn record(&mut self) -> Result<Option<Record>> {
        match self.take::<1>()? {
            [RECORD] => {}
            [END] => return Ok(None),
            [other] => bail!("byte {other:#04x} where a record or the end should be"),
        }
        let mut record = Record {
            partition: self.int()?,
            offset: self.long()?,
            timestamp: self.long()?,
            key: self.bytes()?,
            value: self.bytes()?,
            headers: Vec::new(),
        };
        for _ in 0..self.int()? {
            let key = self.bytes()?.context("a header without a key")?;
            let key = String::from_utf8(key).context("a header key that is not UTF-8")?;
            record.headers.push(Header { key, value: self.bytes()? });
        }
        Ok(Some(record))
    }

    fn int(&mut self) -> Result<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn long(&mut self) -> Result<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>> {
        let length = self.int()?;
        if length == -1 {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(length).context("a negative length")?];
        self.input.read_exact(&mut bytes).context("the stream was cut")?;
        Ok(Some(bytes))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).context("the stream was cut")?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.split_whitespace().flat_map(str::chars).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
            .collect()
    }

    const ONE_RECORD: &str = "52 00000002 0000000000000007 000001890a1b2c3d ffffffff 00000000 \
                              00000002 00000001 68 00000002 0a0b 00000001 69 ffffffff 45";

    fn one_record() -> Record {
        Record {
            partition: 2,
            offset: 7,
            timestamp: 0x0189_0a1b_2c3d,
            key: None,
            value: Some(Vec::new()),
            headers: vec![
                Header { key: "h".into(), value: Some(vec![10, 11]) },
                Header { key: "i".into(), value: None },
            ],
        }
    }

    #[test]
    fn null_and_empty_are_told_apart() {
        let bytes = hex(ONE_RECORD);
        let mut stream = Stream { input: bytes.as_slice() };
        assert_eq!(stream.record().unwrap(), Some(one_record()));
        assert_eq!(stream.record().unwrap(), None);
        assert!(stream.input.is_empty());
    }

    #[test]
    fn ranges_come_by_partition() {
        let bytes = hex("00000001 00000003 0000000000000004 0000000000000009");
        let mut stream = Stream { input: bytes.as_slice() };
        assert_eq!(
            stream.ranges().unwrap(),
            [PartitionRange { partition: 3, beginning: 4, end: 9 }]
        );
    }

    #[test]
    fn a_cut_stream_is_an_error_at_every_byte() {
        let bytes = hex(ONE_RECORD);
        for length in 0..bytes.len() - 1 {
            assert!(
                Stream { input: &bytes[..length] }.record().is_err(),
                "cut after {length} bytes"
            );
        }
        let mut without_end = Stream { input: &bytes[..bytes.len() - 1] };
        assert_eq!(without_end.record().unwrap(), Some(one_record()));
        assert!(without_end.record().is_err());
    }

    #[test]
    fn an_unknown_mark_is_an_error() {
        assert!(Stream { input: [0].as_slice() }.record().is_err());
    }
}
