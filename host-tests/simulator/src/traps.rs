//! What brokers do to requests of clients that are to come: the hook of the cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ottla::message::{Api, ErrorCode};
use ottla_broker::{Action, Cluster, Connection, Replication, Request, Seen, Silence};

use crate::coverage::{self, APIS, When};
use crate::fault::{Fault, Fired};
use crate::frames;

/// Codes that are met often; the others come one time in four.
const USUAL: [i16; 18] = [6, 3, 7, 20, 19, 56, 5, 45, 10, 87, 29, 47, 59, 14, 100, 129, 90, 46];

/// What happens to a request.
#[derive(Clone, Debug)]
enum Snap {
    Act(Action),
    /// Metadata as it was, by version.
    Stale(BTreeMap<i16, Vec<u8>>),
    /// A producer id with few epochs left.
    LastEpochs,
    /// An answer to Produce without any partition.
    LeaveOut,
}

/// A trap for some requests.
#[derive(Clone, Debug)]
struct Trap {
    fault: Fault,
    /// 0 is any.
    node: i32,
    api: Option<Api>,
    snap: Snap,
    left: u32,
}

#[derive(Clone, Default, Debug)]
struct Inside {
    set: Vec<Trap>,
    fired: Fired,
    /// Connections whose requests were answered what is not so.
    lied: Vec<Connection>,
    /// What nodes told of the cluster as it was: node, version, body.
    stale: Vec<(i32, i16, Vec<u8>)>,
    /// Which requests were given a code, when.
    given: BTreeMap<(Connection, i32), (Api, When, ErrorCode)>,
    /// Ids that were given away by [`Snap::LastEpochs`].
    ids: i64,
}

/// The traps that are set; shared with the hook.
#[derive(Clone, Default, Debug)]
pub(crate) struct Traps(Arc<Mutex<Inside>>);

