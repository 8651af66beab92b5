//! Kafka's error codes, as data.
//!
//! One table says of each code what it is called, whether the same request may succeed later,
//! whether the client's metadata is out of date, and what it proves about a Produce request:
//! rule R1 lists the codes that a broker gives *before* it appends, so that an attempt answered
//! with one of them is known not to be in the log. Every other code proves nothing.

use core::fmt;

/// A code as it stands in answers; 0 is success.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ErrorCode(pub i16);

/// The same request may succeed later.
const RETRIABLE: u8 = 1;
/// The client's metadata is out of date.
const REFRESH: u8 = 2;
/// The coordinator has to be looked up again.
const COORDINATOR: u8 = 4;
/// Given before the append, whatever `acks` is (R1).
const REFUSED: u8 = 8;
/// Given before the append with `acks=1` only: with `acks=all` the broker may overwrite a
/// success by this code after the append (R1).
const REFUSED_BY_LEADER: u8 = 16;
/// An idempotent producer can only be closed after it.
const FATAL: u8 = 32;

struct Row {
    code: i16,
    flags: u8,
    name: &'static str,
}

const fn row(code: i16, name: &'static str, flags: u8) -> Row {
    Row { code, flags, name }
}

/// Rows in ascending order without a hole, so that the index is the code + 1.
const ROWS: &[Row] = &[
    row(-1, "UNKNOWN_SERVER_ERROR", 0),
    row(0, "NONE", 0),
    row(1, "OFFSET_OUT_OF_RANGE", 0),
    row(2, "CORRUPT_MESSAGE", RETRIABLE | REFUSED),
    row(3, "UNKNOWN_TOPIC_OR_PARTITION", RETRIABLE | REFRESH | REFUSED_BY_LEADER),
    row(4, "INVALID_FETCH_SIZE", 0),
    row(5, "LEADER_NOT_AVAILABLE", RETRIABLE | REFRESH | REFUSED_BY_LEADER),
    row(6, "NOT_LEADER_OR_FOLLOWER", RETRIABLE | REFRESH | REFUSED_BY_LEADER),
    row(7, "REQUEST_TIMED_OUT", RETRIABLE),
    row(8, "BROKER_NOT_AVAILABLE", 0),
    row(9, "REPLICA_NOT_AVAILABLE", RETRIABLE | REFRESH),
    row(10, "MESSAGE_TOO_LARGE", REFUSED),
    row(11, "STALE_CONTROLLER_EPOCH", 0),
    row(12, "OFFSET_METADATA_TOO_LARGE", 0),
    row(13, "NETWORK_EXCEPTION", RETRIABLE | REFRESH),
    row(14, "COORDINATOR_LOAD_IN_PROGRESS", RETRIABLE),
    row(15, "COORDINATOR_NOT_AVAILABLE", RETRIABLE | COORDINATOR),
    row(16, "NOT_COORDINATOR", RETRIABLE | COORDINATOR),
    row(17, "INVALID_TOPIC_EXCEPTION", REFUSED),
    row(18, "RECORD_LIST_TOO_LARGE", REFUSED),
    row(19, "NOT_ENOUGH_REPLICAS", RETRIABLE | REFUSED),
    row(20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", RETRIABLE),
    row(21, "INVALID_REQUIRED_ACKS", REFUSED),
    row(22, "ILLEGAL_GENERATION", 0),
    row(23, "INCONSISTENT_GROUP_PROTOCOL", 0),
    row(24, "INVALID_GROUP_ID", 0),
    row(25, "UNKNOWN_MEMBER_ID", 0),
    row(26, "INVALID_SESSION_TIMEOUT", 0),
    row(27, "REBALANCE_IN_PROGRESS", 0),
    row(28, "INVALID_COMMIT_OFFSET_SIZE", 0),
    row(29, "TOPIC_AUTHORIZATION_FAILED", REFUSED),
    row(30, "GROUP_AUTHORIZATION_FAILED", 0),
    row(31, "CLUSTER_AUTHORIZATION_FAILED", REFUSED | FATAL),
    row(32, "INVALID_TIMESTAMP", REFUSED),
    row(33, "UNSUPPORTED_SASL_MECHANISM", 0),
    row(34, "ILLEGAL_SASL_STATE", 0),
    row(35, "UNSUPPORTED_VERSION", REFUSED | FATAL),
    row(36, "TOPIC_ALREADY_EXISTS", 0),
    row(37, "INVALID_PARTITIONS", 0),
    row(38, "INVALID_REPLICATION_FACTOR", 0),
    row(39, "INVALID_REPLICA_ASSIGNMENT", 0),
    row(40, "INVALID_CONFIG", 0),
    row(41, "NOT_CONTROLLER", RETRIABLE),
    row(42, "INVALID_REQUEST", REFUSED),
    row(43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", REFUSED),
    row(44, "POLICY_VIOLATION", REFUSED),
    row(45, "OUT_OF_ORDER_SEQUENCE_NUMBER", REFUSED),
    row(46, "DUPLICATE_SEQUENCE_NUMBER", 0),
    row(47, "INVALID_PRODUCER_EPOCH", REFUSED),
    row(48, "INVALID_TXN_STATE", REFUSED),
    row(49, "INVALID_PRODUCER_ID_MAPPING", REFUSED | FATAL),
    row(50, "INVALID_TRANSACTION_TIMEOUT", 0),
    row(51, "CONCURRENT_TRANSACTIONS", RETRIABLE),
    row(52, "TRANSACTION_COORDINATOR_FENCED", 0),
    row(53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", REFUSED | FATAL),
    row(54, "SECURITY_DISABLED", 0),
    row(55, "OPERATION_NOT_ATTEMPTED", 0),
    row(56, "KAFKA_STORAGE_ERROR", RETRIABLE | REFRESH),
    row(57, "LOG_DIR_NOT_FOUND", 0),
    row(58, "SASL_AUTHENTICATION_FAILED", 0),
    row(59, "UNKNOWN_PRODUCER_ID", REFUSED),
    row(60, "REASSIGNMENT_IN_PROGRESS", 0),
    row(61, "DELEGATION_TOKEN_AUTH_DISABLED", 0),
    row(62, "DELEGATION_TOKEN_NOT_FOUND", 0),
    row(63, "DELEGATION_TOKEN_OWNER_MISMATCH", 0),
    row(64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", 0),
    row(65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", 0),
    row(66, "DELEGATION_TOKEN_EXPIRED", 0),
    row(67, "INVALID_PRINCIPAL_TYPE", 0),
    row(68, "NON_EMPTY_GROUP", 0),
    row(69, "GROUP_ID_NOT_FOUND", 0),
    row(70, "FETCH_SESSION_ID_NOT_FOUND", RETRIABLE),
    row(71, "INVALID_FETCH_SESSION_EPOCH", RETRIABLE),
    row(72, "LISTENER_NOT_FOUND", RETRIABLE | REFRESH),
    row(73, "TOPIC_DELETION_DISABLED", 0),
    row(74, "FENCED_LEADER_EPOCH", RETRIABLE | REFRESH | REFUSED_BY_LEADER),
    row(75, "UNKNOWN_LEADER_EPOCH", RETRIABLE | REFUSED_BY_LEADER),
    row(76, "UNSUPPORTED_COMPRESSION_TYPE", REFUSED),
    row(77, "STALE_BROKER_EPOCH", 0),
    row(78, "OFFSET_NOT_AVAILABLE", RETRIABLE),
    row(79, "MEMBER_ID_REQUIRED", 0),
    row(80, "PREFERRED_LEADER_NOT_AVAILABLE", RETRIABLE | REFRESH),
    row(81, "GROUP_MAX_SIZE_REACHED", 0),
    row(82, "FENCED_INSTANCE_ID", 0),
    row(83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", RETRIABLE | REFRESH),
    row(84, "ELECTION_NOT_NEEDED", RETRIABLE | REFRESH),
    row(85, "NO_REASSIGNMENT_IN_PROGRESS", 0),
    row(86, "GROUP_SUBSCRIBED_TO_TOPIC", 0),
    row(87, "INVALID_RECORD", REFUSED),
    row(88, "UNSTABLE_OFFSET_COMMIT", RETRIABLE),
    row(89, "THROTTLING_QUOTA_EXCEEDED", RETRIABLE),
    row(90, "PRODUCER_FENCED", REFUSED | FATAL),
    row(91, "RESOURCE_NOT_FOUND", 0),
    row(92, "DUPLICATE_RESOURCE", 0),
    row(93, "UNACCEPTABLE_CREDENTIAL", 0),
    row(94, "INCONSISTENT_VOTER_SET", 0),
    row(95, "INVALID_UPDATE_VERSION", 0),
    row(96, "FEATURE_UPDATE_FAILED", 0),
    row(97, "PRINCIPAL_DESERIALIZATION_FAILURE", 0),
    row(98, "SNAPSHOT_NOT_FOUND", 0),
    row(99, "POSITION_OUT_OF_RANGE", 0),
    row(100, "UNKNOWN_TOPIC_ID", RETRIABLE | REFRESH | REFUSED_BY_LEADER),
    row(101, "DUPLICATE_BROKER_REGISTRATION", 0),
    row(102, "BROKER_ID_NOT_REGISTERED", 0),
    row(103, "INCONSISTENT_TOPIC_ID", RETRIABLE | REFRESH | REFUSED),
    row(104, "INCONSISTENT_CLUSTER_ID", 0),
    row(105, "TRANSACTIONAL_ID_NOT_FOUND", 0),
    row(106, "FETCH_SESSION_TOPIC_ID_ERROR", RETRIABLE),
    row(107, "INELIGIBLE_REPLICA", 0),
    row(108, "NEW_LEADER_ELECTED", 0),
    row(109, "OFFSET_MOVED_TO_TIERED_STORAGE", 0),
    row(110, "FENCED_MEMBER_EPOCH", 0),
    row(111, "UNRELEASED_INSTANCE_ID", 0),
    row(112, "UNSUPPORTED_ASSIGNOR", 0),
    row(113, "STALE_MEMBER_EPOCH", 0),
    row(114, "MISMATCHED_ENDPOINT_TYPE", 0),
    row(115, "UNSUPPORTED_ENDPOINT_TYPE", 0),
    row(116, "UNKNOWN_CONTROLLER_ID", 0),
    row(117, "UNKNOWN_SUBSCRIPTION_ID", 0),
    row(118, "TELEMETRY_TOO_LARGE", 0),
    row(119, "INVALID_REGISTRATION", 0),
    row(120, "TRANSACTION_ABORTABLE", REFUSED),
    row(121, "INVALID_RECORD_STATE", 0),
    row(122, "SHARE_SESSION_NOT_FOUND", RETRIABLE),
    row(123, "INVALID_SHARE_SESSION_EPOCH", RETRIABLE),
    row(124, "FENCED_STATE_EPOCH", 0),
    row(125, "INVALID_VOTER_KEY", 0),
    row(126, "DUPLICATE_VOTER", 0),
    row(127, "VOTER_NOT_FOUND", 0),
    row(128, "INVALID_REGULAR_EXPRESSION", 0),
    row(129, "REBOOTSTRAP_REQUIRED", 0),
    row(130, "STREAMS_INVALID_TOPOLOGY", 0),
    row(131, "STREAMS_INVALID_TOPOLOGY_EPOCH", 0),
    row(132, "STREAMS_TOPOLOGY_FENCED", 0),
    row(133, "SHARE_SESSION_LIMIT_REACHED", RETRIABLE),
    row(134, "GROUP_DELETION_FAILED", 0),
    row(135, "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED", 0),
    row(136, "CONTROLLER_ID_NOT_REGISTERED", 0),
];

#[expect(clippy::indexing_slicing, reason = "at compile time")]
const _: () = {
    let mut index = 0;
    while index < ROWS.len() {
        assert!(ROWS[index].code as i32 + 1 == index as i32, "rows are in order, without a hole");
        index += 1;
    }
};

/// The flags alone, at the same indices: where nobody asks for a name, none is in the image.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
const FLAGS: [u8; ROWS.len()] = {
    let mut flags = [0; ROWS.len()];
    let mut index = 0;
    while index < ROWS.len() {
        flags[index] = ROWS[index].flags;
        index += 1;
    }
    flags
};

impl ErrorCode {
    /// Success.
    pub const NONE: Self = Self(0);
    /// An unexpected condition on the broker.
    pub const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    /// The batch failed its checksum or structure.
    pub const CORRUPT_MESSAGE: Self = Self(2);
    /// Topic or partition not known to the broker.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The partition has no leader at the moment.
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// The broker does not lead the partition.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// Appended, but not replicated in time.
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    /// The batch is larger than `max.message.bytes`.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// The connection was lost before an answer; never on the wire.
    pub const NETWORK_EXCEPTION: Self = Self(13);
    /// The coordinator still loads.
    pub const COORDINATOR_LOAD_IN_PROGRESS: Self = Self(14);
    /// A topic name that is illegal, or an internal topic.
    pub const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// The bytes for a partition exceed its segment size.
    pub const RECORD_LIST_TOO_LARGE: Self = Self(18);
    /// Too few replicas in sync; nothing was appended.
    pub const NOT_ENOUGH_REPLICAS: Self = Self(19);
    /// Appended, but too few replicas were in sync afterwards.
    pub const NOT_ENOUGH_REPLICAS_AFTER_APPEND: Self = Self(20);
    /// `acks` is none of -1, 0 and 1.
    pub const INVALID_REQUIRED_ACKS: Self = Self(21);
    /// No permission on the topic.
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// No permission on the cluster.
    pub const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    /// A timestamp out of range.
    pub const INVALID_TIMESTAMP: Self = Self(32);
    /// The version of the API is not supported.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The topic exists already.
    pub const TOPIC_ALREADY_EXISTS: Self = Self(36);
    /// The number of partitions is not legal.
    pub const INVALID_PARTITIONS: Self = Self(37);
    /// The replication factor is not legal.
    pub const INVALID_REPLICATION_FACTOR: Self = Self(38);
    /// The manual assignment of replicas is not legal.
    pub const INVALID_REPLICA_ASSIGNMENT: Self = Self(39);
    /// A configuration value is not legal.
    pub const INVALID_CONFIG: Self = Self(40);
    /// The request is malformed or inconsistent.
    pub const INVALID_REQUEST: Self = Self(42);
    /// The sequence does not follow the last accepted one.
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    /// The batch is a duplicate of one that is in the log.
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// The producer epoch is older than the current one.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// The disk of the replica failed.
    pub const KAFKA_STORAGE_ERROR: Self = Self(56);
    /// The broker has no state for the producer id; brokers before 2.5 only.
    pub const UNKNOWN_PRODUCER_ID: Self = Self(59);
    /// The client's leader epoch is older than the broker's.
    pub const FENCED_LEADER_EPOCH: Self = Self(74);
    /// The codec is not supported by the version in use.
    pub const UNSUPPORTED_COMPRESSION_TYPE: Self = Self(76);
    /// A record failed the broker's checks.
    pub const INVALID_RECORD: Self = Self(87);
    /// The topic id is not known to the broker.
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
    /// The client's view is of another cluster: it has to begin again. KIP-1102, KIP-1242.
    pub const REBOOTSTRAP_REQUIRED: Self = Self(129);

    fn index(self) -> usize {
        usize::from(self.0.wrapping_add(1).cast_unsigned())
    }

    fn has(self, flag: u8) -> bool {
        FLAGS.get(self.index()).is_some_and(|flags| flags & flag != 0)
    }

    /// Whether this is success.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }

    /// Kafka's name of the code, `UNKNOWN` for one that this version does not know.
    #[must_use]
    pub fn name(self) -> &'static str {
        ROWS.get(self.index()).map_or("UNKNOWN", |row| row.name)
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        self.has(RETRIABLE)
    }

    /// Whether metadata has to be refreshed before the request can succeed.
    #[must_use]
    pub fn needs_refresh(self) -> bool {
        self.has(REFRESH)
    }

    /// Whether the coordinator has to be looked up again.
    #[must_use]
    pub fn needs_coordinator(self) -> bool {
        self.has(COORDINATOR)
    }

    /// Whether a Produce attempt that is answered with this code is proven not to be in the
    /// log (R1). `leader_only` is `acks=1`.
    #[must_use]
    pub fn proves_refusal(self, leader_only: bool) -> bool {
        self.has(REFUSED) || leader_only && self.has(REFUSED_BY_LEADER)
    }

    /// Whether an idempotent producer can only be closed after it.
    #[must_use]
    pub fn is_fatal(self) -> bool {
        self.has(FATAL)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_their_code() {
        for row in ROWS {
            assert_eq!(ErrorCode(row.code).name(), row.name);
        }
        assert_eq!(ErrorCode(-2).name(), "UNKNOWN");
        assert_eq!(ErrorCode(i16::MAX).name(), "UNKNOWN");
        assert_eq!(ErrorCode(i16::MIN).name(), "UNKNOWN");
    }

    #[test]
    fn r01_the_list_of_refusals_is_exact() {
        let always: std::vec::Vec<i16> =
            (i16::MIN..=i16::MAX).filter(|c| ErrorCode(*c).proves_refusal(false)).collect();
        let expected = [
            2, 10, 17, 18, 19, 21, 29, 31, 32, 35, 42, 43, 44, 45, 47, 48, 49, 53, 59, 76, 87, 90,
            103, 120,
        ];
        assert_eq!(always, expected);
        let leader_only: std::vec::Vec<i16> = (i16::MIN..=i16::MAX)
            .filter(|c| ErrorCode(*c).proves_refusal(true) && !ErrorCode(*c).proves_refusal(false))
            .collect();
        assert_eq!(leader_only, [3, 5, 6, 74, 75, 100]);
    }

    #[test]
    fn codes_of_the_future_prove_nothing() {
        let code = ErrorCode(4_711);
        assert!(!code.is_retriable() && !code.proves_refusal(true) && !code.is_fatal());
    }
}
