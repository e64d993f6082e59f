//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use wenzhen_llm::candle::random::Shape;
use wenzhen_pack::Locale;
use wenzhen_service::config::{LimitArgs, LogArgs, OtlpArgs, Secret};
use wenzhen_voices::EngineArgs;

/// Wenzhen: a consultation that asks before it answers.
///
/// Without a command it starts every service in this process and opens a chat.
#[derive(Parser, Debug)]
#[command(name = "wenzhen", version)]
pub struct Cli {
    /// What to do; a chat when nothing is said
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The chat that opens without a command
    #[command(flatten)]
    pub chat: ChatArgs,
    /// Log lines
    #[command(flatten)]
    pub log: LogArgs,
    /// Traces
    #[command(flatten)]
    pub otlp: OtlpArgs,
}

impl Cli {
    /// Reads the command line; what is wrong with it is told and ends the process. The options of
    /// logs and traces may stand before the command or behind it.
    pub fn read() -> Self {
        let everywhere = ["log_format", "log_filter", "otlp_endpoint", "sample_ratio"];
        let command = everywhere.into_iter().fold(Self::command(), |c, id| c.mut_arg(id, |arg| arg.global(true)));
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Hold a consultation in this terminal
    Chat(ChatArgs),
    /// Keep every service of one process on real ports
    Serve(ServeArgs),
    /// Check packs
    #[command(subcommand)]
    Pack(PackCommand),
    /// Measure
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Language models
    #[command(subcommand)]
    Model(ModelCommand),
    /// See how good a model is, on labelled data of your own
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Load one agent alone, or the orchestrator with whole consultations
    #[command(after_long_help = LOAD_HELP)]
    Load(Box<LoadArgs>),
}

/// A language.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Chinese
    Zh,
    /// English
    En,
}

impl From<Lang> for Locale {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Zh => Self::Zh,
            Lang::En => Self::En,
        }
    }
}

/// Where packs and consultations are.
#[derive(Args, Debug, Clone, Default)]
pub struct DataArgs {
    /// Folder of a pack; may be given several times, the first is the default; unset: the embedded pack
    #[arg(long = "pack", env = "WENZHEN_PACK", value_delimiter = ',')]
    pub packs: Vec<PathBuf>,
    /// File that keeps consultations [default: consultations.redb in the user's data folder]
    #[arg(long, env = "WENZHEN_STORE")]
    pub store: Option<PathBuf>,
    /// Keep consultations in memory only
    #[arg(long, env = "WENZHEN_MEMORY", conflicts_with = "store")]
    pub memory: bool,
}

