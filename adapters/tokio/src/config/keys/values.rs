//! What values a key may have, by Java's types and ranges.

use std::fmt;
use std::time::Duration;

/// Java's largest int.
pub(super) const INT_MAX: i64 = i32::MAX as i64;

/// The values that are legal for a key.
#[derive(Copy, Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Values {
    /// Any text.
    Text,
    /// A name of a Java class, which means nothing here.
    Class,
    /// Texts, separated by commas.
    List,
    /// The same, none of them twice.
    Set,
    /// A text that is not shown.
    Password,
    /// True or false, in any case.
    Bool,
    /// Whole numbers from one to another, both included, of Java's type of this name.
    Whole(&'static str, i64, i64),
    /// The first of these numbers, or one from the second to the third, likewise.
    WholeOr(&'static str, i64, i64, i64),
    /// Numbers from one to another, both included.
    Real(f64, f64),
    /// One of these, in this case.
    OneOf(&'static [&'static str]),
    /// One of these, in any case.
    OneOfAnyCase(&'static [&'static str]),
}

impl Values {
    /// Java's int from `least` on.
    #[must_use]
    pub const fn int(least: i32) -> Self {
        Self::Whole("int", least as i64, INT_MAX)
    }

    /// Java's long from `least` on.
    #[must_use]
    pub const fn long(least: i64) -> Self {
        Self::Whole("long", least, i64::MAX)
    }

    /// Java's long without a bound of its own.
    pub const ANY_LONG: Self = Self::long(i64::MIN);

    /// Java's int without a bound of its own.
    pub const ANY_INT: Self = Self::int(i32::MIN);

    /// Java's double without a bound of its own.
    pub const ANY_REAL: Self = Self::Real(f64::NEG_INFINITY, f64::INFINITY);

    /// Java's name of the type.
    #[must_use]
    pub const fn java_type(self) -> &'static str {
        match self {
            Self::Text | Self::OneOf(_) | Self::OneOfAnyCase(_) => "string",
            Self::Class => "class",
            Self::List | Self::Set => "list",
            Self::Password => "password",
            Self::Bool => "boolean",
            Self::Whole(name, ..) | Self::WholeOr(name, ..) => name,
            Self::Real(..) => "double",
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// What it should have been.
    pub fn read(self, text: &str) -> Result<Value<'_>, String> {
        let wrong = |should: fmt::Arguments<'_>| Err(format!("{text:?} is {should}"));
        match self {
            Self::Text | Self::Class | Self::List | Self::Password => Ok(Value::Text(text)),
            Self::Set => {
                let items: Vec<&str> = text.split(',').map(str::trim).collect();
                let is_twice = |(place, item)| items[..place].contains(item);
                match items.iter().enumerate().find(|(place, item)| is_twice((*place, *item))) {
                    Some((_, item)) => Err(format!("{item:?} stands there twice")),
                    None => Ok(Value::Text(text)),
                }
            }
            Self::Bool => match text {
                _ if text.eq_ignore_ascii_case("true") => Ok(Value::Switch(true)),
                _ if text.eq_ignore_ascii_case("false") => Ok(Value::Switch(false)),
                _ => wrong(format_args!("neither true nor false")),
            },
            Self::Whole(_, least, most) => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => Ok(Value::Whole(number)),
                _ if least == i64::MIN => wrong(format_args!("no whole number")),
                _ => wrong(format_args!("no whole number from {least} to {most}")),
            },
            Self::WholeOr(_, other, least, most) => match text.parse() {
                Ok(number) if number == other || (least..=most).contains(&number) => {
                    Ok(Value::Whole(number))
                }
                _ => {
                    wrong(format_args!("neither {other} nor a whole number from {least} to {most}"))
                }
            },
            Self::Real(least, most) => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => Ok(Value::Text(text)),
                _ if least.is_infinite() => wrong(format_args!("no number")),
                _ => wrong(format_args!("no number from {least} to {most}")),
            },
            Self::OneOf(names) => match names.contains(&text) {
                true => Ok(Value::Text(text)),
                false => wrong(format_args!("{}", none_of(names))),
            },
            Self::OneOfAnyCase(names) => {
                match names.iter().find(|name| name.eq_ignore_ascii_case(text)) {
                    Some(name) => Ok(Value::Text(name)),
                    None => wrong(format_args!("{}", none_of(names))),
                }
            }
        }
    }
}

