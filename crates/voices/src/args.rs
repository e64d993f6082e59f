//! Flags of the voice, and the engine that they describe.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use tokio::runtime::Handle;
use wenzhen_llm::Engine;
use wenzhen_pack::Pack;
use wenzhen_service::app::{App, Failure};
use wenzhen_service::health::Dependency;
use wenzhen_service::{Metrics, Readiness};

use crate::{Speaker, VoiceMetrics};

/// How long after a failed probe the next one comes.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Who speaks.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// Rules, lexicons and sentences of the pack.
    #[default]
    Builtin,
    /// A language model in this process.
    Candle,
    /// A language model behind an OpenAI-compatible server.
    Openai,
}

impl Voice {
    /// The name, as `Describe` gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Candle => "candle",
            Self::Openai => "openai",
        }
    }
}

/// How an engine is asked for JSON.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonForm {
    /// `response_format` with the schema: vLLM, SGLang, llama.cpp, newer TGI.
    #[default]
    JsonSchema,
    /// `response_format` that says JSON, no schema.
    JsonObject,
    /// `response_format` that says JSON, with the schema beside it: llama-cpp-python.
    ObjectSchema,
    /// The prompt alone.
    Plain,
}

/// Where a model in this process is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number among those that the process sees.
    Cuda(usize),
}

impl FromStr for Device {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "there are cpu, cuda (the first GPU) and cuda:N";
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| wrong),
            _ => Err(wrong),
        }
    }
}

/// Which voice an agent has, and where its model is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Voice")]
pub struct EngineArgs {
    /// Who speaks: rules and sentences of the pack, a model in this process, or one behind an OpenAI-compatible server
    #[arg(long, env = "WENZHEN_VOICE", value_enum, default_value = "builtin")]
    pub voice: Voice,
    /// The model: for candle a folder with safetensors or a GGUF file, for openai its name at the server
    #[arg(long, env = "WENZHEN_MODEL", value_name = "PATH|NAME", required_if_eq_any([("voice", "candle"), ("voice", "openai")]))]
    pub model: Option<String>,
    /// Base URLs of the server's replicas, such as http://vllm:8000/v1; balanced by requests in flight
    #[arg(
        long,
        env = "WENZHEN_ENGINE_URL",
        value_name = "URL",
        value_delimiter = ',',
        required_if_eq("voice", "openai")
    )]
    pub engine_url: Vec<String>,
    /// File with the server's key; read again when it changes
    #[arg(long, env = "WENZHEN_ENGINE_KEY_FILE", value_name = "FILE")]
    pub engine_key_file: Option<PathBuf>,
    /// File with the certificates (PEM) that an https server's is checked against
    #[arg(long, env = "WENZHEN_ENGINE_CA", value_name = "FILE")]
    pub engine_ca: Option<PathBuf>,
    /// How the server is asked for JSON
    #[arg(long, env = "WENZHEN_ENGINE_JSON", value_enum, default_value = "json-schema")]
    pub engine_json: JsonForm,
    /// Tokens of prompt and answer together [default: candle 8192, openai 4096]
    #[arg(long, env = "WENZHEN_ENGINE_CONTEXT", value_name = "TOKENS", value_parser = value_parser!(u32).range(256..=10_000_000))]
    pub engine_context: Option<u32>,
    /// Generations at once; more wait, and what does not fit is answered by the built-in voice [default: candle 16, openai 64]
    #[arg(long, env = "WENZHEN_ENGINE_SLOTS", value_name = "N", value_parser = value_parser!(u32).range(1..=4096))]
    pub engine_slots: Option<u32>,
    /// Where candle computes: cpu, cuda (the first GPU) or cuda:N; a GPU needs a program built with the feature `cuda`
    #[arg(long, env = "WENZHEN_ENGINE_DEVICE", value_name = "DEVICE", default_value = "cpu")]
    pub engine_device: Device,
    /// The longest that one answer may take, in milliseconds; then the built-in voice answers
    #[arg(long, env = "WENZHEN_ENGINE_TIMEOUT_MS", value_name = "MS", default_value = "20000", value_parser = value_parser!(u64).range(100..=600_000))]
    pub engine_timeout_ms: u64,
    /// How long to be NOT_SERVING at the start for want of a generation, in milliseconds; then it is done without
    #[arg(long, env = "WENZHEN_ENGINE_PATIENCE_MS", value_name = "MS", default_value = "60000", value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub engine_patience_ms: u64,
}

