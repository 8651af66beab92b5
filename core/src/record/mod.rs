//! Record batches, format v2: what a producer sends and a log holds.
//!
//! [`builder`] writes records one after another into a block and seals the header once;
//! [`reader`] reads a batch back and names what is wrong with it. Sizes are exact ([`size`]).
//! Source of the layout: Kafka's documentation, "Record Batch".

pub mod builder;
pub mod checksum;
pub mod layout;
pub mod reader;
pub mod size;
pub(crate) mod split;

/// A header of a record: a key, and a value that may be null.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header<'a> {
    /// The key. Kafka expects UTF-8.
    pub key: &'a str,
    /// The value; `None` is null, which differs from empty.
    pub value: Option<&'a [u8]>,
}

/// A record to produce.
///
/// ```
/// use ottla::Record;
/// let reading = Record::new(b"21.5").key(b"sensor-7").timestamp(1_700_000_000_000);
/// assert_eq!(reading.key, Some(&b"sensor-7"[..]));
/// ```
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Record<'a> {
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null (a tombstone on compacted topics).
    pub value: Option<&'a [u8]>,
    /// Headers in order; duplicate keys are kept.
    pub headers: &'a [Header<'a>],
    /// Milliseconds since the Unix epoch, not negative. `None`: the wall clock as last told by
    /// `Producer::set_wall_clock`, or as `Config::unknown_time` says if it never was.
    pub timestamp: Option<i64>,
    /// What it is worth when the memory is full, the higher the more; default 0. See
    /// [`WhenFull::DropLowestClass`](crate::config::WhenFull::DropLowestClass).
    pub class: u8,
    /// The partition, if the caller chooses it.
    pub partition: Option<i32>,
    /// `key_hash` of the key, if it was computed already
    /// (outside of a lock, say). Only looked at if there is a key and no partition.
    pub key_hash: Option<u32>,
}

impl<'a> Record<'a> {
    /// A record with a value and nothing else.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self {
            key: None,
            value: Some(value),
            headers: &[],
            timestamp: None,
            class: 0,
            partition: None,
            key_hash: None,
        }
    }

    /// A record with a null value.
    #[must_use]
    pub const fn tombstone() -> Self {
        Self {
            key: None,
            value: None,
            headers: &[],
            timestamp: None,
            class: 0,
            partition: None,
            key_hash: None,
        }
    }

    /// The same with a key.
    #[must_use]
    pub const fn key(mut self, key: &'a [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// The same with headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// The same with a timestamp in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// The same of another class.
    #[must_use]
    pub const fn class(mut self, class: u8) -> Self {
        self.class = class;
        self
    }

    /// The same for one partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}
