//! `wenzhen.vision.v1.VisionService`.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};
use tonic::{Request, Response, Status, Streaming};
use wenzhen_pack::{Locale, Pack, TongueTable};
use wenzhen_proto::clinical::v1::{Locale as LocaleMessage, PackInfo, Pins};
use wenzhen_proto::vision::v1::vision_service_server::{VisionService, VisionServiceServer};
use wenzhen_proto::vision::v1::{
    ClassifyTongueRequest, ClassifyTongueResponse, DescribeRequest, DescribeResponse, Head, Quality, Times,
};

use crate::batch::{Batcher, Gathering};
use crate::card::Role;
use crate::engine::{Engine, Reading};
use crate::error::Error;
use crate::limits::Limits;
use crate::metrics::VisionMetrics;
use crate::model::Model;
use crate::{decide, decode, receive};

/// What a server is made of.
pub struct Settings {
    /// Packs held; those without a table of the tongue are of no use here.
    pub packs: Vec<Arc<Pack>>,
    /// The model; without one every picture is refused.
    pub model: Option<Model>,
    /// Limits of one picture.
    pub limits: Limits,
    /// How pictures are gathered.
    pub gathering: Gathering,
    /// Where it counts.
    pub metrics: VisionMetrics,
}

/// Decoders at work at most, whatever the number of cores: each may take `max_decode_bytes`.
const MOST_DECODERS: usize = 4;

/// The vision agent. Cloning shares everything.
#[derive(Debug, Clone)]
pub struct VisionServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    packs: BTreeMap<String, Arc<Pack>>,
    model: Option<Model>,
    /// Made with the first picture.
    reader: OnceCell<Reader>,
    gathering: Gathering,
    limits: Limits,
    /// A decoder for each core: more at once would take more memory and be no faster.
    decoders: Semaphore,
    metrics: VisionMetrics,
}

#[derive(Debug)]
struct Reader {
    engine: Arc<Engine>,
    batcher: Batcher,
}

impl VisionServer {
    /// A server; needs a tokio runtime around it.
    pub fn new(settings: Settings) -> Self {
        let Settings { packs, model, limits, gathering, metrics } = settings;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_DECODERS);
        Self(Arc::new(Inner {
            packs: packs.into_iter().map(|pack| (pack.digest.to_string(), pack)).collect(),
            model,
            reader: OnceCell::new(),
            gathering,
            limits,
            decoders: Semaphore::new(cores),
            metrics,
        }))
    }

    /// The generated service around this server. A chunk may be as long as a picture.
    pub fn into_service(self) -> VisionServiceServer<Self> {
        let room = usize::try_from(self.0.limits.max_bytes).unwrap_or(usize::MAX).saturating_add(4096);
        VisionServiceServer::new(self).max_decoding_message_size(room)
    }

    async fn classify(&self, mut stream: Streaming<ClassifyTongueRequest>) -> Result<ClassifyTongueResponse, Error> {
        let inner = &self.0;
        let reader = inner.reader().await?;
        let began = Instant::now();
        let header = receive::header(&mut stream, &inner.limits).await?;
        let pins = header.pins.clone().unwrap_or_default();
        let (pack, table) = inner.table(&pins.pack_digest)?;
        let file = receive::file(&mut stream, &header, &inner.limits).await?;
        let mut times = Times { receive_ms: ms(began.elapsed()), ..Times::default() };
        let (media, limits) = (header.media_type(), inner.limits);
        let permit = inner.decoders.acquire().await.map_err(|_| Error::Internal)?;
        let decoding = Instant::now();
        // A decoder that panics has met a file that it was not made for.
        let picture = tokio::task::spawn_blocking(move || decode::decode(media, &file, &limits));
        let picture = picture.await.map_err(|_| Error::Damaged)??;
        times.decode_ms = ms(decoding.elapsed());
        drop(permit);
        let (reading, waited) = reader.batcher.read(picture).await?;
        (times.wait_ms, times.judge_ms, times.read_ms) = (ms(waited), reading.judge_ms, reading.read_ms);
        inner.metrics.answered(reading.quality, &times);
        Ok(response(reader.engine.as_ref(), (pack, table), pins, (reading, times)))
    }
}

