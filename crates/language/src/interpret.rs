//! One utterance, from words to an [`Interpretation`].

use std::sync::Arc;

use wenzhen_pack::{FindingIx, Locale, Pack};

use crate::lexicon::{Kind, Lexicon};
use crate::reader::Reader;
use crate::scan::scan;
use crate::{Interpretation, LanguageError, Normalised, Utterance, detect_locale, normalise, picks};

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
        if let Some(picked) = self.picked(u, locale, &normalised) {
            return picked;
        }
        let candidates = u.clarifying.and_then(|i| self.pack.ambiguities.get(i)).map(|a| a.candidates.as_slice());
        let asked: &[FindingIx] = candidates.unwrap_or(u.asked);
        let units = self.lexicon.vocabulary.read(&normalised.text);
        let mut reader = Reader::new(&self.pack, &self.lexicon, locale, asked, u.clarifying.is_some());
        reader.of_self = u.of_self;
        reader.read(&units).finish(&normalised, u.text, &units)
    }

    /// What a message of nothing but numbers picks.
    fn picked(&self, u: &Utterance<'_>, locale: Locale, text: &Normalised) -> Option<Interpretation> {
        let shown = if u.quick_answers.is_empty() { u.asked.len() } else { u.quick_answers.len() };
        let picks = picks::read(&self.lexicon.pick, &text.text, shown)?;
        if u.quick_answers.is_empty() {
            return Some(picks::of_asked(u, locale, &picks, text));
        }
        let answers = picks.iter().filter_map(|pick| {
            let words = u.quick_answers.get(pick.place.checked_sub(1)?)?;
            let mut read = self.interpret(&Utterance { text: words, quick_answers: &[], locale: None, ..*u });
            // The words are those of the list, but the patient's are the number.
            let said = text.span(pick.span.clone());
            read.observations.iter_mut().for_each(|o| o.span = said.clone());
            read.ambiguous.iter_mut().for_each(|a| a.span = said.clone());
            Some(read)
        });
        Some(picks::together(locale, answers.collect()))
    }

    /// The findings that a text names, whether it states, denies, asks or supposes them; each once.
    pub fn mentions(&self, text: &str) -> Vec<FindingIx> {
        let units = self.lexicon.vocabulary.read(&normalise(text).text);
        let mut named: Vec<FindingIx> = Vec::new();
        for token in scan(&self.lexicon, &units) {
            match token.kind {
                Kind::Finding(finding) if !named.contains(&finding) => named.push(finding),
                _ => {}
            }
        }
        named
    }

    /// The quick answers that a message of nothing but numbers picks, by position; empty for any other.
    pub fn picks(&self, text: &str, quick_answers: usize) -> Vec<usize> {
        let picks = picks::read(&self.lexicon.pick, &normalise(text).text, quick_answers).unwrap_or_default();
        picks.iter().filter_map(|pick| pick.place.checked_sub(1)).collect()
    }
}
