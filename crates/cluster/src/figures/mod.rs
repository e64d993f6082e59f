//! Figures about a whole cluster: each starts what it needs, measures, and says what it found beside what was wanted.

mod balance;
mod certificates;
mod collector;
mod down;
mod failing;
mod faults;
mod gone;
mod overload;
mod redis;
mod turns;

use serde::Serialize;

/// One measurement.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// What came out.
    pub found: String,
    /// What was wanted.
    pub wanted: &'static str,
    /// It was reached.
    pub reached: bool,
}

/// Names of all measurements, in the order in which they are made.
pub const ALL: [&str; 12] = [
    "turns",
    "balance",
    "join",
    "rolling",
    "stopped",
    "fast-fail",
    "overload",
    "agent-down",
    "redis-kill",
    "client-gone",
    "certificates",
    "collector",
];

/// Makes one measurement; `seconds` scales those that run for a time.
///
/// # Errors
/// When something cannot be started.
pub async fn measure(name: &str, seconds: u64) -> anyhow::Result<Vec<Figure>> {
    match name {
        "turns" => turns::turns(seconds).await,
        "balance" => balance::balance(seconds).await,
        "join" => balance::join().await,
        "rolling" => faults::rolling().await,
        "stopped" => faults::stopped().await,
        "fast-fail" => failing::fast_fail().await,
        "overload" => overload::overload(seconds).await,
        "agent-down" => down::agent_down().await,
        "redis-kill" => redis::kill().await,
        "client-gone" => gone::gone().await,
        "certificates" => certificates::rotated().await,
        "collector" => collector::blackholed(seconds).await,
        other => anyhow::bail!("no measurement is called {other}; there are {}", ALL.join(", ")),
    }
}
