//! Requests of one API: written by the client's direction, read whole by the broker's.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use ottla::error::Fault;
use ottla::message::request_header;
use ottla::wire::write::Put;
use proptest::strategy::BoxedStrategy;

use crate::theirs::Extras;
use crate::{CORRELATION, Codec};

/// The client id of the requests made here.
pub const CLIENT_ID: &str = "ottla-tests";

/// What the tests have to know of an API's requests.
pub trait Requests: Codec {
    /// The versions that the client's direction writes.
    const OWN_VERSIONS: RangeInclusive<i16> = Self::API.versions().min..=Self::API.versions().max;
    /// The versions of the second implementation.
    const THEIR_VERSIONS: RangeInclusive<i16>;
    /// A request as the broker's direction yields it.
    type Request<'a>: Debug + PartialEq;

    /// Requests that this client may send.
    fn own() -> BoxedStrategy<Self::Request<'static>>;

    /// Requests that any client may send.
    fn any() -> BoxedStrategy<Self::Request<'static>>;

    /// Writes the body by the client's direction; for requests of [`Requests::own`].
    fn write_request(request: &Self::Request<'_>, version: i16, out: &mut impl Put);

    /// Reads a body by the broker's direction.
    ///
    /// # Errors
    /// What the decoder says.
    fn read(body: &[u8], version: i16) -> Result<Self::Request<'_>, Fault>;

    /// What a broker is to see of a request in `version`: fields that it does not have are at
    /// their defaults.
    fn seen<'a>(request: &'a Self::Request<'_>, version: i16) -> Self::Request<'a>;

    /// The body by the second implementation.
    fn their_request(request: &Self::Request<'_>, version: i16, extras: Extras) -> Vec<u8>;

    /// Header and body by the client's direction.
    fn write_content(request: &Self::Request<'_>, version: i16, out: &mut impl Put) {
        request_header(out, Self::API, version, CORRELATION, CLIENT_ID.as_bytes());
        Self::write_request(request, version, out);
    }

    /// The same, as bytes.
    fn content(request: &Self::Request<'_>, version: i16) -> Vec<u8> {
        let mut out = Vec::new();
        Self::write_content(request, version, &mut out);
        out
    }
}
