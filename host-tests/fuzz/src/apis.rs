//! Chooses an API and one of its versions.

use std::ops::RangeInclusive;

use arbitrary::{Result, Unstructured};

/// Calls a function that is generic over an API with the one that the next byte says.
macro_rules! with_api {
    ($input:expr, $function:ident($($argument:expr),*)) => {{
        use codec_tests::{
            api_versions, create_topics, delete_topics, describe_cluster, describe_configs,
            describe_topic_partitions, init_producer_id, metadata, produce,
        };
        match $input.int_in_range(0..=8_u8)? {
            0 => $function::<produce::Produce>($($argument),*),
            1 => $function::<metadata::Metadata>($($argument),*),
            2 => $function::<api_versions::ApiVersions>($($argument),*),
            3 => $function::<init_producer_id::InitProducerId>($($argument),*),
            4 => $function::<create_topics::CreateTopics>($($argument),*),
            5 => $function::<delete_topics::DeleteTopics>($($argument),*),
            6 => $function::<describe_configs::DescribeConfigs>($($argument),*),
            7 => $function::<describe_cluster::DescribeCluster>($($argument),*),
            _ => $function::<describe_topic_partitions::DescribeTopicPartitions>($($argument),*),
        }
    }};
}
pub(crate) use with_api;

/// One of these versions, by the next byte.
pub(crate) fn version(input: &mut Unstructured<'_>, versions: RangeInclusive<i16>) -> Result<i16> {
    input.int_in_range(versions)
}

/// All bytes that are left.
pub(crate) fn rest<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    input.bytes(input.len()).unwrap_or_default()
}
