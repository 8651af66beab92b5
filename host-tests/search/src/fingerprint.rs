//! Fingerprints of states: 128 bits, by which two states are taken for the same. Of a hundred
//! million states, any two have the same one by accident with a chance of one in 10^22.

use std::hash::{BuildHasherDefault, Hasher};

use arrayvec::ArrayVec;
use ottla::Instant;
use ottla::memory::Owner;
use ottla::producer::{Producer, View};
use xxhash_rust::xxh3::xxh3_128;

/// 128 bits of a state.
pub type Fingerprint = u128;

/// Places fingerprints in tables by their own bits, which are as good as any hash of them.
pub type FingerprintHasher = BuildHasherDefault<OwnBits>;

/// Takes a fingerprint for its hash.
#[derive(Copy, Clone, Default, Debug)]
pub struct OwnBits(u64);

impl Hasher for OwnBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, fingerprint: Fingerprint) {
        self.0 = fingerprint as u64;
    }
}

/// What is due in more than so many microseconds is never reached in a search, and is all the
/// same; see [`crate::setup::Setup::config`].
pub const FAR: u64 = 100_000_000;

/// Takes a value's hashed parts.
#[derive(Clone, Default, Debug)]
pub struct Fingerprinter {
    bytes: Vec<u8>,
    /// Leaves out what is due when, to see that this is noticed.
    pub(crate) timeless: bool,
}

impl Fingerprinter {
    /// Forgets what was taken.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The fingerprint of all that was taken.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        xxh3_128(&self.bytes)
    }
}

impl Hasher for Fingerprinter {
    fn finish(&self) -> u64 {
        self.fingerprint() as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// Slots that can be named in one view; more would be a mistake in its declaration.
const NAMES: usize = 64;

/// Numbers by where they came first; 0 stays 0.
#[derive(Default)]
struct Names(ArrayVec<u64, NAMES>);

impl Names {
    fn of(&mut self, name: u64) -> u64 {
        let place = self.0.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        place as u64 + 1
    }
}

/// The fingerprint of a producer at an instant: the same for two producers that behave the same,
/// whatever their slots are numbered and whenever they are.
pub fn of_producer<O: Owner>(
    producer: &mut Producer<O>,
    now: Instant,
    scratch: &mut Fingerprinter,
) -> Fingerprint {
    scratch.clear();
    let (mut batches, mut requests, mut correlations) =
        (Names::default(), Names::default(), Names::default());
    let name = |names: &mut Names, number: u32| match number {
        0 => 0,
        number => names.of(u64::from(number)),
    };
    producer.view(&mut |view| match view {
        View::Number(number) => scratch.write(&number.to_le_bytes()),
        View::Due(_) if scratch.timeless => {}
        View::Due(at) => scratch.write(&distance(at, now).to_le_bytes()),
        View::Batch(number) => scratch.write_u8(name(&mut batches, number) as u8),
        View::Request(number) => scratch.write_u8(name(&mut requests, number) as u8),
        View::Correlation(link, number) => {
            let number = (link as u64) << 32 | u64::from(number.cast_unsigned());
            scratch.write_u8(correlations.of(number) as u8);
        }
        View::Bytes(bytes) => {
            scratch.write_u32(bytes.len() as u32);
            scratch.write(bytes);
        }
    });
    scratch.fingerprint()
}

/// How far off an instant is: -1 if it is past, 0 if it is now.
fn distance(at: Instant, now: Instant) -> i64 {
    let (at, now) = (at.as_micros(), now.as_micros());
    if at < now { -1 } else { (at - now).min(FAR).cast_signed() }
}
