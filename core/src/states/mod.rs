//! States with the changes that they may go through, as tables.
//!
//! A state is changed by `enter` alone. Builds with debug assertions hold every change against its
//! table; the diagrams in ARCHITECTURE are drawn from the tables, and a test sees to it that every
//! change in them happens.

/// Gives states their table of changes: from where, to where, and why.
macro_rules! changes {
    ($state:ident { $($from:ident -> $to:ident: $why:literal;)* }) => {
        impl $state {
            /// The table: from, to, and why.
            #[cfg(test)]
            pub(crate) const CHANGES: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($from), stringify!($to), $why),)*];

            /// Goes on to another state; it has to be one of the table's changes.
            #[inline]
            pub(crate) fn enter(&mut self, next: Self) {
                debug_assert!(
                    self.may_become(next),
                    concat!(stringify!($state), ": {:?} does not become {:?}"),
                    self,
                    next
                );
                *self = next;
            }

            fn may_become(self, next: Self) -> bool {
                $(if matches!((self, next), (Self::$from { .. }, Self::$to { .. })) {
                    #[cfg(test)]
                    crate::states::tests::note(stringify!($state), stringify!($from), stringify!($to));
                    return true;
                })*
                false
            }
        }
    };
}

pub(crate) use changes;

#[cfg(test)]
pub(crate) mod tests;
