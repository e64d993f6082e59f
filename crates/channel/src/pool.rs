//! All endpoints of a target, and who of them takes the next attempt.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;
use tonic::Status;
use wenzhen_service::status;

use crate::attempt::{Attempt, Boarded};
use crate::balanced::Endpoints;
use crate::budget::Budget;
use crate::dice::Dice;
use crate::endpoint::Endpoint;
use crate::health::Due;
use crate::metrics::TargetMetrics;
use crate::pick::choose;
use crate::retry::MOST_ATTEMPTS;
use crate::settings::Settings;
use crate::target::{Scheme, Target};

/// Endpoints that a call has been at.
pub type Tried = [Option<SocketAddr>; MOST_ATTEMPTS as usize];

/// What the calls and tasks of one channel share.
pub struct Pool {
    /// The target as configured, for labels and messages.
    pub target: String,
    /// What requests are sent by.
    pub scheme: http::uri::Scheme,
    /// How to behave.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Arc<TargetMetrics>,
    /// Picks and jitter.
    pub dice: Dice,
    budget: Mutex<Budget>,
    endpoints: RwLock<Arc<[Arc<Endpoint>]>>,
    /// The name has been looked up once, successfully or not.
    resolved: AtomicBool,
    /// Somebody is ejected.
    some_out: AtomicBool,
    /// Those who wait for an endpoint are woken in the order in which they came; a `watch` would shuffle them.
    changes: Notify,
    /// Somebody wants the name looked up.
    pub wanted: Notify,
    ejecting: Mutex<()>,
    counting: Mutex<()>,
}

impl Pool {
    /// Without endpoints.
    pub fn new(target: &Target, settings: Settings, metrics: Arc<TargetMetrics>) -> Self {
        Self {
            target: target.to_string(),
            scheme: match target.scheme() {
                Scheme::Http => http::uri::Scheme::HTTP,
                Scheme::Https => http::uri::Scheme::HTTPS,
            },
            dice: Dice::new(settings.seed.unwrap_or_else(rand::random)),
            budget: Mutex::new(Budget::new(Instant::now(), settings.retry.budget)),
            settings,
            metrics,
            endpoints: RwLock::new(Arc::from([])),
            resolved: AtomicBool::new(false),
            some_out: AtomicBool::new(false),
            changes: Notify::new(),
            wanted: Notify::new(),
            ejecting: Mutex::new(()),
            counting: Mutex::new(()),
        }
    }

    /// The endpoints as of now.
    pub fn endpoints(&self) -> Arc<[Arc<Endpoint>]> {
        Arc::clone(&self.endpoints.read())
    }

    /// The name has been looked up; these are its endpoints.
    pub fn set_endpoints(&self, endpoints: Vec<Arc<Endpoint>>) {
        *self.endpoints.write() = endpoints.into();
        self.looked_up();
    }

    /// The name has been looked up, and nothing changed.
    pub fn looked_up(&self) {
        self.resolved.store(true, Ordering::Relaxed);
        self.changed();
    }

    /// Asks for the name to be looked up soon.
    pub fn look_up(&self) {
        self.wanted.notify_one();
    }

