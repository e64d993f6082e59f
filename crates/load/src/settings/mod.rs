//! Options that were checked, with defaults for what was unset.

mod kinds;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::agent::Agent;
use crate::error::LoadError;
use crate::options::Options;
use crate::schedule::Spacing;
use crate::search::Rules;
use crate::shape::{HIGHEST_RATE, Shape};
use crate::slo::Objectives;
use crate::think::Think;
use crate::units::{Share, Span};
pub use kinds::{Goal, Priority, Weight};

/// Who decides when the next call is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// The clock.
    Open {
        /// How the rate changes.
        shape: Shape,
        /// How arrivals are spaced.
        spacing: Spacing,
        /// Arrivals a second, for shapes without their own rates.
        rate: f64,
    },
    /// The answer before.
    Closed {
        /// Clients at once.
        clients: usize,
    },
}

/// When a generator is too late to be believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LagLimits {
    /// The 99th percentile of sending late.
    pub p99: Duration,
    /// A send is late from here on.
    pub late_after: Duration,
    /// The share that may be late.
    pub late_share: f64,
}

/// What patients do.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// How long they think.
    pub think: Think,
    /// Share who take a turn back.
    pub undo: f64,
    /// Share of questions about which they ask why.
    pub why: f64,
    /// Share who end their consultation.
    pub end: f64,
    /// Share who delete it.
    pub delete: f64,
}

/// A load, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is loaded.
    pub agent: Agent,
    /// Who decides when the next call is sent.
    pub arrivals: Arrivals,
    /// Time before anything counts.
    pub warmup: Duration,
    /// Time that counts.
    pub duration: Duration,
    /// Time for one call.
    pub timeout: Duration,
    /// Seed of everything random.
    pub seed: u64,
    /// Different requests of each method.
    pub corpus: usize,
    /// Parts of each method of the agent.
    pub weights: Vec<u32>,
    /// Priority that calls ask for.
    pub priority: Option<Priority>,
    /// What patients do.
    pub behaviour: Behaviour,
    /// Calls, or consultations, in flight at most.
    pub max_in_flight: usize,
    /// When the generator is too late.
    pub lag: LagLimits,
    /// What must be met.
    pub slo: Objectives,
    /// How to search, where that is wanted.
    pub search: Option<Rules>,
}

/// Requests of each method at most: they are held in memory.
const MOST_REQUESTS: usize = 200_000;

impl Settings {
    /// Checks options.
    ///
    /// # Errors
    /// [`LoadError::Usage`] with one line, when something is missing, contradicts itself or is out of range.
    pub fn new(options: &Options) -> Result<Self, LoadError> {
        let usage = |text: &str| LoadError::Usage(text.to_owned());
        let agent =
            options.agent.ok_or_else(|| usage("say what to load: orchestrator, kg, guidance, expert or empathy"))?;
        let slo = options.slo.clone().unwrap_or_default();
        known_methods(agent, &slo)?;
        let search = search(options, agent, &slo)?;
        let span = |span: Option<Span>, default: Duration| span.map_or(default, |span| span.0);
        let share = |share: Option<Share>, default: f64| share.map_or(default, |share| share.0);
        let trial = if search.is_some() { 10 } else { 30 };
        let duration = span(options.duration, Duration::from_secs(trial));
        if duration < Duration::from_millis(100) {
            return Err(usage("--duration: at least 100ms"));
        }
        let corpus = options.corpus.unwrap_or(2000);
        let max_in_flight = options.max_in_flight.unwrap_or(10_000);
        if corpus == 0 || corpus > MOST_REQUESTS || max_in_flight == 0 || options.connections == Some(0) {
            return Err(usage("--corpus, --max-in-flight and --connections: at least 1; --corpus at most 200000"));
        }
        Ok(Self {
            agent,
            arrivals: arrivals(options, agent)?,
            warmup: span(options.warmup, Duration::from_secs(3)),
            duration,
            timeout: span(options.timeout, Duration::from_secs(10)).max(Duration::from_millis(1)),
            seed: options.seed.unwrap_or(1),
            corpus,
            weights: weights(options, agent)?,
            priority: options.priority,
            behaviour: Behaviour {
                think: options.think.unwrap_or(Think::LogNormal(Span(Duration::from_secs(5)), 0.6)),
                undo: share(options.undo, 0.05),
                why: share(options.why, 0.05),
                end: share(options.end, 0.5),
                delete: share(options.delete, 0.2),
            },
            max_in_flight,
            lag: LagLimits {
                p99: span(options.max_lag_p99, Duration::from_millis(5)),
                late_after: span(options.late_after, Duration::from_millis(10)),
                late_share: share(options.max_late, 0.01),
            },
            slo,
            search,
        })
    }

    /// The shape of an open loop.
    pub fn shape(&self) -> Option<&Shape> {
        match &self.arrivals {
            Arrivals::Open { shape, .. } => Some(shape),
            Arrivals::Closed { .. } => None,
        }
    }

    /// The same load at another rate, for a trial of a search.
    pub fn at_rate(&self, rate: f64) -> Self {
        let spacing = match &self.arrivals {
            Arrivals::Open { spacing, .. } => *spacing,
            Arrivals::Closed { .. } => Spacing::Poisson,
        };
        Self { arrivals: Arrivals::Open { shape: Shape::Constant, spacing, rate }, ..self.clone() }
    }

