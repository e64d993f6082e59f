//! Readiness: named dependencies, one verdict. The gRPC health service and `/readyz` both read it, so they agree.

use std::collections::{BTreeMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::status;

/// State of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// It works.
    pub up: bool,
    /// The process is not ready without it.
    pub required: bool,
    /// Why it does not work; empty when it does.
    pub reason: String,
}

/// State of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Takes calls.
    pub ready: bool,
    /// Shuts down: never ready again.
    pub draining: bool,
    /// By name.
    pub dependencies: BTreeMap<String, Condition>,
}

impl Snapshot {
    /// Ready needs at least one dependency: a process that has said nothing yet is not ready.
    fn judge(&mut self) {
        let needed = self.dependencies.values().all(|condition| condition.up || !condition.required);
        self.ready = !self.draining && !self.dependencies.is_empty() && needed;
    }
}

/// The process's readiness; clones share it.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<Snapshot>>);

/// One dependency, down (`starting`) until it is said to be up.
#[derive(Clone, Debug)]
pub struct Dependency {
    readiness: Readiness,
    name: &'static str,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Not ready, with no dependency.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Snapshot::default())))
    }

    /// Adds a dependency without which the process is not ready.
    pub fn dependency(&self, name: &'static str) -> Dependency {
        self.add(name, true)
    }

    /// Adds a dependency without which the process is degraded, but ready.
    pub fn optional(&self, name: &'static str) -> Dependency {
        self.add(name, false)
    }

    fn add(&self, name: &'static str, required: bool) -> Dependency {
        let condition = Condition { up: false, required, reason: "starting".to_owned() };
        self.change(|snapshot| {
            snapshot.dependencies.insert(name.to_owned(), condition);
        });
        Dependency { readiness: self.clone(), name }
    }

    /// Not ready from now on, whatever the dependencies say.
    pub fn drain(&self) {
        self.change(|snapshot| snapshot.draining = true);
    }

    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        self.0.borrow().clone()
    }

    /// Whether the process takes calls.
    pub fn is_ready(&self) -> bool {
        self.0.borrow().ready
    }

    /// Follows the state.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.0.subscribe()
    }

    /// Waits until the process is ready.
    pub async fn ready(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.watch().wait_for(|snapshot| snapshot.ready).await;
    }

    /// `grpc.health.v1.Health` for the whole process (`""`) and for the named services.
    pub fn service(&self, names: &[&'static str]) -> HealthServer<impl Health + use<>> {
        let names: HashSet<&'static str> = names.iter().copied().collect();
        self.service_for(move |name| names.contains(name))
    }

    /// [`Readiness::service`] where the names are known later.
    pub(crate) fn service_for<K>(&self, known: K) -> HealthServer<impl Health + use<K>>
    where
        K: Fn(&str) -> bool + Send + Sync + 'static,
    {
        HealthServer::new(Probe { readiness: self.clone(), known })
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.0.send_if_modified(|snapshot| {
            let before = snapshot.clone();
            change(snapshot);
            snapshot.judge();
            if snapshot.ready != before.ready {
                tracing::info!(ready = snapshot.ready, draining = snapshot.draining, "readiness changed");
            }
            *snapshot != before
        });
    }
}

impl Dependency {
    /// It works.
    pub fn up(&self) {
        self.set(true, String::new());
    }

    /// It does not work, and why: a fixed text or an error of the infrastructure, shown on the admin port.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(false, reason.into());
    }

    fn set(&self, up: bool, reason: String) {
        self.readiness.change(|snapshot| {
            if let Some(condition) = snapshot.dependencies.get_mut(self.name) {
                condition.up = up;
                condition.reason = reason;
            }
        });
    }
}

struct Probe<K> {
    readiness: Readiness,
    known: K,
}

impl<K: Fn(&str) -> bool> Probe<K> {
    fn known(&self, request: &Request<HealthCheckRequest>) -> Result<(), Status> {
        let name = request.get_ref().service.as_str();
        if name.is_empty() || (self.known)(name) { Ok(()) } else { Err(status::not_found("service", name)) }
    }
}

fn reply(ready: bool) -> HealthCheckResponse {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl<K: Fn(&str) -> bool + Send + Sync + 'static> Health for Probe<K> {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.known(&request)?;
        Ok(Response::new(reply(self.readiness.is_ready())))
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.known(&request)?;
        let mut last = None;
        let changes = WatchStream::new(self.readiness.watch()).filter_map(move |snapshot| {
            // Only flips are news; a reason may change without one.
            let news = last.replace(snapshot.ready) != Some(snapshot.ready);
            std::future::ready(news.then(|| Ok(reply(snapshot.ready))))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_all_required_are_up_and_never_after_a_drain() {
        let readiness = Readiness::new();
        assert!(!readiness.is_ready(), "nothing said yet");
        let (pack, store) = (readiness.dependency("pack"), readiness.dependency("store"));
        let voice = readiness.optional("voice");
        pack.up();
        assert!(!readiness.is_ready());
        store.up();
        assert!(readiness.is_ready(), "an optional one may be down");
        store.down("connection refused");
        assert_eq!(readiness.snapshot().dependencies["store"].reason, "connection refused");
        assert!(!readiness.is_ready());
        store.up();
        voice.up();
        readiness.drain();
        assert!(!readiness.is_ready());
    }

    #[test]
    fn saying_the_same_again_wakes_nobody() {
        let readiness = Readiness::new();
        let pack = readiness.dependency("pack");
        pack.up();
        let watch = readiness.watch();
        pack.up();
        assert!(!watch.has_changed().unwrap());
    }
}
