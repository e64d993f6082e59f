//! One run: arrivals at their times, or clients in a loop; every call entered in the book.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, consultation};
use crate::clock::{self, Sleeper};
use crate::error::LoadError;
use crate::progress::{Progress, Snapshot};
use crate::record::{Recorded, Recorder, Sample, Window};
use crate::report::{Circumstances, Consultations, TargetReport};
use crate::schedule::Schedule;
use crate::settings::{Arrivals, Settings};
use crate::shape::Curve;
use crate::visit::Visit;
use crate::wire::{Call, Caller, Reply};
use crate::workload::{Corpus, Materials, holds};

/// Time from the beginning to the first arrival, so that the clock's thread is up.
const HEAD_START: Duration = Duration::from_millis(10);

/// What all calls of a run share.
#[derive(Debug)]
pub struct Shared {
    /// The load.
    pub settings: Settings,
    /// What consultations are made from.
    pub materials: Materials,
    /// Makes the calls.
    pub caller: Caller,
    /// Ends loops and consultations when the time is up.
    pub over: CancellationToken,
    corpus: Corpus,
    origin: Instant,
    book: Mutex<Recorder>,
    consultations: Mutex<Consultations>,
    in_flight: AtomicUsize,
}

impl Shared {
    /// Time since the start of the run.
    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.origin)
    }

    /// The moment of a time since the start.
    pub fn moment(&self, at: Duration) -> Instant {
        self.origin + at
    }

    /// Enters a call that was due at a time since the start.
    pub fn enter(&self, method: usize, due: Duration, reply: &Reply, (malformed, degraded): (bool, Vec<String>)) {
        let sample = Sample {
            method,
            due,
            sent: self.since_start(reply.sent),
            first: self
                .settings
                .agent
                .methods()
                .get(method)
                .filter(|m| m.streams)
                .and(reply.first)
                .map(|at| self.since_start(at)),
            done: self.since_start(reply.done),
            code: reply.status.code(),
            malformed,
            instance: reply.instance.clone(),
            degraded,
        };
        self.book.lock().enter(&sample);
    }

    /// Changes what is known of consultations; of those that came in the warm-up nothing is.
    pub fn consultation(&self, arrived: Duration, change: impl FnOnce(&mut Consultations)) {
        if arrived >= self.settings.warmup {
            change(&mut self.consultations.lock());
        }
    }

    async fn one(&self, number: u64, due: Duration) {
        let agent = self.settings.agent;
        let (method, body) = self.corpus.pick(number);
        let (path, stream) = agent.methods().get(method).map_or(("", false), |m| (m.path, m.takes_stream));
        let reply = self.caller.call(Call { path, body, stream, authorization: None }, |_| {}).await;
        let malformed = reply.status.code() == tonic::Code::Ok && !holds(agent, method, reply.items, &reply.last);
        self.enter(method, due, &reply, (malformed, Vec::new()));
    }

    async fn arrival(self: &Arc<Self>, number: u64, due: Duration, sleeper: &Sleeper) {
        match self.settings.agent {
            Agent::Orchestrator => Visit::hold(self, sleeper, number, due).await,
            Agent::Kg | Agent::Guidance | Agent::Expert | Agent::Empathy | Agent::Vision => self.one(number, due).await,
        }
    }

    /// The method that an arrival calls first.
    fn method_of(&self, number: u64) -> usize {
        match self.settings.agent {
            Agent::Orchestrator => consultation::START,
            Agent::Kg | Agent::Guidance | Agent::Expert | Agent::Empathy | Agent::Vision => self.corpus.pick(number).0,
        }
    }
}

/// Counts itself in while it lives.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a run needs beside its settings.
#[derive(Debug, Clone)]
pub struct Means {
    /// What requests and consultations are made from.
    pub materials: Materials,
    /// The requests.
    pub corpus: Corpus,
    /// Makes the calls.
    pub caller: Caller,
    /// What the report says of the target.
    pub target: TargetReport,
    /// Stops the run before its time.
    pub stop: CancellationToken,
}

