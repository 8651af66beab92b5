//! Bytes on the wire: integers, varints, strings, arrays, tagged fields, frames and headers.
//!
//! Reading is by nom parsers over one *atom* at a time ([`parse`]), fed from a stream that may
//! be cut at any byte ([`input`]). Writing is into a bounded buffer ([`mod@write`]).
//! All integers are big endian. Kafka protocol guide, "Protocol Primitive Types".

pub mod input;
pub mod parse;
pub mod write;
