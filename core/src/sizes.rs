//! Bytes of every public type and of every slot, so that memory can be planned before anything is
//! built.
//!
//! All of them are held to [`SIZES`] when the crate is compiled. What lends memory holds pointers
//! and is smaller on 32-bit processors; everything else is the same wherever 64-bit numbers stand
//! at multiples of eight, which is everywhere but on 32-bit x86, where some types are smaller.

use crate::cluster::{BrokerSlot, PartitionSlot, TopicSlot};
use crate::error::{Fault, Full, Refused};
use crate::link::{Link, LinkSlot, Reason, Receive, RequestSlot};
use crate::memory::{BlockId, Fixed};
use crate::producer::{
    Accepted, Address, Batch, BatchSlot, Broker, Cause, Complaint, Counters, Delivery, Doubt,
    Event, Flush, LinkAction, Outcome, Piece, Producer, Topic, Traffic,
};
use crate::record::{Header, Record};
use crate::time::{Duration, Instant};
use crate::{Acks, Config};

/// A type and its size.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Size {
    /// Name of the type.
    pub name: &'static str,
    /// Bytes on this processor.
    pub bytes: usize,
}

/// A producer with no memory at all: what is there beside tables and blocks.
type Bare = Producer<Fixed<0, 0, 0, 0, 0, 0, 0, 0, 0, 0>>;

macro_rules! sizes {
    ($($type:ty: $narrow:literal $(, $wide:literal)?;)*) => {
        /// The sizes, by name.
        pub const SIZES: &[Size] = &[
            $(Size { name: stringify!($type), bytes: size_of::<$type>() },)*
        ];

        const _: () = {
            $(assert!(fits(size_of::<$type>(), &[$narrow $(, $wide)?]), stringify!($type));)*
        };
    };
}

/// Whether a type has the size that is stated for this processor.
const fn fits(bytes: usize, stated: &[usize]) -> bool {
    let stated = match *stated {
        [_, wide] if size_of::<usize>() > 4 => wide,
        [narrow, ..] => narrow,
        [] => return false,
    };
    if cfg!(target_arch = "x86") { bytes <= stated } else { bytes == stated }
}

// Bytes; with two numbers, on 32-bit and on 64-bit processors.
sizes! {
    Refused: 4;
    Fault: 4;
    Full: 1;
    Cause: 4;
    Doubt: 4;
    Reason: 4;
    Outcome: 24;
    Delivery: 56;
    Event: 56;
    Accepted: 32;
    Batch: 4;
    Topic: 4;
    Broker: 4;
    Link: 8;
    Flush: 8;
    Acks: 1;
    Instant: 8;
    Duration: 8;
    Config: 152;
    Counters: 144;
    Traffic: 32;
    Record<'_>: 64, 88;
    Header<'_>: 16, 32;
    Address<'_>: 20, 32;
    LinkAction<'_>: 28, 40;
    Piece<'_>: 24, 32;
    Complaint<'_>: 16, 24;
    TopicSlot: 72;
    PartitionSlot: 160;
    BatchSlot: 160;
    RequestSlot: 32;
    LinkSlot: 120;
    Receive: 360;
    BrokerSlot: 80;
    BlockId: 4;
    Bare: 736, 744;
}
