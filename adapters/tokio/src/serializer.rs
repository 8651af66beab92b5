//! What makes bytes of keys and values.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Why a serializer made no bytes.
pub type SerializerError = Box<dyn Error + Send + Sync>;

/// Makes the bytes of keys or values of one type, for a
/// [`TypedProducer`](crate::TypedProducer).
///
/// It is called where a record is sent, outside of all locks. What it returns may borrow from the
/// data; accepting the record copies it once. Null keys and values never come here.
///
/// Any function from the data to bytes, or an error, is one, too:
///
/// ```no_run
/// # use ottla_tokio::{Bytes, Producer, TypedProducer};
/// struct Reading { celsius: f32 }
///
/// # fn example(producer: &Producer) {
/// let readings: TypedProducer<str, Reading> = producer.typed(Bytes, |reading: &Reading| {
///     if reading.celsius.is_nan() {
///         return Err("a reading that is no number");
///     }
///     Ok(reading.celsius.to_string())
/// });
/// # let _ = readings;
/// # }
/// ```
pub trait Serializer<T: ?Sized>: Send + Sync + 'static {
    /// The bytes of `data`, for a record of the topic called `topic`.
    ///
    /// # Errors
    /// What is wrong with the data. The record is not sent, and the error comes back with the
    /// topic and with which of key and value it was:
    /// [`SendErrorKind::Serializer`](crate::SendErrorKind::Serializer).
    fn serialize<'d>(&self, topic: &str, data: &'d T) -> Result<Cow<'d, [u8]>, SerializerError>;
}

/// The data are bytes already: `[u8]`, `Vec<u8>`, `str`, `String`, and whatever else can be looked
/// at as bytes. (Java's `ByteArraySerializer`, and its `StringSerializer`, which writes UTF-8.)
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Bytes;

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for Bytes {
    fn serialize<'d>(&self, _: &str, data: &'d T) -> Result<Cow<'d, [u8]>, SerializerError> {
        Ok(Cow::Borrowed(data.as_ref()))
    }
}

/// Numbers, most significant byte first, in as many bytes as their type has. (Java's
/// `ShortSerializer`, `IntegerSerializer`, `LongSerializer`, `FloatSerializer` and
/// `DoubleSerializer` for `i16`, `i32`, `i64`, `f32` and `f64`.)
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct BigEndian;

macro_rules! big_endian {
    ($($number:ty),*) => {$(
        impl Serializer<$number> for BigEndian {
            fn serialize<'d>(
                &self,
                _: &str,
                data: &'d $number,
            ) -> Result<Cow<'d, [u8]>, SerializerError> {
                Ok(Cow::Owned(data.to_be_bytes().to_vec()))
            }
        }
    )*};
}

big_endian!(i16, i32, i64, u16, u32, u64, f32, f64);

/// JSON, of whatever `serde` can serialize: feature `json`.
#[cfg(feature = "json")]
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Json;

#[cfg(feature = "json")]
impl<T: serde::Serialize + ?Sized> Serializer<T> for Json {
    fn serialize<'d>(&self, _: &str, data: &'d T) -> Result<Cow<'d, [u8]>, SerializerError> {
        Ok(Cow::Owned(serde_json::to_vec(data)?))
    }
}

impl<T, F, B, E> Serializer<T> for F
where
    T: ?Sized,
    F: Fn(&T) -> Result<B, E> + Send + Sync + 'static,
    B: Into<Vec<u8>>,
    E: Into<SerializerError>,
{
    fn serialize<'d>(&self, _: &str, data: &'d T) -> Result<Cow<'d, [u8]>, SerializerError> {
        self(data).map(|bytes| Cow::Owned(bytes.into())).map_err(Into::into)
    }
}

/// Which part of a record a serializer was for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<T: ?Sized>(serializer: impl Serializer<T>, data: &T) -> Vec<u8> {
        serializer.serialize("t", data).unwrap().into_owned()
    }

    #[test]
    fn numbers_are_java_s() {
        assert_eq!(bytes(BigEndian, &-2_i16), [0xff, 0xfe]);
        assert_eq!(bytes(BigEndian, &1_i32), [0, 0, 0, 1]);
        assert_eq!(bytes(BigEndian, &0x0102_0304_0506_0708_i64), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes(BigEndian, &1_f32), [0x3f, 0x80, 0, 0]);
        assert_eq!(bytes(BigEndian, &-2_f64), [0xc0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(BigEndian, &u64::MAX), [0xff; 8]);
    }

    #[test]
    fn bytes_are_borrowed() {
        let text = String::from("text");
        let Ok(Cow::Borrowed(bytes)) = Bytes.serialize("t", &text) else { panic!("copied") };
        assert_eq!(bytes.as_ptr(), text.as_ptr());
        assert_eq!(super::tests::bytes(Bytes, "text"), b"text");
        assert_eq!(super::tests::bytes(Bytes, &[1_u8, 2][..]), [1, 2]);
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_is_that_of_serde() {
        let data = std::collections::BTreeMap::from([("a", Some(1)), ("b", None)]);
        assert_eq!(bytes(Json, &data), br#"{"a":1,"b":null}"#);
        // Keys of objects have to be texts.
        let wrong = std::collections::BTreeMap::from([(vec![1], 1)]);
        let error = Json.serialize("t", &wrong).unwrap_err();
        assert_eq!(error.to_string(), "key must be a string");
    }
}
