//! Reading a message by its definition, as strictly as the protocol allows.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::{Field, Kind, Message, Value, has};

impl Message {
    /// Reads a message of `version` that takes all of `bytes`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(&self, bytes: &[u8], version: i16) -> Result<Value> {
        let (value, rest) = self.read_start(bytes, version)?;
        ensure!(rest.is_empty(), "{} bytes too many", rest.len());
        Ok(value)
    }

    /// Reads a message at the start of `bytes`, and returns what follows.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read_start<'a>(&self, bytes: &'a [u8], version: i16) -> Result<(Value, &'a [u8])> {
        let mut reader = Reader { version, flexible: has(self.flexible, version), bytes };
        let value = reader.fields(&self.fields)?;
        Ok((value, reader.bytes))
    }
}

struct Reader<'a> {
    version: i16,
    flexible: bool,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn fields(&mut self, fields: &[Field]) -> Result<Value> {
        let Value::Struct(mut values) = Value::defaults(fields) else { bail!("no structure") };
        let version = self.version;
        for field in fields.iter().filter(|field| has(field.versions, version)) {
            if !has(field.tagged, version) {
                let flexible = field.flexible.map_or(self.flexible, |own| has(own, version));
                let value = self.field(field, flexible)?;
                values.insert(field.name.clone(), value);
            }
        }
        if self.flexible {
            self.tagged(fields, &mut values)?;
        }
        Ok(Value::Struct(values))
    }

    fn tagged(&mut self, fields: &[Field], values: &mut BTreeMap<String, Value>) -> Result<()> {
        let mut least = 0;
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            ensure!(tag >= least, "tag {tag} where {least} is the least");
            least = tag + 1;
            let size = self.uvarint()?;
            let content = self.take(size)?;
            let field = fields
                .iter()
                .find(|field| field.tag as usize == tag && has(field.tagged, self.version))
                .with_context(|| format!("tag {tag} is not known"))?;
            let mut inner = Reader { bytes: content, ..*self };
            let value = inner.field(field, true)?;
            ensure!(inner.bytes.is_empty(), "field {} is too long", field.name);
            values.insert(field.name.clone(), value);
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, flexible: bool) -> Result<Value> {
        // A structure that may be null has a byte before it that says so.
        let is_absent = field.is_nullable_struct(self.version) && self.integer(1)? < 0;
        let value = if is_absent {
            Value::Null
        } else {
            self.value(&field.kind, flexible).with_context(|| format!("field {}", field.name))?
        };
        let may_be = value != Value::Null || has(field.nullable, self.version);
        ensure!(may_be, "field {} is null", field.name);
        Ok(value)
    }

    fn value(&mut self, kind: &Kind, flexible: bool) -> Result<Value> {
        Ok(match kind {
            Kind::Boolean => match self.integer(1)? {
                0 => Value::Boolean(false),
                1 => Value::Boolean(true),
                other => bail!("{other} is no truth value"),
            },
            Kind::Integer(size) => Value::Integer(self.integer(*size)?),
            Kind::Uuid => Value::Uuid(self.take(16)?.try_into()?),
            Kind::Text | Kind::Bytes => {
                let size = if matches!(kind, Kind::Text) { 2 } else { 4 };
                match self.length(size, flexible)? {
                    Some(length) => Value::Bytes(self.take(length)?.to_vec()),
                    None => Value::Null,
                }
            }
            Kind::Array(element) => match self.length(4, flexible)? {
                Some(count) => {
                    let values = (0..count).map(|_| self.value(element, flexible));
                    Value::List(values.collect::<Result<_>>()?)
                }
                None => Value::Null,
            },
            Kind::Struct(fields) => self.fields(fields)?,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(count).context("it ends too early")?;
        self.bytes = rest;
        Ok(head)
    }

    fn integer(&mut self, size: usize) -> Result<i64> {
        let bytes = self.take(size)?;
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        Ok(bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte)))
    }

    /// A length or a count; `None` is null.
    fn length(&mut self, size: usize, flexible: bool) -> Result<Option<usize>> {
        if flexible {
            return Ok(self.uvarint()?.checked_sub(1));
        }
        match self.integer(size)? {
            -1 => Ok(None),
            length => Ok(Some(usize::try_from(length).context("a negative length")?)),
        }
    }

    fn uvarint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a varint of more than 5 bytes")
    }
}
