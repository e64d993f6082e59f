//! What a chat talks to: a process of its own, or a running server.

use anyhow::Context as _;
use tonic::transport::{Channel, Endpoint};
use wenzhen_orchestrator::{AccessRules, auth};
use wenzhen_pack::Locale;
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::orchestrator::v1::StartConsultationRequest;
use wenzhen_service::{Keys, Metrics, Readiness};

use crate::args::ChatArgs;
use crate::packs;
use crate::process::{Options, Process};

/// The other end of a chat.
pub struct Connection {
    /// The orchestrator.
    pub channel: Channel,
    /// A clinician key, where one is at hand.
    pub clinician_key: Option<String>,
    /// The process behind it, when it is our own.
    process: Option<Process>,
}

impl Connection {
    /// Starts or connects.
    ///
    /// # Errors
    /// When the server cannot be reached, or the own process not be started.
    pub async fn open(args: &ChatArgs) -> anyhow::Result<Self> {
        args.engine.check()?;
        if let Some(address) = &args.connect {
            let endpoint = Endpoint::from_shared(address.clone()).context("--connect takes http://HOST:PORT")?;
            let channel = endpoint.connect().await.with_context(|| format!("cannot reach {address}"))?;
            let clinician_key = args.clinician_key.as_ref().map(|key| key.expose().to_owned());
            return Ok(Self { channel, clinician_key, process: None });
        }
        // Whoever sits at this terminal may try both roles: the key lives as long as the process.
        let key = auth::new_token();
        let mut clinicians = Keys::default();
        clinicians.insert("terminal", &key);
        let packs = packs::load(&args.data.packs)?;
        let metrics = Metrics::default();
        let speaker = args.engine.start(&packs, &metrics, &Readiness::new()).await?;
        let access = AccessRules { clinicians, ..AccessRules::default() };
        let options = Options { place: args.data.place()?, access, metrics, speaker, ..Options::new(packs) };
        let process = Process::start(options).await?;
        Ok(Self { channel: process.channel.clone(), clinician_key: Some(key), process: Some(process) })
    }

    /// Ends the own process, letting writes finish.
    pub async fn close(self) {
        if let Some(process) = self.process {
            process.stop().await;
        }
    }
}

/// The request that opens a consultation for these arguments.
///
/// # Errors
/// When `--patient` cannot be read.
pub fn start_request(args: &ChatArgs, locale: Option<Locale>) -> anyhow::Result<StartConsultationRequest> {
    let locale = match locale {
        None => clinical::Locale::Unspecified,
        Some(Locale::Zh) => clinical::Locale::Zh,
        Some(Locale::En) => clinical::Locale::En,
    };
    Ok(StartConsultationRequest {
        locale: locale as i32,
        pack_digest: String::new(),
        patient: args.patient.as_deref().map(super::patient::parse).transpose()?,
        strategy: args.strategy.clone().unwrap_or_default(),
    })
}
