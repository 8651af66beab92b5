//! The producer's states by number. In every state every input is given to the production machine
//! once, and what came of it is remembered: two states with the same fingerprint are one, and the
//! machine that was there first stands for both.

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::check::{Checker, Violation};
use crate::client::{Client, Effect, Facts, Input};
use crate::fingerprint::{Fingerprint, FingerprintHasher, Fingerprinter};
use crate::frames::Frames;
use crate::setup::{Lie, Setup};

/// Number of a state of the producer.
pub type ClientId = u32;

/// Machines that are kept, of 5 KB each. Those of other states are made again by giving what was
/// given before.
const MACHINES: usize = 65_536;
/// One of so many states is entered again from the beginning (I18), and one of so many is given what
/// must not change it (I19).
const SAMPLE: usize = 256;

/// What came of an input in a state.
#[derive(Debug)]
pub struct Step {
    /// The state afterwards.
    pub client: ClientId,
    /// What the producer did.
    pub effects: Rc<[Effect]>,
    /// What no producer may do.
    pub broken: Option<Box<Violation>>,
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
    numbers: HashMap<Fingerprint, ClientId, FingerprintHasher>,
    /// What came of each input, and where that stands by state and input.
    steps: Vec<Step>,
    places: HashMap<(ClientId, Input), u32>,
    /// States whose machines are kept, those first that were kept first.
    kept: VecDeque<ClientId>,
    most: usize,
    /// Other machines with a state's fingerprint, if they are kept to be compared.
    twins: Option<Vec<(ClientId, Box<Client>)>>,
    scratch: Fingerprinter,
    /// A machine that is needed no more, whose memory is used again.
    spare: Option<Box<Client>>,
    start: Box<[Effect]>,
}

impl Clients {
    /// The producer at the beginning is number 0; it has done [`Clients::start`].
    pub fn new(setup: &Setup, frames: &mut Frames) -> Self {
        let (client, effects) = Client::new(setup, frames);
        let mut clients = Self {
            setup: setup.clone(),
            states: Vec::new(),
            numbers: HashMap::default(),
            steps: Vec::new(),
            places: HashMap::new(),
            kept: VecDeque::new(),
            most: MACHINES,
            twins: None,
            scratch: Fingerprinter::default(),
            spare: None,
            start: effects.into_boxed_slice(),
        };
        clients.enter(frames, Box::new(client), None);
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
        let place = match self.places.get(&(client, input)) {
            Some(place) => *place,
            None => {
                let step = self.take(frames, client, input);
                let place = self.steps.len() as u32;
                self.steps.push(step);
                self.places.insert((client, input), place);
                place
            }
        };
        &self.steps[place as usize]
    }

    /// What came of an input that was given.
    fn known(&self, client: ClientId, input: Input) -> Option<&Step> {
        Some(&self.steps[*self.places.get(&(client, input))? as usize])
    }

    fn take(&mut self, frames: &mut Frames, id: ClientId, input: Input) -> Step {
        let wait = self.facts(id).wait;
        let mut client = self.machine(frames, id);
        let mut effects = Vec::new();
        let mut broken = client.take(&self.setup, frames, input, wait, &mut effects);
        if broken.is_some() {
            let broken = broken.map(Box::new);
            return Step { client: id, effects: effects.into(), broken };
        }
        if input == Input::Deadline {
            broken = client.check_deadline(&self.setup, self.facts(id).decided, &effects);
        }
        let (client, wrong) = self.enter(frames, client, Some((id, input)));
        let broken = broken.or(wrong).map(Box::new);
        Step { client, effects: effects.into(), broken }
    }

