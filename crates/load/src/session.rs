//! A whole load: the target is asked what it holds, requests are made, runs are run or a rate is searched.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use wenzhen_proto::clinical::v1::PackInfo;

use crate::error::LoadError;
use crate::progress::{Progress, millis};
use crate::report::{Report, SearchReport, TargetReport, Trial, Verdict, build};
use crate::run::{Means, run};
use crate::search::{Found, Judgement, Limit, Next, Rules, Search};
use crate::settings::Settings;
use crate::target::Endpoints;
use crate::wire::{Call, Caller};
use crate::workload::{Case, Corpus, Materials};

/// Time for the target to say what it holds.
const DESCRIBE: Duration = Duration::from_secs(5);

/// What every agent's answer to Describe begins with.
#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(message, repeated, tag = "1")]
    packs: Vec<PackInfo>,
    #[prost(string, tag = "2")]
    version: String,
}

/// Loads a target and says what came of it.
///
/// # Errors
/// When nobody answers at the target, it does not hold the pack, or the pack lacks what requests are made from. Calls
/// that fail during a run are counted, they are no error.
pub async fn load(
    settings: &Settings,
    materials: Materials,
    endpoints: Endpoints,
    stop: CancellationToken,
    progress: &mut Progress,
) -> Result<Report, LoadError> {
    let endpoints = Arc::new(endpoints);
    let target = ask(settings, &materials, &endpoints).await?;
    let mut random = rand::SeedableRng::seed_from_u64(settings.seed);
    Case::sample::<rand_chacha::ChaCha8Rng>(&materials.pack, &mut random)
        .ok_or(LoadError::Workload("no condition has a finding that can be told"))?;
    let corpus = Corpus::new(settings.agent, &materials, &settings.weights, (settings.seed, settings.corpus))?;
    let caller = Caller::new(endpoints, settings.timeout, settings.priority);
    let means = Means { materials, corpus, caller, target, stop };
    match settings.search {
        None => one(settings, &means, progress).await,
        Some(rules) => search(settings, &means, progress, rules).await,
    }
}

async fn one(settings: &Settings, means: &Means, progress: &mut Progress) -> Result<Report, LoadError> {
    let (recorded, around) = run(settings, means, progress).await?;
    Ok(build(settings, &recorded, around))
}

/// Asks every connection what it holds, which also makes the connections before anything is measured.
async fn ask(
    settings: &Settings,
    materials: &Materials,
    endpoints: &Arc<Endpoints>,
) -> Result<TargetReport, LoadError> {
    let caller = Caller::new(endpoints.clone(), DESCRIBE, None);
    let manifest = &materials.pack.manifest;
    let digest = materials.pack.digest.to_string();
    let mut report = TargetReport {
        pack: format!("{} {}", manifest.id, manifest.version),
        pack_digest: digest.clone(),
        ..endpoints.report.clone()
    };
    endpoints.ready().await;
    let (mut answered, mut why) = (false, String::new());
    for _ in 0..endpoints.count() {
        let call =
            Call { path: settings.agent.describe_path(), body: Bytes::new(), stream: false, authorization: None };
        let reply = caller.call(call, |_| {}).await;
        match reply.status.code() {
            Code::Ok => {
                answered = true;
                let described = Described::decode(&*reply.last).unwrap_or_default();
                holds(&described, &digest, &report.pack)?;
                report.version = described.version;
            }
            // Somebody is there who knows no Describe, or has too much to do for it.
            Code::Unimplemented | Code::ResourceExhausted => answered = true,
            code => why = format!("{} {}", crate::record::code_name(code), reply.status.message()),
        }
    }
    if answered {
        return Ok(report);
    }
    let target =
        if report.given.is_empty() { "the system in this process".to_owned() } else { report.given.join(", ") };
    Err(LoadError::Unreachable { target, why })
}

fn holds(described: &Described, digest: &str, wanted: &str) -> Result<(), LoadError> {
    if described.packs.is_empty() || described.packs.iter().any(|pack| pack.digest == digest) {
        return Ok(());
    }
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    let held: Vec<_> =
        described.packs.iter().map(|pack| format!("{} {} ({})", pack.id, pack.version, short(&pack.digest))).collect();
    Err(LoadError::Pack { held: held.join(", "), wanted: format!("{wanted} ({})", short(digest)) })
}

