//! Scenarios as scripts that people can read, run by the production state machine in four ways:
//! bare, in the memory of `Growable` and of `Fixed`; by the adapter for tokio, over its in-memory
//! duplex with paused time; by the adapter for embassy, over streams in memory with the mock driver
//! of its clock. The brokers are the development broker's. What is seen has to be the same on all.
//!
//! ```
//! use ottla_scenarios::script::Kind;
//! use ottla_scenarios::{Options, parse, play, run};
//!
//! let text = "\
//! ## F 54: the first answer leaves it open whether the batch is written; the second tells
//!
//! given
//!   topic t on 1                 # one partition, on node 1
//!   producer batch.size 0        # each record is a batch
//!
//! events
//!   produce t/0 b1
//!   until told b1                # its success opens the window
//!   next Produce: append and answer REQUEST_TIMED_OUT
//!   produce t/0 b2
//!   until Produce
//!   no Produce for 81ms          # the back-off is 80 to 120 ms
//!   until Produce within 43ms
//!
//! expected
//!   outcome b1 b2 written 0      # at the offsets 0 and 1
//!   log t/0 b1 b2
//!   sent t/0 e0 s0 b1, e0 s1 b2, e0 s1 b2
//!
//! trace
//!   node 1, connection 1
//!     ApiVersions v4 -> NONE
//!     Metadata v13 t -> nodes 1, t/0 on 1 e0
//!     InitProducerId v5 -> epoch 0
//!   node 1, connection 2
//!     ApiVersions v4 -> NONE
//!     Produce v13 t/0 e0 s0 b1 -> t/0 at 0
//!     Produce v13 t/0 e0 s1 b2 -> t/0 REQUEST_TIMED_OUT
//!     Produce v13 t/0 e0 s1 b2 -> t/0 at 1
//!   log t/0: b1 b2
//!   b1 b2 written 0
//! ";
//! let script = parse::script("example.txt", text)?;
//! for kind in [Kind::Growable, Kind::Fixed, Kind::Tokio] {
//!     assert_eq!(play::judge(&script, &run(&script, kind, Options::default())), []);
//! }
//! # Ok::<(), parse::Fault>(())
//! ```
//!
//! # The language
//!
//! A line is a statement; `#` begins a remark. The four parts come in this order, and each may be
//! missing. Below, words in capitals stand for others, and what is in brackets may be missing.
//!
//! | word | what it is |
//! |---|---|
//! | `PLACE` | `t/0`, the partition 0 of the topic t; in `produce` also `t`, and the producer chooses |
//! | `NAMES` | names of records, which are their values, too: `b1 b2 r1..r9` |
//! | `NODE` | `node 2`. Nodes have the numbers from 1 on; node 1 is in `bootstrap.servers` |
//! | `SPAN` | a time: `5ms`, `2s`, `3min`, `1h` |
//! | `CODE` | an error by Kafka's name or number: `NOT_LEADER_OR_FOLLOWER`, `6` |
//! | `WHICH` | requests: `Produce`, `Metadata`, `ApiVersions` or `InitProducerId`, or a `connection` that is asked for; then `[to NODE] [of PLACE]` |
//! | `REPLICAS` | `1,2 2,1`: for each partition its nodes, the leader first |
//! | `LOAD` | what a node knows of producers: `all`, `newest` (of each the last batch) or `forgetful` |
//!
//! ## given
//!
//! | statement | default |
//! |---|---|
//! | `nodes NUMBER` | 1 |
//! | `topic NAME on REPLICAS [SETTING=VALUE ...]`, with settings such as `max.message.bytes=200` | no topic |
//! | `producer SETTING VALUE`, by the name of the Java producer's key | its defaults |
//! | `bootstrap HOST ...`: `node1`, `node2` ..., or any name that does not resolve | `node1` |
//! | `profile RELEASE`: 2.1, 2.4, 2.8, 3.9, 4.1 or newest | newest |
//! | `broker SETTING VALUE` | Kafka's defaults; topics are not made by themselves |
//! | `link SPAN`: how long anything takes from end to end | 1 ms |
//! | `replication manual`: followers have nothing before `replicate` | at once |
//! | `sequence PLACE NUMBER`: where its sequences begin; for the hosts growable and fixed | 0 |
//! | `hosts KIND ...`: growable, fixed, tokio, embassy | all of them |
//!
//! ## events
//!
//! They happen one after another, at the same time unless one lets time pass. After each, the
//! producer does what it can do at once. Conditions are waited for up to 5 minutes, or as long as
//! `within SPAN` says, which bounds the time; not to be met in time is a failure. A request counts
//! for one `until` only, and not any more after another event has let time pass.
//!
//! | statement | what happens |
//! |---|---|
//! | `produce PLACE NAMES [key=TEXT] [size=NUMBER]` | the application sends records together; `size` is of their values |
//! | `flush`, `close SPAN` | it flushes, or closes within a time |
//! | `next [NUMBER] WHICH: ACTION` | what becomes of the next such requests that no earlier rule is for |
//! | `every WHICH: ACTION`, `no rules` | of all from now on; of none |
//! | `at SPAN`, `after SPAN` | time passes, until this time after the start, or for so long |
//! | `until WHICH [within SPAN]` | time passes until a node has such a request |
//! | `until told NAMES`, `until all told`, `until flushed`, `until closed`, all `[within SPAN]` | time passes until then |
//! | `no WHICH for SPAN` | time passes in which no node gets such a request |
//! | `kill NODE`, `start NODE`, `restart NODE LOAD`, `reload NODE LOAD` | a node fails, is back, or loads its state |
//! | `lead PLACE by NODE [unclean \| in-epoch]` | a partition has another leader |
//! | `leave PLACE NODE`, `replicate` | a follower falls out of sync; all get everything |
//! | `truncate PLACE at OFFSET`, `forget PLACE` | a log is cut; producers are forgotten |
//! | `break PLACE on NODE`, `repair PLACE on NODE` | a disk |
//! | `create NAME on REPLICAS`, `delete NAME`, `grow NAME by NUMBER` | topics |
//! | `cut NODE [after NUMBER bytes of requests \| answers]` | connections break, and what is on its way is lost |
//! | `hold requests \| answers of NODE`, `release NODE` | what is on the present connections stays on its way, until it is released, even if the producer has gone |
//! | `refuse \| ignore \| accept connections to NODE` | what becomes of those that are asked for |
//!
//! An `ACTION` is one of:
//!
//! | action | what a node does |
//! |---|---|
//! | `refuse CODE` | nothing, and answers this for all of it |
//! | `answer CODE [log-start OFFSET] [leader NUMBER epoch NUMBER] [record NUMBER]` | the same, of Produce, with more in it |
//! | `give id NUMBER epoch NUMBER` | answers this, of InitProducerId |
//! | `append and answer CODE`, `append and close`, `append and swallow` | what it is asked, and says something else, or nothing |
//! | `close` | nothing, and closes the connection |
//! | `delay SPAN`, `delay-answer SPAN` | it later, or answers later |
//! | `throttle SPAN` | it, and tells the producer to wait |
//!
//! ## expected
//!
//! | statement | what has to be so in the end |
//! |---|---|
//! | `outcome NAMES written OFFSET` | they are written there, one after another |
//! | `outcome NAMES written without-offset \| sent` | written, and nobody said where; sent with `acks=0` |
//! | `outcome NAMES not-written CAUSE` | `CAUSE`: timeout, closed, dropped, disconnected, state-lost, or a code |
//! | `outcome NAMES unknown CAUSE DOUBT` | `DOUBT`: disconnected, missing, unanswered, or a code |
//! | `outcome NAMES refused WHY` | never accepted; `WHY` as [`ottla::Refused`] has it |
//! | `told NAMES from SPAN to SPAN` | their outcomes came within these times |
//! | `log PLACE NAMES \| empty` | what is committed |
//! | `sent PLACE BATCH, BATCH ... \| nothing` | batches in the order in which they were written: `e0 s3 b1 b2` is epoch, sequence, records; without idempotence the records alone |
//! | `count NUMBER WHICH` | so many requests, or connections, were asked for |
//!
//! Without being said: every record gets exactly one outcome, who was told an offset finds the
//! record there, what was told not to be written is in no log, and every rule of `next` is met.
//!
//! ## trace
//!
//! What was seen when the script was recorded: for each node and connection the requests with
//! what was answered, then the logs, then the outcomes. There are no times in it, and nothing that
//! depends on pauses that are drawn. `UPDATE=1 cargo
//! test -p ottla-scenarios` records it anew.
//!
//! # Scripts from programs
//!
//! [`script::Script::new`] takes lists of what there is and what happens, and its `to_string()` is
//! the text of a script: a search or a simulation keeps what it found that way. A file that begins
//! with `seed`, as the simulator writes them, is run in the simulator by the same command,
//! `cargo run -p ottla-scenarios -- FILE`.

#![forbid(unsafe_code)]

mod driver;
mod expect;
pub mod fate;
mod frames;
mod host;
mod net;
pub mod parse;
pub mod play;
mod rules;
pub mod script;
mod trace;

pub use driver::{Failure, Options, Run, run};
pub use expect::compare;
