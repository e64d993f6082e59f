//! The guidance agent as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use wenzhen_bundle::PackArgs;
use wenzhen_guidance::{Error, GuidanceServer};
use wenzhen_proto::guidance::v1::guidance_service_server::GuidanceServiceServer;
use wenzhen_service::Services;
use wenzhen_service::app::{self, App, AppArgs, Failure};
use wenzhen_voices::EngineArgs;

/// A call makes many small messages: the system's allocator would take a quarter of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "\
Examples:
  wenzhen-guidance --listen 0.0.0.0:7000 --admin-listen 0.0.0.0:7100
      The embedded pack, for other hosts to call; /readyz says when it is loaded.
  wenzhen-guidance --config guidance.toml --log-format json
      Settings from a file, such as:  listen = \"0.0.0.0:7000\"
  wenzhen-guidance --tls-cert tls.crt --tls-key tls.key --tls-ca ca.crt --tls-client-auth required
      Only those get through whose certificate the CA has signed.
  wenzhen-guidance --voice openai --engine-url http://vllm:8000/v1 --model qwen2.5-7b-instruct
      A language model speaks, under the checks of the built-in voice, which answers where the model fails.";

/// Wenzhen's guidance agent: words to observations, findings to questions
///
/// Starts alone and depends on nothing but its packs, and its model where it has one. NOT_SERVING until they are loaded; after SIGTERM calls finish
/// within the drain budget.
#[derive(Parser, Debug)]
#[command(name = "wenzhen-guidance", version, after_help = EXAMPLES)]
#[command(mut_arg("max_in_flight", |arg| arg.default_value(app::cpu_bound())))]
struct Args {
    #[command(flatten)]
    packs: PackArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    app: AppArgs,
}

fn main() -> ExitCode {
    app::run(|args: &Args| &args.app, serve)
}

async fn serve(args: Args, app: App) -> Result<(), Failure> {
    args.engine.refuse()?;
    let packs = app.prepare("packs", move || args.packs.load()).await?;
    let speaker = args.engine.open(&app, &packs).await?;
    let server =
        app.prepare("voice", move || -> Result<_, Error> { GuidanceServer::new(packs)?.speaking(speaker) }).await?;
    app.serve(Services::new().with(GuidanceServiceServer::new(server))).await
}
