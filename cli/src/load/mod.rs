//! `wenzhen load`: the load generator of `wenzhen_load`, against a target or against a system of its own.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use wenzhen_channel::Balanced;
use wenzhen_load::compare::{compare, table};
use wenzhen_load::workload::print;
use wenzhen_load::{
    Agent, Endpoints, LoadError, Materials, Options, Progress, Report, Samples, Settings, Style, html, over_profile,
    summary,
};
use wenzhen_pack::Pack;
use wenzhen_service::shutdown;

use crate::args::{CompareArgs, LoadArgs, LoadCommand};
use crate::packs;
use crate::process::{self, Process};

/// Texts of the embedded pack's tests: test data is no part of a pack, so that the pack does not carry it.
const UTTERANCES: &str = include_str!("../../../packs/tcm/tests/utterances.jsonl");
const EMOTIONS: &str = include_str!("../../../packs/tcm/tests/emotions.jsonl");

/// Loads or compares; the exit code is 0 when all is well, 1 when an objective was missed or something regressed, 2 on
/// wrong arguments, 3 when the generator lagged.
///
/// # Errors
/// When the load cannot be run at all or its report not be written.
pub async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let done = match args.command {
        Some(LoadCommand::Compare(compare)) => compare_files(&compare),
        None => load(args).await,
    };
    match done {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => match error.downcast_ref::<LoadError>().filter(|error| error.is_usage()) {
            Some(usage) => {
                writeln!(std::io::stderr().lock(), "error: {usage}")?;
                Ok(ExitCode::from(2))
            }
            None => Err(error),
        },
    }
}

async fn load(args: LoadArgs) -> anyhow::Result<u8> {
    let plain = args.no_color.as_deref().is_some_and(|value| !value.is_empty());
    let options = with_profile(args.options)?;
    let settings = Settings::new(&options)?;
    let materials = materials(options.pack.as_deref())?;
    if let Some(count) = options.print_requests {
        let mut out = std::io::stdout().lock();
        for line in print::requests(&settings, &materials, count)? {
            writeln!(out, "{line}")?;
        }
        return Ok(0);
    }
    let stop = shutdown::on_signals()?;
    let (endpoints, own) = endpoints(&options, settings.agent, &materials.pack).await?;
    let mut progress = progress(&options, plain, &settings);
    let loaded = wenzhen_load::load(&settings, materials, endpoints, stop, &mut progress).await;
    if let Some(own) = own {
        own.stop().await;
    }
    let report = loaded?;
    write_files(&options, &report)?;
    // Somebody who has seen enough closes the pipe; the verdict stands all the same.
    let _ = write!(std::io::stdout().lock(), "{}", summary::summary(&report));
    Ok(report.verdict.exit_code())
}

fn with_profile(flags: Options) -> Result<Options, LoadError> {
    let Some(path) = flags.profile.clone() else { return Ok(flags) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| LoadError::Profile { path: path.clone(), why: error.to_string() })?;
    over_profile(flags, &text).map_err(|why| LoadError::Profile { path, why })
}

/// The pack that requests are made from, and the texts of its tests where it has any.
fn materials(folder: Option<&Path>) -> anyhow::Result<Materials> {
    let Some(folder) = folder else {
        return Ok(Materials::new(packs::embedded()?, Samples::from_lines(UTTERANCES, EMOTIONS))?);
    };
    let pack: Vec<Arc<Pack>> = packs::load(&[folder.to_owned()])?;
    let pack = pack.into_iter().next().ok_or(LoadError::Workload("there is none"))?;
    let lines = |name: &str| std::fs::read_to_string(folder.join("tests").join(name)).unwrap_or_default();
    Ok(Materials::new(pack, Samples::from_lines(&lines("utterances.jsonl"), &lines("emotions.jsonl")))?)
}

/// The targets, or a system in this process.
async fn endpoints(options: &Options, agent: Agent, pack: &Arc<Pack>) -> anyhow::Result<(Endpoints, Option<Process>)> {
    if !options.target.is_empty() {
        return Ok((Endpoints::find(options).await?, None));
    }
    let own = Process::start(process::Options::new(vec![pack.clone()])).await?;
    let channel = match agent {
        Agent::Orchestrator => Balanced::single(own.channel.clone()),
        Agent::Kg => own.agents.kg.clone(),
        Agent::Guidance => own.agents.guidance.clone(),
        Agent::Expert => own.agents.expert.clone(),
        Agent::Empathy => own.agents.empathy.clone(),
        Agent::Vision => own.agents.vision.clone().context("this process has no vision agent")?,
    };
    Ok((Endpoints::in_process(channel), Some(own)))
}

fn progress(options: &Options, plain: bool, settings: &Settings) -> Progress {
    let style = match (options.quiet, plain, std::io::stderr().is_terminal()) {
        (true, _, _) => Style::Quiet,
        (false, false, true) => Style::Block,
        (false, ..) => Style::Lines,
    };
    Progress::new(style, format!("loading {}", settings.agent.name()), Box::new(std::io::stderr()))
}

fn write_files(options: &Options, report: &Report) -> anyhow::Result<()> {
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).map_err(|source| LoadError::File { path: path.to_owned(), source })
    };
    if let Some(path) = &options.json {
        write(path, serde_json::to_string_pretty(report)?)?;
    }
    if let Some(path) = &options.html {
        write(path, html::page(report))?;
    }
    Ok(())
}

fn compare_files(args: &CompareArgs) -> anyhow::Result<u8> {
    let comparison = compare(&read(&args.before)?, &read(&args.after)?, args.threshold.0)?;
    let _ = write!(std::io::stdout().lock(), "{}", table(&comparison));
    Ok(comparison.exit_code())
}

fn read(path: &Path) -> Result<Report, LoadError> {
    let text = std::fs::read_to_string(path).map_err(|source| LoadError::File { path: path.to_owned(), source })?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| LoadError::NoReport { path: path.to_owned(), why: error.to_string() })?;
    if report.format != wenzhen_load::report::FORMAT {
        let why = format!("its format is {}, expected {}", report.format, wenzhen_load::report::FORMAT);
        return Err(LoadError::NoReport { path: path.to_owned(), why });
    }
    Ok(report)
}