    /// Ends when an endpoint may have become usable, or hopeless, since this was asked for.
    pub fn change(&self) -> Notified<'_> {
        self.changes.notified()
    }

    /// An endpoint's state has changed.
    pub fn changed(&self) {
        {
            let _one_at_a_time = self.counting.lock();
            let counts = self.count();
            self.some_out.store(counts.ejected > 0, Ordering::Relaxed);
            self.metrics.set(&counts);
        }
        self.changes.notify_waiters();
    }

    /// How many endpoints are in which state.
    pub fn count(&self) -> Endpoints {
        let mut counts = Endpoints::default();
        for endpoint in self.endpoints().iter() {
            let state = endpoint.state.lock();
            let count = match (state.health.is_out(), state.is_connected()) {
                (true, _) => &mut counts.ejected,
                (false, true) => &mut counts.ready,
                (false, false) => &mut counts.connecting,
            };
            *count += 1;
        }
        counts
    }

    /// Whether waiting may help a call that finds nobody: a first look-up or a first connection is under way.
    pub fn may_come(&self) -> bool {
        !self.resolved.load(Ordering::Relaxed)
            || self.endpoints().iter().any(|endpoint| endpoint.state.lock().may_come())
    }

    /// Begins an attempt at the best endpoint: one that is due for its trial, or else the better of two, preferably one
    /// where the call has not been; when all are ejected, one of those, one call at a time.
    pub fn board(self: &Arc<Self>, tried: &Tried, repeatable: bool) -> Option<Boarded> {
        let (endpoints, now) = (self.endpoints(), Instant::now());
        let rules = &self.settings.ejection;
        let first = tried.iter().all(Option::is_none);
        // A call that has failed once is not risked on a trial again.
        if first && self.some_out.load(Ordering::Relaxed) {
            let due = |endpoint: &Endpoint| match endpoint.state.lock().health.due(now, rules) {
                Some(Due::Now) => repeatable,
                Some(Due::Overdue) => true,
                None => false,
            };
            if let Some(boarded) = self.trial(&endpoints, due) {
                return Some(boarded);
            }
        }
        self.choose(&endpoints, now, tried)
            .or_else(|| if first { None } else { self.choose(&endpoints, now, &Tried::default()) })
            .or_else(|| self.trial(&endpoints, |_| true))
    }

    /// Begins an attempt at an endpoint where the call has not been and that is not suspected of anything.
    pub fn board_elsewhere(self: &Arc<Self>, tried: &Tried) -> Option<Boarded> {
        self.choose(&self.endpoints(), Instant::now(), tried)
    }

    /// Whether there is an endpoint that a call could still hope for: connected and not suspect; `elsewhere`: one where
    /// it has not been. When all look bad, trying again only adds to their load.
    pub fn has_hope(&self, tried: &Tried, elsewhere: bool) -> bool {
        let now = Instant::now();
        self.endpoints().iter().any(|endpoint| {
            let state = endpoint.state.lock();
            state.is_connected()
                && !state.health.looks_bad(now, &self.settings.ejection)
                && !(elsewhere && tried.contains(&Some(endpoint.address)))
        })
    }

    fn choose(self: &Arc<Self>, endpoints: &[Arc<Endpoint>], now: Instant, tried: &Tried) -> Option<Boarded> {
        loop {
            let chosen = choose(endpoints.len(), &self.dice, |place| {
                let endpoint = endpoints.get(place)?;
                let new = !tried.contains(&Some(endpoint.address));
                new.then(|| endpoint.candidate(now, &self.settings)).flatten()
            });
            // Between choosing and boarding a connection may have ended; then it is no candidate any more.
            if let Some(boarded) = Attempt::begin(self, endpoints.get(chosen?)?, false) {
                return Some(boarded);
            }
        }
    }

    fn trial(self: &Arc<Self>, endpoints: &[Arc<Endpoint>], due: impl Fn(&Endpoint) -> bool) -> Option<Boarded> {
        let start = self.dice.below(endpoints.len());
        (endpoints.iter().cycle().skip(start).take(endpoints.len()))
            .filter(|endpoint| due(endpoint))
            .find_map(|endpoint| Attempt::begin(self, endpoint, true))
    }

    /// A call was made: it earns its share of retries.
    pub fn earn(&self) {
        self.budget.lock().earn(Instant::now());
    }

    /// Takes a retry from the budget.
    pub fn spend(&self) -> bool {
        self.budget.lock().spend(Instant::now())
    }

    /// An attempt failed, or stays without an answer.
    pub fn failed(&self, endpoint: &Endpoint, trial: bool) {
        let (now, rules) = (Instant::now(), &self.settings.ejection);
        if !endpoint.state.lock().health.bad(now, trial, rules) {
            return;
        }
        {
            // One at a time, or two endpoints could each count on the other to stay.
            let _one_at_a_time = self.ejecting.lock();
            if !trial && self.others_in(endpoint) < rules.keep {
                return;
            }
            let mut state = endpoint.state.lock();
            if !trial && state.health.is_out() {
                return;
            }
            state.health.eject(now, rules, self.dice.unit());
        }
        self.metrics.ejections.inc();
        tracing::warn!(target = self.target, address = %endpoint.address, "an endpoint is left out after failures");
        self.changed();
        self.look_up();
    }

    fn others_in(&self, one: &Endpoint) -> usize {
        let usable = |endpoint: &Arc<Endpoint>| {
            let state = endpoint.state.lock();
            state.is_connected() && !state.health.is_out()
        };
        self.endpoints().iter().filter(|endpoint| endpoint.address != one.address && usable(endpoint)).count()
    }

    /// What a call is told that finds nobody.
    pub fn nobody(&self) -> Status {
        status::unavailable("NO_ENDPOINT", format!("no endpoint of {} is reachable", self.target), None)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("target", &self.target).field("endpoints", &self.count()).finish_non_exhaustive()
    }
}
