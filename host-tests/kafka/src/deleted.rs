//! What a deleted topic held, from the files that nodes keep for a while.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::java::{finish, tool};

/// From the deletion to the new names of the files; several times what a slow machine needs.
const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// The text values of one copy of a partition, by offset.
pub type Values = BTreeMap<i64, String>;

/// The segments of each partition of a topic that was deleted, in the data of a node.
pub(crate) fn segments(data: &Path, topic: &str, partitions: u32) -> Result<Vec<Vec<PathBuf>>> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut found = vec![Vec::new(); partitions as usize];
        for entry in
            fs::read_dir(data).with_context(|| format!("cannot list {}", data.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // TOPIC-PARTITION.ID-delete
            let partition = name
                .strip_suffix("-delete")
                .and_then(|name| name.strip_prefix(topic)?.strip_prefix('-')?.split_once('.'))
                .and_then(|(partition, _)| partition.parse::<usize>().ok());
            if let Some(segments) = partition.and_then(|partition| found.get_mut(partition)) {
                *segments = logs(&path)?;
            }
        }
        if found.iter().all(|segments| !segments.is_empty()) {
            return Ok(found);
        }
        ensure!(
            Instant::now() < deadline,
            "no files of deleted topic {topic} in {} after {LIMIT:?}",
            data.display()
        );
        thread::sleep(POLL);
    }
}

fn logs(partition: &Path) -> Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in
        fs::read_dir(partition).with_context(|| format!("cannot list {}", partition.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(path);
        }
    }
    Ok(logs)
}

/// Reads segments by Kafka's own tool: for each file, what it holds.
pub(crate) fn dump(files: &[PathBuf]) -> Result<BTreeMap<PathBuf, Values>> {
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut command = tool("org.apache.kafka.tools.DumpLogSegments")?;
    command.args(["--print-data-log", "--files", &list.join(",")]);
    let text = finish(&mut command).context("cannot read segments")?;
    let dumped = parse(&text)?;
    for file in files {
        ensure!(dumped.contains_key(file), "nothing was said of {}:\n{text}", file.display());
    }
    Ok(dumped)
}

fn parse(text: &str) -> Result<BTreeMap<PathBuf, Values>> {
    let mut files: BTreeMap<PathBuf, Values> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(file) = line.strip_prefix("Dumping ") {
            current = Some(files.entry(file.trim().into()).or_default());
        } else if let Some(record) = line.strip_prefix("| offset: ") {
            let (offset, rest) = record.split_once(' ').context("a record without more")?;
            let (_, value) = rest.split_once(" payload: ").context("a record without a value")?;
            let values = current.as_mut().context("a record before any file")?;
            values.insert(offset.parse()?, value.to_owned());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
Dumping /d/t-0.5b1-delete/00000000000000000000.log
Log starting offset: 0
baseOffset: 0 lastOffset: 1 count: 2 baseSequence: 0 lastSequence: 1 producerId: 7
| offset: 0 CreateTime: 1 keySize: -1 valueSize: 2 sequence: 0 headerKeys: [] payload: 10
| offset: 1 CreateTime: 1 keySize: -1 valueSize: 2 sequence: 1 headerKeys: [] payload: 11
Dumping /d/t-1.5b1-delete/00000000000000000000.log
Log starting offset: 0
";

    #[test]
    fn values_are_found_file_by_file() {
        let files = parse(DUMP).unwrap();
        let values: Vec<_> = files.values().map(|values| Vec::from_iter(values.clone())).collect();
        assert_eq!(values, [vec![(0, "10".to_owned()), (1, "11".to_owned())], vec![]]);
    }
}