fn none_of(names: &[&str]) -> String {
    match names {
        [one, other] => format!("neither {one} nor {other}"),
        [names @ .., last] => format!("none of {} and {last}", names.join(", ")),
        [] => String::new(),
    }
}

impl fmt::Display for Values {
    /// What is legal, in words; empty where everything of the type is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text | Self::Class | Self::List | Self::Password => Ok(()),
            Self::Set => f.write_str("no duplicates"),
            Self::Bool => f.write_str("true, false"),
            Self::Whole(_, i64::MIN, _) => Ok(()),
            Self::Whole(_, least, INT_MAX..) => write!(f, "from {least} on"),
            Self::Whole(_, least, most) => write!(f, "{least} to {most}"),
            Self::WholeOr(_, other, least, most) => write!(f, "{least} to {most}, or {other}"),
            Self::Real(least, _) if least.is_infinite() => Ok(()),
            Self::Real(least, most) => write!(f, "{least} to {most}"),
            Self::OneOf(names) | Self::OneOfAnyCase(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// A value that is legal for its key.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Value<'v> {
    /// A text, of whatever kind.
    Text(&'v str),
    /// True or false.
    Switch(bool),
    /// A whole number.
    Whole(i64),
}

/// What a value is as another kind than its own is empty, off, or 0: ask for what the key has.
impl<'v> Value<'v> {
    /// The text.
    #[must_use]
    pub const fn text(self) -> &'v str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// Whether it is true.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::Switch(true))
    }

    /// The number.
    #[must_use]
    pub const fn whole(self) -> i64 {
        match self {
            Self::Whole(number) => number,
            _ => 0,
        }
    }

    /// The number, if it is not below zero.
    #[must_use]
    pub fn count(self) -> Option<u64> {
        u64::try_from(self.whole()).ok()
    }

    /// A number of a key whose range is that of Java's int from 0 on.
    #[must_use]
    pub fn int(self) -> u32 {
        u32::try_from(self.whole()).unwrap_or_default()
    }

    /// Milliseconds, not below zero.
    #[must_use]
    pub fn millis(self) -> Duration {
        Duration::from_millis(self.count().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_type_and_range() {
        let fails = |values: Values, text: &str| values.read(text).unwrap_err();
        assert_eq!(fails(Values::int(1), "0"), "\"0\" is no whole number from 1 to 2147483647");
        assert_eq!(fails(Values::ANY_LONG, "x"), "\"x\" is no whole number");
        assert_eq!(
            fails(Values::Whole("short", 0, 900), "901"),
            "\"901\" is no whole number from 0 to 900"
        );
        assert_eq!(fails(Values::Real(0.5, 1.0), "0.4"), "\"0.4\" is no number from 0.5 to 1");
        assert_eq!(fails(Values::Real(0.5, 1.0), "NaN"), "\"NaN\" is no number from 0.5 to 1");
        assert_eq!(fails(Values::OneOf(&["a", "b"]), "A"), "\"A\" is neither a nor b");
        assert_eq!(fails(Values::OneOf(&["a", "b", "c"]), ""), "\"\" is none of a, b and c");
        assert_eq!(fails(Values::Set, "x, y,x"), "\"x\" stands there twice");
        assert_eq!(
            Values::OneOfAnyCase(&["PLAINTEXT"]).read("plaintext").unwrap().text(),
            "PLAINTEXT"
        );
        assert!(Values::Set.read("").is_ok() && Values::Set.read("x,y").is_ok());
        assert!(Values::ANY_REAL.read("-1e3").is_ok());
        assert_eq!(Values::int(-1).read("-1").unwrap().count(), None);
    }

    #[test]
    fn what_is_legal_is_said_in_words() {
        let said = [
            (Values::int(1), "int", "from 1 on"),
            (Values::ANY_LONG, "long", ""),
            (Values::Whole("int", 1, 9), "int", "1 to 9"),
            (Values::WholeOr("int", -1, 1, 9), "int", "1 to 9, or -1"),
            (Values::Real(0.0, 0.25), "double", "0 to 0.25"),
            (Values::OneOf(&["all", "0"]), "string", "all, 0"),
            (Values::Password, "password", ""),
        ];
        for (values, java_type, legal) in said {
            assert_eq!((values.java_type(), values.to_string().as_str()), (java_type, legal));
        }
    }
}
