//! Flags of a load, and the same as keys of a profile.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use crate::agent::Agent;
use crate::schedule::Spacing;
use crate::settings::{Goal, Priority, Weight};
use crate::shape::{self, Shape};
use crate::slo::Objectives;
use crate::target::Balance;
use crate::think::Think;
use crate::units::{Share, Span};

/// Flags of a load. A profile has the same names with `_` for `-`; what is unset takes its default.
#[derive(Args, Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What to load
    #[arg(value_enum, ignore_case = true)]
    pub agent: Option<Agent>,

    /// Target as http://HOST:PORT, https://HOST:PORT or HOST:PORT; may be given several times or as a list; a name
    /// stands for all its addresses; unset: a system of its own in this process
    #[arg(long, value_delimiter = ',', value_name = "URL", help_heading = "Target")]
    pub target: Vec<String>,
    /// How calls are spread over addresses [default: p2c]
    #[arg(long, value_enum, help_heading = "Target")]
    pub balance: Option<Balance>,
    /// Take targets without a scheme as plaintext (http); without this flag they are TLS (https)
    #[arg(long, help_heading = "Target")]
    pub insecure: bool,
    /// Certificate authorities (PEM) that sign the targets' certificates; required with https
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub tls_ca: Option<PathBuf>,
    /// Own certificate (PEM), where the targets ask for one
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the own certificate (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub tls_key: Option<PathBuf>,
    /// Name to expect in the targets' certificates, with --balance turn [default: the target's host]
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub tls_name: Option<String>,
    /// Key with which consultations are opened, where the orchestrator asks for one: the key alone, in a file
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub opener_key_file: Option<PathBuf>,
    /// Connections to each address [default: 1]; one carries about a thousand calls at once
    #[arg(long, value_name = "N", help_heading = "Target")]
    pub connections: Option<u16>,
    /// Folder of the pack that the target holds [default: the embedded pack]
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    pub pack: Option<PathBuf>,

    /// Arrivals a second: calls, or consultations for the orchestrator [default: 50; orchestrator: 5]
    #[arg(long, value_name = "R", value_parser = shape::rate, help_heading = "Load")]
    pub rate: Option<f64>,
    /// How long to measure [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub duration: Option<Span>,
    /// How long to load before anything counts [default: 3s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub warmup: Option<Span>,
    /// constant, ramp:FROM..TO, step:A,B,C, spike:BASE,PEAK or soak [default: constant]
    #[arg(long, help_heading = "Load")]
    pub shape: Option<Shape>,
    /// Spacing of arrivals [default: poisson]
    #[arg(long, value_enum, help_heading = "Load")]
    pub arrivals: Option<Spacing>,
    /// Closed loop instead: N clients who send when they have their answer. It cannot see how long a real client
    /// would have waited while a server stalls
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub closed: Option<usize>,
    /// Shares of the methods, such as Interpret=8,Ask=2 [default: each agent's own]
    #[arg(long, value_delimiter = ',', value_name = "METHOD=N", help_heading = "Load")]
    pub method: Vec<Weight>,
    /// Seed of everything random: the same seed sends the same [default: 1]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub seed: Option<u64>,
    /// Different requests of each method, picked by the seed [default: 2000]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub corpus: Option<usize>,
    /// Time for one call [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub timeout: Option<Span>,
    /// Priority that the calls ask for, in the header wenzhen-priority [default: none]
    #[arg(long, value_enum, help_heading = "Load")]
    pub priority: Option<Priority>,

    /// Think time of patients: none, fixed:2s, uniform:1s..5s, exp:3s or lognormal:5s,0.6 [default: lognormal:5s,0.6]
    #[arg(long, help_heading = "Patients (orchestrator)")]
    pub think: Option<Think>,
    /// Share of patients who take a turn back [default: 5%]
    #[arg(long, value_name = "SHARE", help_heading = "Patients (orchestrator)")]
    pub undo: Option<Share>,
    /// Share of questions about which patients ask why [default: 5%]
    #[arg(long, value_name = "SHARE", help_heading = "Patients (orchestrator)")]
    pub why: Option<Share>,
    /// Share of patients who end their consultation [default: 50%]
    #[arg(long, value_name = "SHARE", help_heading = "Patients (orchestrator)")]
    pub end: Option<Share>,
    /// Share of patients who delete their consultation [default: 20%]; those that the end of the run cuts short are
    /// deleted always
    #[arg(long, value_name = "SHARE", help_heading = "Patients (orchestrator)")]
    pub delete: Option<Share>,

    /// Objectives, such as p99<50ms,errors<0.1%,Modulate.first.p95<20ms; missing one is exit code 1. Latencies count
    /// from the intended send time, service.p99 from the moment of sending, first.p99 to the first item of a stream,
    /// shed.p99 to the refusal of a shed call; also mean, max, shed, degraded, rate
    #[arg(long, value_name = "LIST", help_heading = "Objectives")]
    pub slo: Option<Objectives>,
    /// Search for the highest rate that meets --slo: --rate is where it starts, --duration how long each trial takes
    /// [default then: 10s]
    #[arg(long, value_enum, value_name = "GOAL", help_heading = "Objectives")]
    pub search: Option<Goal>,
    /// How close the search comes to the limit [default: 5%]
    #[arg(long, value_name = "SHARE", help_heading = "Objectives")]
    pub search_precision: Option<Share>,
    /// How often the search tries its answer again [default: 2]
    #[arg(long, value_name = "N", help_heading = "Objectives")]
    pub search_confirm: Option<u32>,

    /// Calls, or consultations, in flight at most; what is due beyond is counted as never sent [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Generator")]
    pub max_in_flight: Option<usize>,
    /// The run fails (exit code 3) when sends are later than this at p99 [default: 5ms]
    #[arg(long, value_name = "TIME", help_heading = "Generator")]
    pub max_lag_p99: Option<Span>,
    /// A send is late from here on [default: 10ms]
    #[arg(long, value_name = "TIME", help_heading = "Generator")]
    pub late_after: Option<Span>,
    /// The run fails (exit code 3) when more than this share was sent late or never [default: 1%]
    #[arg(long, value_name = "SHARE", help_heading = "Generator")]
    pub max_late: Option<Share>,

    /// Profile (TOML) with these flags as keys, and a table per agent that goes before them; flags go before both
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    #[serde(skip)]
    pub profile: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    pub json: Option<PathBuf>,
    /// Write the report as one HTML page that needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    pub html: Option<PathBuf>,
    /// Send nothing: print N requests of one method in their JSON form, one a line
    #[arg(long, value_name = "N", help_heading = "Files")]
    #[serde(skip)]
    pub print_requests: Option<usize>,
    /// No progress on standard error
    #[arg(long, help_heading = "Files")]
    pub quiet: bool,
}