/// A chat.
#[derive(Args, Debug, Clone, Default)]
pub struct ChatArgs {
    /// Talk to a running server (http://HOST:PORT) instead of starting one
    #[arg(long, env = "WENZHEN_CONNECT")]
    pub connect: Option<String>,
    /// Language of the first words [default: from LC_ALL, LC_MESSAGES or LANG, else zh]
    #[arg(long, env = "WENZHEN_LANG")]
    pub lang: Option<Lang>,
    /// Read messages from standard input, one a line, and print one protobuf-JSON object a line
    #[arg(long)]
    pub json: bool,
    /// What is known beforehand, such as age=34,sex=f,pregnant=no,weeks=12,allergy=…,medicine=…
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub patient: Option<String>,
    /// Scoring strategy, bayes-plain or dopi; unset: the pack's
    #[arg(long)]
    pub strategy: Option<String>,
    /// Clinician key for /clinician with --connect
    #[arg(long, env = "WENZHEN_CLINICIAN_KEY", hide_env_values = true)]
    pub clinician_key: Option<Secret>,
    /// What the user's environment says
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// Where packs and consultations are
    #[command(flatten)]
    pub data: DataArgs,
    /// Who speaks
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Conventions of terminals that are kept in the environment.
#[derive(Args, Debug, Clone, Default)]
pub struct EnvironmentArgs {
    /// No colour, when it has any value but the empty one
    #[arg(long, env = "NO_COLOR", hide = true)]
    pub no_color: Option<String>,
    /// The user's locale, strongest first
    #[arg(long, env = "LC_ALL", hide = true)]
    pub lc_all: Option<String>,
    /// The locale of messages
    #[arg(long, env = "LC_MESSAGES", hide = true)]
    pub lc_messages: Option<String>,
    /// The locale where nothing stronger is set
    #[arg(long, env = "LANG", hide = true)]
    pub lang_variable: Option<String>,
}

/// Services on real ports.
#[derive(Args, Debug, Clone)]
pub struct ServeArgs {
    /// Address of the orchestrator; kg, guidance, expert, empathy and vision take the five ports above it; port 0 takes free ones
    #[arg(long, env = "WENZHEN_LISTEN", default_value = "127.0.0.1:7000")]
    pub listen: SocketAddr,
    /// Address of the plaintext admin port (/livez, /readyz, /metrics)
    #[arg(long, env = "WENZHEN_ADMIN_LISTEN", default_value = "127.0.0.1:7100")]
    pub admin_listen: SocketAddr,
    /// A clinician key as NAME:KEY; may be given several times
    #[arg(long = "clinician", env = "WENZHEN_CLINICIANS", value_delimiter = ',', hide_env_values = true)]
    pub clinicians: Vec<Secret>,
    /// Limits
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Where packs and consultations are
    #[command(flatten)]
    pub data: DataArgs,
    /// Who speaks
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Pack tools.
#[derive(Subcommand, Debug)]
pub enum PackCommand {
    /// Load a pack folder and print every mistake, or what the pack holds
    Check {
        /// The folder; unset: the embedded pack
        folder: Option<PathBuf>,
    },
}

/// Benchmarks.
#[derive(Subcommand, Debug)]
pub enum BenchCommand {
    /// Whole turns through every service of this process
    Turn(BenchTurnArgs),
    /// A language model on this machine
    Llm(BenchLlmArgs),
    /// The networks that read photographs, and the way of a large photograph to its verdict
    Vision(BenchVisionArgs),
}

/// A number with bounds.
fn between(least: u64, most: u64) -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(least..=most)
}

/// Options of `bench llm`.
#[derive(Args, Debug, Clone)]
pub struct BenchLlmArgs {
    /// A folder in Hugging Face's layout, or a GGUF file
    #[arg(long)]
    pub model: PathBuf,
    /// Tokens of each prompt
    #[arg(long, default_value = "256", value_parser = between(1, 131_072))]
    pub prompt: usize,
    /// Tokens that each sequence goes on by
    #[arg(long, default_value = "64", value_parser = between(1, 131_072))]
    pub generate: usize,
    /// Sequences at once, one measurement each
    #[arg(long, value_delimiter = ',', default_value = "1,4,8,16", value_parser = between(1, 256))]
    pub batch: Vec<usize>,
    /// Round the weights to 8 bits
    #[arg(long)]
    pub eight_bits: bool,
    /// Tokens of the beginning that eight consultations share, to measure what reusing it saves; 0 leaves it out
    #[arg(long, value_name = "TOKENS", default_value = "600", value_parser = between(0, 16_384))]
    pub shared_prefix: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `bench vision`.
#[derive(Args, Debug, Clone)]
pub struct BenchVisionArgs {
    /// Runs of each measurement, of which the middle one is told
    #[arg(long, default_value = "15")]
    pub runs: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Language-model tools.
#[derive(Subcommand, Debug)]
pub enum ModelCommand {
    /// Write a model with random weights, for tests and measurements
    Random(ModelRandomArgs),
}

/// Options of `model random`.
#[derive(Args, Debug, Clone)]
pub struct ModelRandomArgs {
    /// tiny-qwen2, tiny-qwen3, tiny-llama, qwen2.5-0.5b or qwen3-0.6b
    #[arg(long)]
    pub shape: Shape,
    /// The folder to write to
    #[arg(long)]
    pub out: PathBuf,
    /// Write a GGUF file instead of a folder in Hugging Face's layout
    #[arg(long)]
    pub gguf: Option<Gguf>,
    /// Seed of the weights
    #[arg(long, default_value = "1")]
    pub seed: u64,
}

/// Blocks of weights in a GGUF file.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gguf {
    /// 8 bits
    #[value(name = "q8_0")]
    Q8,
    /// About 4.8 bits, mixed
    #[value(name = "q4_k_m")]
    Q4,
}

/// Evaluations.
#[derive(Subcommand, Debug)]
pub enum EvalCommand {
    /// Photographs of tongues: how well each head reads them, how many are refused
    Tongue(EvalTongueArgs),
}

/// Options of `eval tongue`.
#[derive(Args, Debug, Clone)]
pub struct EvalTongueArgs {
    /// Folder with labels.tsv (an id and a label a column, NA for none) and the pictures under raw/
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder of pictures that show no tongue
    #[arg(long, value_name = "DIR")]
    pub others: Option<PathBuf>,
    /// Folder of another model than the built-in one
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `bench turn`.
#[derive(Args, Debug, Clone)]
pub struct BenchTurnArgs {
    /// Seconds of each measurement
    #[arg(long, default_value = "8")]
    pub seconds: u64,
    /// Clients at once
    #[arg(long, default_value = "256")]
    pub clients: usize,
    /// Turns a second in the latency measurement
    #[arg(long, default_value = "50")]
    pub rate: u32,
    /// Open consultations in the last measurement; 0 leaves it out
    #[arg(long, default_value = "100000")]
    pub open: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A load, or a comparison of two.
#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LoadArgs {
    /// What to do instead of loading
    #[command(subcommand)]
    pub command: Option<LoadCommand>,
    /// The load
    #[command(flatten)]
    pub options: wenzhen_load::Options,
    /// No refreshing block, when it has any value but the empty one
    #[arg(long, env = "NO_COLOR", hide = true)]
    pub no_color: Option<String>,
}

/// What can be done with reports.
#[derive(Subcommand, Debug, Clone)]
pub enum LoadCommand {
    /// Compare two JSON reports; exit code 1 when the second is worse by more than the threshold and more than noise
    Compare(CompareArgs),
}

/// Two reports.
#[derive(Args, Debug, Clone)]
pub struct CompareArgs {
    /// Report of the run before
    pub before: PathBuf,
    /// Report of the run after
    pub after: PathBuf,
    /// Change from which on it counts
    #[arg(long, value_name = "SHARE", default_value = "10%")]
    pub threshold: wenzhen_load::units::Share,
}

/// Examples for `wenzhen load --help`.
const LOAD_HELP: &str = "\
Latency counts from the moment at which a call was due. Good answers make latencies; sheds (RESOURCE_EXHAUSTED) and
failures are counted apart. A run whose own sends lag fails with exit code 3: its figures say more of this machine.

Exit codes: 0 all is well, 1 an objective was missed or nothing was answered, 2 wrong arguments, 3 the generator lagged.

Examples:
  A first try, on a system in this process:
    wenzhen load kg
  Three replicas, a hundred calls a second for a minute, a page to look at:
    wenzhen load guidance --target http://guidance:7000 --rate 100 --duration 1m --html guidance.html
  Questions only, from 50 to 500 a second, evenly spaced:
    wenzhen load guidance --target http://guidance:7000 --method Ask --shape ramp:50..500 --arrivals constant
  Whole consultations, 3 patients a second, who think as people do:
    wenzhen load orchestrator --target http://orchestrator:7000 --rate 3 --duration 10m --warmup 2m
  The highest rate at which 99 % are answered within 50 ms:
    wenzhen load expert --target http://expert:7000 --search max-rps --slo 'p99<50ms,errors<0.1%'
  A check for a pipeline, from a profile, and what changed since yesterday:
    wenzhen load kg --target http://kg:7000 --profile deploy/load/smoke.toml --json today.json
    wenzhen load compare yesterday.json today.json --threshold 10%
  Requests for another tool:
    wenzhen load kg --print-requests 1000 > advance.jsonl";
