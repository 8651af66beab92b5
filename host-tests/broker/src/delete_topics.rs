//! DeleteTopics (key 20). KIP-4, KIP-516 (by id).

use std::collections::BTreeMap;

use ottla::message::delete_topics::broker::{Answer, Request, RequestTopic, Topic};
use ottla::message::{AdminApi, ErrorCode, broker};

use crate::cluster::Cluster;
use crate::request::Asking;
use crate::topic::TopicId;

const TOPIC_DELETION_DISABLED: ErrorCode = ErrorCode(73);

/// The frame of the answer.
pub(crate) fn handle(cluster: &mut Cluster, asking: &Asking, request: &Request<'_>) -> Vec<u8> {
    let mut counts: BTreeMap<RequestKey<'_>, usize> = BTreeMap::new();
    for topic in &request.topics {
        *counts.entry(key(cluster, topic)).or_default() += 1;
    }
    let mut topics: Vec<Topic> = Vec::new();
    for topic in &request.topics {
        let Some(count) = counts.remove(&key(cluster, topic)) else { continue };
        let mut answer = describe(cluster, topic);
        let result = match (asking.forced.before(), disabled(cluster, asking)) {
            (Some(code), _) => Err((code, code.name())),
            (None, Some(refused)) => Err(refused),
            (None, None) if count > 1 => {
                Err((ErrorCode::INVALID_REQUEST, "the topic stands in the request twice"))
            }
            (None, None) => delete(cluster, topic),
        };
        let result = match asking.forced.code() {
            Some(code) => Err((code, code.name())),
            None => result,
        };
        if let Err((code, text)) = result {
            answer.error = code;
            answer.text = Some(text.to_string());
        }
        topics.push(answer);
    }
    cluster.stir();
    let answer = Answer { throttle_ms: asking.throttle_ms, topics };
    broker::answer(AdminApi::DeleteTopics, asking.version, asking.correlation, |out| {
        answer.write(asking.version, out);
    })
}

/// What makes two topics of a request the same.
type RequestKey<'a> = (Option<TopicId>, Option<&'a [u8]>);

/// The id, where there is such a topic; else all that was said.
fn key<'a>(cluster: &Cluster, topic: &RequestTopic<'a>) -> RequestKey<'a> {
    match (topic.name, topic.id) {
        (None, id) => (Some(id), None),
        (Some(name), id) if id == TopicId::default() => {
            let known = str::from_utf8(name).ok().and_then(|name| cluster.topic_id(name));
            if known.is_some() { (known, None) } else { (None, Some(name)) }
        }
        (name, id) => (Some(id), name),
    }
}

/// Name and id, as far as they are known before anything is removed.
fn describe(cluster: &Cluster, topic: &RequestTopic<'_>) -> Topic {
    let (name, id) = match topic.name {
        Some(name) => {
            let known = str::from_utf8(name).ok().and_then(|name| cluster.topic_id(name));
            (Some(name.to_vec()), known.unwrap_or(topic.id))
        }
        None => (cluster.topics.name_of(topic.id).map(|name| name.as_bytes().to_vec()), topic.id),
    };
    Topic { name, id, error: ErrorCode::NONE, text: None }
}

/// What is said where no topic can be removed; before version 3 there is no code for it.
fn disabled(cluster: &Cluster, asking: &Asking) -> Option<(ErrorCode, &'static str)> {
    if cluster.config().delete_topics {
        return None;
    }
    let code =
        if asking.version >= 3 { TOPIC_DELETION_DISABLED } else { ErrorCode::INVALID_REQUEST };
    Some((code, "topics cannot be removed: delete.topic.enable is false"))
}

