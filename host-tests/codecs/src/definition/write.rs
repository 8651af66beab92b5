//! Writing a message by its definition.

use super::{Field, Kind, Message, Value, has};

/// A message as bytes.
#[derive(Debug)]
pub struct Written {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many sections of tagged fields there are in them.
    pub sections: usize,
}

impl Message {
    /// Writes `value` in `version`, with tagged fields that nobody knows in the section of this
    /// number.
    ///
    /// # Panics
    /// If the value does not belong to this message.
    pub fn write(&self, value: &Value, version: i16, unknown: Option<usize>) -> Written {
        let flexible = has(self.flexible, version);
        let mut writer = Writer { version, flexible, unknown, sections: 0 };
        let mut bytes = Vec::new();
        writer.fields(&self.fields, value, &mut bytes);
        Written { bytes, sections: writer.sections }
    }
}

struct Writer {
    version: i16,
    flexible: bool,
    unknown: Option<usize>,
    sections: usize,
}

impl Writer {
    fn fields(&mut self, fields: &[Field], value: &Value, out: &mut Vec<u8>) {
        let version = self.version;
        let fields = fields.iter().filter(|field| has(field.versions, version));
        let (mut tagged, plain): (Vec<&Field>, Vec<&Field>) =
            fields.partition(|field| has(field.tagged, version));
        for field in plain {
            let flexible = field.flexible.map_or(self.flexible, |own| has(own, version));
            let value = value.field(&field.name);
            if field.is_nullable_struct(version) {
                integer(if *value == Value::Null { -1 } else { 1 }, 1, out);
                if *value == Value::Null {
                    continue;
                }
            }
            self.value(&field.kind, value, flexible, out);
        }
        if !self.flexible {
            return;
        }
        let unknown = self.unknown == Some(self.sections);
        self.sections += 1;
        tagged.sort_by_key(|field| field.tag);
        let first_unknown = tagged.last().map_or(0, |field| field.tag as usize + 1);
        tagged.retain(|field| *value.field(&field.name) != field.default);
        uvarint(tagged.len() + 2 * usize::from(unknown), out);
        for field in tagged {
            let mut content = Vec::new();
            self.value(&field.kind, value.field(&field.name), true, &mut content);
            tagged_field(field.tag as usize, &content, out);
        }
        if unknown {
            tagged_field(first_unknown, &[0xff; 200], out);
            tagged_field(1_000_000, &[], out);
        }
    }

    fn value(&mut self, kind: &Kind, value: &Value, flexible: bool, out: &mut Vec<u8>) {
        match (kind, value) {
            (Kind::Boolean, Value::Boolean(value)) => out.push(u8::from(*value)),
            (Kind::Integer(size), Value::Integer(value)) => integer(*value, *size, out),
            (Kind::Uuid, Value::Uuid(id)) => out.extend(id),
            (_, Value::Null) if flexible => out.push(0),
            (Kind::Text, Value::Null) => integer(-1, 2, out),
            (Kind::Bytes | Kind::Array(_), Value::Null) => integer(-1, 4, out),
            (Kind::Text | Kind::Bytes, Value::Bytes(bytes)) => {
                let size = if matches!(kind, Kind::Text) { 2 } else { 4 };
                length(bytes.len(), size, flexible, out);
                out.extend(bytes);
            }
            (Kind::Array(element), Value::List(values)) => {
                length(values.len(), 4, flexible, out);
                for value in values {
                    self.value(element, value, flexible, out);
                }
            }
            (Kind::Struct(fields), Value::Struct(_)) => self.fields(fields, value, out),
            (kind, value) => panic!("{value:?} is no {kind:?}"),
        }
    }
}

fn tagged_field(tag: usize, content: &[u8], out: &mut Vec<u8>) {
    uvarint(tag, out);
    uvarint(content.len(), out);
    out.extend(content);
}

fn length(length: usize, size: usize, flexible: bool, out: &mut Vec<u8>) {
    if flexible { uvarint(length + 1, out) } else { integer(length as i64, size, out) }
}

fn integer(value: i64, size: usize, out: &mut Vec<u8>) {
    out.extend(&value.to_be_bytes()[8 - size..]);
}

fn uvarint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
