//! The checks that all APIs share. [`suite!`](crate::suite!) makes tests of them.

use ottla::error::Fault;
use ottla::message::broker::RequestHeader;
use ottla::wire::write::{Put, Writer};
use proptest::prelude::*;

use crate::requests::CLIENT_ID;
use crate::theirs::{self, Extras};
use crate::{Answers, CORRELATION, Outcome, Requests, draw, frame, read_answers};

/// Cases where each is read once or twice.
const MANY: u32 = 64;
/// Cases where each is read once per byte or more.
const FEW: u32 = 3;

/// What a byte is set to by the mutations, besides its own bits turned over.
const BYTES: [u8; 6] = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff];

/// Makes a test of each check for the answers and the requests of an API.
#[macro_export]
macro_rules! suite {
    ($api:ty) => {
        $crate::suite!(@tests $api,
            answers_come_back_as_sent,
            answers_are_byte_for_byte_theirs,
            answers_of_foreign_brokers_are_read,
            answers_are_the_same_however_they_are_cut,
            answers_that_end_early_are_told,
            answers_may_go_on_beyond_what_is_known,
            broken_answers_do_no_harm,
            random_answers_do_no_harm,
            requests_come_back_as_sent,
            requests_need_exactly_their_room,
            requests_are_byte_for_byte_theirs,
            requests_of_foreign_clients_are_read,
            requests_that_end_early_are_told,
            broken_requests_do_no_harm,
            random_requests_do_no_harm,
        );
    };
    (@tests $api:ty, $($check:ident,)*) => {$(
        #[test]
        fn $check() {
            $crate::suite::$check::<$api>();
        }
    )*};
}

/// A frame by the second implementation.
fn their_frame<A: Answers>(answer: &A::Answer<'_>, version: i16, extras: Extras) -> Vec<u8> {
    theirs::answer(A::API, version, &A::their_answer(answer, version, extras), extras)
}

/// Calls `check` with each version, and frames that hold all there is, of `count` answers.
fn foreign_frames<A: Answers>(count: u32, check: impl Fn(i16, Vec<u8>, Vec<A::Item>)) {
    for version in A::VERSIONS {
        draw::cases(A::API, version, count, &A::answers(), |answer| {
            let frame = their_frame::<A>(&answer, version, Extras::All);
            check(version, frame, A::items(&answer, version));
        });
    }
}

/// Reads `bytes` whole and byte by byte, which is to give the same, and returns it.
fn read_both_ways<A: Answers>(version: i16, bytes: &[u8]) -> Outcome<A::Item> {
    let whole = read_answers::<A>(version, [bytes]);
    assert_eq!(read_answers::<A>(version, bytes.chunks(1)), whole, "byte by byte, and whole");
    whole
}

/// Broker to client through our own codecs.
pub fn answers_come_back_as_sent<A: Answers>() {
    for version in A::VERSIONS {
        draw::cases(A::API, version, MANY, &A::answers(), |answer| {
            let read = read_answers::<A>(version, [&A::frame(&answer, version)[..]]);
            assert_eq!(read, Outcome::whole(A::items(&answer, version)));
        });
    }
}

/// Our broker's direction against the second implementation's.
pub fn answers_are_byte_for_byte_theirs<A: Answers>() {
    for version in A::VERSIONS {
        draw::cases(A::API, version, MANY, &A::answers(), |answer| {
            let theirs = their_frame::<A>(&answer, version, Extras::None);
            assert_eq!(A::frame(&answer, version), theirs);
        });
    }
}

/// Fields that we never send, and tagged fields that nobody knows.
pub fn answers_of_foreign_brokers_are_read<A: Answers>() {
    foreign_frames::<A>(MANY, |version, frame, items| {
        assert_eq!(read_answers::<A>(version, [&frame[..]]), Outcome::whole(items));
    });
}

/// Two pieces cut at every byte, byte by byte, and in small windows.
pub fn answers_are_the_same_however_they_are_cut<A: Answers>() {
    foreign_frames::<A>(FEW, |version, frame, items| {
        let whole = Outcome::whole(items);
        for cut in 0..=frame.len() {
            let (head, tail) = frame.split_at(cut);
            assert_eq!(read_answers::<A>(version, [head, tail]), whole, "cut at {cut}");
        }
        for window in [1, 2, 3, 7, 64] {
            assert_eq!(read_answers::<A>(version, frame.chunks(window)), whole, "{window} at once");
        }
        // Two answers back to back, cut at every byte of the second's beginning.
        let two = frame.repeat(2);
        for cut in frame.len() - 3..=(frame.len() + 12).min(two.len()) {
            let (head, tail) = two.split_at(cut);
            let read = read_answers::<A>(version, [head, tail]);
            assert_eq!((read.complete, read.fault), (2, None), "two answers cut at {cut}");
            let (first, second) = read.items.split_at(whole.items.len());
            assert_eq!((first, second), (&whole.items[..], &whole.items[..]), "cut at {cut}");
        }
    });
}

