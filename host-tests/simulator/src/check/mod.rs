//! Who judges: each checker sees logs of brokers, bytes of wires and the applications' trace, and
//! nothing of the machine's inside.

pub(crate) mod bound;
pub(crate) mod healed;
pub(crate) mod logs;
pub(crate) mod wires;

/// What a checker says.
pub(crate) type Verdict = Result<(), String>;

/// As that, and at how much it looked.
pub(crate) type Counted = Result<u64, String>;
