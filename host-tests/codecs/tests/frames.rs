//! Frames and headers, whatever they hold.

use codec_tests::init_producer_id::InitProducerId;
use codec_tests::{CORRELATION, frame, hex, read_answers};
use ottla::error::Fault;
use ottla::message::broker::RequestHeader;
use ottla::message::request_header;
use ottla::wire::input::{FRAME_MAX, Frame};

/// Reads the size before a frame in two pieces, cut at `cut`.
fn size(bytes: [u8; 4], cut: usize) -> Result<Option<u32>, Fault> {
    let mut frame = Frame::default();
    let (head, tail) = bytes.split_at(cut);
    match frame.size(head)? {
        (None, []) => {
            let (size, rest) = frame.size(tail)?;
            assert!(rest.is_empty());
            Ok(size)
        }
        (size, rest) => {
            assert_eq!((cut, rest), (4, &[][..]), "{size:?} after {cut} bytes");
            Ok(size)
        }
    }
}

#[test]
fn sizes_are_checked() {
    for (bytes, expected) in [
        (0_u32.to_be_bytes(), Ok(Some(0))),
        (FRAME_MAX.to_be_bytes(), Ok(Some(FRAME_MAX))),
        ((FRAME_MAX + 1).to_be_bytes(), Err(Fault::SizeTooLarge)),
        (i32::MAX.to_be_bytes(), Err(Fault::SizeTooLarge)),
        ((-1_i32).to_be_bytes(), Err(Fault::NegativeSize)),
        (i32::MIN.to_be_bytes(), Err(Fault::NegativeSize)),
        (*b"HTTP", Err(Fault::Http)),
        (*b"<!DO", Err(Fault::Http)),
        (*b"<htm", Err(Fault::Http)),
        ([0x15, 0x03, 0x03, 0x00], Err(Fault::Tls)),
        ([0x16, 0x03, 0x01, 0x02], Err(Fault::Tls)),
    ] {
        for cut in 0..=4 {
            assert_eq!(size(bytes, cut), expected, "{bytes:x?} cut at {cut}");
        }
    }
}

#[test]
fn a_frame_without_room_for_its_header_is_truncated() {
    for length in 0..4 {
        let bytes = frame(&CORRELATION.to_be_bytes()[..length]);
        for pieces in [vec![&bytes[..]], bytes.chunks(1).collect()] {
            let read = read_answers::<InitProducerId>(4, pieces);
            assert_eq!(read.fault, Some(Fault::Truncated), "{length} bytes");
        }
    }
}

/// An API that we do not know, and a client id that is null.
#[test]
fn request_header_of_a_foreign_api() {
    let bytes = hex("0011 0001 00000004 ffff 0005 504c41494e");
    let (header, body) = RequestHeader::read(&bytes).unwrap();
    let expected = RequestHeader { key: 17, version: 1, correlation: 4, client_id: None };
    assert_eq!((header, body), (expected, &hex("0005 504c41494e")[..]));
}

#[test]
fn request_headers_that_end_early_are_told() {
    for api in codec_tests::definition::apis() {
        for version in api.versions().min..=api.versions().max {
            let mut bytes = Vec::new();
            request_header(&mut bytes, api, version, 1, b"client");
            assert!(RequestHeader::read(&bytes).is_ok());
            for length in 0..bytes.len() {
                let read = RequestHeader::read(&bytes[..length]);
                assert_eq!(read, Err(Fault::Truncated), "{length} bytes of {api:?} {version}");
            }
        }
    }
}
