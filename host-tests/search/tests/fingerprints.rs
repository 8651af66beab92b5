//! Two ways to one state give one fingerprint; states that differ give two.

use ottla_search::action::Action;
use ottla_search::engine::Engine;
use ottla_search::fault::Fault;
use ottla_search::setup::Setup;
use ottla_search::world::World;

/// Does all that can be done, the first thing first, but deadlines and what the application does,
/// until nothing is on its way.
fn settle(engine: &mut Engine, mut world: World) -> World {
    let moves = |action: &&Action| {
        matches!(action, Action::Connected(_) | Action::Answer(_) | Action::Deliver(_))
    };
    loop {
        let actions = engine.enabled(&world);
        let Some(action) = actions.iter().find(moves) else { return world };
        world = act(engine, &world, *action);
    }
}

fn act(engine: &mut Engine, world: &World, action: Action) -> World {
    assert!(engine.enabled(world).contains(&action), "{action:?} cannot happen");
    engine.apply(world, action).unwrap().unwrap()
}

/// The slot of the link on which a batch is on its way to the broker.
fn producing(engine: &Engine, world: &World) -> u8 {
    let lines = world.lines.iter().zip(0_u8..);
    let mut lines = lines.filter_map(|(line, slot)| line.as_ref().map(|line| (line, slot)));
    let is_produce = |request: &u32| engine.is_produce(*request);
    lines.find(|(line, _)| line.requests.iter().any(is_produce)).unwrap().1
}

/// A world in which the first batch was just sent, and the slot of its link.
fn sent(engine: &mut Engine) -> (World, u8) {
    let world = engine.start().unwrap();
    let mut world = settle(engine, world);
    world = act(engine, &world, Action::Produce(0));
    let moves = |action: &&Action| {
        matches!(action, Action::Connected(_) | Action::Answer(_) | Action::Deliver(_))
    };
    loop {
        let lines = world.lines.iter().flatten();
        let mut requests = lines.flat_map(|line| &line.requests);
        if requests.any(|request| engine.is_produce(*request)) {
            let slot = producing(engine, &world);
            return (world, slot);
        }
        let action = *engine.enabled(&world).iter().find(moves).unwrap();
        world = act(engine, &world, action);
    }
}

/// Lets deadlines pass and everything come until every record has its outcome, and tells it.
fn finish(engine: &mut Engine, mut world: World) -> World {
    loop {
        world = settle(engine, world);
        let actions = engine.enabled(&world);
        let wanted = [Action::Deadline, Action::TakeEvents];
        let Some(action) = actions.iter().find(|action| wanted.contains(action)) else {
            return world;
        };
        world = act(engine, &world, *action);
    }
}

#[test]
fn two_ways_to_one_state_give_one_fingerprint() {
    let faults = [Fault::LostRequest, Fault::LostReply];
    let mut engine = Engine::new(&Setup::new(1, 2).with(&faults));
    let (world, slot) = sent(&mut engine);
    let straight = finish(&mut engine, world.clone());

    // Once the link ends before the broker reads, once before its answer comes: later by a pause,
    // over a new link, with other correlation ids and other slots.
    let lost = act(&mut engine, &world, Action::LoseRequest(slot, false));
    let lost = finish(&mut engine, lost);
    let read = act(&mut engine, &world, Action::Deliver(slot));
    let unheard = act(&mut engine, &read, Action::LoseReply(slot, false));
    let unheard = finish(&mut engine, unheard);

    assert_eq!(lost.client, unheard.client, "the same producer");
    assert_eq!(lost.broker, unheard.broker, "the same cluster");
    assert_eq!(straight.broker, lost.broker);
    // What may still go wrong is all that is different.
    let mut other = lost.clone();
    other.budget = unheard.budget;
    assert_eq!(engine.fingerprint(&other), engine.fingerprint(&unheard));
    assert_ne!(engine.fingerprint(&lost), engine.fingerprint(&unheard));
}

#[test]
fn states_that_differ_in_meaning_give_two_fingerprints() {
    let faults = [Fault::ErrorBefore, Fault::ErrorAfter, Fault::LostReply];
    let mut engine = Engine::new(&Setup::new(1, 2).with(&faults));
    let (world, slot) = sent(&mut engine);
    let mut states = vec![world.client];
    // Refused, or perhaps written; with fresh metadata to come, or without; final; written.
    for action in [
        Action::ErrorBefore(slot, 2),
        Action::ErrorAfter(slot, 7),
        Action::ErrorBefore(slot, 6),
        Action::ErrorBefore(slot, 87),
        Action::ErrorAfter(slot, -1),
        Action::Deliver(slot),
    ] {
        let world = act(&mut engine, &world, action);
        states.push(act(&mut engine, &world, Action::Answer(slot)).client);
    }
    let read = act(&mut engine, &world, Action::Deliver(slot));
    states.push(act(&mut engine, &read, Action::LoseReply(slot, false)).client);
    // A link that is silent is noticed by its deadline only.
    assert_eq!(act(&mut engine, &read, Action::LoseReply(slot, true)).client, world.client);
    // Another batch waits.
    states.push(act(&mut engine, &world, Action::Produce(0)).client);
    let count = states.len();
    states.sort_unstable();
    states.dedup();
    assert_eq!(states.len(), count, "{states:?}");
}

#[test]
fn machines_with_the_same_fingerprint_go_on_alike() {
    for fault in [Fault::LostReply, Fault::ErrorAfter, Fault::LeaderMove] {
        let setup = Setup { early: 1, ..Setup::new(1, 2) }.with(&[fault]);
        let compared = ottla_search::search::compare(&setup, false).unwrap();
        assert!(compared > 1_000, "{compared} only");
    }
}

#[test]
fn a_fingerprint_that_leaves_something_out_is_found() {
    let setup = Setup { early: 1, ..Setup::new(1, 1) }.with(&[Fault::ErrorAfter]);
    assert!(ottla_search::search::compare(&setup, false).is_ok());
    assert!(ottla_search::search::compare(&setup, true).is_err(), "deadlines are left out");
}