impl Inner {
    /// The model at work, loaded now where it is not yet.
    async fn reader(&self) -> Result<&Reader, Error> {
        let model = self.model.as_ref().ok_or(Error::NoModel)?;
        let made = self.reader.get_or_try_init(|| async {
            let engine = match model {
                Model::Loaded(engine) => engine.clone(),
                Model::Later(_, load) => {
                    let load = *load;
                    let loaded = tokio::task::spawn_blocking(load).await.map_err(|_| Error::Internal)?;
                    Arc::new(loaded?.ok_or(Error::NoModel)?)
                }
            };
            let batcher = Batcher::start(engine.clone(), self.gathering, self.metrics.clone());
            Ok(Reader { engine, batcher })
        });
        made.await
    }

    fn table(&self, digest: &str) -> Result<(&Pack, &TongueTable), Error> {
        let pack = self.packs.get(digest).ok_or_else(|| Error::PackUnknown { digest: digest.to_owned() })?;
        Ok((pack, pack.tongue.as_ref().ok_or(Error::NoTable)?))
    }
}

fn response(
    engine: &Engine,
    (pack, table): (&Pack, &TongueTable),
    pins: Pins,
    (reading, times): (Reading, Times),
) -> ClassifyTongueResponse {
    let (card, heads) = (engine.card(), &reading.heads);
    let good = reading.quality == Quality::Ok;
    ClassifyTongueResponse {
        quality: reading.quality as i32,
        measured: Some(reading.measured),
        features: decide::features(card, heads),
        findings: decide::findings(pack, table, card, heads),
        constitutions: if good { decide::constitutions(pack, table, card, heads) } else { Vec::new() },
        pins: Some(Pins { prompt_version: String::new(), model_version: card.model_version(), ..pins }),
        times: Some(times),
    }
}

fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1000.0
}

#[tonic::async_trait]
impl VisionService for VisionServer {
    async fn classify_tongue(
        &self,
        request: Request<Streaming<ClassifyTongueRequest>>,
    ) -> Result<Response<ClassifyTongueResponse>, Status> {
        let answer = self.classify(request.into_inner()).await.inspect_err(|_| self.0.metrics.refused());
        Ok(Response::new(answer?))
    }

    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let (inner, card) = (&self.0, self.0.model.as_ref().map(Model::card));
        let readable = inner.packs.values().filter(|pack| card.is_some() && pack.tongue.is_some());
        let heads = card.iter().flat_map(|card| &card.heads).filter(|head| head.role == Role::Feature);
        Ok(Response::new(DescribeResponse {
            packs: readable.map(|pack| info(pack)).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model_version: card.map(|card| card.model_version()).unwrap_or_default(),
            heads: heads
                .map(|head| Head {
                    name: head.name.clone(),
                    classes: head.classes.clone(),
                    provenance: decide::provenance(head.provenance) as i32,
                    switched_off: !head.enabled,
                })
                .collect(),
            max_bytes: inner.limits.max_bytes,
            max_pixels: inner.limits.max_pixels,
            max_decode_bytes: inner.limits.max_decode_bytes,
        }))
    }
}

fn info(pack: &Pack) -> PackInfo {
    let message = |locale: &Locale| match locale {
        Locale::Zh => LocaleMessage::Zh.into(),
        Locale::En => LocaleMessage::En.into(),
    };
    PackInfo {
        id: pack.manifest.id.clone(),
        version: pack.manifest.version.clone(),
        digest: pack.digest.to_string(),
        locales: pack.manifest.locales.iter().map(message).collect(),
    }
}
