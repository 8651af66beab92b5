//! Values to send, in turn.

use std::path::Path;

use anyhow::{Context, bail};
use ottla_tokio::{Producer, Record, TopicHandle};

/// Values.
#[derive(Debug)]
pub(super) struct Payloads {
    values: Vec<Vec<u8>>,
}

/// Different values that are made.
const MADE: u32 = 1_024;

impl Payloads {
    /// Values of so many bytes, always the same: printable, and not easy to compress.
    pub(super) fn make(size: u32) -> Self {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'!' + (state >> 32) as u8 % 94
        };
        // Not more memory than a few megabytes, however large one is.
        let count = (16_u32 << 20).checked_div(size).unwrap_or(MADE).clamp(1, MADE);
        let values = (0..count).map(|_| (0..size).map(|_| byte()).collect()).collect();
        Self { values }
    }

    /// The lines of a file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if bytes.is_empty() {
            bail!("{name} has no lines to take values from");
        }
        Ok(Self { values: bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() })
    }

    /// The values in turn, without end.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().map(Vec::as_slice).cycle()
    }

    /// Sends one record to each partition, and waits for them.
    pub(super) async fn warm_up(
        &self,
        producer: &Producer,
        topic: &TopicHandle,
    ) -> anyhow::Result<()> {
        let Some(value) = self.values.first() else { return Ok(()) };
        // The first makes the topic known.
        producer.send(Record::new(topic, value)).await?.await?;
        let partitions = i32::try_from(producer.partition_count(topic)).unwrap_or(i32::MAX);
        let records = (0..partitions).map(|p| Record::new(topic, value).partition(p));
        let deliveries = producer.send_many(records).await?;
        producer.flush().await;
        deliveries.await.all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_size_and_come_in_turn() {
        for size in [0, 1, 100, 20 << 20] {
            let payloads = Payloads::make(size);
            assert!(payloads.in_turn().take(3).all(|value| value.len() == size as usize));
        }
        let values = vec![b"a".to_vec(), b"b".to_vec()];
        let payloads = Payloads { values };
        assert_eq!(payloads.in_turn().take(3).collect::<Vec<_>>(), [b"a", b"b", b"a"]);
    }
}
