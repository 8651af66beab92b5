//! `ottla::wire`

use ottla::error::Fault;
use ottla::wire::input::{Frame, Input};
use ottla::wire::parse;
use ottla::wire::write::{self, Put, Writer};

use super::{bytes, opaque, text, with_buffer};

pub(super) fn all() {
    parsers();
    input();
    with_buffer(|buffer| writer(&mut Writer::new(buffer)));
    with_buffer(|buffer| {
        let writer = opaque(Writer::new(buffer));
        opaque(writer.length());
        opaque(writer.finish());
    });
    opaque(write::uvarint_size(opaque(0)));
}

fn parsers() {
    let flexible = opaque(true);
    let _ = opaque(parse::fail::<u8>(opaque(Fault::Malformed)));
    let _ = opaque(parse::take(bytes(), opaque(0)));
    let _ = opaque(parse::int8(bytes()));
    let _ = opaque(parse::int16(bytes()));
    let _ = opaque(parse::uint16(bytes()));
    let _ = opaque(parse::int32(bytes()));
    let _ = opaque(parse::uint32(bytes()));
    let _ = opaque(parse::int64(bytes()));
    let _ = opaque(parse::boolean(bytes()));
    let _ = opaque(parse::uuid(bytes()));
    let _ = opaque(parse::uvarint(bytes()));
    let _ = opaque(parse::uvarlong(bytes()));
    let _ = opaque(parse::varint(bytes()));
    let _ = opaque(parse::varlong(bytes()));
    let _ = opaque(parse::string_length(bytes(), flexible));
    let _ = opaque(parse::bytes_length(bytes(), flexible));
    let _ = opaque(parse::nullable_string(bytes(), flexible));
    let _ = opaque(parse::string(bytes(), flexible));
}

fn input() {
    let mut frame = opaque(Frame::default());
    frame.start(opaque(0));
    opaque(frame.is_over());
    let _ = opaque(opaque(&mut frame).size(bytes()));

    let mut input = opaque(Input::new(opaque(&mut frame), bytes()));
    let flexible = opaque(true);
    opaque(input.rest(bytes()));
    let _ = opaque(input.atom(parse::int64));
    let _ = opaque(input.atom(|bytes| parse::string(bytes, flexible)));
    let _ = opaque(input.skip(opaque(0)));
    let _ = opaque(input.text(&mut opaque(0)));
    let _ = opaque(input.text_length(flexible));
    let _ = opaque(input.check_count(opaque(0), opaque(0)));
    let _ = opaque(input.array(opaque(0), flexible));
    let _ = opaque(input.tag());
    opaque(input.enter_tags(opaque(0)));
    let _ = opaque(input.no_tags(flexible));
    input.skip_rest();
    opaque(input);
}

fn writer(out: &mut impl Put) {
    let flexible = opaque(true);
    out.raw(bytes());
    out.int8(opaque(0));
    out.int16(opaque(0));
    out.int32(opaque(0));
    out.int64(opaque(0));
    out.boolean(opaque(true));
    out.uvarint(opaque(0));
    out.string(text().as_bytes(), flexible);
    out.nullable_string(opaque(Some(bytes())), flexible);
    out.length_prefix(opaque(0), flexible);
    out.no_tags(flexible);
    out.refuse();
}
