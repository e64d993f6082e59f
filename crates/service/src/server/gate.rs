//! Services that open later: health and reflection answer from the first connection on, everything else once it is
//! ready.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use http::{Request, Response};
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use super::ServeError;
use crate::health::Readiness;
use crate::services::Services;
use crate::status;

/// What a caller who comes too early is told to wait.
const SOON: Duration = Duration::from_secs(1);

/// The services of one server, there from the start or opened later; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<OnceLock<Open>>);

#[derive(Debug)]
struct Open {
    names: Vec<&'static str>,
    routes: Routes,
}

impl From<Services> for Gate {
    fn from(services: Services) -> Self {
        let gate = Self::closed();
        gate.open(services);
        gate
    }
}

impl Gate {
    /// Nothing is open yet.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Opens the services; only the first ones count.
    pub fn open(&self, services: Services) {
        let names = services.names().to_vec();
        // A second call would take services away that are in use.
        let _ = self.0.set(Open { names, routes: services.into_routes() });
    }

    /// Puts health and reflection in front.
    pub(super) fn with_infrastructure(self, readiness: &Readiness) -> Result<Door, ServeError> {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(wenzhen_proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let v1 = reflection().build_v1().map_err(ServeError::Reflection)?;
        let v1alpha = reflection().build_v1alpha().map_err(ServeError::Reflection)?;
        let gate = self.clone();
        let known = move |name: &str| gate.0.get().is_none_or(|open| open.names.contains(&name));
        let infrastructure = Services::new().with(readiness.service_for(known)).with(v1).with(v1alpha);
        Ok(Door { infrastructure: infrastructure.into_routes(), gate: self })
    }
}

/// The services of a gate, as the transport sees them.
#[derive(Clone)]
pub(super) struct Door {
    infrastructure: Routes,
    gate: Gate,
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<<Routes as Service<Request<Body>>>::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Routes are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path().starts_with("/grpc.") {
            return Either::Left(self.infrastructure.call(request));
        }
        match self.gate.0.get() {
            Some(open) => Either::Left(open.routes.clone().call(request)),
            None => {
                let early = status::unavailable("STARTING", "the service is starting", Some(SOON));
                Either::Right(ready(Ok(early.into_http())))
            }
        }
    }
}
