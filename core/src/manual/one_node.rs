// A broker for the run loop on the front page: one node over TCP, within the process, that leads the
// one partition of `readings` and takes everything. The page includes this file in hidden lines.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use ottla::message::broker::{RequestHeader, answer};
use ottla::message::produce::{PartitionAnswer, broker as produce};
use ottla::message::{Api, ErrorCode, Versions, api_versions, init_producer_id, metadata};

/// Begins to serve, and returns the port.
pub fn one_node() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap(), port));
        }
    });
    port
}

/// Answers until the connection ends.
fn serve(mut stream: TcpStream, port: u16) {
    let mut size = [0; 4];
    while stream.read_exact(&mut size).is_ok() {
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame).unwrap();
        let (header, body) = RequestHeader::read(&frame).unwrap();
        let (api, version) = (Api::of_key(header.key).unwrap(), header.version);
        let mut out = Vec::new();
        match api {
            Api::ApiVersions => {
                let of =
                    |api: &Api| (api.key(), Versions { min: 0, max: api.versions().max.min(13) });
                api_versions::broker::Answer {
                    apis: Api::ALL.iter().map(of).collect(),
                    finalized_epoch: -1,
                    ..Default::default()
                }
                .write(version, &mut out);
            }
            Api::InitProducerId => {
                let item = init_producer_id::Item {
                    throttle_ms: 0,
                    error: ErrorCode::NONE,
                    producer_id: 7,
                    producer_epoch: 0,
                };
                init_producer_id::broker::write(&item, version, &mut out);
            }
            Api::Metadata => {
                use metadata::broker::{Answer, Broker, Partition, Topic};
                let leader = Partition { index: 0, leader: 1, ..Partition::default() };
                let topic = Topic {
                    name: Some("readings"),
                    id: [1; 16],
                    partitions: vec![leader],
                    ..Topic::default()
                };
                Answer {
                    brokers: vec![Broker {
                        id: 1,
                        host: "127.0.0.1",
                        port: port.into(),
                        rack: None,
                    }],
                    controller: 1,
                    topics: vec![topic],
                    ..Answer::default()
                }
                .write(version, &mut out);
            }
            Api::Produce => {
                let request = produce::Request::read(body, version).unwrap();
                let written = |index| {
                    produce::Partition::new(PartitionAnswer {
                        index,
                        error: ErrorCode::NONE,
                        base_offset: 0,
                        log_append_time: -1,
                        log_start: 0,
                    })
                };
                let mut reply = produce::Answer::default();
                for topic in &request.topics {
                    let partitions = topic.partitions.iter().map(|p| written(p.index)).collect();
                    reply.topics.push(produce::Topic { name: topic.name.to_vec(), partitions });
                }
                reply.write(version, &mut out);
            }
            _ => unreachable!("no producer asks for anything else"),
        }
        let frame = answer(api, version, header.correlation, |to| to.extend(&out));
        stream.write_all(&frame).unwrap();
    }
}
