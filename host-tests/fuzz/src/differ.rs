//! The same by two implementations, byte for byte: messages and records by the crate
//! `kafka-protocol`, checksums by the crates `crc` and `crc32c`, of which ours uses one.

use std::fmt::Debug;

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use codec_tests::theirs::{self, Extras};
use codec_tests::{Answers, Outcome, Requests, read_answers};
use indexmap::IndexMap;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use ottla::message::{AdminApi, AnyApi, Api};
use ottla::record::checksum::crc32c;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::apis::{rest, version, with_api};
use crate::records::{Drawn, read};

fn key(api: AnyApi) -> ApiKey {
    ApiKey::try_from(api.key()).expect("they know this API")
}

/// A body of an answer that ours read, read and written by theirs; `None` if theirs does not, or has
/// [`lost_tags`].
///
/// Theirs holds texts as UTF-8, which the protocol does not ask for. Of ApiVersions it reads the
/// features, which ours passes over, and makes room for as many of them as it is told. Of the tagged
/// fields that it knows, of Produce and CreateTopics, it does not look at the sizes. In
/// DescribeTopicPartitions it takes a cursor for null unless its mark is 1; Kafka does, and so does
/// ours, if it is negative.
pub(crate) fn answer_again(api: AnyApi, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    match api {
        AnyApi::Client(Api::ApiVersions) if version >= 3 => return None,
        AnyApi::Client(Api::Produce) if version >= 10 => return None,
        AnyApi::Client(Api::CreateTopics) if version >= 5 => return None,
        AnyApi::Admin(AdminApi::DescribeTopicPartitions) => return None,
        _ => {}
    }
    let message =
        ResponseKind::decode(key(api), &mut Bytes::copy_from_slice(body), version).ok()?;
    let mut again = BytesMut::new();
    message.encode(&mut again, version).ok()?;
    (!lost_tags(body, &message)).then(|| again.to_vec())
}

/// A body of a request that ours read, read and written by theirs; `None` if theirs does not: see
/// [`answer_again`].
pub(crate) fn request_again(api: AnyApi, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    if api == AnyApi::Admin(AdminApi::DescribeTopicPartitions) {
        return None;
    }
    let message = RequestKind::decode(key(api), &mut Bytes::copy_from_slice(body), version).ok()?;
    let mut again = BytesMut::new();
    message.encode(&mut again, version).ok()?;
    (!lost_tags(body, &message)).then(|| again.to_vec())
}

/// Theirs leaves out tagged fields from 2^31 on, which it has counted: they are negative to it, and
/// stand first. What it then wrote must not be given to it, for it makes room for what is counted.
fn lost_tags(body: &[u8], message: &impl Debug) -> bool {
    let is_large = |bytes: &[u8]| bytes[..4].iter().all(|byte| *byte >= 128) && bytes[4] >= 8;
    body.windows(5).any(is_large) && format!("{message:?}").contains("unknown_tagged_fields: {-")
}

/// A message of any API, drawn as the tests of the codecs draw theirs, with the input as the seed:
/// both implementations write the same bytes, and ours reads what the other one wrote.
pub fn messages(data: &[u8]) {
    // An input that ends early says nothing, and does no harm.
    run(&mut Unstructured::new(data)).ok();
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    if input.arbitrary()? {
        with_api!(input, answer(input))
    } else {
        with_api!(input, request(input))
    }
}

fn draw<S: Strategy>(strategy: &S, data: &[u8]) -> S::Value {
    // The bytes are a seed and not the randomness itself: proptest's source of given bytes is halved
    // at every choice, and when it is used up, drawing from a range goes on for ever.
    let mut seed = [0; 32];
    for (place, byte) in data.iter().enumerate() {
        seed[place % 32] ^= byte;
    }
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config { failure_persistence: None, ..Config::default() };
    let tree = strategy.new_tree(&mut TestRunner::new_with_rng(config, random));
    tree.expect("no strategy of the codecs refuses a value").current()
}

