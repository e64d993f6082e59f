//! The `wenzhen` command.

use std::process::ExitCode;

use wenzhen::args::{BenchCommand, Cli, Command, EvalCommand, ModelCommand, PackCommand};
use wenzhen::{bench, chat, eval, load, model, packs, serve};

/// A turn makes many small messages: the system's allocator would take a quarter of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    let mut cli = Cli::read();
    // A chat is read by a person: only what needs attention is logged beside it.
    let chatting = matches!(cli.command, None | Some(Command::Chat(_)));
    if chatting && cli.log.log_filter == "info" {
        cli.log.log_filter = "error".into();
    }
    // A load takes the time of every call: a line for each would be measured too.
    if matches!(cli.command, Some(Command::Load(_))) && cli.log.log_filter == "info" {
        cli.log.log_filter = "warn".into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let _telemetry = wenzhen_service::telemetry::init(&cli.log, &cli.otlp, "wenzhen")?;
        wenzhen_service::install_crypto();
        match cli.command {
            None => chat::run(cli.chat).await,
            Some(Command::Chat(args)) => chat::run(args).await,
            Some(Command::Serve(args)) => serve::run(args).await,
            Some(Command::Pack(PackCommand::Check { folder })) => packs::check(folder.as_deref()),
            Some(Command::Bench(BenchCommand::Turn(args))) => bench::turn(args).await,
            Some(Command::Bench(BenchCommand::Llm(args))) => bench::llm(args).await,
            Some(Command::Model(ModelCommand::Random(args))) => model::random(&args),
            Some(Command::Bench(BenchCommand::Vision(args))) => bench::vision(&args),
            Some(Command::Eval(EvalCommand::Tongue(args))) => eval::tongue(&args),
            Some(Command::Load(args)) => return load::run(*args).await,
        }
        .map(|()| ExitCode::SUCCESS)
    })
}
