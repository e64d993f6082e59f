//! Who may call, and how often.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use wenzhen_service::Keys;
use wenzhen_service::app::Failure;
use wenzhen_service::rate::Rate;

use crate::AccessRules;

/// How often the files with keys are looked at.
const REREAD: Duration = Duration::from_secs(5);

/// Keys and rates.
#[derive(Args, Clone, Debug)]
pub(super) struct AccessArgs {
    /// File with the keys of clinicians, NAME:KEY or NAME:sha256:HEX a line; read again when it changes
    #[arg(long, env = "WENZHEN_CLINICIANS_FILE", value_name = "FILE")]
    clinicians_file: Option<PathBuf>,
    /// File with the keys of those who may open consultations, in the same form; unset: everybody may
    #[arg(long, env = "WENZHEN_API_KEYS_FILE", value_name = "FILE")]
    api_keys_file: Option<PathBuf>,
    /// Consultations opened a second with one API key, and at once
    #[arg(long, env = "WENZHEN_START_RATE", value_name = "RATE[,BURST]", default_value = "50,100")]
    start_rate: Rate,
    /// Messages a second in one consultation, and at once
    #[arg(long, env = "WENZHEN_MESSAGE_RATE", value_name = "RATE[,BURST]", default_value = "5,20")]
    message_rate: Rate,
    /// Calls a second of one clinician, and at once
    #[arg(long, env = "WENZHEN_CLINICIAN_RATE", value_name = "RATE[,BURST]", default_value = "50,100")]
    clinician_rate: Rate,
}

impl AccessArgs {
    /// Reads the files, and follows them until `stop`.
    pub(super) fn load(&self, stop: CancellationToken) -> Result<AccessRules, Failure> {
        let keys = |flag: &str, file: &Option<PathBuf>| {
            let Some(file) = file else { return Ok(None) };
            let keys = Keys::load(file).map_err(|error| format!("{flag}: {}", wenzhen_service::app::chain(&error)))?;
            if keys.is_empty() {
                return Err(format!("{flag}: {} holds no key", file.display()).into());
            }
            tokio::spawn(keys.clone().follow(file.clone(), REREAD, stop.clone()));
            Ok::<_, Failure>(Some(keys))
        };
        let rules = AccessRules {
            clinicians: keys("--clinicians-file", &self.clinicians_file)?.unwrap_or_default(),
            openers: keys("--api-keys-file", &self.api_keys_file)?,
            start_rate: Some(self.start_rate),
            message_rate: Some(self.message_rate),
            clinician_rate: Some(self.clinician_rate),
        };
        if self.api_keys_file.is_none() {
            tracing::warn!("without --api-keys-file everybody who reaches the port may open consultations");
        }
        Ok(rules)
    }
}
