//! DescribeCluster (key 60): the nodes by the addresses of the client's listener. KIP-700.

use ottla::message::describe_cluster::BROKERS;
use ottla::message::describe_cluster::broker::{Answer, Broker, Request};
use ottla::message::{AdminApi, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::request::Asking;

const CONTROLLERS: i8 = 2;
const MISMATCHED_ENDPOINT_TYPE: ErrorCode = ErrorCode(114);
const UNSUPPORTED_ENDPOINT_TYPE: ErrorCode = ErrorCode(115);

/// All that Kafka allows on a cluster where nobody is asked: create, alter, describe, act as the
/// cluster, describe and alter settings, write idempotently (bits 5, 7 to 12).
const OPERATIONS: i32 = 0b1_1111_1010_0000;

/// The frame of the answer.
pub(crate) fn handle(cluster: &Cluster, asking: &Asking, request: &Request) -> Vec<u8> {
    let result =
        asking.forced.code().map_or_else(|| check(request), |code| Err((code, code.name())));
    let mut answer = Answer {
        throttle_ms: asking.throttle_ms,
        error: ErrorCode::NONE,
        text: None,
        endpoint_type: BROKERS,
        cluster_id: "",
        controller: -1,
        brokers: Vec::new(),
        authorized_operations: i32::MIN,
    };
    match result {
        Ok(()) => {
            answer.cluster_id = cluster.cluster_id();
            answer.brokers = brokers(cluster, asking, request.fenced);
            let live = answer.brokers.iter().find(|broker| !broker.fenced);
            answer.controller = live.map_or(-1, |broker| broker.id);
            if request.authorized_operations {
                answer.authorized_operations = OPERATIONS;
            }
        }
        Err((code, text)) => {
            answer.error = code;
            answer.text = Some(text.to_string());
        }
    }
    broker::answer(AdminApi::DescribeCluster, asking.version, asking.correlation, |out| {
        answer.write(asking.version, out);
    })
}

fn check(request: &Request) -> Result<(), (ErrorCode, &'static str)> {
    match request.endpoint_type {
        BROKERS => Ok(()),
        CONTROLLERS => Err((MISMATCHED_ENDPOINT_TYPE, "this is a broker and not a controller")),
        _ => Err((UNSUPPORTED_ENDPOINT_TYPE, "there is no such type of endpoint")),
    }
}

/// The nodes that run; those that do not are fenced, and told where that is wanted.
fn brokers<'a>(cluster: &'a Cluster, asking: &Asking, fenced: bool) -> Vec<Broker<'a>> {
    let nodes = cluster.config().nodes.iter();
    let brokers = nodes.filter_map(|node| {
        let address = node.listeners.get(asking.listener)?;
        Some(Broker {
            id: node.id,
            host: &address.host,
            port: i32::from(address.port),
            rack: node.rack.as_deref(),
            fenced: !cluster.is_live(node.id),
        })
    });
    brokers.filter(|broker| fenced || !broker.fenced).collect()
}

#[cfg(test)]
mod tests {
    use ottla::message::describe_cluster as codec;
    use ottla::wire::write::Put;

    use super::*;
    use crate::testing::{Client, Told};
    use crate::{Action, Address, Config};

    #[test]
    fn nodes_and_the_id_of_the_cluster_in_every_version() {
        for version in 0..=2 {
            let mut client = Client::with(Config::new(2));
            let id = client.cluster.cluster_id().to_string();
            let lines = client.describe_cluster(version, |out| codec::request(out, version));
            let cluster = format!("cluster {id} 1");
            assert_eq!(lines, [&cluster, "broker 1 node1:9092", "broker 2 node2:9093"]);
        }
    }

    #[test]
    fn each_listener_tells_its_own_addresses() {
        let mut config = Config::new(2);
        let outside = Address { host: "outside".to_string(), port: 7 };
        config.nodes[1].listeners.push(outside);
        let mut client = Client::with(config);
        client.connection = client.cluster.connect_by(0, 2, 1).unwrap();
        let lines = client.describe_cluster(2, |out| codec::request(out, 2));
        assert_eq!(lines[1..], ["broker 2 outside:7"]);
    }

    #[test]
    fn nodes_that_do_not_run_are_fenced() {
        let mut client = Client::with(Config::new(2));
        client.cluster.kill(0, 1).unwrap();
        client.reconnect(2);
        let mut ask = |fenced| {
            client.describe_cluster(2, |out| {
                out.boolean(false);
                out.int8(1);
                out.boolean(fenced);
                out.no_tags(true);
            })
        };
        assert_eq!(ask(false)[1..], ["broker 2 node2:9093"]);
        let lines = ask(true);
        assert!(lines[0].ends_with(" 2"), "the controller is one that runs: {lines:?}");
        assert_eq!(lines[1..], ["broker 1 node1:9092", "broker 2 node2:9093"]);
    }

    #[test]
    fn controllers_are_not_told_by_brokers() {
        let mut client = Client::new();
        for (kind, code) in [(1, 0), (2, 114), (3, 115), (-1, 115)] {
            let lines = client.describe_cluster(1, |out| {
                out.boolean(false);
                out.int8(kind);
                out.no_tags(true);
            });
            let error = lines.iter().find_map(|line| line.strip_prefix("error "));
            assert_eq!(error.map_or(0, |code| code.parse().unwrap()), code, "{kind}");
        }
    }

    #[test]
    fn what_the_client_may_do_is_told_if_it_asks() {
        let mut client = Client::new();
        for (asked, bits) in [(false, i32::MIN), (true, 0x1fa0)] {
            let told = client.request(60, 0, 77, |out| {
                out.boolean(asked);
                out.no_tags(true);
            });
            let Told::Answer(frame) = told else { panic!("{told:?}") };
            let end = frame.len() - 1;
            assert_eq!(frame[end - 4..end], bits.to_be_bytes());
        }
    }

    #[test]
    fn the_code_of_a_hook() {
        let mut client = Client::new();
        client.cluster.set_admin_hook(|_| Action::Refuse(ErrorCode(41)));
        let lines = client.describe_cluster(2, |out| codec::request(out, 2));
        assert_eq!(lines, ["error 41", "cluster  -1"]);
    }
}