/// Frames that announce fewer bytes than their content takes, by every number.
pub fn answers_that_end_early_are_told<A: Answers>() {
    foreign_frames::<A>(FEW, |version, whole, items| {
        for announced in 0..whole.len() - 4 {
            let short = frame(&whole[4..4 + announced]);
            let read = read_both_ways::<A>(version, &short);
            let told = matches!(read.fault, Some(Fault::Truncated | Fault::CountTooLarge));
            assert!(told, "{announced} bytes announced: {:?}", read.fault);
            // The last item may miss its text.
            let sure = read.items.len().saturating_sub(1);
            assert!(items.starts_with(&read.items[..sure]), "{announced} bytes announced");
        }
    });
}

/// Later versions may append to an answer.
pub fn answers_may_go_on_beyond_what_is_known<A: Answers>() {
    foreign_frames::<A>(FEW, |version, known, items| {
        for more in [1, 5, 1_000] {
            let longer = frame(&[&known[4..], &vec![0xa5; more]].concat());
            assert_eq!(read_both_ways::<A>(version, &longer), Outcome::whole(items.clone()));
        }
    });
}

/// Every byte set to several values.
pub fn broken_answers_do_no_harm<A: Answers>() {
    foreign_frames::<A>(1, |version, mut bytes, _| {
        each_mutation(&mut bytes, |bytes, place| {
            let whole = read_answers::<A>(version, [bytes]);
            let (head, tail) = bytes.split_at(place + 1);
            assert_eq!(read_answers::<A>(version, [head, tail]), whole, "broken at {place}");
            if place % 16 == 0 {
                assert_eq!(read_answers::<A>(version, bytes.chunks(1)), whole, "at {place}");
            }
        });
    });
}

/// Bodies of random bytes.
pub fn random_answers_do_no_harm<A: Answers>() {
    for version in A::VERSIONS {
        draw::cases(A::API, version, 4 * MANY, &noise(), |noise| {
            let bytes = theirs::answer(A::API, version, &noise, Extras::None);
            read_both_ways::<A>(version, &bytes);
        });
    }
}

/// Client to broker through our own codecs, headers included.
pub fn requests_come_back_as_sent<R: Requests>() {
    for version in R::OWN_VERSIONS {
        draw::cases(R::API, version, MANY, &R::own(), |request| {
            read_request::<R>(&R::content(&request, version), &request, version);
        });
    }
}

/// Our client's direction into a buffer as large as the request, and into smaller ones.
pub fn requests_need_exactly_their_room<R: Requests>() {
    for version in R::OWN_VERSIONS {
        draw::cases(R::API, version, FEW, &R::own(), |request| {
            let content = R::content(&request, version);
            for room in 0..=content.len() {
                let mut buffer = vec![0; room];
                let mut writer = Writer::new(&mut buffer);
                R::write_content(&request, version, &mut writer);
                let whole = (room == content.len()).then_some(&content[..]);
                assert_eq!(writer.finish(), whole, "{room} bytes of room");
            }
        });
    }
}

/// Our client's direction against the second implementation's.
pub fn requests_are_byte_for_byte_theirs<R: Requests>() {
    for version in R::THEIR_VERSIONS.filter(|version| R::OWN_VERSIONS.contains(version)) {
        draw::cases(R::API, version, MANY, &R::own(), |request| {
            let theirs = their_request::<R>(&request, version, Extras::None);
            assert_eq!(R::content(&request, version), theirs);
        });
    }
}

/// Fields that our client never sets, and tagged fields that nobody knows.
pub fn requests_of_foreign_clients_are_read<R: Requests>() {
    for version in R::THEIR_VERSIONS {
        draw::cases(R::API, version, MANY, &R::any(), |request| {
            for extras in [Extras::None, Extras::All] {
                let content = their_request::<R>(&request, version, extras);
                read_request::<R>(&content, &request, version);
            }
        });
    }
}