fn delete(
    cluster: &mut Cluster,
    topic: &RequestTopic<'_>,
) -> Result<(), (ErrorCode, &'static str)> {
    let by_id = topic.id != TopicId::default();
    let (name, unknown) = match topic.name {
        Some(name) if !by_id => {
            let name = str::from_utf8(name).ok().map(String::from);
            (name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        }
        None if by_id => {
            (cluster.topics.name_of(topic.id).map(String::from), ErrorCode::UNKNOWN_TOPIC_ID)
        }
        _ => {
            return Err((ErrorCode::INVALID_REQUEST, "a topic stands by its name, or by its id"));
        }
    };
    match name.and_then(|name| cluster.topics.remove(&name)) {
        Some(_) => Ok(()),
        None => Err((unknown, "there is no such topic")),
    }
}

#[cfg(test)]
mod tests {
    use ottla::message::delete_topics as codec;
    use ottla::wire::write::Put;

    use super::*;
    use crate::testing::{Client, batch, produce_request};
    use crate::{Action, Config, NewTopic, Replication};

    /// Name, id and code of each.
    fn ask(
        client: &mut Client,
        version: i16,
        topics: &[(Option<&str>, TopicId)],
    ) -> Vec<(String, TopicId, i16)> {
        client.delete_topics(version, |out| {
            codec::request_start(out, version, topics.len() as u32);
            for (name, id) in topics {
                match name {
                    Some(name) if *id == TopicId::default() => {
                        codec::request_topic(out, version, name.as_bytes());
                    }
                    None => codec::request_topic_id(out, id),
                    Some(name) => {
                        out.string(name.as_bytes(), true);
                        out.raw(id);
                        out.no_tags(true);
                    }
                }
            }
            codec::request_end(out, version, 1_000);
        })
    }

    fn by_name(name: &str) -> (Option<&str>, TopicId) {
        (Some(name), TopicId::default())
    }

    #[test]
    fn a_topic_goes_in_every_version() {
        for version in 1..=6 {
            let mut client = Client::new();
            let id = client.cluster.topic_id("t").unwrap();
            let shown = if version >= 6 { id } else { TopicId::default() };
            let told = ask(&mut client, version, &[by_name("t"), by_name("u")]);
            let unknown = ("u".to_string(), TopicId::default(), 3);
            assert_eq!(told, [("t".to_string(), shown, 0), unknown], "version {version}");
            assert_eq!(client.cluster.topic_names().count(), 0);
        }
    }

    #[test]
    fn a_topic_goes_by_its_id() {
        let mut client = Client::new();
        let id = client.cluster.topic_id("t").unwrap();
        let told = ask(&mut client, 6, &[(None, id), (None, [9; 16])]);
        assert_eq!(told, [("t".to_string(), id, 0), (String::new(), [9; 16], 100)]);
    }

    #[test]
    fn a_topic_stands_by_name_or_id_and_once() {
        let mut client = Client::new();
        let id = client.cluster.topic_id("t").unwrap();
        for topics in [
            &[(Some("t"), id)][..],
            &[(None, TopicId::default())],
            &[by_name("t"), by_name("t")],
            &[by_name("t"), (None, id)],
        ] {
            let codes: Vec<i16> = ask(&mut client, 6, topics).iter().map(|told| told.2).collect();
            assert_eq!(codes, [42], "{topics:?}");
        }
        assert!(client.cluster.topic_id("t").is_some());
    }

    #[test]
    fn where_it_is_disabled_nothing_goes() {
        for (version, code) in [(1, 42), (2, 42), (3, 73), (6, 73)] {
            let mut client = Client::with(Config { delete_topics: false, ..Config::new(1) });
            client.cluster.create_topic(&NewTopic::new("t", 1, 1)).unwrap();
            assert_eq!(ask(&mut client, version, &[by_name("t")])[0].2, code);
            assert!(client.cluster.topic_id("t").is_some());
        }
    }

    #[test]
    fn answers_that_wait_for_its_replicas_end() {
        let config = Config { replication: Replication::Manual, ..Config::new(2) };
        let mut client = Client::with(config);
        client.cluster.create_topic(&NewTopic::assigned("t", &[&[1, 2]])).unwrap();
        client.send(&produce_request(12, -1, 1_000, &[(0, &batch(0, 0, 1))]));
        let waiting = client.connection;
        client.reconnect(1);
        assert_eq!(ask(&mut client, 6, &[by_name("t")])[0].2, 0);
        client.connection = waiting;
        assert_eq!(client.produced(12).expect("an answer")[0].error, 3);
    }

    #[test]
    fn the_admin_hook_sees_it_and_the_other_does_not() {
        for (action, is_done) in
            [(Action::Refuse(ErrorCode(41)), false), (Action::AnswerAfter(ErrorCode(41)), true)]
        {
            let mut client = Client::new();
            client.cluster.set_hook(|_| Action::Close);
            client.cluster.set_admin_hook(move |seen| {
                assert_eq!(seen.api, AdminApi::DeleteTopics);
                action.clone()
            });
            assert_eq!(ask(&mut client, 6, &[by_name("t")])[0].2, 41);
            assert_eq!(client.cluster.topic_id("t").is_none(), is_done);
        }
    }
}
