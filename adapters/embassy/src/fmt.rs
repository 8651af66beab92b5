//! One line to a log: `defmt` on devices, `log` elsewhere, nothing without either.

macro_rules! debug {
    ($text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        defmt::debug!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        log::debug!($text $(, $value)*);
        #[cfg(not(any(feature = "defmt", feature = "log")))]
        { $(let _ = &$value;)* }
    }};
}

macro_rules! warning {
    ($text:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        defmt::warn!($text $(, $value)*);
        #[cfg(all(feature = "log", not(feature = "defmt")))]
        log::warn!($text $(, $value)*);
        #[cfg(not(any(feature = "defmt", feature = "log")))]
        { $(let _ = &$value;)* }
    }};
}

pub(crate) use {debug, warning};
