//! What a run has shown, as data: the JSON file, and what tables and pages are made from.

mod build;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::record::Slice;
use crate::search::{Judgement, Limit};
use crate::slo::Judged;
pub use build::{Circumstances, build, drift};

/// The version of this form of report.
pub const FORMAT: u32 = 1;

/// A report of one run, or of the last confirmed run of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// What was loaded.
    pub agent: String,
    /// When, as RFC 3339 in UTC.
    pub started_at: String,
    /// Version of the program that loaded.
    pub program_version: String,
    /// The machine that loaded.
    pub machine: Machine,
    /// What was loaded with: every setting in words.
    pub settings: BTreeMap<String, String>,
    /// Whom the load went to.
    pub target: TargetReport,
    /// Seed of everything random.
    pub seed: u64,
    /// Seconds before anything counted.
    pub warmup_s: f64,
    /// Seconds that counted.
    pub measured_s: f64,
    /// It was stopped before its time.
    pub stopped_early: bool,
    /// How it ended.
    pub verdict: Verdict,
    /// Why, in sentences, and what else a reader must know.
    pub remarks: Vec<String>,
    /// All methods; the latencies are those of the headline methods.
    pub total: Figures,
    /// Each method that was called.
    pub methods: BTreeMap<String, Figures>,
    /// Each instance that answered.
    pub instances: Vec<Instance>,
    /// Good answers of the busiest instance over those of the idlest; unset with fewer than two.
    pub skew: Option<f64>,
    /// How late the generator was.
    pub lag: LagReport,
    /// Degraded answers by agent and reason.
    pub degraded: BTreeMap<String, u64>,
    /// Consultations, where they were held.
    pub consultations: Option<Consultations>,
    /// p99 of the last quarter over that of the first one; soaks only.
    pub drift: Option<f64>,
    /// Length of a slice in seconds.
    pub slice_s: f64,
    /// The run in slices.
    pub slices: Vec<Slice>,
    /// What became of the objectives.
    pub objectives: Vec<Judged>,
    /// The search that this run confirmed.
    pub search: Option<SearchReport>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to complain of.
    Passed,
    /// An objective was missed, or nothing was answered.
    Missed,
    /// The generator could not keep up: the figures say more of it than of the system.
    GeneratorLagged,
}

impl Verdict {
    /// The exit code of the command: 0, 1, 3 (2 is left to wrong arguments).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Missed => 1,
            Self::GeneratorLagged => 3,
        }
    }
}

/// The machine that loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Cores that the process may use.
    pub cores: usize,
    /// Operating system.
    pub os: String,
    /// Architecture.
    pub arch: String,
}

/// Whom the load went to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TargetReport {
    /// The targets as they were given; empty for a system in the same process.
    pub given: Vec<String>,
    /// The addresses that were called.
    pub addresses: Vec<String>,
    /// Version that the target says it has; empty when it does not say.
    pub version: String,
    /// Pack that the requests were made from: name and version.
    pub pack: String,
    /// Its digest.
    pub pack_digest: String,
}

/// Counts and latencies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Calls that should have been made.
    pub intended: u64,
    /// Good answers.
    pub ok: u64,
    /// Refused by the server with RESOURCE_EXHAUSTED.
    pub shed: u64,
    /// Failed in any other way, malformed answers too.
    pub failed: u64,
    /// Never sent: too many calls were in flight.
    pub refused: u64,
    /// Good answers that were degraded.
    pub degraded: u64,
    /// Good answers a second, within the measured time.
    pub rate: f64,
    /// Failed and never sent, of all intended.
    pub error_share: f64,
    /// Shed, of all intended.
    pub shed_share: f64,
    /// By status code.
    pub codes: BTreeMap<String, u64>,
    /// Good answers, from the intended send time.
    pub latency: Option<Latency>,
    /// Good answers, from the moment of sending.
    pub service: Option<Latency>,
    /// First items of streams, from the intended send time.
    pub first_item: Option<Latency>,
    /// Refusals of shed calls, from the moment of sending.
    pub shed_answer: Option<Latency>,
}

/// A distribution, in milliseconds, to three digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Standard deviation.
    pub stdev_ms: f64,
    /// Smallest.
    pub min_ms: f64,
    /// 50 %.
    pub p50_ms: f64,
    /// 75 %.
    pub p75_ms: f64,
    /// 90 %.
    pub p90_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p999_ms: f64,
    /// 99.99 %.
    pub p9999_ms: f64,
    /// Largest.
    pub max_ms: f64,
    /// Quantile (0 to 1) and milliseconds.
    pub curve: Vec<[f64; 2]>,
    /// Upper end in milliseconds and count, ten bars for each factor of ten.
    pub bars: Vec<[f64; 2]>,
}

/// What one instance did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name, from the header `wenzhen-instance`, else the address that was called, else `unknown`.
    pub name: String,
    /// Good answers.
    pub ok: u64,
    /// Shed.
    pub shed: u64,
    /// Failed.
    pub failed: u64,
    /// Its share of good answers.
    pub share: f64,
    /// Median from the moment of sending.
    pub service_p50_ms: Option<f64>,
    /// 99th percentile from the moment of sending.
    pub service_p99_ms: Option<f64>,
}

/// How late the generator was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LagReport {
    /// Median delay of sending, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Largest.
    pub max_ms: f64,
    /// Share of calls that were late or never sent.
    pub late_share: f64,
    /// A call is late from here on, in milliseconds.
    pub late_after_ms: f64,
    /// The 99th percentile that was allowed, in milliseconds.
    pub allowed_p99_ms: f64,
    /// The share that was allowed.
    pub allowed_share: f64,
    /// The generator kept up.
    pub kept_up: bool,
}

/// Consultations of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Consultations {
    /// Opened.
    pub started: u64,
    /// Held to their end.
    pub completed: u64,
    /// Given up by the patient after calls that failed.
    pub abandoned: u64,
    /// Still being held when the run ended.
    pub cut: u64,
    /// Turns.
    pub turns: u64,
    /// Turns taken back.
    pub undone: u64,
    /// Decisions by kind.
    pub decisions: BTreeMap<String, u64>,
}

/// A search for the highest rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The highest confirmed rate a second; unset when none was.
    pub rate: Option<f64>,
    /// What keeps it from being higher.
    pub limit: Limit,
    /// What was tried, in order.
    pub trials: Vec<Trial>,
}

/// One trial of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Arrivals a second.
    pub rate: f64,
    /// It confirmed a rate that was met before.
    pub confirming: bool,
    /// What came of it.
    pub judgement: Judgement,
    /// Good answers a second.
    pub answered: f64,
    /// Median latency from the intended send time.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
    /// Failed and never sent, of all intended.
    pub error_share: f64,
    /// Shed, of all intended.
    pub shed_share: f64,
    /// 99th percentile of how late calls were sent.
    pub lag_p99_ms: f64,
    /// The objectives that were missed, with what was measured.
    pub missed: Vec<String>,
}