/// Why there is no engine. One line each; no key is repeated.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The program was built without this engine.
    #[error("--voice {0}: this program was built without it (cargo feature `{0}`)")]
    NotBuilt(&'static str),
    /// A pack has no prompts.
    #[error("--voice {voice}: the pack {pack} has no prompts/ folder, so that no model can speak from it")]
    NoPrompts {
        /// The voice.
        voice: &'static str,
        /// Name of the pack.
        pack: String,
    },
    /// A flag is missing or belongs to another voice.
    #[error("{0}")]
    Flag(String),
    /// The engine cannot be started.
    #[error("--voice {voice}: {cause}")]
    Start {
        /// The voice.
        voice: &'static str,
        /// Why.
        cause: String,
    },
}

impl Default for EngineArgs {
    /// As without any flag: the built-in voice.
    fn default() -> Self {
        Self {
            voice: Voice::Builtin,
            model: None,
            engine_url: Vec::new(),
            engine_key_file: None,
            engine_ca: None,
            engine_json: JsonForm::default(),
            engine_context: None,
            engine_slots: None,
            engine_device: Device::default(),
            engine_timeout_ms: 20_000,
            engine_patience_ms: 60_000,
        }
    }
}

impl EngineArgs {
    /// The speaker that the flags describe; `None` for the built-in voice.
    ///
    /// # Errors
    /// When the flags contradict each other ([`Self::refuse`] says it sooner), a pack has no prompts, or the model does
    /// not load.
    pub async fn open(&self, app: &App, packs: &[Arc<Pack>]) -> Result<Option<Speaker>, Failure> {
        self.start(packs, app.metrics(), app.readiness()).await.map_err(|error| match error {
            EngineError::Start { .. } => Failure::from(error),
            wrong => Failure::configuration(wrong.to_string()),
        })
    }

    /// Refuses flags that contradict each other. Takes no time: to be asked before anything is loaded.
    ///
    /// # Errors
    /// When they do.
    pub fn refuse(&self) -> Result<(), Failure> {
        self.check().map_err(|wrong| Failure::configuration(wrong.to_string()))
    }

