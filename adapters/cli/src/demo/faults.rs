//! What goes wrong, drawn by a seed: some of it at requests, some of it at the cluster.
//!
//! Every few Produce requests the next kind is dealt from a shuffled pack that has each kind in
//! it once, so that all of them come up early and equally often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ottla::message::ErrorCode;
use ottla_broker::{Action, Cluster, Reload, Seen, Server, Silence};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A kind of fault.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The connection is closed before the request is handled.
    Reset,
    /// The request is handled, and the connection closed instead of an answer.
    AnswerLost,
    /// The request is handled, and there is silence; the request's timeout has to end it.
    Silence,
    /// The answer takes its time.
    Slow,
    /// 19, before the append.
    NotEnoughReplicas,
    /// 20, after the append.
    NotEnoughAfterAppend,
    /// 45, before the append.
    OutOfOrder,
    /// The leader of a partition moves to another replica in sync.
    LeaderMoved,
    /// All nodes know only the newest batch of each producer afterwards, as after a restart from
    /// a snapshot, while an answer is lost: 45 arises by itself.
    StateLost,
}

impl Kind {
    /// All kinds, in the order of the report.
    pub(super) const ALL: [Self; 9] = [
        Self::Reset,
        Self::AnswerLost,
        Self::Silence,
        Self::Slow,
        Self::LeaderMoved,
        Self::NotEnoughReplicas,
        Self::NotEnoughAfterAppend,
        Self::OutOfOrder,
        Self::StateLost,
    ];

    /// How the report calls it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Reset => "connection reset",
            Self::AnswerLost => "answer lost with its connection",
            Self::Silence => "no answer until the timeout",
            Self::Slow => "answer late",
            Self::LeaderMoved => "leader moved",
            Self::NotEnoughReplicas => "too few replicas (19), refused",
            Self::NotEnoughAfterAppend => "too few replicas (20), after append",
            Self::OutOfOrder => "sequence refused (45)",
            Self::StateLost => "producer state lost, answer too",
        }
    }
}

/// How often each kind struck, in the order of [`Kind::ALL`].
pub(super) type Struck = [u64; Kind::ALL.len()];

/// Requests between two faults, at least and at most.
const GAP: (u64, u64) = (4, 14);

/// Rounds of the pack in which there is silence; each takes a whole request timeout.
const SILENCES: u64 = 3;

/// How late an answer is, in microseconds.
const LATE: u64 = 30_000;

/// The faults that are under way.
#[derive(Debug)]
pub(super) struct Faults {
    server: Arc<Server>,
    struck: Arc<[AtomicU64; Kind::ALL.len()]>,
    task: JoinHandle<()>,
}

impl Faults {
    /// Begins.
    pub(super) fn start(
        server: &Arc<Server>,
        topic: &'static str,
        partitions: i32,
        seed: u64,
    ) -> Self {
        let struck: Arc<[AtomicU64; Kind::ALL.len()]> = Arc::default();
        let (orders, mut to_do) = mpsc::unbounded_channel();
        // The hook has to be cloneable, as clusters are; there is one pack all the same.
        let pack = Arc::new(Mutex::new(Pack::new(seed)));
        let at_request = Arc::clone(&struck);
        server.with(|cluster, _| {
            cluster.set_hook(move |seen| {
                let mut pack = pack.lock().unwrap_or_else(PoisonError::into_inner);
                pack.at(seen, &orders, &at_request)
            });
        });
        let at_cluster = Arc::clone(&struck);
        let cluster = Arc::clone(server);
        let task = tokio::spawn(async move {
            while let Some(order) = to_do.recv().await {
                if cluster.with(|cluster, now| strike(cluster, now, topic, partitions, order)) {
                    count(&at_cluster, order.kind());
                }
            }
        });
        Self { server: Arc::clone(server), struck, task }
    }

    /// Tells how many struck so far.
    pub(super) fn counter(&self) -> impl Fn() -> u64 + Send + 'static {
        let struck = Arc::clone(&self.struck);
        move || struck.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Ends them, and returns how often each kind struck.
    pub(super) async fn stop(self) -> Struck {
        self.server.with(|cluster, _| cluster.clear_hook());
        // A panic there has been reported by then.
        let _ = self.task.await;
        std::array::from_fn(|kind| self.struck[kind].load(Ordering::Relaxed))
    }
}

