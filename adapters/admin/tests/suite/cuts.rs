//! Connections that end before a request is taken, before its answer, or within it; and brokers
//! that say nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ottla::message::{ErrorCode, metadata};
use ottla_admin::{Admin, Change, ErrorKind, Fault, NewTopic};
use ottla_broker::{Action, Profile, Reload, Server};
use ottla_tokio::{DuplexConnector, DuplexListener, Incoming, duplex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{code, like, one};

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const CREATE_PARTITIONS: i16 = 37;
const ALTER_CONFIGS: i16 = 44;

/// What happens to a request of an API.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Cut {
    /// The connection ends when some bytes of it were taken.
    Within,
    /// The connection ends when all of it was taken; the broker never sees it.
    Behind,
    /// The broker carries it out, and the connection ends before the answer.
    Unanswered,
    /// The connection ends in the middle of the answer.
    HalfAnswered,
    /// The answer is to another request.
    WrongAnswer,
    /// The broker carries it out, and nothing comes.
    Silent,
}

/// A request as it passed by.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Seen {
    connection: usize,
    key: i16,
    version: i16,
}

/// What is to happen, and what has.
#[derive(Clone, Default)]
struct Plan {
    cuts: Arc<Mutex<Vec<(i16, Cut)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Plan {
    fn take(&self, key: i16) -> Option<Cut> {
        let mut cuts = self.cuts.lock().unwrap();
        let place = cuts.iter().position(|(of, _)| *of == key)?;
        Some(cuts.remove(place).1)
    }

    /// The versions in which an API was asked, each with its connection.
    fn seen(&self, key: i16) -> Vec<(usize, i16)> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|s| s.key == key).map(|s| (s.connection, s.version)).collect()
    }

    fn is_over(&self) -> bool {
        self.cuts.lock().unwrap().is_empty()
    }
}

/// Less than any request takes, so that none is taken before it is read.
const BUFFER: usize = 16;

/// Passes requests and answers on, until a cut.
async fn relay(call: Incoming, connection: usize, plan: Plan) -> Option<()> {
    let mut far = TcpStream::connect((call.host(), call.port())).await.ok()?;
    let mut near = call.accept(BUFFER);
    loop {
        let mut head = [0; 8];
        near.read_exact(&mut head).await.ok()?;
        let [a, b, c, d, k, l, v, w] = head;
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        let (key, version) = (i16::from_be_bytes([k, l]), i16::from_be_bytes([v, w]));
        plan.seen.lock().unwrap().push(Seen { connection, key, version });
        let cut = plan.take(key);
        if cut == Some(Cut::Within) {
            return None;
        }
        let mut rest = vec![0; size - 4];
        near.read_exact(&mut rest).await.ok()?;
        if cut == Some(Cut::Behind) {
            return None;
        }
        far.write_all(&[&head[..], &rest].concat()).await.ok()?;
        let size = far.read_u32().await.ok()?;
        let mut answer = size.to_be_bytes().to_vec();
        (&mut far).take(size.into()).read_to_end(&mut answer).await.ok()?;
        match cut {
            Some(Cut::Unanswered) => return None,
            Some(Cut::HalfAnswered) => {
                near.write_all(&answer[..answer.len() / 2]).await.ok()?;
                return None;
            }
            Some(Cut::WrongAnswer) => answer[7] ^= 1,
            Some(Cut::Silent) => std::future::pending().await,
            _ => {}
        }
        near.write_all(&answer).await.ok()?;
    }
}

async fn serve(mut listener: DuplexListener, plan: Plan) {
    let mut count = 0;
    while let Some(call) = listener.accept().await {
        tokio::spawn(relay(call, count, plan.clone()));
        count += 1;
    }
}

/// A client whose connections to `server` go as planned.
fn through(server: &Server, cuts: &[(i16, Cut)]) -> (Admin<DuplexConnector>, Plan) {
    let plan = Plan { cuts: Arc::new(Mutex::new(cuts.to_vec())), ..Plan::default() };
    let (connector, listener) = duplex();
    tokio::spawn(serve(listener, plan.clone()));
    let builder = Admin::builder().bootstrap_servers(server.addresses()[0].to_string());
    let builder =
        builder.api_timeout(Duration::from_secs(2)).retry_backoff(Duration::from_millis(5));
    (builder.build_with(connector).expect("sound settings"), plan)
}

