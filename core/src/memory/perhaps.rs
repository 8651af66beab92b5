//! An option whose "none" is all zero bits.

/// `Option` may give its none a number that its value's type leaves over, which is not 0; slots
/// have to be zero bits when empty, so that they take no room in an image.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Perhaps<T> {
    #[default]
    No,
    Yes(T),
}

impl<T: Copy> Perhaps<T> {
    pub(crate) const fn get(self) -> Option<T> {
        match self {
            Self::No => None,
            Self::Yes(value) => Some(value),
        }
    }

    /// Sets the value if there is none.
    pub(crate) const fn keep(&mut self, value: T) {
        if let Self::No = self {
            *self = Self::Yes(value);
        }
    }
}