fn count(struck: &[AtomicU64; Kind::ALL.len()], kind: Kind) {
    if let Some(place) = Kind::ALL.iter().position(|other| *other == kind) {
        struck[place].fetch_add(1, Ordering::Relaxed);
    }
}

/// Something that is to happen to the cluster rather than to a request.
#[derive(Copy, Clone, Debug)]
enum Order {
    /// With a number to draw from.
    MoveLeader(u64),
    LoseState,
}

impl Order {
    const fn kind(self) -> Kind {
        match self {
            Self::MoveLeader(_) => Kind::LeaderMoved,
            Self::LoseState => Kind::StateLost,
        }
    }
}

/// Returns whether it struck.
fn strike(cluster: &mut Cluster, now: u64, topic: &str, partitions: i32, order: Order) -> bool {
    match order {
        Order::MoveLeader(drawn) => {
            let partition =
                i32::try_from(drawn % u64::from(partitions.unsigned_abs())).unwrap_or(0);
            let leader = cluster.leader(topic, partition);
            let others = cluster.in_sync(topic, partition);
            let mut others = others.into_iter().filter(|node| Some(*node) != leader);
            let skipped = usize::from(drawn & 64 > 0);
            let next = others.clone().nth(skipped).or_else(|| others.next());
            next.is_some_and(|node| cluster.move_leader(now, topic, partition, node).is_ok())
        }
        Order::LoseState => {
            let nodes: Vec<i32> = cluster.live_nodes().map(|node| node.id).collect();
            nodes.into_iter().all(|node| cluster.reload(now, node, Reload::NewestOnly).is_ok())
        }
    }
}

/// Deals faults to requests.
#[derive(Debug)]
struct Pack {
    random: Random,
    left: Vec<Kind>,
    rounds: u64,
    /// Requests until the next fault.
    gap: u64,
}

impl Pack {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed), left: Vec::new(), rounds: 0, gap: GAP.1 }
    }

    /// What becomes of a request.
    fn at(
        &mut self,
        seen: &Seen<'_>,
        orders: &mpsc::UnboundedSender<Order>,
        struck: &[AtomicU64; Kind::ALL.len()],
    ) -> Action {
        if seen.produce().is_none() {
            return Action::Proceed;
        }
        self.gap -= 1;
        if self.gap > 0 {
            return Action::Proceed;
        }
        self.gap = GAP.0 + self.random.below(GAP.1 - GAP.0 + 1);
        let kind = self.deal();
        let action = match kind {
            Kind::Reset => Action::Close,
            Kind::AnswerLost => Action::Swallow(Silence::Close),
            Kind::Silence => Action::Swallow(Silence::Stay),
            Kind::Slow => Action::DelayAnswer(LATE),
            Kind::NotEnoughReplicas => Action::Refuse(ErrorCode::NOT_ENOUGH_REPLICAS),
            Kind::NotEnoughAfterAppend => {
                Action::AnswerAfter(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND)
            }
            Kind::OutOfOrder => Action::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
            // Those that carry out orders count them.
            Kind::LeaderMoved => {
                let _ = orders.send(Order::MoveLeader(self.random.next()));
                return Action::Proceed;
            }
            Kind::StateLost => {
                let _ = orders.send(Order::LoseState);
                return Action::Swallow(Silence::Close);
            }
        };
        count(struck, kind);
        action
    }

    /// The next card.
    fn deal(&mut self) -> Kind {
        loop {
            if let Some(kind) = self.left.pop() {
                return kind;
            }
            self.rounds += 1;
            let silent = self.rounds <= SILENCES;
            self.left = Kind::ALL.into_iter().filter(|k| silent || *k != Kind::Silence).collect();
            for last in (1..self.left.len()).rev() {
                let other = usize::try_from(self.random.below(last as u64 + 1)).unwrap_or(0);
                self.left.swap(last, other);
            }
        }
    }
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_deals_the_same_faults_and_all_of_them_early() {
        let deal = |seed| {
            let mut pack = Pack::new(seed);
            std::array::from_fn::<_, { Kind::ALL.len() }, _>(|_| pack.deal())
        };
        assert_eq!(deal(7), deal(7));
        assert_ne!(deal(7), deal(8));
        assert!(Kind::ALL.iter().all(|kind| deal(7).contains(kind)));
    }
}
