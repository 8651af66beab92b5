//! `ottla::message`

use ottla::message::{
    Api, ErrorCode, Versions, api_versions, create_topics, init_producer_id, metadata, produce,
    request_header,
};
use ottla::wire::input::{Frame, Input};
use ottla::wire::write::Writer;

use super::{bytes, opaque, text, with_buffer};

pub(super) fn all() {
    error_code();
    api();
    with_buffer(|buffer| requests(&mut Writer::new(buffer)));
    answers();
}

fn error_code() {
    let code = opaque(ErrorCode(0));
    opaque(code.is_success());
    opaque(code.name());
    opaque(code.is_retriable());
    opaque(code.needs_refresh());
    opaque(code.needs_coordinator());
    opaque(code.proves_refusal(opaque(true)));
    opaque(code.is_fatal());
}

fn api() {
    let api = opaque(Api::Produce);
    let version = opaque(0);
    opaque(api.key());
    opaque(Api::of_key(opaque(0)));
    opaque(api.versions());
    opaque(api.is_flexible(version));
    opaque(api.has_answer_tags(version));
    opaque(opaque(Versions::default()).common(opaque(Versions::default())));
}

fn requests(out: &mut Writer<'_>) {
    let version = opaque(0);
    request_header(out, opaque(Api::Produce), version, opaque(0), bytes());
    api_versions::request(out, version);
    init_producer_id::request(out, version);

    metadata::request_start(out, version, opaque(0));
    metadata::request_topic(out, version, bytes());
    metadata::request_end(out, version, opaque(true));

    produce::request_start(out, version, opaque(0), opaque(0), opaque(0));
    produce::request_topic(out, version, bytes(), opaque(0));
    produce::request_partition(out, version, opaque(0), opaque(0));
    produce::request_end(out, version);

    let configs = [(text(), text())];
    let topic = create_topics::NewTopic {
        name: text(),
        partitions: opaque(0),
        replication: opaque(0),
        configs: opaque::<&[_]>(&configs),
    };
    create_topics::request(out, version, opaque::<&[_]>(&[topic]), opaque(0));
}

fn answers() {
    let version = opaque(0);
    let mut frame = opaque(Frame::default());
    let mut input = opaque(Input::new(&mut frame, bytes()));
    let _ = opaque(opaque(api_versions::Answer::default()).next(version, &mut input));
    let _ = opaque(opaque(create_topics::Answer::default()).next(version, &mut input));
    let _ = opaque(opaque(init_producer_id::Answer::default()).next(version, &mut input));
    let _ = opaque(opaque(metadata::Answer::default()).next(version, &mut input));
    let _ = opaque(opaque(produce::Answer::default()).next(version, &mut input));
}
