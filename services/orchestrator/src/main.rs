//! The orchestrator as a process of its own.

use std::process::ExitCode;

use wenzhen_orchestrator::process::{OrchestratorArgs, serve};
use wenzhen_service::app;

/// A call makes many small messages: the system's allocator would take a quarter of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    app::run(|args: &OrchestratorArgs| &args.app, serve)
}
