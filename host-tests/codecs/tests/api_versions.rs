//! ApiVersions.

use codec_tests::api_versions::ApiVersions;
use codec_tests::suite::{read_body, refuse_counts};
use codec_tests::{CORRELATION, Codec, Outcome, Requests, frame, hex, read_answers};
use ottla::error::Fault;
use ottla::message::api_versions::broker::{Answer, Feature, Request};
use ottla::message::api_versions::{Item, SOFTWARE_NAME, SOFTWARE_VERSION, request};
use ottla::message::broker::{RequestHeader, answer};
use ottla::message::{Api, ErrorCode, Versions, request_header};
use ottla::wire::write::Put;

codec_tests::suite!(ApiVersions);

#[test]
fn request_vector() {
    let bytes = hex("0012 0003 00000001 0001 63 00  04 616263  04 312e30  00");
    let (header, body) = RequestHeader::read(&bytes).unwrap();
    let client_id = Some(&b"c"[..]);
    assert_eq!(header, RequestHeader { key: 18, version: 3, correlation: 1, client_id });
    let read = Request::read(body, 3).unwrap();
    assert_eq!((read.software_name, read.software_version), (&b"abc"[..], &b"1.0"[..]));

    let mut ours = Vec::new();
    request_header(&mut ours, Api::ApiVersions, 3, 1, b"c");
    request(&mut ours, 3);
    let mut expected = bytes[..12].to_vec();
    for text in [SOFTWARE_NAME, SOFTWARE_VERSION] {
        expected.push(text.len() as u8 + 1);
        expected.raw(text.as_bytes());
    }
    expected.push(0);
    assert_eq!(ours, expected);
}

/// KIP-1242, which nobody else's code here has yet: cluster id and broker id, both open.
#[test]
fn request_of_version_5() {
    let mut of_4 = Vec::new();
    request(&mut of_4, 4);
    let mut of_5 = Vec::new();
    request(&mut of_5, 5);
    let names = &of_4[..of_4.len() - 1];
    assert_eq!(of_5, [names, &hex("00 ffffffff 00")[..]].concat());

    let body = hex("02 61  02 31  03 6964  00000007  00");
    let sent = Request {
        software_name: b"a",
        software_version: b"1",
        cluster_id: Some(b"id"),
        node_id: 7,
    };
    assert_eq!(ApiVersions::read(&body, 5), Ok(sent));
    for length in 0..body.len() {
        assert!(ApiVersions::read(&body[..length], 5).is_err(), "{length} bytes");
    }
}

#[test]
fn software_name_and_version_are_as_brokers_accept_them() {
    for text in [SOFTWARE_NAME, SOFTWARE_VERSION] {
        let middle = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let end = |c: char| c.is_ascii_alphanumeric();
        assert!(text.starts_with(end) && text.ends_with(end) && text.chars().all(middle), "{text}");
    }
}

#[test]
fn answer_vector() {
    let body = "0000  03  0000 0000 000d 00  0016 0000 0005 00  00000000
        02  01 08 0000000000000009
            02 1a 02 14 7472616e73616374696f6e2e76657273696f6e 0002 0002 00";
    let body = hex(body);
    let [produce, init] = [(0, Versions { min: 0, max: 13 }), (22, Versions { min: 0, max: 5 })];
    let items =
        [Item::Error(ErrorCode::NONE), Item::Api(produce.0, produce.1), Item::Api(init.0, init.1)];
    assert_eq!(read_body::<ApiVersions>(3, &body).unwrap(), items);

    let level_2 = Versions { min: 2, max: 2 };
    let ours = Answer {
        error: ErrorCode::NONE,
        apis: vec![produce, init],
        throttle_ms: 0,
        supported: Vec::new(),
        finalized_epoch: 9,
        finalized: vec![Feature { name: "transaction.version", levels: level_2 }],
    };
    let expected = frame(&[&hex("00000001"), &body[..]].concat());
    assert_eq!(answer(Api::ApiVersions, 3, 1, |out| ours.write(3, out)), expected);
}

/// A broker that does not know the version answers in version 0, whatever was asked: since Kafka
/// 2.4 with its versions of this API, before with none.
#[test]
fn refusals_are_read_in_every_version() {
    let with_versions = hex("0023  00000001  0012 0000 0004");
    let without = hex("0023  00000000");
    let refused = Item::Error(ErrorCode::UNSUPPORTED_VERSION);
    let known = Item::Api(18, Versions { min: 0, max: 4 });
    for version in ApiVersions::VERSIONS {
        for (body, items) in [(&with_versions, vec![refused, known]), (&without, vec![refused])] {
            let bytes = frame(&[&CORRELATION.to_be_bytes(), &body[..]].concat());
            let expected = Outcome::whole(items);
            for cut in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                assert_eq!(read_answers::<ApiVersions>(version, [head, tail]), expected);
            }
            for length in 0..body.len() {
                let read = read_body::<ApiVersions>(version, &body[..length]);
                assert!(read.is_err(), "{length} bytes in version {version}");
            }
        }
    }
    let ours = Answer {
        error: ErrorCode::UNSUPPORTED_VERSION,
        apis: vec![(18, Versions { min: 0, max: 4 })],
        ..Answer::default()
    };
    let mut body = Vec::new();
    ours.write(0, &mut body);
    assert_eq!(body, with_versions);
}

#[test]
fn counts_are_checked() {
    for version in ApiVersions::VERSIONS {
        let flexible = Api::ApiVersions.is_flexible(version);
        refuse_counts("APIs", &[0, 0], flexible, |body| {
            read_body::<ApiVersions>(version, body).err()
        });
    }
}

#[test]
fn an_array_may_be_null() {
    assert_eq!(read_body::<ApiVersions>(0, &hex("0000 ffffffff")).unwrap().len(), 1);
    assert_eq!(read_body::<ApiVersions>(3, &hex("0000 00 00000000 00")).unwrap().len(), 1);
    let cut = read_body::<ApiVersions>(3, &hex("0000 00 00000000"));
    assert_eq!(cut, Err(Fault::Truncated));
}
