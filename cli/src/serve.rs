//! `wenzhen serve`: every service of this process on a real port.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wenzhen_orchestrator::AccessRules;
use wenzhen_service::config::Secret;
use wenzhen_service::server::Drained;
use wenzhen_service::{Keys, Limits, Metrics, Readiness, Services, Serving, admin, shutdown};

use crate::args::{DataArgs, ServeArgs};
use crate::packs;
use crate::process::{Options, Place, Process};

/// Names of the services, in the order of their ports.
const NAMES: [&str; 6] = ["orchestrator", "kg", "guidance", "expert", "empathy", "vision"];

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// When an address is taken, a pack does not load or the store cannot be opened: nothing is served then.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    args.engine.check()?;
    let stop = shutdown::on_signals()?;
    let listeners = bind(args.listen).await?;
    let packs = packs::load(&args.data.packs)?;
    let (metrics, limits, readiness) = (Metrics::default(), args.limits.limits(), Readiness::new());
    let speaker = args.engine.start(&packs, &metrics, &readiness).await?;
    let process = Process::start(Options {
        speaker,
        place: args.data.place()?,
        access: AccessRules { clinicians: clinicians(&args.clinicians)?, ..AccessRules::default() },
        metrics: metrics.clone(),
        limits: limits.clone(),
        ..Options::new(packs)
    })
    .await?;
    let admin = admin::open(args.admin_listen, readiness.clone(), metrics.clone())
        .with_context(|| format!("cannot open the admin port {}", args.admin_listen))?;
    let agencies = process.services.clone();
    let all = [
        Services::new().with(process.orchestrator.service()),
        agencies.kg,
        agencies.guidance,
        agencies.expert,
        agencies.empathy,
        agencies.vision,
    ];
    readiness.dependency("packs and store").up();
    announce(&listeners, admin.address())?;
    let serving = listeners.into_iter().zip(all).map(|(listener, services)| {
        let common = (readiness.clone(), metrics.clone(), limits.clone(), stop.clone());
        tokio::spawn(serve_one(listener, services, common))
    });
    let running: Vec<_> = serving.collect();
    let mut clean = true;
    for server in running {
        clean &= server.await?? == Drained::Clean;
    }
    process.stop().await;
    if clean { Ok(()) } else { bail!("calls were still running when the drain budget was spent") }
}

async fn serve_one(
    listener: TcpListener,
    services: Services,
    (readiness, metrics, limits, shutdown): (Readiness, Metrics, Limits, CancellationToken),
) -> anyhow::Result<Drained> {
    let (services, tls, instance) = (services.into(), None, None);
    Ok(Serving { listener, services, readiness, metrics, limits, tls, instance, shutdown }.serve().await?)
}

async fn bind(first: SocketAddr) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for (offset, name) in (0u16..).zip(NAMES) {
        let mut address = first;
        if first.port() != 0 {
            let port =
                first.port().checked_add(offset).context("the ports above --listen end before the last service")?;
            address.set_port(port);
        }
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.with_context(|| format!("cannot listen on {address} for {name}"))?);
    }
    Ok(listeners)
}

fn announce(listeners: &[TcpListener], admin: SocketAddr) -> anyhow::Result<()> {
    for (listener, name) in listeners.iter().zip(NAMES) {
        tracing::info!(service = name, address = %listener.local_addr()?, "listening");
    }
    tracing::info!(address = %admin, "admin port");
    Ok(())
}

fn clinicians(keys: &[Secret]) -> anyhow::Result<Keys> {
    let mut clinicians = Keys::default();
    for key in keys {
        match key.expose().split_once(':') {
            Some((name, key)) if !name.is_empty() && key.len() >= 16 => clinicians.insert(name, key),
            _ => bail!("a clinician key is NAME:KEY with at least 16 characters of key"),
        }
    }
    Ok(clinicians)
}

impl DataArgs {
    /// Where consultations are kept.
    ///
    /// # Errors
    /// When no place was given and the user has no home.
    pub fn place(&self) -> anyhow::Result<Place> {
        if self.memory {
            return Ok(Place::Memory);
        }
        if let Some(store) = &self.store {
            return Ok(Place::File(store.clone()));
        }
        let home = std::env::home_dir().context("no home folder: give --store or --memory")?;
        Ok(Place::File(home.join(".local/share/wenzhen/consultations.redb")))
    }
}
