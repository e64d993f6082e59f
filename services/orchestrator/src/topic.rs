//! What a question from the patient is about, by the cues of the pack's voice.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use wenzhen_pack::{Locale, Pack};

use crate::Error;

/// The topic that why-did-you-ask questions have.
pub(crate) const WHY_ASKED: &str = "why_asked";

/// The topic of questions about what a word means.
pub(crate) const MEANING: &str = "meaning";

/// Cues of all topics, per locale.
#[derive(Debug)]
pub(crate) struct Topics(HashMap<Locale, (AhoCorasick, Vec<String>)>);

impl Topics {
    pub(crate) fn new(pack: &Pack) -> Result<Self, Error> {
        let mut by_locale = HashMap::new();
        for (&locale, voice) in &pack.voices {
            let topics = &voice.orchestrator.topics;
            let cues = topics.iter().flat_map(|t| t.cues.iter().map(move |cue| (cue.to_lowercase(), t.id.clone())));
            let (cues, ids): (Vec<_>, Vec<_>) = cues.unzip();
            let matcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&cues);
            by_locale.insert(locale, (matcher.map_err(|e| Error::Pack(e.to_string()))?, ids));
        }
        Ok(Self(by_locale))
    }

    /// The topic that the text names first; empty when it names none.
    pub(crate) fn of(&self, text: &str, locale: Locale) -> String {
        let Some((matcher, ids)) = self.0.get(&locale) else { return String::new() };
        let lower = text.to_lowercase();
        // The earliest topic of the file wins among several: it lists the specific ones before the general ones.
        let found = matcher.find_iter(&lower).map(|m| m.pattern().as_usize()).min();
        found.and_then(|i| ids.get(i)).cloned().unwrap_or_default()
    }
}
