//! What goes wrong, and when: drawn from the seed before anything runs.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use turmoil::Sim;

use super::{Mood, REPLICAS, TROUBLE, World};

/// Most faults of one world.
const MOST: usize = 10;
const CALLER: &str = "caller";

/// What happens to one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// What is sent between it and the caller is lost.
    Partition,
    /// What is sent between it and the caller comes later.
    Hold,
    /// Its process dies, and is started again.
    Crash,
    /// It is there, but behaves.
    Behave(Mood),
    /// The name server forgets it.
    Forgotten,
}

const FAULTS: [Fault; 7] = [
    Fault::Partition,
    Fault::Hold,
    Fault::Crash,
    Fault::Behave(Mood::Failing),
    Fault::Behave(Mood::Silent),
    Fault::Behave(Mood::Slow),
    Fault::Forgotten,
];

#[derive(Clone, Copy, Debug)]
struct Planned {
    place: usize,
    fault: Fault,
    from: Duration,
    to: Duration,
    active: bool,
}

/// The faults of a world.
pub struct Faults {
    planned: Vec<Planned>,
    addresses: Vec<SocketAddr>,
}

impl Faults {
    /// Draws faults for replicas at these addresses.
    pub fn draw(dice: &mut StdRng, addresses: Vec<SocketAddr>) -> Self {
        let count = dice.random_range(1..=MOST);
        let mut planned: Vec<Planned> = Vec::new();
        for _ in 0..count {
            let place = dice.random_range(0..addresses.len());
            let fault = *FAULTS.choose(dice).unwrap();
            let begin = dice.random_range(0..TROUBLE.as_millis() as u64 - 500);
            let end = dice.random_range(begin + 100..=TROUBLE.as_millis() as u64);
            let (from, to) = (Duration::from_millis(begin), Duration::from_millis(end));
            // The same fault twice at once would be lifted by the first to end.
            let network = |fault| matches!(fault, Fault::Partition | Fault::Hold);
            let alike = |other: &Planned| {
                std::mem::discriminant(&other.fault) == std::mem::discriminant(&fault)
                    || network(other.fault) && network(fault)
            };
            let clashes =
                |other: &Planned| other.place == place && alike(other) && other.from <= to && from <= other.to;
            if !planned.iter().any(clashes) {
                planned.push(Planned { place, fault, from, to, active: false });
            }
        }
        Self { planned, addresses }
    }

    /// Begins and ends what is due.
    pub fn apply(&mut self, sim: &mut Sim<'_>, world: &World) {
        let now = sim.elapsed();
        for planned in &mut self.planned {
            let active = (planned.from..planned.to).contains(&now);
            if active == planned.active {
                continue;
            }
            planned.active = active;
            let name = REPLICAS[planned.place];
            match (planned.fault, active) {
                (Fault::Partition, true) => sim.partition(CALLER, name),
                (Fault::Partition, false) => sim.repair(CALLER, name),
                (Fault::Hold, true) => sim.hold(CALLER, name),
                (Fault::Hold, false) => sim.release(CALLER, name),
                (Fault::Crash, true) => sim.crash(name),
                (Fault::Crash, false) => sim.bounce(name),
                (Fault::Behave(mood), true) => drop(world.moods.lock().insert(name, mood)),
                (Fault::Behave(_), false) => drop(world.moods.lock().remove(name)),
                (Fault::Forgotten, true) => world.names.lock().retain(|known| *known != self.addresses[planned.place]),
                (Fault::Forgotten, false) => world.names.lock().push(self.addresses[planned.place]),
            }
        }
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.planned.iter().map(|one| (REPLICAS[one.place], one.fault, one.from, one.to)))
            .finish()
    }
}
