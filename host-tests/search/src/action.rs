//! What can happen in a world.

/// One thing that happens. Each is over before the next begins: a whole frame is read, a whole
/// answer comes. (Frames that are cut anywhere are the fuzzer's.)
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The application produces the next batch of a partition.
    Produce(u8),
    /// The application takes the events there are.
    TakeEvents,
    /// The application closes the producer.
    Close,
    /// A link is connected.
    Connected(u8),
    /// The broker reads the next request of a link.
    Deliver(u8),
    /// The next answer of a link comes.
    Answer(u8),
    /// The next deadline of the producer passes.
    Deadline,
    /// The next request of a link that ended reaches its broker.
    Late(u8),
    /// A link ends before the broker has read what is on it. True: it only falls silent.
    LoseRequest(u8, bool),
    /// A link ends before the answers on it came. True: it only falls silent.
    LoseReply(u8, bool),
    /// A link ends, and what the broker has not read comes late. True: it only falls silent.
    Delay(u8, bool),
    /// The next request of a link is refused by this code.
    ErrorBefore(u8, i16),
    /// The next request of a link is carried out, and answered this code.
    ErrorAfter(u8, i16),
    /// The next request of a link is carried out, and its answer leaves every partition out.
    LeaveOut(u8),
    /// The brokers restart, and know the newest batch of each producer.
    Reload,
    /// A partition forgets its producers.
    Expire(u8),
    /// The other node leads a partition.
    MoveLeader(u8),
}