fn new_topic() -> NewTopic {
    NewTopic::new("new").partitions(1).replication_factor(1)
}

#[tokio::test]
async fn questions_are_asked_again_until_one_answers() {
    let server = like(Profile::V4_1);
    let cuts = [Cut::Within, Cut::Behind, Cut::Unanswered, Cut::HalfAnswered];
    let (admin, plan) = through(&server, &cuts.map(|cut| (METADATA, cut)));
    assert_eq!(admin.cluster().await.unwrap().brokers.len(), 3);
    assert!(plan.is_over());
    assert_eq!(plan.seen(METADATA).len(), 5);
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let server = like(Profile::V4_1);
    let (admin, _) = through(&server, &[(METADATA, Cut::WrongAnswer)]);
    let error = admin.cluster().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Answer(Fault::WrongCorrelation));
    assert_eq!(error.address(), Some(&*server.addresses()[0].to_string()));
    // The connection is gone, the client is not.
    admin.cluster().await.unwrap();
}

/// No broker carries a part of a request out.
#[tokio::test]
async fn a_change_that_was_not_taken_is_made_later() {
    let server = like(Profile::V4_1);
    let cuts = [(CREATE_TOPICS, Cut::Within), (CREATE_TOPICS, Cut::Within)];
    let (admin, plan) = through(&server, &cuts);
    one(admin.create_topics(&[new_topic()], false).await).unwrap();
    assert_eq!(plan.seen(CREATE_TOPICS).len(), 3);
    assert!(server.with(|cluster, _| cluster.topic_id("new")).is_some());
}

#[tokio::test]
async fn a_change_without_an_answer_may_have_been_made_and_is_not_repeated() {
    for (cut, is_made) in [
        (Cut::Behind, false),
        (Cut::Unanswered, true),
        (Cut::HalfAnswered, true),
        (Cut::WrongAnswer, true),
        (Cut::Silent, true),
    ] {
        let server = like(Profile::V4_1);
        let (admin, plan) = through(&server, &[(CREATE_TOPICS, cut)]);
        let error = one(admin.create_topics(&[new_topic()], false).await).unwrap_err();
        assert!(error.may_be_done(), "{cut:?}: {error:?}");
        let text = error.to_string();
        assert!(text.starts_with("topic new: it may have been done: "), "{cut:?}: {text}");
        assert!(text.contains("127.0.0.1:"), "{text}");
        assert_eq!(plan.seen(CREATE_TOPICS).len(), 1, "{cut:?}");
        let made = server.with(|cluster, _| cluster.topic_id("new")).is_some();
        assert_eq!(made, is_made, "{cut:?}");
    }
}

#[tokio::test]
async fn it_is_so_with_every_change() {
    let keys = [DELETE_TOPICS, CREATE_PARTITIONS, ALTER_CONFIGS];
    for cut in [Cut::Behind, Cut::Unanswered] {
        let server = like(Profile::V4_1);
        let (admin, plan) = through(&server, &keys.map(|key| (key, cut)));
        let set = Change::Set("retention.ms".to_owned(), "1000".to_owned());
        let errors = [
            admin.alter_configs("t", &[set], false).await.unwrap_err(),
            admin.create_partitions("t", 3, false).await.unwrap_err(),
            one(admin.delete_topics(&["t"]).await).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.may_be_done()), "{errors:?}");
        assert!(plan.is_over() && keys.iter().all(|key| plan.seen(*key).len() == 1));
        let is_gone = server.with(|cluster, _| cluster.topic_id("t")).is_none();
        assert_eq!(is_gone, cut == Cut::Unanswered);
    }
}

#[tokio::test]
async fn a_check_changes_nothing_and_is_repeated() {
    let server = like(Profile::V4_1);
    let cuts = [(CREATE_TOPICS, Cut::Behind), (CREATE_TOPICS, Cut::Unanswered)];
    let (admin, plan) = through(&server, &cuts);
    one(admin.create_topics(&[new_topic()], true).await).unwrap();
    assert_eq!(plan.seen(CREATE_TOPICS).len(), 3);
    assert!(server.with(|cluster, _| cluster.topic_id("new")).is_none());
}

