//! InitProducerId (key 22): hands out producer ids. KIP-98, KIP-360.

use std::collections::BTreeMap;

use ottla::message::init_producer_id::Item;
use ottla::message::init_producer_id::broker::{Request, write};
use ottla::message::{Api, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::request::Asking;

/// Ids that a node gets from the controller at a time.
const BLOCK: i64 = 1_000;

/// Nobody can use transactional ids here.
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ErrorCode = ErrorCode(53);

/// The ids that were handed out: in blocks to the nodes, and by them. None is used twice.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ProducerIds {
    next_block: i64,
    nodes: BTreeMap<i32, Block>,
}

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
struct Block {
    next: i64,
    end: i64,
    /// When the node gets it.
    from: u64,
}

impl ProducerIds {
    /// A new id from a node's block; none while the node waits for a block.
    pub(crate) fn take(&mut self, node: i32, now: u64, delay: u64) -> Option<i64> {
        let next_block = &mut self.next_block;
        let mut fresh = || {
            let next = *next_block;
            *next_block = next.saturating_add(BLOCK);
            Block { next, end: *next_block, from: now.saturating_add(delay) }
        };
        let block = self.nodes.entry(node).or_insert_with(&mut fresh);
        if block.next == block.end {
            *block = fresh();
        }
        if now < block.from {
            return None;
        }
        let id = block.next;
        block.next += 1;
        Some(id)
    }

    /// A node has been restarted: what it had left is never used.
    pub(crate) fn forget(&mut self, node: i32) {
        self.nodes.remove(&node);
    }
}

/// The frame of the answer.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let given = match asking.forced.before() {
        Some(code) => Err(code),
        None => give(cluster, asking.node, request),
    };
    let given = asking.forced.code().map_or(given, Err);
    let (error, producer_id, producer_epoch) = match given {
        Ok(id) => (ErrorCode::NONE, id, 0),
        Err(code) => (code, -1, -1),
    };
    let item = Item { throttle_ms: asking.throttle_ms, error, producer_id, producer_epoch };
    broker::answer(Api::InitProducerId, asking.version, asking.correlation, |out| {
        write(&item, asking.version, out);
    })
}

fn give(cluster: &mut Cluster, node: i32, request: &Request<'_>) -> Result<i64, ErrorCode> {
    let is_half = (request.producer_id == -1) != (request.producer_epoch == -1);
    match request.transactional_id {
        _ if is_half => Err(ErrorCode::INVALID_REQUEST),
        Some([]) => Err(ErrorCode::INVALID_REQUEST),
        Some(_) => Err(TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        None => cluster.take_producer_id(node).ok_or(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    }
}

#[cfg(test)]
mod tests {
    use ottla::message::init_producer_id as codec;
    use ottla::wire::write::Put;

    use super::*;
    use crate::Config;
    use crate::testing::Client;

    fn ask(client: &mut Client) -> (i16, i64, i16) {
        let item = client.init_producer_id(5, |out| codec::request(out, 5));
        (item.error.0, item.producer_id, item.producer_epoch)
    }

    #[test]
    fn ids_are_new_and_their_epoch_is_0_in_every_version() {
        let mut client = Client::new();
        for version in 0..=5 {
            let item = client.init_producer_id(version, |out| codec::request(out, version));
            let given = (item.error, item.producer_id, item.producer_epoch);
            assert_eq!(given, (ErrorCode::NONE, i64::from(version), 0));
        }
    }

    #[test]
    fn nodes_have_blocks_of_1000_and_lose_the_rest_by_a_restart() {
        let mut ids = ProducerIds::default();
        assert_eq!(ids.take(1, 0, 0), Some(0));
        assert_eq!(ids.take(2, 0, 0), Some(1_000));
        ids.forget(1);
        assert_eq!(ids.take(1, 0, 0), Some(2_000));
        for _ in 0..999 {
            ids.take(2, 0, 0);
        }
        assert_eq!(ids.take(2, 0, 0), Some(3_000));
    }

    #[test]
    fn a_node_without_a_block_says_that_it_loads() {
        let config = Config { producer_ids_delay: 1_000, ..Config::new(1) };
        let mut client = Client::with(config);
        assert_eq!(ask(&mut client), (14, -1, -1));
        client.pass(1);
        assert_eq!(ask(&mut client), (0, 0, 0));
    }

    #[test]
    fn requests_are_checked() {
        let mut client = Client::new();
        for (id, pid, epoch, code) in [
            (None, 7, 3, 0),
            (None, 7, -1, 42),
            (None, -1, 3, 42),
            (Some(""), -1, -1, 42),
            (Some("t"), -1, -1, 53),
        ] {
            let item = client.init_producer_id(5, |out| {
                out.nullable_string(id.map(str::as_bytes), true);
                out.int32(60_000);
                out.int64(pid);
                out.int16(epoch);
                out.no_tags(true);
            });
            assert_eq!(item.error.0, code, "{id:?} {pid} {epoch}");
        }
    }
}