    /// As [`Self::open`], for a process of many services. Not ready until the model has generated something.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn start(
        &self,
        packs: &[Arc<Pack>],
        metrics: &Metrics,
        readiness: &Readiness,
    ) -> Result<Option<Speaker>, EngineError> {
        let voice = self.voice.name();
        self.check()?;
        if self.voice == Voice::Builtin {
            return Ok(None);
        }
        if let Some(pack) = packs.iter().find(|pack| pack.prompts.is_none()) {
            return Err(EngineError::NoPrompts { voice, pack: pack.manifest.id.clone() });
        }
        let dependency = readiness.dependency("model");
        let args = self.clone();
        let runtime = Handle::current();
        let made = tokio::task::spawn_blocking(move || args.engine(runtime)).await;
        let cause = |cause: String| EngineError::Start { voice, cause };
        let engine = made.map_err(|_| cause("loading the model failed".to_owned()))??;
        let counts = VoiceMetrics::new(metrics, &engine);
        let speaker = Speaker::new(voice, engine, Duration::from_millis(self.engine_timeout_ms), counts);
        if self.voice == Voice::Candle {
            speaker.probe().await.map_err(|fault| cause(format!("the model generates nothing: {fault}")))?;
            dependency.up();
        } else {
            let patience = Duration::from_millis(self.engine_patience_ms);
            tokio::spawn(await_first(speaker.clone(), dependency, patience));
        }
        tracing::info!(voice, model = speaker.model(), "a model speaks");
        Ok(Some(speaker))
    }

    /// What clap cannot say: flags of one voice do not go with another.
    ///
    /// # Errors
    /// When they are given together.
    pub fn check(&self) -> Result<(), EngineError> {
        let remote = !self.engine_url.is_empty() || self.engine_key_file.is_some() || self.engine_ca.is_some();
        let wrong = match self.voice {
            Voice::Builtin if self.model.is_some() || remote => "--model and --engine-… need --voice candle or openai",
            Voice::Candle if remote => "--engine-url, --engine-key-file and --engine-ca need --voice openai",
            Voice::Candle | Voice::Openai if self.model.as_deref().is_none_or(str::is_empty) => "--model is empty",
            Voice::Openai if self.engine_url.is_empty() => "--voice openai needs --engine-url",
            Voice::Builtin | Voice::Candle | Voice::Openai => return Ok(()),
        };
        Err(EngineError::Flag(wrong.to_owned()))
    }

    /// The engine. Takes a while; blocks.
    fn engine(&self, runtime: Handle) -> Result<Arc<dyn Engine>, EngineError> {
        match self.voice {
            Voice::Builtin => Err(EngineError::Flag("the built-in voice needs no engine".to_owned())),
            Voice::Candle => self.candle(),
            Voice::Openai => self.openai(runtime),
        }
    }

    #[cfg(not(feature = "candle"))]
    #[allow(clippy::unused_self, reason = "one signature with and without the engine")]
    fn candle(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Err(EngineError::NotBuilt("candle"))
    }

    #[cfg(feature = "candle")]
    fn candle(&self) -> Result<Arc<dyn Engine>, EngineError> {
        use wenzhen_llm::candle::{Candle, LoadError, Options, Target};
        let own = Options::default();
        let slots = self.engine_slots.map_or(own.slots, many);
        let context = self.engine_context.map_or(own.context, many);
        let target = match self.engine_device {
            Device::Cpu => Target::Cpu,
            Device::Cuda(index) => Target::Cuda(index),
        };
        let options = Options { slots, waiting: 4 * slots, context, target, ..own };
        let path = self.model.clone().unwrap_or_default();
        let engine = Candle::open(std::path::Path::new(&path), &options);
        let cause = |error: LoadError| {
            let flag = match error {
                LoadError::NoCuda(_) | LoadError::Gpu { .. } => "--engine-device".to_owned(),
                _ => format!("--model {path}"),
            };
            EngineError::Start { voice: "candle", cause: format!("{flag}: {error}") }
        };
        Ok(Arc::new(engine.map_err(cause)?))
    }

    #[cfg(not(feature = "openai"))]
    #[allow(clippy::unused_self, reason = "one signature with and without the engine")]
    fn openai(&self, _runtime: Handle) -> Result<Arc<dyn Engine>, EngineError> {
        Err(EngineError::NotBuilt("openai"))
    }

    #[cfg(feature = "openai")]
    fn openai(&self, runtime: Handle) -> Result<Arc<dyn Engine>, EngineError> {
        use wenzhen_llm::openai::{JsonForm as Form, Limits, OpenAi, Settings};
        let mut limits = Limits::default();
        if let Some(slots) = self.engine_slots {
            limits.running = many(slots);
        }
        let own = Settings::new(self.engine_url.clone(), self.model.clone().unwrap_or_default());
        let settings = Settings {
            limits,
            context_tokens: self.engine_context.unwrap_or(own.context_tokens),
            key_file: self.engine_key_file.clone(),
            ca_file: self.engine_ca.clone(),
            json: match self.engine_json {
                JsonForm::JsonSchema => Form::JsonSchema,
                JsonForm::JsonObject => Form::JsonObject,
                JsonForm::ObjectSchema => Form::ObjectSchema,
                JsonForm::Plain => Form::Plain,
            },
            ..own
        };
        let engine = OpenAi::start(settings, runtime);
        Ok(Arc::new(engine.map_err(|error| EngineError::Start { voice: "openai", cause: error.to_string() })?))
    }
}

