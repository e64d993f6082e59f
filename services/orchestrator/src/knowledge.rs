//! What the orchestrator knows of a pack: the pack itself, the interpreter and question frames that
//! stand in when guidance is away, the red-flag screen and the fact guard.

use std::collections::HashMap;
use std::sync::Arc;

use wenzhen_facts::Guard;
use wenzhen_language::Interpreter;
use wenzhen_language::frames::Framer;
use wenzhen_language::redflag::RedFlagScreen;
use wenzhen_pack::voice::OrchestratorVoice;
use wenzhen_pack::{FindingIx, Locale, Pack};
use wenzhen_proto::clinical::v1 as clinical;

use crate::Error;
use crate::topic::Topics;

/// One pack, compiled.
#[derive(Debug)]
pub struct Knowledge {
    /// The pack.
    pub pack: Arc<Pack>,
    /// Its digest as text, as it stands in every pin.
    pub digest: String,
    /// Words to observations when guidance is away.
    pub interpreter: Arc<Interpreter>,
    /// Findings to questions when guidance is away.
    pub framer: Framer,
    /// Red flags.
    pub screen: RedFlagScreen,
    /// The guard over everything that an agent wrote.
    pub guard: Guard,
    /// Topics of questions, per locale.
    pub(crate) topics: Topics,
}

impl Knowledge {
    /// Compiles a pack.
    ///
    /// # Errors
    /// [`Error::Pack`] when the pack has no voice or a phrase list cannot be compiled.
    pub fn new(pack: Arc<Pack>) -> Result<Self, Error> {
        let interpreter = Interpreter::new(pack).map_err(|e| Error::Pack(e.to_string()))?;
        Self::over(Arc::new(interpreter))
    }

    /// The same over an interpreter that is compiled already: in one process guidance holds the same.
    ///
    /// # Errors
    /// As [`Knowledge::new`].
    pub fn over(interpreter: Arc<Interpreter>) -> Result<Self, Error> {
        let pack = interpreter.pack().clone();
        let broken = |e: &dyn std::fmt::Display| Error::Pack(e.to_string());
        if pack.voices.is_empty() {
            return Err(Error::Pack("the pack has no voice".into()));
        }
        Ok(Self {
            digest: pack.digest.to_string(),
            interpreter,
            framer: Framer::new(pack.clone()),
            screen: RedFlagScreen::new(&pack).map_err(|e| broken(&e))?,
            guard: Guard::new(&pack).map_err(|e| broken(&e))?,
            topics: Topics::new(&pack)?,
            pack,
        })
    }

    /// What the orchestrator says in `locale`.
    pub(crate) fn voice(&self, locale: clinical::Locale) -> Result<&OrchestratorVoice, Error> {
        let voice = self.pack.voice(to_locale(locale).unwrap_or_else(|| self.pack.manifest.default_locale()));
        voice.map(|v| &v.orchestrator).ok_or_else(|| Error::Pack("the pack has no voice".into()))
    }

    /// The locale to speak in: as given, else the pack's default.
    pub(crate) fn locale(&self, locale: clinical::Locale) -> Locale {
        to_locale(locale).unwrap_or_else(|| self.pack.manifest.default_locale())
    }

    /// Name of a finding; its id when the pack does not know it.
    pub(crate) fn finding_name(&self, id: &str, locale: Locale) -> String {
        self.finding(id).map_or_else(|| id.to_owned(), |f| f.names.text(locale).to_owned())
    }

    /// Name of a condition; its id when the pack does not know it.
    pub(crate) fn condition_name(&self, id: &str, locale: Locale) -> String {
        let condition = self.pack.condition(id).and_then(|c| self.pack.conditions.get(c.at()));
        condition.map_or_else(|| id.to_owned(), |c| c.name(locale))
    }

    fn finding(&self, id: &str) -> Option<&wenzhen_pack::Finding> {
        self.pack.finding(id).and_then(|f: FindingIx| self.pack.findings.get(f.at()))
    }
}

/// All packs that consultations can be held on.
#[derive(Debug, Clone)]
pub(crate) struct Library {
    packs: HashMap<String, Arc<Knowledge>>,
    default: String,
}

impl Library {
    /// The first pack is the default.
    pub(crate) fn new(packs: Vec<Arc<Knowledge>>) -> Result<Self, Error> {
        let default = packs.first().ok_or_else(|| Error::Pack("no pack was given".into()))?.digest.clone();
        Ok(Self { packs: packs.into_iter().map(|k| (k.digest.clone(), k)).collect(), default })
    }

    /// The pack with this digest; the default one for an empty digest.
    pub(crate) fn get(&self, digest: &str) -> Result<&Arc<Knowledge>, Error> {
        let digest = if digest.is_empty() { &self.default } else { digest };
        self.packs.get(digest).ok_or_else(|| Error::PackUnknown(digest.to_owned()))
    }

    /// All packs, the default first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Knowledge>> {
        let rest = self.packs.values().filter(|k| k.digest != self.default);
        self.packs.get(&self.default).into_iter().chain(rest)
    }
}

pub(crate) fn to_locale(locale: clinical::Locale) -> Option<Locale> {
    match locale {
        clinical::Locale::Unspecified => None,
        clinical::Locale::Zh => Some(Locale::Zh),
        clinical::Locale::En => Some(Locale::En),
    }
}

pub(crate) fn from_locale(locale: Locale) -> clinical::Locale {
    match locale {
        Locale::Zh => clinical::Locale::Zh,
        Locale::En => clinical::Locale::En,
    }
}
