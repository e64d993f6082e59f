//! An empathy service on a loopback port that does as a test tells it.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use wenzhen_load::{Agent, Endpoints, LoadError, Materials, Options, Progress, Report, Samples, Settings, Style};
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{EmotionAssessment, PackInfo};
use wenzhen_proto::empathy::v1::empathy_service_server::{EmpathyService, EmpathyServiceServer};
use wenzhen_proto::empathy::v1::modulate_response::Piece;
use wenzhen_proto::empathy::v1::{
    AssessRequest, AssessResponse, DescribeRequest, DescribeResponse, ModulateDone, ModulateRequest, ModulateResponse,
};

/// What the service does.
pub struct Orders {
    /// Its name in the response header; empty for none.
    pub name: String,
    /// Every so many calls is shed; 0 for none.
    pub shed_every: u64,
    /// Every so many calls fails.
    pub fail_every: u64,
    /// Every so many calls is answered with nothing in it.
    pub hollow_every: u64,
    /// Calls a second that it takes; what comes beyond is shed.
    pub capacity: Option<f64>,
    /// The digest that it says it holds; empty for the right one.
    pub digest: String,
}

impl Default for Orders {
    fn default() -> Self {
        let (name, digest) = (String::new(), String::new());
        Self { name, shed_every: 0, fail_every: 0, hollow_every: 0, capacity: None, digest }
    }
}

/// What a service has seen.
pub struct Seen {
    orders: Orders,
    /// Calls so far, and a way to wait for them.
    pub calls: watch::Sender<u64>,
    /// Calls in it now.
    pub inside: AtomicU64,
    /// The most that were in it at once.
    pub most_inside: AtomicU64,
    /// Whether calls go through; they wait while they do not.
    pub gate: watch::Sender<bool>,
    /// Closes the gate at the next call.
    pub close_at_next: AtomicBool,
    /// What came of them: shed, failed, hollow.
    pub counts: [AtomicU64; 3],
    bucket: Mutex<(Instant, f64)>,
}

/// A running service.
pub struct Fake {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    stop: CancellationToken,
}

impl Fake {
    pub async fn start(orders: Orders) -> Self {
        Self::serve(orders, Server::builder()).await
    }

    /// The same over TLS: shows a certificate with its key, and wants one of the authority to be shown.
    pub async fn start_tls(orders: Orders, (certificate, key): (String, String), authority: String) -> Self {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(authority));
        Self::serve(orders, Server::builder().tls_config(tls).unwrap()).await
    }

    async fn serve(orders: Orders, mut server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            orders,
            calls: watch::Sender::new(0),
            inside: AtomicU64::new(0),
            most_inside: AtomicU64::new(0),
            gate: watch::Sender::new(true),
            close_at_next: AtomicBool::new(false),
            counts: [const { AtomicU64::new(0) }; 3],
            bucket: Mutex::new((Instant::now(), 0.0)),
        });
        let stop = CancellationToken::new();
        let service = EmpathyServiceServer::new(Behaviour(seen.clone()));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(server.add_service(service).serve_with_incoming_shutdown(incoming, stopped));
        Self { address, seen, stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn count(&self, which: usize) -> u64 {
        self.seen.counts[which].load(Ordering::SeqCst)
    }

    /// Waits until it has seen so many calls.
    pub async fn has_seen(&self, calls: u64) {
        self.seen.calls.subscribe().wait_for(|seen| *seen >= calls).await.unwrap();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.seen.gate.send_replace(true);
        self.stop.cancel();
    }
}

struct Behaviour(Arc<Seen>);

struct Inside<'a>(&'a Seen);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Behaviour {
    /// One call as the orders have it; whether its answer is hollow.
    async fn obey(&self) -> Result<bool, Status> {
        let seen = &self.0;
        let inside = seen.inside.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_inside.fetch_max(inside, Ordering::SeqCst);
        let _inside = Inside(seen);
        if seen.close_at_next.swap(false, Ordering::SeqCst) {
            seen.gate.send_replace(false);
        }
        let mut number = 0;
        seen.calls.send_modify(|calls| {
            *calls += 1;
            number = *calls;
        });
        seen.gate.subscribe().wait_for(|open| *open).await.map_err(|_| Status::internal("no gate"))?;
        let every = |every: u64| every > 0 && number % every == 0;
        if every(seen.orders.shed_every) || !self.room() {
            seen.counts[0].fetch_add(1, Ordering::SeqCst);
            return Err(self.named(Status::resource_exhausted("too much to do")));
        }
        if every(seen.orders.fail_every) {
            seen.counts[1].fetch_add(1, Ordering::SeqCst);
            return Err(self.named(Status::unavailable("away")));
        }
        let hollow = every(seen.orders.hollow_every);
        seen.counts[2].fetch_add(u64::from(hollow), Ordering::SeqCst);
        Ok(hollow)
    }

