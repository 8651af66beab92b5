//! `ottla::time`

use ottla::time::{Duration, Instant};

use super::opaque;

pub(super) fn all() {
    let span = opaque(Duration::from_micros(opaque(0)));
    opaque(Duration::from_millis(opaque(0)));
    opaque(Duration::from_secs(opaque(0)));
    opaque(span.as_micros());
    opaque(span.as_millis());
    opaque(span.plus(opaque(span)));

    let now = opaque(Instant::from_micros(opaque(0)));
    opaque(Instant::from_millis(opaque(0)));
    opaque(now.as_micros());
    opaque(now.after(span));
    opaque(now.since(opaque(now)));
}
