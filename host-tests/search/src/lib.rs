//! Exhaustive search: small worlds, of which every state is entered, in every order in which things
//! can happen.
//!
//! A world is the production producer in memory of fixed size, its links with whole frames on their
//! way, a cluster of two nodes ([`ottla_broker`]) and an application ([`world`], [`setup`]). In each
//! state everything is done that can be done ([`action`], [`engine`]): a request is read, an answer
//! comes, the next deadline passes, a link is made, the application produces or takes its events, a
//! request of a link that has ended arrives after all; and every [`fault`] that may still come, comes.
//! Breadth first, so the way to a broken promise is a shortest one ([`search`], [`trace`],
//! [`script`]).
//!
//! # Why it is complete
//!
//! Two states are one if their fingerprints are the same ([`fingerprint`]): of the producer all that
//! later calls look at, instants by how far off they are, slots by where they come first. So are the
//! cluster's logs and what it knows of producers ([`brokers`]). Nothing is drawn at random, as
//! pauses do not grow ([`setup::Setup::config`]). Each state of the producer is given each input
//! once, and each state of the cluster each request; worlds are made of the numbers of such states,
//! so that millions of worlds cost thousands of calls ([`clients`]). That nothing is missing in the
//! producer's fingerprint is tested by giving machines that have one in common the same inputs
//! ([`search::compare`]).
//!
//! # What is left out
//!
//! - Frames are read and written whole. Cuts at any byte are the fuzzer's.
//! - Time stands still while something is on its way, but for the early deadlines of a setup, which
//!   pass all the same. Without them no record has a reason to expire, and none may.
//! - The adapter writes and connects at once; the application may leave events where they are.
//! - Requests that are not to produce do not come late: nothing would come of them.
//! - Replicas follow at once. What happens to a replica that lags is the simulator's.
//!
//! # What is checked
//!
//! In every state I1 to I4 on the logs, and on each step I7, I8 (no outcome too late, no work without
//! a deadline, none given up though nothing was slow, no wake-up in vain twice within half a pause, no
//! node called again before the pause), I10 (no panic, every frame can be read), I11, I12, I17, I21 and
//! R7 on the wire ([`check`], [`book`]). In every state of the producer in which nothing is left to do,
//! I20: if nobody answers any more, nothing begins, and no timer is left but those that close links; and
//! I9: in the end no block is some batch's. That memory is bounded needs no look: it is fixed.
//! I19 for every write, which is dropped and made again, and in one state of 256 for reads of nothing.
//! I18 for one state of 256, which is entered again from the beginning by the same calls: the same has
//! to come of each, and the same state in the end. What a fault suspends is the simulator's table. The
//! identity rules are searched alone, too ([`identity`]).

#![forbid(unsafe_code)]

pub mod action;
pub mod book;
pub mod brokers;
pub mod check;
pub mod client;
pub mod clients;
pub mod engine;
pub mod fault;
pub mod fingerprint;
pub mod frames;
pub mod identity;
pub mod script;
pub mod search;
pub mod setup;
pub mod spaces;
pub mod trace;
pub mod world;
