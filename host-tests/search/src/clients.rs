//! The producer's states by number. In every state every input is given to the production machine
//! once, and what came of it is remembered: two states with the same fingerprint are one, and the
//! machine that was there first stands for both.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::client::{Client, Effect, Facts, Input};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::frames::Frames;
use crate::setup::Setup;

/// Number of a state of the producer.
pub type ClientId = u32;

/// Machines that are kept, of 5 KB each. Those of other states are made again by giving what was
/// given before.
const MACHINES: usize = 65_536;

/// What came of an input in a state.
#[derive(Debug)]
pub struct Step {
    /// The state afterwards.
    pub client: ClientId,
    /// What the producer did.
    pub effects: Box<[Effect]>,
    /// What no producer may do.
    pub fault: Option<String>,
}

/// A state.
#[derive(Debug)]
struct State {
    facts: Facts,
    /// Its machine, if it is kept.
    machine: Option<Box<Client>>,
    /// From which state it was entered first, and by what; the first one by nothing.
    origin: Option<(ClientId, Input)>,
}

/// All states of the producer that a search came by.
#[derive(Debug)]
pub struct Clients {
    setup: Setup,
    states: Vec<State>,
    numbers: HashMap<Fingerprint, ClientId>,
    steps: HashMap<(ClientId, Input), Step>,
    /// States whose machines are kept, those first that were kept first.
    kept: VecDeque<ClientId>,
    most: usize,
    /// Other machines with a state's fingerprint, if they are kept to be compared.
    twins: Option<Vec<(ClientId, Box<Client>)>>,
    scratch: Fingerprinter,
    start: Box<[Effect]>,
}

impl Clients {
    /// The producer at the beginning is number 0; it has done [`Clients::start`].
    pub fn new(setup: &Setup, frames: &mut Frames) -> Self {
        let (client, effects) = Client::new(setup, frames);
        let mut clients = Self {
            setup: setup.clone(),
            states: Vec::new(),
            numbers: HashMap::new(),
            steps: HashMap::new(),
            kept: VecDeque::new(),
            most: MACHINES,
            twins: None,
            scratch: Fingerprinter::default(),
            start: effects.into_boxed_slice(),
        };
        clients.enter(Box::new(client), None);
        clients
    }

    /// Keeps only so many machines.
    pub fn keep_most(&mut self, most: usize) {
        self.most = most.max(1);
    }

    /// What the producer does before anything is given to it.
    #[must_use]
    pub fn start(&self) -> &[Effect] {
        &self.start
    }

    /// How many states there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// What is to be known of a state.
    #[must_use]
    pub fn facts(&self, client: ClientId) -> &Facts {
        &self.states[client as usize].facts
    }

    /// Gives a producer an input.
    pub fn step(&mut self, frames: &mut Frames, client: ClientId, input: Input) -> &Step {
        if !self.steps.contains_key(&(client, input)) {
            let step = self.take(frames, client, input);
            self.steps.insert((client, input), step);
        }
        &self.steps[&(client, input)]
    }

    fn take(&mut self, frames: &mut Frames, id: ClientId, input: Input) -> Step {
        let wait = self.facts(id).wait;
        let mut client = self.machine(frames, id);
        let mut effects = Vec::new();
        let mut fault = client.take(&self.setup, frames, input, wait, &mut effects);
        if fault.is_some() {
            return Step { client: id, effects: effects.into(), fault };
        }
        let late = client.overdue(&self.setup).filter(|_| input == Input::Deadline);
        let client = self.enter(client, Some((id, input)));
        if let Some(record) = late {
            fault = Some(format!("record {record} has no outcome when its time is over"));
        } else if input == Input::Deadline && client == id && effects.is_empty() {
            fault = Some("a deadline passed, nothing came of it, and it is due again".to_string());
        }
        Step { client, effects: effects.into(), fault }
    }

    /// The number of a machine's state.
    fn enter(&mut self, mut client: Box<Client>, origin: Option<(ClientId, Input)>) -> ClientId {
        let fingerprint = client.fingerprint(&mut self.scratch);
        if let Some(number) = self.numbers.get(&fingerprint) {
            if let Some(twins) = &mut self.twins {
                twins.push((*number, client));
            }
            return *number;
        }
        let facts = client.facts(&self.setup);
        let number = self.states.len() as ClientId;
        self.numbers.insert(fingerprint, number);
        self.states.push(State { facts, machine: None, origin });
        self.keep(number, client);
        number
    }

    fn keep(&mut self, id: ClientId, machine: Box<Client>) {
        if self.kept.len() >= self.most
            && let Some(first) = self.kept.pop_front()
        {
            self.states[first as usize].machine = None;
        }
        self.states[id as usize].machine = Some(machine);
        self.kept.push_back(id);
    }

    /// A copy of the machine of a state.
    fn machine(&mut self, frames: &mut Frames, id: ClientId) -> Box<Client> {
        // Back to one that is kept, or to the beginning.
        let mut given = Vec::new();
        let mut at = id;
        let mut machine = loop {
            let state = &self.states[at as usize];
            match (&state.machine, state.origin) {
                (Some(machine), _) => break machine.clone(),
                (None, Some((before, input))) => {
                    given.push((self.facts(before).wait, input));
                    at = before;
                }
                (None, None) => break Box::new(Client::new(&self.setup, frames).0),
            }
        };
        if !given.is_empty() {
            for (wait, input) in given.into_iter().rev() {
                let fault = machine.take(&self.setup, frames, input, wait, &mut Vec::new());
                debug_assert_eq!(fault, None, "it went well before");
            }
            self.keep(id, machine.clone());
        }
        machine
    }

    /// Keeps every machine from here on that has the fingerprint of another, for
    /// [`Clients::compare`]. `timeless`: fingerprints leave out what is due when.
    pub fn keep_twins(&mut self, timeless: bool) {
        self.twins = Some(Vec::new());
        self.scratch.timeless = timeless;
    }

    /// Gives all that was given to the machine of a state also to the others with its fingerprint:
    /// the same has to come of it. Returns how often it did.
    ///
    /// # Errors
    /// What differs: then something that matters is not in the fingerprint.
    pub fn compare(&mut self, frames: &mut Frames) -> Result<usize, String> {
        let twins = self.twins.take().unwrap_or_default();
        let mut inputs: HashMap<ClientId, Vec<Input>> = HashMap::new();
        for (id, input) in self.steps.keys() {
            inputs.entry(*id).or_default().push(*input);
        }
        let mut compared = 0;
        for (id, twin) in twins {
            let wait = self.facts(id).wait;
            for input in inputs.get(&id).into_iter().flatten() {
                let mut client = twin.clone();
                let mut effects = Vec::new();
                let fault = client.take(&self.setup, frames, *input, wait, &mut effects);
                let step = &self.steps[&(id, *input)];
                let after = client.fingerprint(&mut self.scratch);
                let same = self.numbers.get(&after) == Some(&step.client);
                if fault != step.fault || *effects != *step.effects || !same && fault.is_none() {
                    return Err(format!("{input:?} in state {id}: {effects:?}, not {step:?}"));
                }
                compared += 1;
            }
        }
        Ok(compared)
    }
}
