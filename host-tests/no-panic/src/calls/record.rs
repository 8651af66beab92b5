//! `ottla::record`

use ottla::record::builder::{self, Seal};
use ottla::record::checksum::crc32c;
use ottla::record::layout::Codec;
use ottla::record::reader::Batch;
use ottla::record::{Header, Record, size};

use super::{bytes, opaque, text, with_buffer};

pub(super) fn all() {
    let headers = [Header { key: text(), value: opaque(Some(bytes())) }];
    opaque(Record::tombstone());
    let record = opaque(
        Record::new(bytes())
            .key(bytes())
            .headers(opaque::<&[_]>(&headers))
            .timestamp(opaque(0))
            .partition(opaque(0)),
    );
    sizes(&record);
    build(&record);
    read();
    opaque(crc32c(bytes()));
}

fn sizes(record: &Record<'_>) {
    opaque(size::varint(opaque(0)));
    opaque(size::varlong(opaque(0)));
    opaque(size::fields(record));
    opaque(size::body(opaque(0), opaque(0), opaque(0)));
    opaque(size::record(opaque(0)));
    opaque(size::batch_bound(opaque(0)));
}

fn build(record: &Record<'_>) {
    with_buffer(|room| {
        opaque(builder::append(room, record, opaque(0), opaque(0), opaque(0)));
    });
    let seal = Seal {
        attributes: opaque(0),
        count: opaque(0),
        base_timestamp: opaque(0),
        max_timestamp: opaque(0),
        producer_id: opaque(0),
        producer_epoch: opaque(0),
        base_sequence: opaque(0),
    };
    with_buffer(|batch| {
        opaque(builder::seal(batch, &opaque(seal)));
    });
}

fn read() {
    opaque(opaque(Codec::of(opaque(0))).unwrap_or_default().name());
    let Ok((batch, _)) = opaque(Batch::read(bytes())) else { return };
    opaque(batch.codec());
    opaque(batch.records_in(bytes()));
    let Ok(records) = batch.records() else { return };
    for record in opaque(records) {
        let Ok(record) = opaque(record) else { continue };
        for header in opaque(record).headers() {
            opaque(header);
        }
    }
}
