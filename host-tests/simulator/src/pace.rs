//! I8: how soon a client calls again whom it has lost.

use ottla::message::ErrorCode;
use ottla::{Link, Reason};

use crate::client::Client;
use crate::look::Look;
use crate::promise::Promise;
use crate::world::World;

/// Whether a link ended as its producer wished so, and not because something failed: nobody waits after
/// that.
#[must_use]
pub const fn is_own_wish(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Idle | Reason::Replaced | Reason::Shutdown | Reason::Paused | Reason::Rebootstrap
    )
}

impl Client {
    /// It goes back to the addresses that it began with, and forgets all other brokers, with their
    /// back-offs.
    fn forget_named(&mut self) {
        self.lost.retain(|(id, _), _| id.is_none());
    }
}

impl World {
    /// A link has ended: if not by the client's own wish, it waits before it tries again.
    pub(crate) fn note_loss(&mut self, c: usize, link: Link, reason: Reason) {
        let wires = self.clients[c].wires.iter().filter_map(|id| self.wires.get(id));
        let broker = wires.filter(|wire| wire.link == Some(link)).map(|wire| wire.broker).next();
        let now = self.time(c).as_micros();
        let client = &mut self.clients[c];
        if is_own_wish(reason) {
            // It may have wished so before it heard that the connection was lost.
            client.lost.retain(|_, (_, other)| *other != link);
        } else if let Some(broker) = broker {
            client.lost.insert(broker, (now, link));
        }
        // A broker that refuses to negotiate may tell it to go back to the addresses that it began
        // with. No other order tells of that where no other link is open, or it came before this one.
        let astray =
            Reason::Fault(ottla::error::Fault::Negotiation(ErrorCode::REBOOTSTRAP_REQUIRED));
        if reason == Reason::Rebootstrap || reason == astray && client.setup.config.rebootstrap {
            client.forget_named();
        }
    }

    /// Who has heard no metadata for long may go back to the addresses that it began with, and forgets
    /// all brokers, with their back-offs.
    pub(crate) fn begin_again(&mut self, c: usize, broker: Option<i32>) {
        let (now, client) = (self.time(c).as_micros(), &mut self.clients[c]);
        let config = &client.setup.config;
        let trigger = config.rebootstrap_trigger.as_micros();
        if broker.is_none() && config.rebootstrap && now.saturating_sub(client.heard) >= trigger {
            client.forget_named();
        }
    }

    /// I8: nobody is called again before the back-off. Where tables are small, brokers that cannot
    /// be reached are forgotten, and their back-offs with them.
    pub(crate) fn check_pace(&mut self, c: usize, broker: (Option<i32>, i32)) {
        let (now, client) = (self.time(c).as_micros(), &self.clients[c]);
        let pause = client.setup.config.reconnect_backoff.as_micros();
        // An address that was told anew may be called at once.
        let moved = self.long_host.amount > 0;
        if client.setup.shape.slots().is_some() || moved {
            return;
        }
        let Some((lost, _)) = client.lost.get(&broker) else { return };
        self.looks.count(Look::Pace, 1);
        if let Err(what) = paced(*lost, now, pause) {
            self.blame(Promise::I8, format!("client {c}, broker {broker:?}: {what}"));
        }
    }
}

/// I8: whether a pause, with its jitter of a fifth, is over.
fn paced(lost: u64, now: u64, pause: u64) -> Result<(), String> {
    if now >= lost + pause * 4 / 5 {
        return Ok(());
    }
    Err(format!("called again {} us after it was lost, and the pause is {pause}", now - lost))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::end::tests::healed;

    #[test]
    fn who_does_not_wait_is_found() {
        assert!(paced(100, 140, 50).is_ok() && paced(100, 139, 50).is_err());
    }

    #[test]
    fn only_who_heard_nothing_for_long_forgets_whom_it_lost() {
        let kept = |heard_ago: u64, broker| {
            let mut world = healed(1);
            let now = world.time(0).as_micros();
            let link = world.wires.values().find_map(|wire| wire.link).expect("an open link");
            let client = &mut world.clients[0];
            client.setup.config.rebootstrap = true;
            client.heard = now - heard_ago;
            client.setup.config.rebootstrap_trigger = ottla::Duration::from_micros(2_000_000);
            client.lost = BTreeMap::from([((Some(2), 2), (now, link))]);
            world.begin_again(0, broker);
            world.clients[0].lost.len()
        };
        assert_eq!((kept(2_000_000, None), kept(1_999_999, None)), (0, 1));
        assert_eq!(kept(2_000_000, Some(1)), 1, "no address that it began with");
    }

    #[test]
    fn a_link_that_was_to_end_anyway_is_not_waited_for() {
        let mut world = healed(1);
        let links = world.wires.values().filter_map(|wire| Some((wire.client, wire.link?)));
        let (c, link) = links.into_iter().next().expect("an open link");
        let wire = world.wires.values_mut().find(|wire| wire.link == Some(link));
        // No broker that metadata told of, as those are forgotten with their back-offs.
        wire.expect("it is of this world").broker = (None, 2);
        for own in [Reason::Replaced, Reason::Rebootstrap] {
            world.clients[c].lost.clear();
            world.note_loss(c, link, Reason::Disconnected);
            assert_eq!(world.clients[c].lost.len(), 1);
            world.note_loss(c, link, Reason::RequestTimeout);
            assert_eq!(world.clients[c].lost.len(), 1, "not by its own wish");
            world.note_loss(c, link, own);
            assert_eq!(world.clients[c].lost.len(), 0, "{own}: seed 20012307");
        }
    }

    #[test]
    fn who_is_told_to_begin_again_forgets_whom_it_lost() {
        let kept = |rebootstrap, code| {
            let mut world = healed(1);
            let links = world.wires.values().filter_map(|w| Some((w.client, w.link?, w.broker)));
            let (c, link, broker) = links
                .filter(|(.., (id, _))| id.is_some())
                .min_by_key(|(c, ..)| *c)
                .expect("an open link to a broker that metadata told of");
            let client = &mut world.clients[c];
            client.setup.config.rebootstrap = rebootstrap;
            client.lost = BTreeMap::from([((None, 2), (0, link)), ((Some(2), 2), (0, link))]);
            let fault = ottla::error::Fault::Negotiation(ErrorCode(code));
            world.note_loss(c, link, Reason::Fault(fault));
            let lost = &world.clients[c].lost;
            assert!(lost.contains_key(&(None, 2)), "its first addresses keep their back-offs");
            lost.contains_key(&(Some(2), 2)) && lost.contains_key(&broker)
        };
        assert!(!kept(true, 129));
        assert!(kept(false, 129), "it never goes back");
        assert!(kept(true, 35), "another code tells no such thing");
    }
}
