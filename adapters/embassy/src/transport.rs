//! How links reach brokers: TCP by `embassy-net` ([`crate::net`]), or any stream of
//! `embedded-io-async` ([`crate::stream`]).

use ottla::Reason;

/// Where to connect to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Target<'a> {
    /// Id of the broker; none for a bootstrap address.
    pub broker: Option<i32>,
    /// Host name, or an address in numbers.
    pub host: &'a str,
    /// Port.
    pub port: u16,
}

/// Makes the connections of one link, one after another. Each link has its own, with its own
/// socket and buffers.
#[allow(async_fn_in_trait, reason = "futures of one executor need not be Send")]
pub trait Connector {
    /// A connection that is made.
    type Connection<'a>: Connection
    where
        Self: 'a;

    /// Connects. Dropped if it takes longer than the core allows.
    ///
    /// # Errors
    /// Why there is no connection: [`Reason::Unresolved`], [`Reason::Refused`],
    /// [`Reason::Disconnected`].
    async fn connect(&mut self, target: Target<'_>) -> Result<Self::Connection<'_>, Reason>;
}

/// A connection: two halves that work at the same time.
#[allow(async_fn_in_trait, reason = "futures of one executor need not be Send")]
pub trait Connection {
    /// The half that receives.
    type Input<'a>: Input
    where
        Self: 'a;
    /// The half that sends.
    type Output<'a>: Output
    where
        Self: 'a;

    /// The halves.
    fn split(&mut self) -> (Self::Input<'_>, Self::Output<'_>);

    /// Ends the connection, if there is more to do for it than to drop it. The link's next
    /// connection waits for this.
    async fn end(&mut self) {}
}

impl<C: Connector> Connector for &mut C {
    type Connection<'a>
        = C::Connection<'a>
    where
        Self: 'a;

    async fn connect(&mut self, target: Target<'_>) -> Result<Self::Connection<'_>, Reason> {
        C::connect(self, target).await
    }
}

/// The half of a connection that receives.
#[allow(async_fn_in_trait, reason = "futures of one executor need not be Send")]
pub trait Input {
    /// Waits for bytes and lends them to `take`, which uses them all.
    ///
    /// # Errors
    /// [`Reason::Disconnected`] at the end of the stream.
    async fn read_with(&mut self, take: impl FnOnce(&[u8])) -> Result<(), Reason>;
}

/// The half of a connection that sends.
#[allow(async_fn_in_trait, reason = "futures of one executor need not be Send")]
pub trait Output {
    /// Waits for room and lends it to `fill`, which says how many bytes it has written there:
    /// perhaps none.
    ///
    /// # Errors
    /// [`Reason::Disconnected`] if nothing can be sent any more.
    async fn write_with(&mut self, fill: impl FnOnce(&mut [u8]) -> usize) -> Result<(), Reason>;
}
