//! The log of an image: defmt frames, read by what the image's file says of them.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use defmt_decoder::{DecodeError, Table};

/// Reads frames off a stream until its end, and passes each line on.
pub fn follow(mut stream: impl Read, table: &Table, mut line: impl FnMut(String)) -> Result<()> {
    let mut decoder = table.new_stream_decoder();
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer).context("cannot read the log")?;
        if count == 0 {
            return Ok(());
        }
        decoder.received(&buffer[..count]);
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    let time = frame.display_timestamp().map(|time| format!("{time} "));
                    let level = frame.level().map(|level| format!("{:5} ", level.as_str()));
                    line(format!(
                        "{}{}{}",
                        time.unwrap_or_default(),
                        level.unwrap_or_default().to_uppercase(),
                        frame.display_message()
                    ));
                }
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) => line("(a frame that cannot be read)".to_owned()),
            }
        }
    }
}

/// What an image's file says of its log.
pub fn table(image: &Path) -> Result<Table> {
    let elf = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    match Table::parse(&elf) {
        Ok(Some(table)) => Ok(table),
        Ok(None) => bail!("{} has no log; it is built without the feature defmt", image.display()),
        Err(error) => bail!("the log of {} is of no known form: {error:#}", image.display()),
    }
}
