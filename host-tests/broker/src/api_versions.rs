//! ApiVersions (key 18): what is served. KIP-35, KIP-511, KIP-1242.

use ottla::message::api_versions::broker::{Answer, Request};
use ottla::message::{Api, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::profile::Profile;
use crate::request::Asking;

const REBOOTSTRAP_REQUIRED: ErrorCode = ErrorCode(129);

/// The frame of the answer.
pub(crate) fn handle(cluster: &Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let error = asking.forced.code().unwrap_or_else(|| check(cluster, asking, request));
    let apis = if error.is_success() { asking.profile.list() } else { Vec::new() };
    let throttle_ms = asking.throttle_ms;
    let answer = Answer { error, apis, throttle_ms, finalized_epoch: -1, ..Answer::default() };
    broker::answer(Api::ApiVersions, asking.version, asking.correlation, |out| {
        answer.write(asking.version, out);
    })
}

/// The frame that answers a version that is not known: in version 0, with the versions of this
/// API alone, or none in Kafka before 2.4.
pub(crate) fn refuse_version(profile: Profile, correlation: i32) -> Vec<u8> {
    let api = Api::ApiVersions;
    let mut apis = profile.list();
    apis.retain(|(key, _)| *key == api.key() && profile.names_versions_in_refusal());
    let answer = Answer { error: ErrorCode::UNSUPPORTED_VERSION, apis, ..Answer::default() };
    broker::answer(api, 0, correlation, |out| answer.write(0, out))
}

fn check(cluster: &Cluster, asking: &Asking, request: &Request<'_>) -> ErrorCode {
    let named = is_legal(request.software_name) && is_legal(request.software_version);
    if asking.version >= 3 && !named {
        return ErrorCode::INVALID_REQUEST;
    }
    match (request.cluster_id, request.node_id) {
        (None, -1) => ErrorCode::NONE,
        (None, _) | (Some(_), -1) => ErrorCode::INVALID_REQUEST,
        (Some(id), node) if id == cluster.cluster_id().as_bytes() && node == asking.node => {
            ErrorCode::NONE
        }
        (Some(_), _) => REBOOTSTRAP_REQUIRED,
    }
}

/// Letters and digits, with `-` and `.` between them.
fn is_legal(text: &[u8]) -> bool {
    let inner = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
    let outer = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    outer(text.first()) && outer(text.last()) && text.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use ottla::message::Versions;
    use ottla::message::api_versions as codec;
    use ottla::wire::write::Put;

    use super::*;
    use crate::testing::{Client, Told};

    fn versions(items: &[codec::Item]) -> Vec<(i16, i16, i16)> {
        let version = |item: &codec::Item| match item {
            codec::Item::Api(key, Versions { min, max }) => Some((*key, *min, *max)),
            _ => None,
        };
        items.iter().filter_map(version).collect()
    }

    #[test]
    fn every_version_lists_what_is_served_and_fetch() {
        for version in 0..=5 {
            let mut client = Client::new();
            let items = client.api_versions(version, |out| codec::request(out, version));
            assert_eq!(items[0], codec::Item::Error(ErrorCode::NONE), "version {version}");
            assert_eq!(
                versions(&items),
                [
                    (0, 0, 13),
                    (1, 4, 18),
                    (3, 0, 13),
                    (18, 0, 5),
                    (19, 2, 7),
                    (20, 1, 6),
                    (22, 0, 5),
                    (32, 1, 4),
                    (37, 0, 3),
                    (44, 0, 1),
                    (60, 0, 2),
                    (75, 0, 0)
                ]
            );
        }
    }

    #[test]
    fn an_unknown_version_is_answered_in_version_0_and_the_connection_stays() {
        for version in [6, 99, i16::MAX] {
            let mut client = Client::new();
            let frame = client.request(18, version, 5, |out| out.raw(&[0]));
            let expected = [0, 0, 0, 16, 0, 0, 0, 5, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5];
            assert_eq!(frame, Told::Answer(expected.to_vec()));
            let items = client.api_versions(0, |_| {});
            assert_eq!(items[0], codec::Item::Error(ErrorCode::NONE));
        }
    }

    #[test]
    fn names_of_client_software_are_checked_and_the_connection_stays() {
        for (name, legal) in [
            ("ottla", true),
            ("a-b.c", true),
            ("", false),
            ("a+b", false),
            ("-a", false),
            ("a.", false),
        ] {
            let mut client = Client::new();
            let items = client.api_versions(3, |out| {
                out.string(name.as_bytes(), true);
                out.string(b"1.0", true);
                out.no_tags(true);
            });
            let code = if legal { ErrorCode::NONE } else { ErrorCode::INVALID_REQUEST };
            assert_eq!(items[0], codec::Item::Error(code), "{name}");
            assert_eq!(client.closed(), None);
        }
    }

    #[test]
    fn a_client_that_means_another_broker_is_told_so() {
        let mut client = Client::new();
        let cluster_id = client.cluster.cluster_id().to_string();
        for (id, node, code) in [
            (Some(cluster_id.as_str()), 1, 0),
            (Some(cluster_id.as_str()), 2, 129),
            (Some("other"), 1, 129),
            (Some("other"), -1, 42),
            (None, 1, 42),
        ] {
            let items = client.api_versions(5, |out| {
                out.string(b"a", true);
                out.string(b"1", true);
                out.nullable_string(id.map(str::as_bytes), true);
                out.int32(node);
                out.no_tags(true);
            });
            assert_eq!(items[0], codec::Item::Error(ErrorCode(code)), "{id:?} {node}");
        }
    }
}