/// No part of a request is a request, so every byte of it is read.
pub fn requests_that_end_early_are_told<R: Requests>() {
    for version in R::THEIR_VERSIONS {
        draw::cases(R::API, version, FEW, &R::any(), |request| {
            let body = R::their_request(&request, version, Extras::All);
            for length in 0..body.len() {
                let fault = R::read(&body[..length], version).err();
                let told = matches!(fault, Some(Fault::Truncated | Fault::CountTooLarge));
                assert!(told, "{length} bytes: {fault:?}");
            }
        });
    }
}

/// Every byte set to several values.
pub fn broken_requests_do_no_harm<R: Requests>() {
    for version in R::THEIR_VERSIONS {
        draw::cases(R::API, version, FEW, &R::any(), |request| {
            let mut content = their_request::<R>(&request, version, Extras::All);
            each_mutation(&mut content, |content, _| read_as_broker::<R>(content, version));
        });
    }
}

/// Bodies of random bytes.
pub fn random_requests_do_no_harm<R: Requests>() {
    for version in R::VERSIONS {
        draw::cases(R::API, version, 4 * MANY, &noise(), |noise| {
            let header = theirs::request_header(R::API, version, Extras::None);
            read_as_broker::<R>(&[header, noise].concat(), version);
        });
    }
}

/// Random bytes, most of them small numbers, so that counts and lengths are often possible.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0), 3 => 0..8_u8, 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..160)
}

fn each_mutation(bytes: &mut [u8], check: impl Fn(&[u8], usize)) {
    for place in 0..bytes.len() {
        let good = bytes[place];
        for bad in BYTES.into_iter().chain([!good, good ^ 1, good.wrapping_add(1)]) {
            bytes[place] = bad;
            check(bytes, place);
        }
        bytes[place] = good;
    }
}

fn their_request<R: Requests>(request: &R::Request<'_>, version: i16, extras: Extras) -> Vec<u8> {
    let header = theirs::request_header(R::API, version, extras);
    [header, R::their_request(request, version, extras)].concat()
}

/// Reads header and body, which are to be those of `request`.
fn read_request<R: Requests>(content: &[u8], request: &R::Request<'static>, version: i16) {
    let (header, body) = RequestHeader::read(content).expect("a request header");
    let expected = RequestHeader {
        key: R::API.key(),
        version,
        correlation: CORRELATION,
        client_id: Some(CLIENT_ID.as_bytes()),
    };
    assert_eq!(header, expected);
    assert_eq!(R::read(body, version), Ok(R::seen(request, version)));
}

/// Reads header and body, and does not care what comes of it.
fn read_as_broker<R: Requests>(content: &[u8], version: i16) {
    if let Ok((_, body)) = RequestHeader::read(content) {
        R::read(body, version).ok();
    }
}

/// An array's count as it stands on the wire, and what is to be said of it.
fn bad_counts(flexible: bool) -> Vec<(Vec<u8>, Fault)> {
    let compact = |count| {
        let mut bytes = Vec::new();
        bytes.uvarint(count);
        bytes
    };
    let plain = |count: i32| count.to_be_bytes().to_vec();
    if flexible {
        vec![
            (compact(u32::MAX), Fault::CountTooLarge),
            (compact(1_000_001), Fault::CountTooLarge),
            (compact(1_001), Fault::CountTooLarge),
            (vec![0xff; 5], Fault::VarintTooLong),
        ]
    } else {
        vec![
            (plain(i32::MAX), Fault::CountTooLarge),
            (plain(1_000_000), Fault::CountTooLarge),
            (plain(1_000), Fault::CountTooLarge),
            (plain(-2), Fault::NegativeLength),
            (plain(i32::MIN), Fault::NegativeLength),
        ]
    }
}

/// Puts counts that no frame can hold behind `prefix`, which is all that stands before `array`;
/// they are to be refused before anything depends on them.
pub fn refuse_counts(
    array: &str,
    prefix: &[u8],
    flexible: bool,
    read: impl Fn(&[u8]) -> Option<Fault>,
) {
    for (count, fault) in bad_counts(flexible) {
        let body = [prefix, &count, &[0; 999]].concat();
        assert_eq!(read(&body), Some(fault), "{count:x?} {array}, flexible: {flexible}");
    }
}

/// Reads a body as an answer: what is wrong with it, if anything is.
///
/// # Errors
/// The fault.
pub fn read_body<A: Answers>(version: i16, body: &[u8]) -> Result<Vec<A::Item>, Fault> {
    let bytes = theirs::answer(A::API, version, body, Extras::None);
    let outcome = read_both_ways::<A>(version, &bytes);
    outcome.fault.map_or(Ok(outcome.items), Err)
}
