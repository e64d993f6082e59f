//! `wenzhen load`: every agent of a real system is loaded, and the command's exit codes and files are what scripts rely on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tokio_util::sync::CancellationToken;
use wenzhen::process::Process;
use wenzhen_channel::Balanced;
use wenzhen_load::{
    Agent, Endpoints, Materials, Options, Progress, Report, Samples, Settings, Style, Verdict, over_profile,
};
use wenzhen_proto::clinical::v1::Agent as Missing;

/// A short load. Tests run beside each other on few cores: how late the generator is there says nothing.
fn options(agent: Agent) -> Options {
    Options {
        agent: Some(agent),
        corpus: Some(40),
        rate: Some(40.0),
        warmup: Some("200ms".parse().unwrap()),
        duration: Some("1500ms".parse().unwrap()),
        max_lag_p99: Some("1m".parse().unwrap()),
        max_late: Some("100%".parse().unwrap()),
        ..Options::default()
    }
}

async fn load(process: &Process, options: &Options) -> Report {
    let settings = Settings::new(options).unwrap();
    let channel = match settings.agent {
        Agent::Orchestrator => Balanced::single(process.channel.clone()),
        Agent::Kg => process.agents.kg.clone(),
        Agent::Guidance => process.agents.guidance.clone(),
        Agent::Expert => process.agents.expert.clone(),
        Agent::Empathy => process.agents.empathy.clone(),
        Agent::Vision => process.agents.vision.clone().unwrap(),
    };
    let materials = Materials::new(support::pack().clone(), Samples::default()).unwrap();
    let mut progress = Progress::new(Style::Quiet, "test", Box::new(std::io::sink()));
    let stop = CancellationToken::new();
    wenzhen_load::load(&settings, materials, Endpoints::in_process(channel), stop, &mut progress).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_agent_understands_what_it_is_sent() {
    let process = support::system().await;
    for agent in [Agent::Kg, Agent::Guidance, Agent::Expert, Agent::Empathy] {
        let report = load(&process, &options(agent)).await;
        let name = agent.name();
        assert!(report.total.ok > 20, "{name}: {} good answers", report.total.ok);
        assert_eq!((report.total.failed, report.total.refused), (0, 0), "{name}: {:?}", report.total.codes);
        assert_eq!(report.verdict, Verdict::Passed, "{name}: {:?}", report.remarks);
        assert!(report.target.pack_digest == support::pack().digest.to_string(), "{name}");
        for (method, figures) in &report.methods {
            assert!(figures.ok > 0, "{name}: {method}");
        }
    }
    process.stop().await;
}

/// Patients who hardly think, and do everything that patients do.
fn patients() -> Options {
    Options {
        rate: Some(8.0),
        duration: Some("4s".parse().unwrap()),
        think: Some("fixed:5ms".parse().unwrap()),
        undo: Some("50%".parse().unwrap()),
        why: Some("50%".parse().unwrap()),
        delete: Some("50%".parse().unwrap()),
        ..options(Agent::Orchestrator)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_consultations_are_held() {
    let process = support::system().await;
    let report = load(&process, &patients()).await;
    let held = report.consultations.as_ref().unwrap();
    assert_eq!((report.total.failed, report.total.shed), (0, 0), "{:?}", report.methods);
    assert_eq!(held.abandoned, 0);
    assert!(held.completed >= 5, "{held:?}");
    assert_eq!(held.started, held.completed + held.cut);
    assert!(held.turns > held.completed * 3, "{held:?}");
    assert!(held.decisions.contains_key("ASK") && held.decisions.contains_key("DIAGNOSE"), "{:?}", held.decisions);
    let methods: Vec<&str> = report.methods.keys().map(String::as_str).collect();
    let all: Vec<&str> = Agent::Orchestrator.methods().iter().map(|method| method.name).collect();
    assert!(all.iter().all(|method| methods.contains(method)), "{methods:?}");
    assert!(report.methods["SendMessage"].first_item.is_some());
    assert_eq!(report.total.latency, report.methods["SendMessage"].latency, "the headline is that of turns");
    assert!(report.degraded.is_empty(), "{:?}", report.degraded);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_without_an_agent_are_counted_as_degraded() {
    let process = support::system_without(&[Missing::Kg]).await;
    let report = load(&process, &Options { duration: Some("2s".parse().unwrap()), ..patients() }).await;
    assert!(report.total.degraded > 0, "{:?}", report.degraded);
    assert!(report.degraded.keys().all(|label| label.starts_with("kg: ")), "{:?}", report.degraded);
    process.stop().await;
}

#[test]
fn every_profile_fits_every_agent() {
    let folder = support::folder("../deploy/load");
    let mut profiles = 0;
    for entry in std::fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(|e| e.path().extension().is_some_and(|e| e == "toml"))
    {
        profiles += 1;
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for agent in Agent::ALL {
            let flags = Options { agent: Some(agent), ..Options::default() };
            let options = over_profile(flags, &text).unwrap_or_else(|why| panic!("{:?}: {why}", entry.path()));
            Settings::new(&options).unwrap_or_else(|why| panic!("{:?} {}: {why}", entry.path(), agent.name()));
        }
    }
    assert!(profiles >= 4, "smoke, steady, spike, soak");
}

/// A system in a process of its own, and the addresses of its services.
struct Server {
    child: Child,
    addresses: BTreeMap<String, String>,
}

impl Server {
    fn start() -> Self {
        let mut child = wenzhen()
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
                "--memory",
            ])
            .arg("--pack")
            .arg(support::folder("../packs/tcm"))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut addresses = BTreeMap::new();
        while addresses.len() < Agent::ALL.len() {
            let line = lines.next().expect("the server says where it listens").unwrap();
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let (Some(service), Some(address)) = (line["service"].as_str(), line["address"].as_str()) {
                addresses.insert(service.to_owned(), format!("http://{address}"));
            }
        }
        // What it logs later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, addresses }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wenzhen() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wenzhen"));
    command.env_remove("LANG").env_remove("LC_ALL");
    command
}

/// `wenzhen load` with arguments in one line, then more that may hold spaces.
fn run(line: &str, more: &[&Path]) -> Output {
    wenzhen().arg("load").args(line.split_whitespace()).args(more).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const SHORT: &str = "--rate 30 --duration 1s --warmup 200ms --corpus 20 --max-lag-p99 1m --max-late 100%";

#[test]
fn the_command_has_its_exit_codes_and_files() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (before, page) = (file("before.json"), file("page.html"));
    let kg = &server.addresses["kg"];
    let pack = support::folder("../packs/tcm");
    let files = [Path::new("--json"), &before, Path::new("--html"), &page, Path::new("--pack"), &pack];
    let output = run(&format!("kg --target {kg} {SHORT}"), &files);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("passed"));
    let report: Report = serde_json::from_str(&std::fs::read_to_string(&before).unwrap()).unwrap();
    assert!(report.total.ok > 10 && report.total.failed == 0);
    assert_eq!(report.instances.len(), 1);
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));

    let missed = run(&format!("kg --target {kg} {SHORT} --slo p50<1us,errors<1%"), &files[4..]);
    assert_eq!(missed.status.code(), Some(1), "{}", said(&missed));
    assert!(said(&missed).contains("MISSED"));
    let strict = SHORT.replace("--max-lag-p99 1m", "--max-lag-p99 1us");
    let lagged = run(&format!("kg --target {kg} {strict}"), &files[4..]);
    assert_eq!(lagged.status.code(), Some(3), "{}", said(&lagged));
    assert!(said(&lagged).contains("generator did not keep up"));

    compares(&report, &before, folder.path());
}

