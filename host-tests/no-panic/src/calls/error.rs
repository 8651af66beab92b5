//! `ottla::error`

use ottla::error::Fault;

use super::opaque;

pub(super) fn all() {
    opaque(opaque(Fault::Malformed).text());
}
