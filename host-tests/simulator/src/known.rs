//! Findings that wait to be mended. A run that meets one is counted, and does not fail; whoever
//! mends one takes its row away.

use ottla_broker::Profile;

use crate::draw::Plan;
use crate::fault::Fault;
use crate::operation::Kind;
use crate::promise::{Promise, Violation};

/// Brokers below 2.8 tell no topic ids: where a topic is made again, its leader epochs begin
/// again, and are taken for old ones for ever, unless somebody asked while it was gone.
const NO_TOPIC_IDS: &str = "a topic made again where topics have no ids";

/// Which finding this is, if it is known.
pub(crate) fn finding(plan: &Plan, violation: &Violation) -> Option<&'static str> {
    let has = |fault| plan.operations.iter().any(|o| o.kind == Kind::Fault(fault));
    let without_ids = plan.setup.profile < Profile::V2_8;
    match violation.promise {
        Promise::I8 if without_ids && has(Fault::Recreate) => Some(NO_TOPIC_IDS),
        _ => None,
    }
}
