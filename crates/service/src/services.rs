//! The gRPC services of one server: routes together with the names that health checking must know.

use std::convert::Infallible;

use axum::response::IntoResponse;
use http::Request;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

/// Routes and service names, collected one service at a time.
#[derive(Clone, Debug, Default)]
pub struct Services {
    routes: Routes,
    names: Vec<&'static str>,
}

impl Services {
    /// Holds nothing: every call is answered UNIMPLEMENTED.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated server, such as `KgServiceServer::new(...)`.
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// Full service names (`wenzhen.kg.v1.KgService`) in the order in which they were added.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The routes, ready to serve.
    pub fn into_routes(self) -> Routes {
        self.routes.prepare()
    }
}