impl Traps {
    fn inside<R>(&self, f: impl FnOnce(&mut Inside) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets them up as the cluster's hook.
    pub(crate) fn install(&self, cluster: &mut Cluster) {
        let traps = self.clone();
        cluster.set_hook(move |seen| traps.inside(|inside| inside.ask(seen)));
    }

    /// Takes all of them away.
    pub(crate) fn clear(&self) {
        self.inside(|inside| inside.set.clear());
    }

    /// Connections on which was lied since this was last asked.
    pub(crate) fn lied(&self) -> Vec<Connection> {
        self.inside(|inside| std::mem::take(&mut inside.lied))
    }

    /// What nodes told of the cluster as it was since this was last asked.
    pub(crate) fn stale(&self) -> Vec<(i32, i16, Vec<u8>)> {
        self.inside(|inside| std::mem::take(&mut inside.stale))
    }

    /// The code that a request was given, if it was.
    pub(crate) fn given(&self, of: (Connection, i32)) -> Option<(Api, When, ErrorCode)> {
        self.inside(|inside| inside.given.remove(&of))
    }

    /// How often they hit.
    pub(crate) fn fired(&self) -> Fired {
        self.inside(|inside| inside.fired.clone())
    }

    /// Sets a trap on a node. False: the fault is none that comes by requests.
    pub(crate) fn set(&self, fault: Fault, node: i32, what: u32, span: u64, old: &Cluster) -> bool {
        let produce = Some(Api::Produce);
        let silence = if what.is_multiple_of(2) { Silence::Close } else { Silence::Stay };
        let any = Some(APIS[(what >> 16) as usize % APIS.len()].0);
        let act = |action| Snap::Act(action);
        let (api, snap, left) = match fault {
            Fault::Stale => (Some(Api::Metadata), Snap::Stale(tell(old, node)), 1 + what % 6),
            Fault::LastEpochs => (Some(Api::InitProducerId), Snap::LastEpochs, 100),
            Fault::Throttle => (None, act(Action::Throttle(span as u32)), 1 + what % 3),
            Fault::Slow => (any, act(Action::Delay(span)), 1),
            Fault::SlowAnswer => (any, act(Action::DelayAnswer(span)), 1),
            Fault::Swallow => (any, act(Action::Swallow(silence)), 1),
            Fault::HangUp => (any, act(Action::Close), 1),
            Fault::CodeBefore => {
                (any, act(Action::Refuse(code_of(fault, what, false))), 1 + (what >> 8) % 4)
            }
            Fault::CodeAfter => {
                let api = if what & 0x80 == 0 { produce } else { any };
                let at_once = old.config().replication == Replication::Instant;
                let code = code_of(fault, what, at_once);
                (api, act(Action::AnswerAfter(code)), 1 + (what >> 8) % 4)
            }
            Fault::Code => {
                let (api, when, code) = code_in_turn(what);
                let action = match when {
                    When::Before => Action::Refuse(code),
                    When::After => Action::AnswerAfter(code),
                };
                let trap = Trap { fault, node: 0, api: Some(api), snap: act(action), left: 1 };
                self.inside(|inside| inside.set.push(trap));
                return true;
            }
            Fault::LeaveOut if what.is_multiple_of(4) => (produce, Snap::LeaveOut, 1),
            Fault::LeaveOut => (produce, act(Action::LeaveOut), 1),
            Fault::Lie => {
                let code = code_of(fault, what, false);
                let before = code.0 == 46 && what & 0x80 == 0;
                let action = if before { Action::Refuse(code) } else { Action::AnswerAfter(code) };
                (produce, act(action), 1 + (what >> 8) % 3)
            }
            _ => return false,
        };
        self.inside(|inside| inside.set.push(Trap { fault, node, api, snap, left }));
        true
    }
}

/// How many places there are in the turn of [`Fault::Code`].
pub(crate) fn turns() -> u32 {
    TURNS_PER_API * APIS.len() as u32
}

/// Before and after, with every code.
const TURNS_PER_API: u32 = 2 * 138;

/// Whether what is asked in this turn is asked at the beginning of a process only.
pub(crate) fn is_asked_once(turn: u32) -> bool {
    APIS[(turn / TURNS_PER_API) as usize % APIS.len()].0 == Api::InitProducerId
}

/// The code whose turn it is, for which API, and when.
fn code_in_turn(what: u32) -> (Api, When, ErrorCode) {
    let turn = what % turns();
    let api = APIS[(turn / TURNS_PER_API) as usize].0;
    let when = if turn.is_multiple_of(2) { When::Before } else { When::After };
    let place = (turn % TURNS_PER_API / 2) as usize;
    let possible = |code: &i16| coverage::is_true(api, when, *code, -1);
    let codes: Vec<i16> = coverage::codes().filter(possible).collect();
    (api, when, ErrorCode(codes[place % codes.len()]))
}

/// The code that a fault answers. `at_once`: what is appended is committed.
fn code_of(fault: Fault, what: u32, at_once: bool) -> ErrorCode {
    match fault {
        // 46 says that the batch is in the log.
        Fault::CodeBefore => code(what, |code| code != 46),
        Fault::Lie => code(what, |code| frames::is_refusal(code, -1) || code == 46),
        _ => code(what, |code| (code != 46 || at_once) && !frames::is_refusal(code, 1)),
    }
}

/// A code that is allowed, usual or any.
fn code(what: u32, allowed: impl Fn(i16) -> bool) -> ErrorCode {
    let any = |n: u32| (n % 139) as i16 - 1;
    let usual = USUAL[what as usize % USUAL.len()];
    let first = if (what >> 20).is_multiple_of(4) { any(what >> 3) } else { usual };
    // 4711 is a code of the future.
    let tries = std::iter::once(first).chain((0..139).map(|n| any((what >> 3).wrapping_add(n))));
    ErrorCode(tries.into_iter().find(|code| *code != 0 && allowed(*code)).unwrap_or(4_711))
}

/// All that a node tells of its cluster, by version.
pub(crate) fn tell(cluster: &Cluster, node: i32) -> BTreeMap<i16, Vec<u8>> {
    let mut cluster = cluster.clone();
    cluster.clear_hook();
    let mut bodies = BTreeMap::new();
    for version in 4..=13_i16 {
        let Some(connection) = cluster.connect(0, node) else { break };
        let mut frame = vec![0, 3, 0, version as u8, 0, 0, 0, 1, 0xff, 0xff];
        match version {
            ..8 => frame.extend([0xff, 0xff, 0xff, 0xff, 0]),
            8 => frame.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0]),
            9..11 => frame.extend([0, 0, 0, 0, 0, 0]),
            11.. => frame.extend([0, 0, 0, 0, 0]),
        }
        let mut request = (frame.len() as u32).to_be_bytes().to_vec();
        request.extend(frame);
        cluster.handle_input(0, connection, &request);
        if let Some(answer) = cluster.poll_output(connection) {
            let header = if version >= 9 { 9 } else { 8 };
            bodies.insert(version, answer.get(header..).unwrap_or(&[]).to_vec());
        }
        cluster.disconnect(0, connection);
    }
    bodies
}

