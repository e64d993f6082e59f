//! A simulated network with two orchestrators over one store, their agents, and patients who speak until they are heard:
//! faults from a seed, and what must hold whatever they are.
//!
//! Time is simulated, so that half a minute takes a moment, and the seed makes the faults, the latencies, the patients
//! and the channels' own dice: two runs of a seed agree in all that crosses the network.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test uses a part; a simulation that cannot be set up fails the test"
)]

mod agent;
mod faults;
mod judge;
mod orchestrator;
mod patients;
mod store;
#[path = "../../../../crates/channel/tests/world/trace.rs"]
pub mod trace;
#[path = "../../../../crates/channel/tests/world/wire.rs"]
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wenzhen_channel::{Backoff, EjectionRules, Settings};
use wenzhen_orchestrator::Knowledge;
use wenzhen_pack::Pack;

use faults::Faults;
use store::FaultyStore;
use trace::{Step, Trace};
use wire::Simulated;

/// Hosts of the agents, by agent. The expert is not needed: no consultation gets that far.
const AGENTS: [(&str, &str); 6] = [
    ("kg", "kg-a"),
    ("kg", "kg-b"),
    ("guidance", "guidance-a"),
    ("guidance", "guidance-b"),
    ("empathy", "empathy-a"),
    ("empathy", "empathy-b"),
];
/// Hosts of the orchestrators, and of everybody who speaks to them.
const ORCHESTRATORS: [&str; 2] = ["orchestrator-a", "orchestrator-b"];
const PATIENTS: &str = "patients";
/// Where everybody listens.
const PORT: u16 = 7000;
/// Faults begin and end within this time.
const TROUBLE: Duration = Duration::from_secs(8);
/// From here on everything is well again.
const HEALED: Duration = Duration::from_secs(18);
/// Nobody says anything new after this time.
const SPEAKING: Duration = Duration::from_secs(21);

static KNOWLEDGE: LazyLock<Arc<Knowledge>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    Arc::new(Knowledge::new(Arc::new(Pack::load_dir(&folder).unwrap())).unwrap())
});

/// What an agent does besides its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    /// It answers.
    #[default]
    Well,
    /// It answers UNAVAILABLE at once.
    Failing,
    /// It never answers.
    Silent,
    /// It answers late.
    Slow,
}

/// What all parts of a world share.
#[derive(Default)]
struct World {
    /// How each host of an agent behaves.
    moods: Mutex<BTreeMap<&'static str, Mood>>,
    /// The words that each agent has answered about, and the number of scores that were given.
    answered: Mutex<BTreeMap<&'static str, BTreeSet<String>>>,
    scored: Mutex<u32>,
    /// Where the consultations are: it outlives the orchestrators, as Redis does.
    store: Arc<FaultyStore>,
    trace: Arc<Trace>,
}

/// A world that has ended.
pub struct Ran {
    /// What broke, if anything did, and under which faults; or else a line about what happened.
    pub outcome: Result<String, String>,
    /// All that crossed the network.
    pub trace: Vec<Step>,
}

/// Runs a world.
pub fn run(seed: u64) -> Ran {
    trace::begin_tasks_anew();
    let world = Arc::new(World::default());
    let outcome = outcome(seed, &world);
    Ran { outcome, trace: world.trace.take() }
}

fn outcome(seed: u64, world: &Arc<World>) -> Result<String, String> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut sim = turmoil::Builder::new()
        .simulation_duration(SPEAKING * 3)
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .tcp_capacity(4096)
        .rng_seed(seed)
        .build();
    for (agent, host) in AGENTS {
        let world = Arc::clone(world);
        sim.host(host, move || agent::serve(agent, host, Arc::clone(&world)));
    }
    let at = |sim: &mut turmoil::Sim<'_>, host: &str| SocketAddr::new(sim.lookup(host), PORT);
    let agents: Vec<_> = AGENTS.iter().map(|(agent, host)| (*agent, at(&mut sim, host))).collect();
    for (number, host) in (0..).zip(ORCHESTRATORS) {
        let (world, agents) = (Arc::clone(world), agents.clone());
        sim.host(host, move || orchestrator::serve(seed + number, agents.clone(), Arc::clone(&world)));
    }
    let addresses = ORCHESTRATORS.map(|host| at(&mut sim, host));
    let spoken = Arc::new(Mutex::new(None));
    let (shared, result) = (Arc::clone(world), Arc::clone(&spoken));
    sim.client(PATIENTS, async move {
        let all = patients::speak(seed, addresses, &shared).await;
        *result.lock() = Some(all);
        Ok(())
    });
    let mut faults = Faults::draw(&mut dice);
    loop {
        faults.apply(&mut sim, world);
        match sim.step() {
            Ok(false) => {}
            Ok(true) => break,
            Err(error) => return Err(format!("{error} under {faults:?}")),
        }
    }
    let spoken = spoken.lock().take().ok_or("the patients did not end")?;
    judge::judge(&spoken, world).map_err(|broken| format!("{broken} under {faults:?}"))?;
    Ok(judge::summary(&spoken, world))
}

/// As by default, but what takes a quarter of a minute takes seconds, so that a world is over sooner.
fn settings(seed: u64, world: &World) -> Settings {
    let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(3) };
    Settings {
        connector: Arc::new(Simulated(Arc::clone(&world.trace))),
        keep_alive: Duration::from_secs(2),
        keep_alive_timeout: Duration::from_secs(1),
        ejection: EjectionRules { backoff, slow_start: Duration::from_secs(2), ..EjectionRules::default() },
        seed: Some(seed),
        ..Settings::default()
    }
}