fn many(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Keeps the process from being ready until the engine has generated something once, or patience is over.
async fn await_first(speaker: Speaker, dependency: Dependency, patience: Duration) {
    let probing = async {
        while let Err(fault) = speaker.probe().await {
            tracing::warn!(%fault, "the engine generates nothing yet");
            dependency.down("the engine generates nothing");
            tokio::time::sleep(PROBE_EVERY).await;
        }
    };
    match tokio::time::timeout(patience, probing).await {
        Ok(()) => tracing::info!("the engine generates"),
        Err(_) => {
            tracing::warn!(
                "the engine generated nothing at the start; the built-in voice takes its place until it does"
            );
        }
    }
    dependency.up();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        engine: EngineArgs,
    }

    fn parsed(args: &[&str]) -> Result<EngineArgs, clap::Error> {
        Program::try_parse_from(std::iter::once(&"x").chain(args)).map(|program| program.engine)
    }

    #[test]
    fn every_flag_has_its_environment_variable_and_the_defaults_are_those_of_no_flags() {
        for arg in Program::command().get_arguments().filter(|arg| arg.get_id() != "help") {
            let flag = arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(format!("WENZHEN_{flag}").as_str()));
        }
        assert_eq!(format!("{:?}", parsed(&[]).unwrap()), format!("{:?}", EngineArgs::default()));
    }

    #[test]
    fn a_voice_without_what_it_needs_is_refused_by_the_command_line() {
        for bad in [
            &["--voice=openai"][..],
            &["--voice=openai", "--model=m"],
            &["--voice=openai", "--engine-url=http://a"],
            &["--voice=candle"],
            &["--voice=oracle"],
            &["--engine-timeout-ms=0"],
            &["--engine-device=gpu"],
            &["--engine-device=cuda:"],
            &["--engine-device=cuda:-1"],
            &["--engine-device=cpu:0"],
        ] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
        let two = parsed(&["--voice=openai", "--model=m", "--engine-url=http://a,http://b"]).unwrap();
        assert_eq!((two.engine_url.len(), two.check().is_ok()), (2, true));
        let device = |text| parsed(&[text]).unwrap().engine_device;
        let devices = ["--engine-device=cpu", "--engine-device=cuda", "--engine-device=cuda:2"].map(device);
        assert_eq!(devices, [Device::Cpu, Device::Cuda(0), Device::Cuda(2)]);
    }

    #[tokio::test]
    async fn what_does_not_go_together_is_told_in_one_line() {
        let start = async |args: &[&str]| {
            let error = parsed(args).unwrap().start(&[], &Metrics::new(), &Readiness::new()).await.err().unwrap();
            error.to_string()
        };
        for (bad, named) in [
            (&["--model=m"][..], "--voice candle or openai"),
            (&["--engine-key-file=k"], "--voice candle or openai"),
            (&["--voice=candle", "--model=m", "--engine-url=http://a"], "need --voice openai"),
            (&["--voice=openai", "--model=", "--engine-url=http://a"], "--model is empty"),
            (&["--voice=openai", "--model=m", "--engine-url=ftp://a"], "engine URL ftp://a"),
            (
                &["--voice=openai", "--model=m", "--engine-url=http://a", "--engine-key-file=nowhere"],
                "key file nowhere",
            ),
        ] {
            let line = start(bad).await;
            assert!(line.contains(named) && !line.contains('\n'), "{line}");
        }
        let builtin = EngineArgs::default().start(&[], &Metrics::new(), &Readiness::new()).await;
        assert!(builtin.is_ok_and(|speaker| speaker.is_none()));
    }
}
