//! The vision agent as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use wenzhen_bundle::PackArgs;
use wenzhen_service::Services;
use wenzhen_service::app::{self, App, AppArgs, Failure};
use wenzhen_vision::limits::PictureArgs;
use wenzhen_vision::model::ModelArgs;
use wenzhen_vision::{Gathering, Settings, VisionMetrics, VisionServer};

/// Pictures are large and short-lived: freed memory goes back at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "\
Examples:
  wenzhen-vision --listen 0.0.0.0:7000 --admin-listen 0.0.0.0:7100
      The embedded pack and model, for other hosts to call; /readyz says when both are loaded.
  wenzhen-vision --model my-model --max-picture-bytes 8388608
      A model of your own, trained with training/tongue; files of at most 8 MiB.
  wenzhen-vision --tls-cert tls.crt --tls-key tls.key --tls-ca ca.crt --tls-client-auth required
      Only those get through whose certificate the CA has signed.";

/// Wenzhen's vision agent: a photograph of a tongue to findings, or to a word on what is wrong with it
///
/// Starts alone and depends on nothing but its packs and its model. NOT_SERVING until the model has looked once; after
/// SIGTERM calls finish within the drain budget. Nothing of a picture is written anywhere.
#[derive(Parser, Debug)]
#[command(name = "wenzhen-vision", version, after_help = EXAMPLES)]
#[command(mut_arg("max_in_flight", |arg| arg.default_value(app::cpu_bound())))]
struct Args {
    #[command(flatten)]
    packs: PackArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    app: AppArgs,
}

fn main() -> ExitCode {
    app::run(|args: &Args| &args.app, serve)
}

async fn serve(args: Args, app: App) -> Result<(), Failure> {
    let (packs, model) = (args.packs, args.model);
    let packs = app.prepare("packs", move || packs.load());
    let engine = app.prepare("model", move || model.load());
    let (packs, engine) = tokio::try_join!(packs, engine)?;
    let server = VisionServer::new(Settings {
        packs,
        model: Some(engine.into()),
        limits: args.pictures.limits(),
        gathering: Gathering::default(),
        metrics: VisionMetrics::register(app.metrics()),
    });
    app.serve(Services::new().with(server.into_service())).await
}