impl Inside {
    fn ask(&mut self, seen: &Seen<'_>) -> Action {
        let fits = |trap: &&mut Trap| {
            trap.left > 0
                && (trap.node == 0 || trap.node == seen.node)
                && trap.api.is_none_or(|api| api == seen.api)
                && !is_untrue(trap, seen)
        };
        let Some(trap) = self.set.iter_mut().find(fits) else { return Action::Proceed };
        let action = match &trap.snap {
            Snap::Act(action) => action.clone(),
            Snap::Stale(bodies) => match bodies.get(&seen.version) {
                Some(body) => {
                    self.stale.push((seen.node, seen.version, body.clone()));
                    Action::Answer(body.clone())
                }
                None => return Action::Proceed,
            },
            Snap::LeaveOut => Action::Answer(nothing(seen.version)),
            Snap::LastEpochs => {
                if seen.version > 5 {
                    return Action::Proceed;
                }
                self.ids += 1;
                Action::Answer(last_epochs(seen.version, 1_000_000 + self.ids))
            }
        };
        trap.left -= 1;
        let fault = trap.fault;
        if fault == Fault::Lie {
            self.lied.push(seen.connection);
        }
        let given = match &action {
            Action::Refuse(code) => Some((When::Before, *code)),
            Action::AnswerAfter(code) => Some((When::After, *code)),
            _ => None,
        };
        if let Some((when, code)) = given {
            let of = (seen.connection, seen.correlation);
            self.given.insert(of, (seen.api, when, code));
        }
        // Stale metadata counts if it says something else than what is so.
        if fault != Fault::Stale {
            self.fired.count(fault);
        }
        self.set.retain(|trap| trap.left > 0);
        action
    }
}

/// Whether a code would say of a request what is not so: without replicas to wait for, some codes
/// come before the append only.
fn is_untrue(trap: &Trap, seen: &Seen<'_>) -> bool {
    let acks = match seen.request {
        Request::Produce(request) => request.acks,
        _ => return false,
    };
    match &trap.snap {
        // Without an answer nobody would meet it.
        Snap::Act(Action::AnswerAfter(_) | Action::Refuse(_)) if acks == 0 => {
            trap.fault == Fault::Code
        }
        Snap::Act(Action::AnswerAfter(code)) => {
            trap.fault != Fault::Lie && frames::is_refusal(code.0, acks)
        }
        _ => false,
    }
}

/// An answer to Produce with no topic in it.
fn nothing(version: i16) -> Vec<u8> {
    // Their number, the time to wait, and the tags.
    if version >= 9 { vec![1, 0, 0, 0, 0, 0] } else { vec![0; 8] }
}

fn last_epochs(version: i16, id: i64) -> Vec<u8> {
    let mut body = vec![0; 6];
    body.extend(id.to_be_bytes());
    body.extend(32_766_i16.to_be_bytes());
    if version >= 2 {
        body.push(0);
    }
    body
}
