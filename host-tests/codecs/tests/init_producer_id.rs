//! InitProducerId.

use codec_tests::init_producer_id::InitProducerId;
use codec_tests::suite::read_body;
use codec_tests::{Requests, frame, hex};
use ottla::error::Fault;
use ottla::message::broker::{RequestHeader, answer};
use ottla::message::init_producer_id::broker::{Request, write};
use ottla::message::init_producer_id::{Item, request};
use ottla::message::{Api, ErrorCode, request_header};
use ottla::wire::write::Put;

codec_tests::suite!(InitProducerId);

#[test]
fn request_vector() {
    let bytes = hex("0016 0004 00000002 0001 63 00  00  7fffffff  ffffffffffffffff  ffff  00");
    let mut ours = Vec::new();
    request_header(&mut ours, Api::InitProducerId, 4, 2, b"c");
    request(&mut ours, 4);
    assert_eq!(ours, bytes);

    let (header, body) = RequestHeader::read(&bytes).unwrap();
    let client_id = Some(&b"c"[..]);
    assert_eq!(header, RequestHeader { key: 22, version: 4, correlation: 2, client_id });
    let read = InitProducerId::read(body, 4);
    let (timeout_ms, producer_id, producer_epoch) = (i32::MAX, -1, -1);
    let sent = Request { transactional_id: None, timeout_ms, producer_id, producer_epoch };
    assert_eq!(read, Ok(sent));
}

#[test]
fn answer_vector() {
    let body = hex("00000000  0000  0000000000001092  0003  00");
    let item =
        Item { throttle_ms: 0, error: ErrorCode::NONE, producer_id: 4_242, producer_epoch: 3 };
    assert_eq!(read_body::<InitProducerId>(4, &body).unwrap(), [item]);
    let expected = frame(&[&hex("00000002 00"), &body[..]].concat());
    assert_eq!(answer(Api::InitProducerId, 4, 2, |out| write(&item, 4, out)), expected);
}

/// A section of tagged fields announces its fields, and each field its size.
#[test]
fn counts_and_sizes_of_tagged_fields_are_checked() {
    for version in 2..=5 {
        assert!(Api::InitProducerId.is_flexible(version));
        let with_tags = |tags: &str| {
            let mut body = vec![0; 16];
            body.raw(&hex(tags));
            read_body::<InitProducerId>(version, &body).map(|items| items.len())
        };
        assert_eq!(with_tags("00"), Ok(1));
        assert_eq!(with_tags("02  05 00  06 02 ffff"), Ok(1));
        for (tags, fault) in [
            ("", Fault::Truncated),
            ("01  05 80", Fault::Truncated),
            ("02  05 00  06", Fault::CountTooLarge),
            ("01  05 03 ffff", Fault::CountTooLarge),
            ("01  05 ffffffff0f ffff", Fault::CountTooLarge),
            ("01  05 ffffffff1f ffff", Fault::VarintTooLong),
            ("ffffffff0f  05 00", Fault::CountTooLarge),
            ("ffffffffff  05 00", Fault::VarintTooLong),
        ] {
            assert_eq!(with_tags(tags), Err(fault), "{tags} in version {version}");
        }
    }
}