    /// The number of a machine's state, and what is wrong with it.
    fn enter(
        &mut self,
        frames: &mut Frames,
        mut client: Box<Client>,
        origin: Option<(ClientId, Input)>,
    ) -> (ClientId, Option<Violation>) {
        let fingerprint = client.fingerprint(&mut self.scratch);
        if let Some(number) = self.numbers.get(&fingerprint) {
            if let Some(twins) = &mut self.twins {
                twins.push((*number, client));
            } else {
                self.spare = Some(client);
            }
            return (*number, None);
        }
        let facts = client.facts(&self.setup);
        let mut broken = None;
        if facts.pending | facts.held == 0 && origin.is_some() {
            broken = client.clone().check_rest(&self.setup, frames);
        }
        // What is due at once would be done.
        if facts.wait != Some(0) && self.states.len().is_multiple_of(SAMPLE) {
            broken = broken.or_else(|| client.clone().check_drops(&mut self.scratch));
        }
        let number = self.states.len() as ClientId;
        self.numbers.insert(fingerprint, number);
        self.states.push(State { facts, machine: None, origin });
        self.keep(number, client);
        (number, broken)
    }

    fn keep(&mut self, id: ClientId, machine: Box<Client>) {
        if self.kept.len() >= self.most
            && let Some(first) = self.kept.pop_front()
        {
            let machine = self.states[first as usize].machine.take();
            self.spare = machine.or_else(|| self.spare.take());
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
                (Some(machine), _) => {
                    break match self.spare.take() {
                        Some(mut place) => {
                            *place = Client::clone(machine);
                            place
                        }
                        None => machine.clone(),
                    };
                }
                (None, Some((before, input))) => {
                    given.push((self.facts(before).wait, input));
                    at = before;
                }
                (None, None) => break Box::new(Client::new(&self.setup, frames).0),
            }
        };
        if !given.is_empty() {
            for (wait, input) in given.into_iter().rev() {
                let broken = machine.take(&self.setup, frames, input, wait, &mut Vec::new());
                debug_assert_eq!(broken, None, "it went well before");
            }
            self.keep(id, machine.clone());
        }
        machine
    }

    /// I18: enters some states again from the beginning, by the same calls. Returns how many.
    ///
    /// # Errors
    /// What came out otherwise than before.
    pub fn again(&self, frames: &mut Frames) -> Result<usize, Violation> {
        let mut scratch = Fingerprinter::default();
        let mut entered = 0;
        for id in (0..self.states.len()).step_by(SAMPLE) {
            let mut path = Vec::new();
            let mut at = id as ClientId;
            while let Some((before, input)) = self.states[at as usize].origin {
                path.push((before, input, at));
                at = before;
            }
            let (mut client, start) = Client::new(&self.setup, frames);
            let mut same = *start == *self.start;
            for (before, input, after) in path.into_iter().rev() {
                let slip = u64::from(self.setup.lie == Some(Lie::Slip) && input == Input::Deadline);
                let wait = self.facts(before).wait.map(|wait| wait + slip);
                let mut effects = Vec::new();
                let broken = client.take(&self.setup, frames, input, wait, &mut effects);
                let step = self.known(before, input);
                same &= broken.is_none() && step.is_some_and(|step| *step.effects == *effects);
                let fingerprint = client.fingerprint(&mut scratch);
                if !same || self.numbers.get(&fingerprint) != Some(&after) {
                    let what = format!("{input:?} in state {before}: {effects:?}, not {step:?}");
                    return Err(Checker::I18.broken(what));
                }
            }
            entered += 1;
        }
        Ok(entered)
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
        for (id, input) in self.places.keys() {
            inputs.entry(*id).or_default().push(*input);
        }
        let mut compared = 0;
        for (id, twin) in twins {
            let wait = self.facts(id).wait;
            for input in inputs.get(&id).into_iter().flatten() {
                let mut client = twin.clone();
                let mut effects = Vec::new();
                let broken = client.take(&self.setup, frames, *input, wait, &mut effects);
                let after = client.fingerprint(&mut self.scratch);
                let Some(step) = self.known(id, *input) else { continue };
                let same = self.numbers.get(&after) == Some(&step.client);
                let alike = broken.is_some() == step.broken.is_some();
                if !alike || *effects != *step.effects || !same && broken.is_none() {
                    return Err(format!("{input:?} in state {id}: {effects:?}, not {step:?}"));
                }
                compared += 1;
            }
        }
        Ok(compared)
    }
}
