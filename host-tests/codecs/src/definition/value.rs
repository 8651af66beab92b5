//! The contents of a message.

use std::collections::BTreeMap;

use super::{Field, Kind, Message, has};

/// A value of any type. A structure has all fields of its definition: those that a version does
/// not have are at their defaults.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a text, bytes or an array that is null.
    Null,
    /// Of a `bool`.
    Boolean(bool),
    /// Of an `int8` to `int64`.
    Integer(i64),
    /// Of a `uuid`.
    Uuid([u8; 16]),
    /// Of a `string`, `bytes` or `records`.
    Bytes(Vec<u8>),
    /// Of an array.
    List(Vec<Value>),
    /// Of a structure: its fields by name.
    Struct(BTreeMap<String, Value>),
}

/// What a sample is filled with.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fill {
    /// Values that are not the defaults and that differ from each other; two of what repeats.
    Distinct,
    /// Null where it is allowed, else the default.
    Least,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $variant:ident => $type:ty,)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// If it is something else.
        pub fn $name(&self) -> $type {
            match self {
                Self::$variant(value) => value.clone().try_into().expect("a value that fits"),
                other => panic!("{} of {other:?}", stringify!($name)),
            }
        }
    )*};
}

impl Value {
    /// A structure with all fields at their defaults.
    pub(super) fn defaults(fields: &[Field]) -> Self {
        let field = |field: &Field| (field.name.clone(), field.default.clone());
        Self::Struct(fields.iter().map(field).collect())
    }

    /// A field of a structure.
    ///
    /// # Panics
    /// If it is no structure with such a field.
    pub fn field(&self, name: &str) -> &Self {
        match self {
            Self::Struct(fields) if fields.contains_key(name) => &fields[name],
            other => panic!("no field {name} in {other:?}"),
        }
    }

    getters! {
        /// A truth value.
        boolean: Boolean => bool,
        /// A number of 16 bits.
        int16: Integer => i16,
        /// A number of 32 bits.
        int32: Integer => i32,
        /// A number of 64 bits.
        int64: Integer => i64,
        /// An id.
        uuid: Uuid => [u8; 16],
    }

    /// The bytes of an id, or of `name` where there is none.
    ///
    /// # Panics
    /// If they are something else.
    pub fn id_or_name<'a>(&'a self, name: &'a Self) -> &'a [u8] {
        match self {
            Self::Uuid(id) if *id != [0; 16] => id,
            Self::Uuid(_) => name.bytes(),
            other => panic!("id of {other:?}"),
        }
    }

    /// Bytes, or a text.
    ///
    /// # Panics
    /// If it is something else.
    pub fn bytes(&self) -> &[u8] {
        self.nullable_bytes().expect("bytes that are not null")
    }

    /// Bytes, a text, or null.
    ///
    /// # Panics
    /// If it is something else.
    pub fn nullable_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Null => None,
            Self::Bytes(bytes) => Some(bytes),
            other => panic!("bytes of {other:?}"),
        }
    }

    /// A text.
    ///
    /// # Panics
    /// If it is something else.
    pub fn text(&self) -> &str {
        self.nullable_text().expect("a text that is not null")
    }

    /// A text or null.
    ///
    /// # Panics
    /// If it is something else.
    pub fn nullable_text(&self) -> Option<&str> {
        self.nullable_bytes().map(|bytes| str::from_utf8(bytes).expect("UTF-8"))
    }

    /// What a list has, made by `element`.
    ///
    /// # Panics
    /// If it is something else.
    pub fn list<'a, T>(&'a self, element: impl Fn(&'a Self) -> T) -> Vec<T> {
        match self {
            Self::List(values) => values.iter().map(element).collect(),
            other => panic!("a list of {other:?}"),
        }
    }
}

impl Message {
    /// The contents of a message in `version`; the same in every run.
    pub fn sample(&self, version: i16, fill: Fill) -> Value {
        Sampler { version, fill, drawn: 0 }.fields(&self.fields)
    }
}

struct Sampler {
    version: i16,
    fill: Fill,
    drawn: u8,
}

impl Sampler {
    fn fields(&mut self, fields: &[Field]) -> Value {
        let field = |field: &Field| (field.name.clone(), self.field(field));
        Value::Struct(fields.iter().map(field).collect())
    }

    fn field(&mut self, field: &Field) -> Value {
        match self.fill {
            _ if !has(field.versions, self.version) => field.default.clone(),
            Fill::Distinct if let Value::Boolean(default) = field.default => {
                Value::Boolean(!default)
            }
            Fill::Distinct => self.value(&field.kind),
            Fill::Least if has(field.nullable, self.version) => Value::Null,
            Fill::Least => field.default.clone(),
        }
    }

    fn value(&mut self, kind: &Kind) -> Value {
        self.drawn += 1;
        let drawn = self.drawn;
        match kind {
            Kind::Boolean => Value::Boolean(true),
            // Every byte counts: the same in all but the lowest, and above all zero.
            Kind::Integer(size) => {
                let high = if *size == 1 { 0 } else { 0x11_1111_1111_1111 >> (8 * (8 - size)) };
                Value::Integer(high << 8 | i64::from(drawn))
            }
            Kind::Uuid => Value::Uuid(std::array::from_fn(|place| drawn.wrapping_add(place as u8))),
            Kind::Text | Kind::Bytes => Value::Bytes(format!("sample {drawn}").into()),
            Kind::Array(element) => Value::List(vec![self.value(element), self.value(element)]),
            Kind::Struct(fields) => self.fields(fields),
        }
    }
}