fn answer<A: Answers>(input: &mut Unstructured<'_>) -> Result<()> {
    let version = version(input, A::VERSIONS)?;
    let answer = draw(&A::answers(), rest(input));
    let items = A::items(&answer, version);
    let ours = A::frame(&answer, version);
    let theirs = theirs::answer(
        A::API,
        version,
        &A::their_answer(&answer, version, Extras::None),
        Extras::None,
    );
    assert_eq!(ours, theirs, "{answer:?} in version {version}");
    let foreign = A::their_answer(&answer, version, Extras::All);
    let foreign = theirs::answer(A::API, version, &foreign, Extras::All);
    for bytes in [ours, foreign] {
        let read = read_answers::<A>(version, [&bytes[..]]);
        assert_eq!(read, Outcome::whole(items.clone()), "{answer:?} in version {version}");
    }
    Ok(())
}

fn request<R: Requests>(input: &mut Unstructured<'_>) -> Result<()> {
    let version = version(input, R::THEIR_VERSIONS)?;
    if input.arbitrary()? && R::OWN_VERSIONS.contains(&version) {
        let request = draw(&R::own(), rest(input));
        let mut ours = Vec::new();
        R::write_request(&request, version, &mut ours);
        let theirs = R::their_request(&request, version, Extras::None);
        assert_eq!(ours, theirs, "{request:?} in version {version}");
        return Ok(());
    }
    let request = draw(&R::any(), rest(input));
    for extras in [Extras::None, Extras::All] {
        let theirs = R::their_request(&request, version, extras);
        let read = R::read(&theirs, version);
        assert_eq!(read, Ok(R::seen(&request, version)), "in version {version}");
    }
    Ok(())
}

/// Records, drawn: both implementations write the same batch, and theirs reads of ours what ours
/// does.
pub fn records(data: &[u8]) {
    let Ok(drawn) = Drawn::draw(&mut Unstructured::new(data)) else { return };
    let ours = drawn.batch();
    let mut written = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let records: Vec<TheirRecord> = their_records(&drawn);
    RecordBatchEncoder::encode(&mut written, &records, &options).expect("legal records");
    // Theirs holds the headers of a record by their keys, and begins a batch anew where ours would
    // not: only where it does neither the bytes are the same.
    if drawn.is_plain() {
        assert_eq!(ours[..], written[..], "{drawn:?}");
    }
    let mut bytes = Bytes::from(ours.clone());
    let decoded = RecordBatchDecoder::decode(&mut bytes).expect("a batch of ours");
    let mine = read(&ours).expect("a batch of ours");
    assert_eq!(decoded.records.len(), mine.len());
    for (theirs, mine) in decoded.records.iter().zip(&mine) {
        assert_eq!(theirs.timestamp, mine.timestamp);
        assert_eq!(theirs.offset, i64::from(mine.offset_delta));
        assert_eq!(theirs.key.as_deref(), mine.key);
        assert_eq!(theirs.value.as_deref(), mine.value);
        let last: IndexMap<&[u8], Option<&[u8]>> = mine.headers().collect();
        let headers = theirs.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref()));
        assert_eq!(headers.collect::<IndexMap<_, _>>(), last);
        assert_eq!((theirs.producer_id, theirs.producer_epoch), (drawn.id, drawn.epoch));
    }
}

fn their_records(drawn: &Drawn<'_>) -> Vec<TheirRecord> {
    let text = |bytes: &str| StrBytes::from_string(bytes.to_string());
    let record = |(index, record): (i32, &crate::records::DrawnRecord<'_>)| TheirRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: drawn.id,
        producer_epoch: drawn.epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(index),
        sequence: drawn.sequence.wrapping_add(index),
        timestamp: record.timestamp,
        key: record.key.map(Bytes::copy_from_slice),
        value: record.value.map(Bytes::copy_from_slice),
        headers: record
            .headers
            .iter()
            .map(|(key, value)| (text(key), value.map(Bytes::copy_from_slice)))
            .collect(),
    };
    (0..).zip(&drawn.records).map(record).collect()
}

/// Any bytes, at any place in memory: our checksum is that of two others.
pub fn checksums(data: &[u8]) {
    let table = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    for from in 0..data.len().min(9) {
        let bytes = &data[from..];
        let ours = crc32c(bytes);
        assert_eq!(ours, table.checksum(bytes), "{bytes:x?}");
        assert_eq!(ours, ::crc32c::crc32c(bytes), "{bytes:x?}");
    }
}
