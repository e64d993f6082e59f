//! A replica of the simulation: gRPC's health service, which notes whom it was asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::Layer;
use wenzhen_service::{Guard, Limits, Metrics};

use super::{HEALED, Mood, World, wire};

/// Where all replicas listen.
pub const PORT: u16 = 7000;

/// Serves until the host crashes.
pub async fn serve(name: &'static str, world: Arc<World>) -> turmoil::Result {
    let guard = Guard::new(Metrics::new(), Limits::default());
    let trace = Arc::clone(&world.trace);
    Ok(wire::serve(PORT, trace, guard.layer(HealthServer::new(Replica { name, world }))).await?)
}

struct Replica {
    name: &'static str,
    world: Arc<World>,
}

impl Replica {
    async fn answer(&self, id: String) -> Result<HealthCheckResponse, Status> {
        *self.world.begun.lock().entry(id).or_default() += 1;
        if turmoil::sim_elapsed().is_some_and(|elapsed| elapsed >= HEALED) {
            *self.world.late.lock().entry(self.name).or_default() += 1;
        }
        let mood = self.world.moods.lock().get(self.name).copied().unwrap_or_default();
        match mood {
            Mood::Well => tokio::time::sleep(Duration::from_millis(5)).await,
            Mood::Failing => return Err(Status::unavailable("away")),
            Mood::Silent => std::future::pending().await,
            Mood::Slow => tokio::time::sleep(Duration::from_millis(400)).await,
        }
        Ok(HealthCheckResponse::default())
    }
}

#[tonic::async_trait]
impl Health for Replica {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.answer(request.into_inner().service).await.map(Response::new)
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let answer = self.answer(request.into_inner().service).await?;
        let items = futures::stream::iter([Ok(answer), Ok(answer), Ok(answer)]);
        Ok(Response::new(Box::pin(items)))
    }
}
