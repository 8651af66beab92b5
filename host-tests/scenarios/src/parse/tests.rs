//! What is written is read back, and what is wrong is named.

use super::*;

const ALL: &str = "\
# Everything that can be said

given
  hosts growable tokio
  nodes 3
  topic t on 1,2 2,1 min.insync.replicas=2
  producer linger.ms 10
  bootstrap nowhere node2
  profile 3.9
  broker message.max.bytes 1000
  link 5ms
  replication manual
  sequence t/0 2147483640

events
  produce t/0 b1 r1..r9
  produce t b2 key=foobar size=100
  flush
  close 10s
  next Produce: refuse NOT_LEADER_OR_FOLLOWER
  next 3 Produce to node 1 of t/0: append and answer REQUEST_TIMED_OUT
  every Metadata: delay 20ms
  next InitProducerId: give id 7 epoch 32767
  next Produce: answer UNKNOWN_PRODUCER_ID log-start 10 leader 2 epoch 7 record 1
  next Produce: append and close
  next Produce: append and swallow
  next Produce: close
  next Produce: delay-answer 2min
  next Produce: throttle 500ms
  no rules
  at 1s
  after 10ms
  until Produce to node 1 within 40ms
  until connection to node 2
  until told b1 r1..r9 within 1s
  until all told
  until flushed
  until closed
  no Produce of t/0 for 80ms
  kill node 1
  start node 1
  restart node 1 newest
  reload node 2 forgetful
  lead t/0 by node 2
  lead t/0 by node 3 unclean
  lead t/0 by node 3 in-epoch
  truncate t/0 at 3
  forget t/0
  delete t
  create t on 1,2 2,1
  grow t by 2
  leave t/0 node 2
  replicate
  break t/0 on node 1
  repair t/0 on node 1
  cut node 1
  cut node 1 after 20 bytes of answers
  hold requests of node 1
  release node 1
  refuse connections to node 1
  ignore connections to node 1
  accept connections to node 1

expected
  outcome b1 written 0
  outcome r1..r9 unknown timeout disconnected
  told b1 from 10ms to 12ms
  log t/0 b1 r1..r9
  log t/1 empty
  sent t/0 e0 s0 b1 r1..r9, e0 s10 b2
  sent t/1 nothing
  count 2 connection to node 1

trace
  node 1
    anything
";

#[test]
fn everything_is_read_back() {
    let read = script("all.txt", ALL).unwrap();
    assert_eq!(read.to_string(), ALL);
    assert_eq!(script("all.txt", &read.to_string()).unwrap(), read);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_word() {
    let fault = |text: &str| script("x.txt", text).unwrap_err().to_string();
    let cases = [
        ("nodes 3", "x.txt:1: `nodes 3`: a script begins with the line `given`"),
        ("given\n  nodes many", "x.txt:2: `many`: a number is needed"),
        ("given\n  nodes 3 4", "x.txt:2: `4`: nothing more is expected here"),
        ("events\n\n  wait", "x.txt:3: `wait`: there is no such event"),
        (
            "events\n  produce t/0",
            "x.txt:2: at the end of the line: the name of a record is \
            needed, such as b1, or b1..b9",
        ),
        ("events\n  after 10", "x.txt:2: `10`: a time with ms, s, min or h is needed"),
        ("events\n  next Fetch: close", "x.txt:2: `Fetch`: an API, or `connection`, is needed"),
        (
            "events\n  next Produce: refuse NO_CODE",
            "x.txt:2: `NO_CODE`: it is no error code of \
            Kafka's",
        ),
        (
            "expected\n  outcome b1 gone",
            "x.txt:2: at the end of the line: it has to be written, sent, not-written, unknown or \
             refused",
        ),
        ("events\n  produce t/0 b1 b2 b1", "x.txt:2: `b1`: another record has this name"),
        ("events\n  until told b1", "x.txt:2: `b1`: no such record was produced"),
        ("expected\n  log t/0 b1", "x.txt:2: `b1`: no such record was produced"),
        (
            "expected\ngiven",
            "x.txt:2: `given`: parts come once, in the order given, events, \
            expected, trace",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(text), expected, "{text:?}");
    }
}

#[test]
fn remarks_say_nothing() {
    let text = "# one\n\ngiven # two\n  nodes 2 # three\n";
    let read = script("x.txt", text).unwrap();
    assert_eq!((read.title, read.given.len()), (vec!["one".to_owned()], 1));
}