/// A report beside itself, beside a slower one, beside another agent's, beside something else.
fn compares(report: &Report, before: &Path, folder: &Path) {
    let write = |name: &str, change: &dyn Fn(&mut Report)| {
        let mut changed = report.clone();
        // Ten slices of a steady run, so that there is something to judge by.
        let slice = changed.slices.first().cloned().unwrap_or_default();
        changed.slices = vec![slice; 10];
        change(&mut changed);
        let path = folder.join(name);
        std::fs::write(&path, serde_json::to_string(&changed).unwrap()).unwrap();
        path
    };
    let same = write("same.json", &|_| {});
    let slower = write("slower.json", &|report| {
        let double = |ms: &mut Option<f64>| *ms = ms.map(|ms| ms * 2.0);
        report.slices.iter_mut().for_each(|slice| double(&mut slice.p50_ms));
        if let Some(latency) = &mut report.total.latency {
            latency.p50_ms *= 2.0;
        }
    });
    let other = write("other.json", &|report| report.agent = "expert".to_owned());
    let rows: [(&Path, i32, &str); 5] = [
        (&same, 0, "same"),
        (&slower, 1, "WORSE"),
        (&other, 2, "cannot be compared"),
        (&folder.join("page.html"), 1, "no report"),
        (&folder.join("nothing.json"), 1, "nothing.json"),
    ];
    for (after, code, says) in rows {
        let output = run("compare", &[&same, after]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(says), "{}", said(&output));
    }
    let itself = run("compare", &[before, before]);
    assert_eq!(itself.status.code(), Some(0), "{}", said(&itself));
}

