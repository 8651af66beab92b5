//! What is called, and in which order: drawn from the input.

use arbitrary::{Result, Unstructured};

/// A call, or a few that belong together. Numbers choose among what there is when it is made, so
/// that any numbers make sense at any time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Call<'a> {
    // Verbs.
    Start,
    Topic {
        name: u8,
        partitions: u8,
    },
    Produce {
        topic: u8,
        partition: u8,
        length: u8,
        fields: u8,
    },
    Flush,
    Close {
        after: u8,
    },
    Pause,
    Resume,
    WallClock {
        millis: u64,
    },
    Bootstrap {
        host: u8,
    },
    ClientId {
        length: u8,
    },

    // Time.
    /// The clock goes on.
    Pass {
        step: u8,
    },
    /// The clock goes back.
    Back {
        step: u8,
    },
    /// The producer is woken, at the time that it asked for or at any other.
    Timeout,
    Wake,

    // Links.
    PollLink,
    Connected {
        link: u8,
    },
    Disconnected {
        link: u8,
        reason: u8,
    },
    /// Pieces are lent, and nothing is said of them.
    Output {
        link: u8,
        pieces: u8,
    },
    /// Any number of bytes is said to have been written.
    Consume {
        link: u8,
        count: u16,
    },
    /// At most so many bytes are written, in earnest.
    Write {
        link: u8,
        room: u16,
    },
    /// Any bytes come in.
    Input {
        link: u8,
        bytes: &'a [u8],
    },
    /// The oldest request that is not answered gets an answer, in pieces of `cut` bytes; what is
    /// in it is drawn from `recipe`, of which nothing means that all is well.
    Answer {
        link: u8,
        cut: u8,
        recipe: &'a [u8],
    },
    /// The same, with any bytes as its body.
    Garbage {
        link: u8,
        body: &'a [u8],
    },

    // The rest.
    PollEvent,
    /// Everything that can be asked for is asked for.
    Look {
        number: u8,
    },
    /// Writers give back the blocks that they hold.
    Release,
    /// All that is to do is done as an adapter does it, with brokers that mean well.
    Pump,
}

/// No input is longer than what runs in a moment.
const CALLS_MAX: usize = 400;

/// All calls of an input, to its end.
pub(super) fn draw_all<'a>(input: &mut Unstructured<'a>) -> Vec<Call<'a>> {
    let mut calls = Vec::new();
    while !input.is_empty() && calls.len() < CALLS_MAX {
        calls.extend(draw(input));
    }
    calls
}

fn bytes<'a>(input: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let length = usize::from(input.arbitrary::<u8>()?);
    input.bytes(length.min(input.len()))
}

fn draw<'a>(input: &mut Unstructured<'a>) -> Result<Call<'a>> {
    // One byte says what, each number is little endian: seeds are made by hand (`examples/seeds`).
    Ok(match input.arbitrary::<u8>()? % 28 {
        0 => Call::Produce {
            topic: input.arbitrary()?,
            partition: input.arbitrary()?,
            length: input.arbitrary()?,
            fields: input.arbitrary()?,
        },
        1 => Call::Topic { name: input.arbitrary()?, partitions: input.arbitrary()? },
        2 => Call::PollLink,
        3 => Call::Connected { link: input.arbitrary()? },
        4 => Call::Disconnected { link: input.arbitrary()?, reason: input.arbitrary()? },
        5 => Call::Output { link: input.arbitrary()?, pieces: input.arbitrary()? },
        6 => Call::Consume { link: input.arbitrary()?, count: input.arbitrary()? },
        7 => Call::Write { link: input.arbitrary()?, room: input.arbitrary()? },
        8 => Call::Answer {
            link: input.arbitrary()?,
            cut: input.arbitrary()?,
            recipe: bytes(input)?,
        },
        9 => Call::Garbage { link: input.arbitrary()?, body: bytes(input)? },
        10 => Call::Input { link: input.arbitrary()?, bytes: bytes(input)? },
        11 => Call::Pass { step: input.arbitrary()? },
        12 => Call::Back { step: input.arbitrary()? },
        13 => Call::Timeout,
        14 => Call::Wake,
        15 => Call::PollEvent,
        16 => Call::Pump,
        17 => Call::Flush,
        18 => Call::Close { after: input.arbitrary()? },
        19 => Call::Pause,
        20 => Call::Resume,
        21 => Call::WallClock { millis: input.arbitrary()? },
        22 => Call::Bootstrap { host: input.arbitrary()? },
        23 => Call::ClientId { length: input.arbitrary()? },
        24 => Call::Look { number: input.arbitrary()? },
        25 => Call::Release,
        26 => Call::Start,
        _ => Call::Write { link: 0, room: u16::MAX },
    })
}