/// Runs a load to its end, or until it is stopped; calls in flight then are waited for.
///
/// # Errors
/// When the thread that keeps the time cannot be started.
pub async fn run(
    settings: &Settings,
    means: &Means,
    progress: &mut Progress,
) -> Result<(Recorded, Circumstances), LoadError> {
    let (from, to) = (settings.warmup, settings.warmup + settings.duration);
    let window = Window { from, to, late_after: settings.lag.late_after };
    let methods = settings.agent.methods();
    let shared = Arc::new(Shared {
        settings: settings.clone(),
        materials: means.materials.clone(),
        caller: means.caller.clone(),
        over: CancellationToken::new(),
        corpus: means.corpus.clone(),
        origin: Instant::now() + HEAD_START,
        book: Mutex::new(Recorder::new(methods, window)),
        consultations: Mutex::new(Consultations::default()),
        in_flight: AtomicUsize::new(0),
    });
    let started = SystemTime::now();
    let tasks = TaskTracker::new();
    let sleeper = begin(&shared, &tasks)?;
    let stopped_early = watch(&shared, &means.stop, progress, to).await;
    let measured = shared.since_start(Instant::now()).min(to).saturating_sub(from);
    sleeper.stop();
    shared.over.cancel();
    // Whatever the clock still has to start is started before this sleep ends.
    sleeper.until(Instant::now() + HEAD_START).await;
    tasks.close();
    // Every call has its time, so that this ends.
    tasks.wait().await;
    progress.clear();
    let book = std::mem::replace(&mut *shared.book.lock(), Recorder::new(methods, window));
    let held = settings.agent == Agent::Orchestrator;
    let consultations = held.then(|| shared.consultations.lock().clone());
    let around = Circumstances { started, target: means.target.clone(), stopped_early, consultations };
    Ok((book.finish(measured), around))
}

/// Starts the clock and the loops.
fn begin(shared: &Arc<Shared>, tasks: &TaskTracker) -> Result<Sleeper, LoadError> {
    let settings = &shared.settings;
    match &settings.arrivals {
        Arrivals::Open { shape, spacing, rate } => {
            let curve = Curve::new(shape, *rate, settings.warmup, settings.duration);
            let schedule = Schedule::new(curve, *spacing, settings.seed);
            open_loop(shared, tasks, schedule)
        }
        Arrivals::Closed { clients } => {
            let (sleeper, clock) = clock::clock(settings.max_in_flight);
            clock.start(shared.origin, std::iter::empty(), |_, _| {})?;
            let numbers = Arc::new(AtomicU64::new(0));
            for _ in 0..*clients {
                let (shared, sleeper, numbers) = (shared.clone(), sleeper.clone(), numbers.clone());
                tasks.spawn(async move {
                    let _counted = InFlight::new(&shared);
                    while !shared.over.is_cancelled() {
                        // A client who is ready is due at once: that is all that a closed loop knows.
                        let due = shared.since_start(Instant::now());
                        shared.arrival(numbers.fetch_add(1, Ordering::Relaxed), due, &sleeper).await;
                    }
                });
            }
            Ok(sleeper)
        }
    }
}

fn open_loop(shared: &Arc<Shared>, tasks: &TaskTracker, schedule: Schedule) -> Result<Sleeper, LoadError> {
    let (sleeper, clock) = clock::clock(shared.settings.max_in_flight);
    let (handle, tasks, shared, found) = (Handle::current(), tasks.clone(), shared.clone(), sleeper.weakly());
    let most = shared.settings.max_in_flight;
    let origin = shared.origin;
    let arrive = move |number, due| {
        // The run holds a sleeper until its last arrival has come.
        let Some(sleeper) = found.upgrade() else { return };
        if shared.in_flight.load(Ordering::Relaxed) >= most {
            shared.book.lock().refuse(shared.method_of(number), due);
            return;
        }
        let (shared, counted) = (shared.clone(), InFlight::new(&shared));
        let arrival = async move {
            shared.arrival(number, due, &sleeper).await;
            drop(counted);
        };
        tasks.spawn_on(arrival, &handle);
    };
    clock.start(origin, schedule, arrive)?;
    Ok(sleeper)
}

/// Shows the progress until the time is up (`false`) or the run is stopped (`true`).
async fn watch(shared: &Shared, stop: &CancellationToken, progress: &mut Progress, to: Duration) -> bool {
    let mut ticks = tokio::time::interval(progress.every());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let end = shared.moment(to);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return true,
            () = tokio::time::sleep_until(end.into()) => return false,
            _ = ticks.tick() => {
                let (recent, counts) = {
                    let mut book = shared.book.lock();
                    (book.take_recent(), book.counts())
                };
                let in_flight = shared.in_flight.load(Ordering::Relaxed);
                let elapsed = shared.since_start(Instant::now());
                progress.show(&Snapshot { elapsed, whole: to, in_flight, counts, recent });
            }
        }
    }
}