#[test]
fn what_is_wrong_with_a_command_is_one_clear_line() {
    let rows = [
        ("", 2, "say what to load"),
        ("nobody", 2, "orchestrator"),
        ("kg --closed 2 --rate 3", 2, "--closed"),
        ("kg --search max-rps", 2, "--slo"),
        ("kg --slo p99<fast", 2, "p99<50ms"),
        ("kg --shape square", 2, "ramp"),
        ("kg --profile nowhere.toml", 2, "nowhere.toml"),
        ("kg --target ftp://127.0.0.1:1", 2, "http://HOST:PORT"),
        ("kg --target https://127.0.0.1:1", 2, "--tls-ca"),
        ("guidance --print-requests 3", 2, "--method"),
        ("kg --target http://127.0.0.1:1 --balance turn", 1, "cannot reach http://127.0.0.1:1"),
    ];
    for (line, code, says) in rows {
        let output = run(line, &[]);
        assert_eq!(output.status.code(), Some(code), "{line}: {}", said(&output));
        assert!(said(&output).contains(says), "{line}: {}", said(&output));
        assert!(!said(&output).contains("panicked"), "{line}");
    }
}

#[test]
fn requests_are_printed_one_a_line() {
    let output = run("guidance --method Interpret --print-requests 7", &[]);
    assert!(output.status.success(), "{}", said(&output));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7);
    assert!(lines.iter().all(|line| line["text"].is_string() && line["pins"]["packDigest"].is_string()));
}

#[test]
fn the_recipe_for_another_tool_names_the_right_call() {
    let script = support::folder("../deploy/load/ghz/run.sh");
    let dry = |arguments: &[&str]| {
        let mut command = Command::new("bash");
        command.arg(&script).args(arguments).env("DRY_RUN", "1").env("WENZHEN", env!("CARGO_BIN_EXE_wenzhen"));
        command.output().unwrap()
    };
    for (arguments, call) in [
        (["kg", "h:1", "5", "1s", "Advance"], "wenzhen.kg.v1.KgService/Advance"),
        (["empathy", "h:1", "5", "1s", "Modulate"], "wenzhen.empathy.v1.EmpathyService/Modulate"),
        (["orchestrator", "h:1", "5", "1s", "StartConsultation"], "OrchestratorService/StartConsultation"),
    ] {
        let output = dry(&arguments);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains(call) && said(&output).contains("--rps 5"), "{}", said(&output));
    }
    assert_eq!(dry(&["nobody", "h:1", "5", "1s"]).status.code(), Some(2));
}

#[test]
fn an_interrupted_load_tells_what_ran() {
    let server = Server::start();
    let mut child = wenzhen()
        .args(["load", "kg", "--rate", "30", "--duration", "1h", "--warmup", "100ms", "--corpus", "20"])
        .args(["--max-lag-p99", "1m", "--max-late", "100%", "--target", &server.addresses["kg"], "--pack"])
        .arg(support::folder("../packs/tcm"))
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its first line of progress says that calls are being answered.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("p99") && !line.contains('\u{1b}'), "{line}");
    let interrupted = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("stopped early"), "{}", said(&output));
}
