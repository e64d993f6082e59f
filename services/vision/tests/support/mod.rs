//! A tiny model whose weights are drawn here, pictures that are drawn here, and a client over a real connection.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub mod draw;
pub mod model;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio_stream::iter;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::vision::v1::classify_tongue_request::Part;
use wenzhen_proto::vision::v1::vision_service_client::VisionServiceClient;
use wenzhen_proto::vision::v1::{ClassifyTongueRequest, ClassifyTongueResponse, ImageHeader, MediaType};
use wenzhen_service::{Guard, Metrics, Services, local};
use wenzhen_vision::{Engine, Gathering, Limits, Settings, VisionMetrics, VisionServer};

pub type Client = VisionServiceClient<Channel>;

/// The flagship pack.
pub fn pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    PACK.get_or_init(|| Arc::new(Pack::load_dir(&dir).unwrap_or_else(|errors| panic!("{errors}")))).clone()
}

/// A server over the tiny model, with limits.
pub fn server(engine: Option<Engine>, limits: Limits) -> VisionServer {
    VisionServer::new(Settings {
        packs: vec![pack()],
        model: engine.map(Into::into),
        limits,
        gathering: Gathering::default(),
        metrics: VisionMetrics::register(&Metrics::default()),
    })
}

/// A client of a server under the limits of all servers.
pub fn client_of(server: VisionServer, limits: wenzhen_service::Limits) -> Client {
    let guard = Guard::new(Metrics::default(), limits);
    let services = Services::new().with(server.into_service());
    let (channel, _running) = local::in_process_guarded(services, &guard);
    VisionServiceClient::new(channel)
}

/// A client of the tiny model under the usual limits.
pub fn client() -> Client {
    client_of(server(Some(model::engine()), Limits::default()), wenzhen_service::Limits::default())
}

pub fn pins() -> Option<Pins> {
    Some(Pins { pack_digest: pack().digest.to_string(), ..Pins::default() })
}

pub fn header(media: MediaType, size: usize) -> ClassifyTongueRequest {
    let header = ImageHeader { pins: pins(), media_type: media as i32, size_bytes: size as u64 };
    ClassifyTongueRequest { part: Some(Part::Header(header)) }
}

pub fn chunk(bytes: &[u8]) -> ClassifyTongueRequest {
    ClassifyTongueRequest { part: Some(Part::Chunk(bytes.to_vec())) }
}

/// Sends a file in chunks of a size.
pub async fn send(
    client: &mut Client,
    media: MediaType,
    file: &[u8],
    size: usize,
) -> Result<ClassifyTongueResponse, Status> {
    let mut parts = vec![header(media, file.len())];
    parts.extend(file.chunks(size).map(chunk));
    Ok(client.classify_tongue(iter(parts)).await?.into_inner())
}

/// The reason of a refusal, with its limit and what was got instead.
pub fn refusal(status: &Status) -> (Code, String, Option<(u64, u64)>) {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no details: {status:?}"));
    let number = |key: &str| info.metadata.get(key).and_then(|text| text.parse().ok());
    (status.code(), info.reason, number("limit").zip(number("got")))
}
