//! What goes wrong, and when: drawn from the seed before anything runs.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use turmoil::Sim;

use super::store::Way;
use super::{AGENTS, Mood, ORCHESTRATORS, PATIENTS, TROUBLE, World};

/// Most faults of one world.
const MOST: usize = 12;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// What is sent between two hosts is lost.
    Partition(&'static str, &'static str),
    /// What is sent between two hosts comes later.
    Hold(&'static str, &'static str),
    /// A process dies, and is started again.
    Crash(&'static str),
    /// An agent is there, but behaves.
    Behave(&'static str, Mood),
    /// So does the store.
    Store(Way),
}

impl Fault {
    fn draw(dice: &mut StdRng) -> Self {
        let orchestrator = *ORCHESTRATORS.choose(dice).unwrap();
        let agent = AGENTS.choose(dice).unwrap().1;
        let other = if dice.random_ratio(1, 4) { PATIENTS } else { agent };
        match dice.random_range(0..8) {
            0 => Self::Partition(orchestrator, other),
            1 => Self::Hold(orchestrator, other),
            2 => Self::Crash(agent),
            3 => Self::Crash(orchestrator),
            4 => Self::Store(Way::Away),
            5 => Self::Store(Way::Unheard),
            _ => Self::Behave(agent, *[Mood::Failing, Mood::Silent, Mood::Slow].choose(dice).unwrap()),
        }
    }

    /// Whether two faults undo each other when they meet.
    fn clashes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Partition(a, b) | Self::Hold(a, b), Self::Partition(c, d) | Self::Hold(c, d)) => (a, b) == (c, d),
            (Self::Crash(a), Self::Crash(b)) | (Self::Behave(a, _), Self::Behave(b, _)) => a == b,
            (Self::Store(_), Self::Store(_)) => true,
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    fault: Fault,
    from: Duration,
    to: Duration,
    active: bool,
}

/// The faults of a world.
pub struct Faults(Vec<Planned>);

impl Faults {
    /// Draws some.
    pub fn draw(dice: &mut StdRng) -> Self {
        let mut planned: Vec<Planned> = Vec::new();
        for _ in 0..dice.random_range(1..=MOST) {
            let fault = Fault::draw(dice);
            let begin = dice.random_range(0..TROUBLE.as_millis() as u64 - 500);
            let end = dice.random_range(begin + 100..=TROUBLE.as_millis() as u64);
            let (from, to) = (Duration::from_millis(begin), Duration::from_millis(end));
            if !planned.iter().any(|other| other.fault.clashes(fault) && other.from <= to && from <= other.to) {
                planned.push(Planned { fault, from, to, active: false });
            }
        }
        Self(planned)
    }

    /// Begins and ends what is due.
    pub fn apply(&mut self, sim: &mut Sim<'_>, world: &World) {
        let now = sim.elapsed();
        for planned in &mut self.0 {
            let active = (planned.from..planned.to).contains(&now);
            if active == planned.active {
                continue;
            }
            planned.active = active;
            match (planned.fault, active) {
                (Fault::Partition(a, b), true) => sim.partition(a, b),
                (Fault::Partition(a, b), false) => sim.repair(a, b),
                (Fault::Hold(a, b), true) => sim.hold(a, b),
                (Fault::Hold(a, b), false) => sim.release(a, b),
                (Fault::Crash(host), true) => sim.crash(host),
                (Fault::Crash(host), false) => sim.bounce(host),
                (Fault::Behave(host, mood), true) => drop(world.moods.lock().insert(host, mood)),
                (Fault::Behave(host, _), false) => drop(world.moods.lock().remove(host)),
                (Fault::Store(way), true) => world.store.be(way),
                (Fault::Store(_), false) => world.store.be(Way::Well),
            }
        }
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|one| (one.fault, one.from, one.to))).finish()
    }
}