    /// Every setting in words, for reports.
    pub fn in_words(&self) -> BTreeMap<String, String> {
        let mut words = BTreeMap::new();
        let mut say = |name: &str, value: String| {
            words.insert(name.to_owned(), value);
        };
        match &self.arrivals {
            Arrivals::Open { shape, spacing, rate } => {
                say("loop", "open".to_owned());
                say("shape", shape.to_string());
                say("arrivals", spacing.name().to_owned());
                if !shape.has_rates() {
                    say("rate", format!("{rate} {}/s", self.agent.arrival()));
                }
            }
            Arrivals::Closed { clients } => say("loop", format!("closed, {clients} clients")),
        }
        say("duration", Span(self.duration).to_string());
        say("warmup", Span(self.warmup).to_string());
        say("timeout", Span(self.timeout).to_string());
        say("max_in_flight", self.max_in_flight.to_string());
        if let Some(priority) = self.priority {
            say("priority", priority.name().to_owned());
        }
        if !self.slo.0.is_empty() {
            say("slo", self.slo.to_string());
        }
        if self.agent == Agent::Orchestrator {
            let Behaviour { think, undo, why, end, delete } = &self.behaviour;
            say("think", think.to_string());
            for (name, share) in [("undo", undo), ("why", why), ("end", end), ("delete", delete)] {
                say(name, Share(*share).to_string());
            }
        } else {
            let weights = self.agent.methods().iter().zip(&self.weights);
            let weights: Vec<_> = weights.map(|(method, parts)| format!("{}={parts}", method.name)).collect();
            say("method", weights.join(","));
            say("corpus", self.corpus.to_string());
        }
        words
    }
}

fn arrivals(options: &Options, agent: Agent) -> Result<Arrivals, LoadError> {
    let usage = |text: &str| Err(LoadError::Usage(text.to_owned()));
    if let Some(clients) = options.closed {
        if options.rate.is_some() || options.shape.is_some() || options.arrivals.is_some() {
            return usage("--closed has no rate: leave out --rate, --shape and --arrivals");
        }
        if clients == 0 || clients > options.max_in_flight.unwrap_or(10_000) {
            return usage("--closed: at least 1, at most --max-in-flight");
        }
        return Ok(Arrivals::Closed { clients });
    }
    let shape = options.shape.clone().unwrap_or(Shape::Constant);
    if shape.has_rates() && options.rate.is_some() {
        return usage("--shape has its own rates: leave out --rate, or take constant or soak");
    }
    let rate = options.rate.unwrap_or(if agent == Agent::Orchestrator { 5.0 } else { 50.0 });
    if rate <= 0.0 {
        return usage("--rate: above 0");
    }
    Ok(Arrivals::Open { shape, spacing: options.arrivals.unwrap_or(Spacing::Poisson), rate })
}

fn search(options: &Options, agent: Agent, slo: &Objectives) -> Result<Option<Rules>, LoadError> {
    if options.search.is_none() {
        return Ok(None);
    }
    let usage = |text: &str| Err(LoadError::Usage(text.to_owned()));
    if slo.0.is_empty() {
        return usage("--search needs --slo: what must a rate meet?");
    }
    if options.closed.is_some() || options.shape.as_ref().is_some_and(|shape| *shape != Shape::Constant) {
        return usage("--search tries constant rates: leave out --closed and --shape");
    }
    let precision = options.search_precision.map_or(0.05, |share| share.0);
    if !(0.001..=0.5).contains(&precision) {
        return usage("--search-precision: 0.1% to 50%");
    }
    Ok(Some(Rules {
        start: options.rate.unwrap_or(if agent == Agent::Orchestrator { 5.0 } else { 50.0 }),
        precision,
        confirmations: options.search_confirm.unwrap_or(2),
        most_trials: 60,
        highest: HIGHEST_RATE,
    }))
}

fn weights(options: &Options, agent: Agent) -> Result<Vec<u32>, LoadError> {
    let methods = agent.methods();
    if options.method.is_empty() {
        return Ok(methods.iter().map(|method| method.weight).collect());
    }
    if agent == Agent::Orchestrator {
        let text = "the orchestrator is loaded with whole consultations: instead of --method use --undo, --why, --end, --delete";
        return Err(LoadError::Usage(text.to_owned()));
    }
    let mut weights = vec![0; methods.len()];
    for wanted in &options.method {
        let at = methods.iter().position(|method| method.name.eq_ignore_ascii_case(&wanted.method));
        let slot = at.and_then(|at| weights.get_mut(at)).ok_or_else(|| unknown_method(agent, &wanted.method))?;
        *slot = wanted.parts;
    }
    if weights.iter().all(|parts| *parts == 0) {
        return Err(LoadError::Usage("--method: every share is 0".to_owned()));
    }
    Ok(weights)
}

fn known_methods(agent: Agent, slo: &Objectives) -> Result<(), LoadError> {
    let known = |name: &String| agent.methods().iter().any(|method| method.name == name);
    match slo.0.iter().filter_map(|objective| objective.method.as_ref()).find(|name| !known(name)) {
        Some(name) => Err(unknown_method(agent, name)),
        None => Ok(()),
    }
}

fn unknown_method(agent: Agent, name: &str) -> LoadError {
    let known: Vec<_> = agent.methods().iter().map(|method| method.name).collect();
    LoadError::Usage(format!("{} has no method {name} that can be loaded: {}", agent.name(), known.join(", ")))
}

#[cfg(test)]
mod tests;
