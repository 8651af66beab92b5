//! `ottla::identity`

use ottla::Instant;
use ottla::identity::{Identity, Sequence, Sequences};

use super::opaque;

pub(super) fn all() {
    let identity = opaque(Identity { id: opaque(1), epoch: opaque(2) });
    opaque(identity.bumped());
    let sequence = opaque(Sequence::new(opaque(3)));
    opaque(sequence.get());
    opaque(sequence.after(opaque(4)));
    opaque(sequence.before(opaque(4)));
    opaque(sequence.is_before(opaque(sequence)));
    let now = opaque(Instant::from_micros(opaque(0)));
    let mut sequences = opaque(Sequences::default());
    sequences.adopt(identity);
    opaque(sequences.assign(opaque(5)));
    sequences.succeeded(opaque(sequence), now);
    sequences.doubt();
    sequences.resolved();
    sequences.give_up();
    sequences.withdraw();
    opaque(sequences.window(now));
    opaque(sequences.identity());
    opaque(sequences.next());
    opaque(sequences.acknowledged());
    opaque(sequences.unresolved());
    opaque(sequences.is_broken());
}
