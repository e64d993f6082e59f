//! One utterance, from words to an [`Interpretation`].

use std::sync::Arc;

use wenzhen_pack::{FindingIx, Pack};

use crate::lexicon::Lexicon;
use crate::reader::Reader;
use crate::{Interpretation, LanguageError, Utterance, detect_locale, normalise};

/// Interprets utterances against one pack. Made once; safe to share between threads.
#[derive(Debug)]
pub struct Interpreter {
    pack: Arc<Pack>,
    lexicon: Lexicon,
}

impl Interpreter {
    /// Compiles the pack's names and sayings with the function words of both languages.
    ///
    /// # Errors
    /// When a built-in table is broken or the sayings cannot be compiled.
    pub fn new(pack: Arc<Pack>) -> Result<Self, LanguageError> {
        let lexicon = Lexicon::new(&pack)?;
        Ok(Self { pack, lexicon })
    }

    /// The pack whose findings are recognised.
    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// What an utterance states. Linear in the length of the text; any text is allowed.
    pub fn interpret(&self, u: &Utterance<'_>) -> Interpretation {
        let locale = u.locale.or_else(|| detect_locale(u.text)).unwrap_or_else(|| self.pack.manifest.default_locale());
        let normalised = normalise(u.text);
        let candidates = u.clarifying.and_then(|i| self.pack.ambiguities.get(i)).map(|a| a.candidates.as_slice());
        let asked: &[FindingIx] = candidates.unwrap_or(u.asked);
        let units = self.lexicon.vocabulary.read(&normalised.text);
        Reader::new(&self.pack, &self.lexicon, locale, asked, u.clarifying.is_some()).read(&units).finish(
            &normalised,
            u.text,
            &units,
        )
    }
}
