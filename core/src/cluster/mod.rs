//! Brokers, topics, partitions and their leaders: slots, and what metadata does to them.

mod slots;

pub use slots::{BrokerId, BrokerSlot, PartitionId, PartitionSlot, TopicId, TopicSlot};
pub(crate) use slots::{Course, NO_ID, Pools, TopicState, flag};
