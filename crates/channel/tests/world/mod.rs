//! A simulated network with three replicas and one caller: faults from a seed, and what must hold whatever they are.
//!
//! Time is simulated, so that half a minute takes a moment, and the seed makes the faults, the latencies and the
//! channel's own dice: two runs of a seed agree in all that crosses the network.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test uses a part; a simulation that cannot be set up fails the test"
)]

mod caller;
mod faults;
mod replica;
pub mod trace;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;

use caller::Made;
use faults::Faults;
use trace::{Step, Trace};

/// Names of the replicas.
pub const REPLICAS: [&str; 3] = ["a", "b", "c"];
/// Faults begin and end within this time.
pub const TROUBLE: Duration = Duration::from_secs(8);
/// Calls are made for this time.
pub const TRAFFIC: Duration = Duration::from_secs(21);
/// From here on everything is well again.
pub const HEALED: Duration = Duration::from_secs(18);

/// What the world does to one replica besides its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
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
pub struct World {
    /// How each replica behaves.
    pub moods: Mutex<HashMap<&'static str, Mood>>,
    /// How often each call was begun by a replica.
    pub begun: Mutex<HashMap<String, u32>>,
    /// Calls that each replica began after all had healed.
    pub late: Mutex<HashMap<&'static str, u32>>,
    /// Addresses that the name server gives.
    pub names: Mutex<Vec<SocketAddr>>,
    /// All that crossed the network.
    pub trace: Arc<Trace>,
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
        .simulation_duration(TRAFFIC * 3)
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .tcp_capacity(4096)
        .rng_seed(seed)
        .build();
    for name in REPLICAS {
        let world = Arc::clone(world);
        sim.host(name, move || replica::serve(name, Arc::clone(&world)));
    }
    let addresses: Vec<_> = REPLICAS.iter().map(|name| SocketAddr::new(sim.lookup(*name), replica::PORT)).collect();
    world.names.lock().clone_from(&addresses);
    let made = Arc::new(Mutex::new(None));
    let (shared, result) = (Arc::clone(world), Arc::clone(&made));
    sim.client("caller", async move {
        let all = caller::drive(seed, shared).await;
        *result.lock() = Some(all);
        Ok(())
    });
    let mut faults = Faults::draw(&mut dice, addresses);
    loop {
        faults.apply(&mut sim, world);
        match sim.step() {
            Ok(false) => {}
            Ok(true) => break,
            Err(error) => return Err(format!("{error} under {faults:?}")),
        }
    }
    let made = made.lock().take().ok_or("the caller did not end")?;
    judge(&made, world).map_err(|broken| format!("{broken} under {faults:?}"))?;
    Ok(made.summary())
}

/// What must hold in every world.
fn judge(made: &Made, world: &World) -> Result<(), String> {
    let begun = world.begun.lock();
    for call in &made.calls {
        let outcome = call.outcome.as_ref().ok_or_else(|| format!("{call:?} has no outcome"))?;
        // Timers fire to the millisecond, and the call's begins a moment after ours.
        if call.took > call.deadline + Duration::from_millis(5) {
            return Err(format!("{call:?} ended after its deadline"));
        }
        let count = begun.get(&call.id).copied().unwrap_or_default();
        let most = if call.idempotent { 3 } else { 1 };
        if count > most {
            return Err(format!("{call:?} was begun {count} times"));
        }
        if outcome.is_ok() && count == 0 {
            return Err(format!("{call:?} was answered by nobody"));
        }
        if call.at >= HEALED && outcome.is_err() {
            return Err(format!("{call:?} failed though all is well again"));
        }
    }
    let (calls, seconds) = (made.calls.len() as f64, TRAFFIC.as_secs_f64() + 1.0);
    // Refused attempts are sent again for nothing, and there are few: they are counted all the same.
    if made.retries as f64 > 0.2 * calls + 10.0 * seconds {
        return Err(format!("{} retries for {calls} calls", made.retries));
    }
    let late = world.late.lock();
    match REPLICAS.iter().find(|name| !late.contains_key(*name)) {
        Some(name) => Err(format!("{name} gets no calls though all is well again")),
        None => Ok(()),
    }
}