impl Options {
    /// These options, with others where these are unset.
    pub fn or(self, other: Self) -> Self {
        Self {
            agent: self.agent.or(other.agent),
            target: first(self.target, other.target),
            balance: self.balance.or(other.balance),
            insecure: self.insecure || other.insecure,
            tls_ca: self.tls_ca.or(other.tls_ca),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_name: self.tls_name.or(other.tls_name),
            opener_key_file: self.opener_key_file.or(other.opener_key_file),
            connections: self.connections.or(other.connections),
            pack: self.pack.or(other.pack),
            rate: self.rate.or(other.rate),
            duration: self.duration.or(other.duration),
            warmup: self.warmup.or(other.warmup),
            shape: self.shape.or(other.shape),
            arrivals: self.arrivals.or(other.arrivals),
            closed: self.closed.or(other.closed),
            method: first(self.method, other.method),
            seed: self.seed.or(other.seed),
            corpus: self.corpus.or(other.corpus),
            timeout: self.timeout.or(other.timeout),
            priority: self.priority.or(other.priority),
            think: self.think.or(other.think),
            undo: self.undo.or(other.undo),
            why: self.why.or(other.why),
            end: self.end.or(other.end),
            delete: self.delete.or(other.delete),
            slo: self.slo.or(other.slo),
            search: self.search.or(other.search),
            search_precision: self.search_precision.or(other.search_precision),
            search_confirm: self.search_confirm.or(other.search_confirm),
            max_in_flight: self.max_in_flight.or(other.max_in_flight),
            max_lag_p99: self.max_lag_p99.or(other.max_lag_p99),
            late_after: self.late_after.or(other.late_after),
            max_late: self.max_late.or(other.max_late),
            profile: self.profile.or(other.profile),
            json: self.json.or(other.json),
            html: self.html.or(other.html),
            print_requests: self.print_requests.or(other.print_requests),
            quiet: self.quiet || other.quiet,
        }
    }

    /// What contradicts itself when the flags choose another way of loading than the profile: a flag of one way takes
    /// the profile's of the others away.
    fn yielding_to(mut self, flags: &Self) -> Self {
        if flags.closed.is_some() {
            (self.rate, self.shape, self.arrivals, self.search) = (None, None, None, None);
        }
        if flags.rate.is_some() || flags.shape.is_some() || flags.arrivals.is_some() {
            self.closed = None;
        }
        if flags.rate.is_some() && self.shape.as_ref().is_some_and(Shape::has_rates) {
            self.shape = None;
        }
        if flags.shape.as_ref().is_some_and(Shape::has_rates) || flags.search.is_some() {
            self.shape = None;
            if flags.search.is_none() {
                self.rate = None;
            }
        }
        self
    }
}

fn first<T>(own: Vec<T>, other: Vec<T>) -> Vec<T> {
    if own.is_empty() { other } else { own }
}

/// These flags over the profile in a text: the keys at its top are for every agent, a table named like an agent is
/// for that one and goes before them.
///
/// # Errors
/// With one line that says what is wrong with the profile.
pub fn over_profile(flags: Options, profile: &str) -> Result<Options, String> {
    let mut top: toml::Table = profile.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let mut tables = Vec::new();
    for agent in Agent::ALL {
        if let Some(table) = top.remove(agent.name()) {
            // Read even where it is not used: a profile with a mistake in it is wrong for everybody.
            let options: Options =
                table.try_into().map_err(|e: toml::de::Error| format!("[{}]: {}", agent.name(), e.message()))?;
            tables.push((agent, options));
        }
    }
    let common: Options = toml::Value::Table(top).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
    let agent = flags.agent.or(common.agent);
    let own = tables.into_iter().find(|(of, _)| Some(*of) == agent).map(|(_, options)| options).unwrap_or_default();
    let profile = own.clone().or(common.yielding_to(&own));
    let yielding = profile.yielding_to(&flags);
    Ok(flags.or(yielding))
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