async fn search(
    settings: &Settings,
    means: &Means,
    progress: &mut Progress,
    rules: Rules,
) -> Result<Report, LoadError> {
    let mut search = Search::new(rules);
    let (mut trials, mut met, mut last) = (Vec::new(), None::<Report>, None::<Report>);
    let found = loop {
        let (rate, confirming) = match search.next() {
            Next::Done(found) => break found,
            Next::Try { .. } if means.stop.is_cancelled() => break Found { rate: None, limit: Limit::Range },
            Next::Try { rate, confirming } => (rate, confirming),
        };
        progress.begin(format!("trying {rate:.1} {}/s", settings.agent.arrival()));
        let report = one(&settings.at_rate(rate), means, progress).await?;
        if report.stopped_early {
            break Found { rate: None, limit: Limit::Range };
        }
        let trial = trial(rate, confirming, &report);
        progress.line(&line(trials.len() + 1, &trial));
        search.tell(trial.judgement);
        if trial.judgement == Judgement::Met {
            met = Some(report);
        } else {
            last = Some(report);
        }
        trials.push(trial);
    };
    let stopped = means.stop.is_cancelled();
    // The last run that met the objectives is the last confirmation of the answer.
    let (shown, other) = if found.rate.is_some() { (met, last) } else { (last, met) };
    let mut report = match shown.or(other) {
        Some(report) => report,
        None => one(&Settings { search: None, ..settings.clone() }, means, progress).await?,
    };
    conclude(&mut report, found, stopped, settings);
    report.search = Some(SearchReport { rate: found.rate, limit: found.limit, trials });
    Ok(report)
}

fn conclude(report: &mut Report, found: Found, stopped: bool, settings: &Settings) {
    let what = settings.agent.arrival();
    let objectives = settings.slo.to_string();
    let (verdict, remark) = match (found.rate, found.limit) {
        _ if stopped => (Verdict::Missed, "The search was stopped before it had an answer.".to_owned()),
        (Some(rate), Limit::System) => {
            (Verdict::Passed, format!("{rate:.1} {what}/s meet {objectives}, confirmed; the system misses it above."))
        }
        (Some(rate), Limit::Range) => {
            (Verdict::Passed, format!("{rate:.1} {what}/s meet {objectives}, confirmed; nothing higher was tried."))
        }
        (Some(rate), Limit::Generator) => (
            Verdict::GeneratorLagged,
            format!(
                "{rate:.1} {what}/s meet {objectives}, but above it this generator lags: the system may do more. Load from more cores."
            ),
        ),
        (None, Limit::Generator) => {
            (Verdict::GeneratorLagged, "This generator lags at every rate that was tried.".to_owned())
        }
        (None, _) => (Verdict::Missed, format!("No rate was confirmed to meet {objectives}.")),
    };
    report.stopped_early |= stopped;
    report.verdict = verdict;
    report.remarks = vec![remark];
}

fn trial(rate: f64, confirming: bool, report: &Report) -> Trial {
    let judgement = match report.verdict {
        Verdict::Passed => Judgement::Met,
        Verdict::Missed => Judgement::Missed,
        Verdict::GeneratorLagged => Judgement::Lagged,
    };
    let missed = report.objectives.iter().filter(|judged| !judged.met);
    let latency = report.total.latency.as_ref();
    Trial {
        rate,
        confirming,
        judgement,
        answered: report.total.rate,
        p50_ms: latency.map(|latency| latency.p50_ms),
        p99_ms: latency.map(|latency| latency.p99_ms),
        error_share: report.total.error_share,
        shed_share: report.total.shed_share,
        lag_p99_ms: report.lag.p99_ms,
        missed: missed.map(|judged| format!("{} ({})", judged.objective, judged.shown)).collect(),
    }
}

fn line(number: usize, trial: &Trial) -> String {
    let judgement = match trial.judgement {
        Judgement::Met if trial.confirming => "met again".to_owned(),
        Judgement::Met => "met".to_owned(),
        Judgement::Missed if trial.missed.is_empty() => "nothing answered".to_owned(),
        Judgement::Missed => format!("missed {}", trial.missed.join(", ")),
        Judgement::Lagged => format!("generator lagged ({} at p99)", millis(trial.lag_p99_ms)),
    };
    let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), millis);
    format!(
        "{number:>3}  {:>9.1}/s   p50 {:>9}   p99 {:>9}   errors {:.2} %   shed {:.2} %   {judgement}",
        trial.rate,
        time(trial.p50_ms),
        time(trial.p99_ms),
        trial.error_share * 100.0,
        trial.shed_share * 100.0,
    )
}