/// Calls use the connections of those before them.
#[tokio::test]
async fn connections_are_kept_while_they_stand() {
    let server = like(Profile::V4_1);
    let (admin, plan) = through(&server, &[]);
    for _ in 0..3 {
        admin.cluster().await.unwrap();
    }
    assert_eq!(plan.seen(API_VERSIONS).len(), 1);
    // The broker ends all of them, and is back. A change is not sent into a dead connection.
    server.with(|cluster, now| {
        cluster.kill(now, 1).unwrap();
        cluster.restart(now, 1, Reload::All).unwrap();
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    one(admin.create_topics(&[new_topic()], false).await).unwrap();
    assert_eq!(plan.seen(API_VERSIONS).len(), 2);
}

/// KIP-1102: the broker wants the client to begin at `bootstrap.servers` again.
#[tokio::test]
async fn a_client_that_is_told_to_begins_again() {
    let server = like(Profile::V4_1);
    let (admin, plan) = through(&server, &[]);
    admin.cluster().await.unwrap();
    server.with(|cluster, _| {
        let mut is_first = true;
        cluster.set_hook(move |seen| {
            let refuses = seen.api.key() == METADATA && std::mem::take(&mut is_first);
            if refuses { Action::Answer(rebootstrap()) } else { Action::Proceed }
        });
    });
    assert_eq!(admin.cluster().await.unwrap().brokers.len(), 3);
    assert_eq!(plan.seen(API_VERSIONS).len(), 2, "over a new connection");
}

/// An answer of Metadata, version 13, with nothing in it but the code.
fn rebootstrap() -> Vec<u8> {
    let mut body = Vec::new();
    let error = ErrorCode::REBOOTSTRAP_REQUIRED;
    metadata::broker::Answer { error, ..metadata::broker::Answer::default() }.write(13, &mut body);
    body
}

#[tokio::test]
async fn connections_that_were_idle_for_too_long_are_not_used_again() {
    let server = like(Profile::V4_1);
    let idle = [("connections.max.idle.ms", "20")];
    let (connector, listener) = duplex();
    let plan = Plan::default();
    tokio::spawn(serve(listener, plan.clone()));
    let builder = Admin::builder().bootstrap_servers(server.addresses()[0].to_string());
    let admin = builder.properties(idle).build_with(connector).unwrap();
    admin.cluster().await.unwrap();
    tokio::time::sleep(Duration::from_millis(40)).await;
    admin.cluster().await.unwrap();
    assert_eq!(plan.seen(API_VERSIONS).len(), 2);
}

/// Brokers of old end the connection when they are asked in a version that they do not know.
#[tokio::test]
async fn r15_negotiation_goes_down_where_the_connection_ends() {
    let server = like(Profile::V4_1);
    let cuts = [(API_VERSIONS, Cut::Unanswered), (API_VERSIONS, Cut::HalfAnswered)];
    let (admin, plan) = through(&server, &cuts);
    admin.cluster().await.unwrap();
    assert_eq!(plan.seen(API_VERSIONS), [(0, 4), (1, 3), (2, 0)]);
}

#[tokio::test]
async fn r15_code_35_is_followed_on_the_same_connection() {
    for (profile, second) in [(Profile::V2_1, 0), (Profile::V2_8, 3)] {
        let server = like(profile);
        let (admin, plan) = through(&server, &[]);
        admin.cluster().await.unwrap();
        assert_eq!(plan.seen(API_VERSIONS), [(0, 4), (0, second)], "{profile}");
    }
}

/// Where the broker said that it knows version 5, it is begun with.
#[tokio::test]
async fn r15_version_5_is_used_where_it_is_known() {
    let server = like(Profile::Newest);
    let (admin, plan) = through(&server, &[(METADATA, Cut::Behind)]);
    admin.cluster().await.unwrap();
    assert_eq!(plan.seen(API_VERSIONS), [(0, 4), (1, 5)]);
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_a_client_of_use() {
    let server = like(Profile::V4_1);
    let (admin, _) = through(&server, &[(METADATA, Cut::Silent)]);
    let waited = tokio::time::timeout(Duration::from_millis(50), admin.cluster()).await;
    assert!(waited.is_err());
    let (a, b) = tokio::join!(
        admin.topics(),
        tokio::spawn({
            let admin = admin.clone();
            async move { admin.describe_configs(&["u"]).await }
        })
    );
    assert_eq!(a.unwrap().len(), 1);
    assert_eq!(code(one(b.unwrap().unwrap())), 3);
}
