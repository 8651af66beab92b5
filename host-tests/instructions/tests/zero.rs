//! A producer over fixed memory is zero bits before its start, so that a `static` of it lands in `.bss` and takes no flash.

use std::ptr::from_ref;

use ottla::Producer;

ottla::fixed! {
    Node {
        topics: 2, partitions: 4, batches: 4, requests: 4, links: 2, brokers: 3, host: 64,
        names: 16, blocks: 4, block_size: 256,
    }
}

static NODE: Producer<Node> = Producer::unstarted(Node::new());

#[test]
#[allow(unsafe_code)]
fn a_producer_over_fixed_memory_is_all_zero_bits() {
    let bytes = from_ref(&NODE).cast::<u8>();
    let set: Vec<(usize, u8)> = (0..size_of_val(&NODE))
        .map(|at| {
            // SAFETY: within the static. Bytes between fields have the value that the image gives
            // them, which is what is to be seen here.
            (at, unsafe { bytes.add(at).read_volatile() })
        })
        .filter(|(_, byte)| *byte != 0)
        .collect();
    assert!(set.is_empty(), "{} bytes of {} are set: {set:?}", set.len(), size_of_val(&NODE));
}