    /// Whether the bucket has a token; it fills at the capacity and holds a twentieth of a second's worth.
    fn room(&self) -> bool {
        let Some(capacity) = self.0.orders.capacity else { return true };
        let mut bucket = self.0.bucket.lock();
        let now = Instant::now();
        let filled = (bucket.1 + now.duration_since(bucket.0).as_secs_f64() * capacity).min((capacity / 20.0).max(1.0));
        let room = filled >= 1.0;
        *bucket = (now, if room { filled - 1.0 } else { filled });
        room
    }

    fn named(&self, mut status: Status) -> Status {
        if !self.0.orders.name.is_empty() {
            status.metadata_mut().insert("wenzhen-instance", self.0.orders.name.parse().unwrap());
        }
        status
    }

    fn answer<T>(&self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        if !self.0.orders.name.is_empty() {
            response.metadata_mut().insert("wenzhen-instance", self.0.orders.name.parse().unwrap());
        }
        response
    }
}

#[tonic::async_trait]
impl EmpathyService for Behaviour {
    type ModulateStream = tokio_stream::Iter<std::vec::IntoIter<Result<ModulateResponse, Status>>>;

    async fn assess(&self, _: Request<AssessRequest>) -> Result<Response<AssessResponse>, Status> {
        let hollow = self.obey().await?;
        let assessment = (!hollow).then(EmotionAssessment::default);
        Ok(self.answer(AssessResponse { assessment, ..AssessResponse::default() }))
    }

    async fn modulate(&self, _: Request<ModulateRequest>) -> Result<Response<Self::ModulateStream>, Status> {
        let hollow = self.obey().await?;
        let mut pieces = vec![Piece::Text("one".into()), Piece::Text("two".into())];
        if !hollow {
            pieces.push(Piece::Done(ModulateDone::default()));
        }
        let items: Vec<_> = pieces.into_iter().map(|piece| Ok(ModulateResponse { piece: Some(piece) })).collect();
        Ok(self.answer(tokio_stream::iter(items)))
    }

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let digest = match self.0.orders.digest.as_str() {
            "" => pack().digest.to_string(),
            other => other.to_owned(),
        };
        let packs = vec![PackInfo { id: "p".into(), version: "1".into(), digest, ..PackInfo::default() }];
        Ok(Response::new(DescribeResponse { packs, version: "9.9".into(), ..DescribeResponse::default() }))
    }
}

/// The flagship pack.
pub fn pack() -> &'static Arc<Pack> {
    static PACK: LazyLock<Arc<Pack>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
        Arc::new(Pack::load_dir(&folder).unwrap())
    });
    &PACK
}

/// Options of a short load on some services.
pub fn options(targets: &[&Fake]) -> Options {
    Options {
        agent: Some(Agent::Empathy),
        target: targets.iter().map(|fake| fake.url()).collect(),
        corpus: Some(20),
        warmup: Some("100ms".parse().unwrap()),
        duration: Some("1s".parse().unwrap()),
        rate: Some(200.0),
        // Tests run beside each other on few cores: how late the generator is there says nothing.
        max_lag_p99: Some("10s".parse().unwrap()),
        max_late: Some("100%".parse().unwrap()),
        ..Options::default()
    }
}

/// Loads with options until `stop`.
pub async fn load_until(options: &Options, stop: CancellationToken) -> Result<Report, LoadError> {
    let settings = Settings::new(options)?;
    let materials = Materials::new(pack().clone(), Samples::default())?;
    let endpoints = Endpoints::find(options).await?;
    let mut progress = Progress::new(Style::Quiet, "test", Box::new(std::io::sink()));
    wenzhen_load::load(&settings, materials, endpoints, stop, &mut progress).await
}

/// Loads with options to the end.
pub async fn load(options: &Options) -> Report {
    load_until(options, CancellationToken::new()).await.unwrap()
}
