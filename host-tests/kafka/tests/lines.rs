//! A text file through the command line, from a pipe, comes out byte for byte.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use kafka_tests::Kafka;

/// The built command line tool, beside this test's own directory.
fn ottla() -> Result<PathBuf> {
    let test = env::current_exe()?;
    let directory = test.ancestors().nth(2).context("no target directory")?;
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "ottla-cli"]);
    build.arg("--target-dir").arg(directory.parent().context("no target directory")?);
    if directory.ends_with("release") {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "the command line tool does not build");
    Ok(directory.join("ottla"))
}

/// Lines of every kind: empty, long, with carriage returns, with bytes that are no text.
fn lines() -> Vec<Vec<u8>> {
    let mut state = 7_u64;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..120_000_u32)
        .map(|number| match next() % 10 {
            0 => Vec::new(),
            1 => format!("{number}\r").into_bytes(),
            2 => (0..next() % 300).map(|_| next() as u8).filter(|b| *b != b'\n').collect(),
            _ => format!("line {number} of the file, {:x}", next()).into_bytes(),
        })
        .collect()
}

#[test]
fn a_file_from_a_pipe_is_byte_exact_on_the_other_side() -> Result<()> {
    let kafka = Kafka::start()?;
    kafka.create_topic("lines", 1, &[])?;
    let lines = lines();
    let mut child = Command::new(ottla()?)
        .args(["produce", "-b", &kafka.bootstrap(), "-t", "lines"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stdin.take().context("a pipe")?;
    for line in &lines {
        pipe.write_all(line)?;
        pipe.write_all(b"\n")?;
    }
    drop(pipe);
    ensure!(child.wait()?.success());
    let mut count = 0;
    for record in kafka.read_back("lines")? {
        let record = record?;
        let expected = lines.get(record.offset as usize).context("surplus")?;
        ensure!(record.value.as_ref() == Some(expected), "line {} differs", record.offset);
        count += 1;
    }
    ensure!(count == lines.len(), "{count} lines came back");
    Ok(())
}
