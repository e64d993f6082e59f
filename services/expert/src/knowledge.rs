//! What depends on the pack alone, prepared once.

use std::collections::HashMap;
use std::sync::Arc;

use wenzhen_pack::voice::ExpertVoice;
use wenzhen_pack::{Condition, ConditionIx, Locale, Pack};

use crate::rates::Rates;
use crate::retrieve::Index;

/// A pack with everything that is derived from it.
#[derive(Debug)]
pub struct Knowledge {
    pack: Arc<Pack>,
    rates: Rates,
    index: Index,
    open_words: HashMap<(ConditionIx, Locale), OpenWords>,
}

/// What a patient may read before a plan is signed: nothing that names a herb or a formula.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenWords {
    /// Advice.
    pub advice: Vec<String>,
    /// Diet.
    pub diet: Vec<String>,
    /// When to see a doctor; may be empty.
    pub referral: String,
}

impl Knowledge {
    /// Prepares a pack.
    pub fn new(pack: Arc<Pack>) -> Self {
        let rates = Rates::new(&pack);
        let index = Index::new(&pack);
        let mut open_words = HashMap::new();
        for &locale in &pack.manifest.locales {
            let closed = closed_names(&pack, locale);
            for (i, condition) in pack.conditions.iter().enumerate() {
                open_words.insert((ConditionIx::new(i), locale), OpenWords::new(condition, locale, &closed));
            }
        }
        Self { pack, rates, index, open_words }
    }

    /// The pack.
    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// P(finding | condition).
    pub(crate) const fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The passages.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// What a patient may read about a condition.
    pub fn open_words(&self, condition: ConditionIx, locale: Locale) -> OpenWords {
        self.open_words.get(&(condition, locale)).cloned().unwrap_or_default()
    }

    /// The language in which this pack answers a request in `locale`: that, else its default.
    pub fn locale(&self, locale: Locale) -> Locale {
        let manifest = &self.pack.manifest;
        if manifest.locales.contains(&locale) { locale } else { manifest.default_locale() }
    }

    /// How it speaks in `locale`; `None` for a pack without voices.
    pub fn voice(&self, locale: Locale) -> Option<&ExpertVoice> {
        self.pack.voice(locale).map(|voice| &voice.expert)
    }
}

impl OpenWords {
    fn new(condition: &Condition, locale: Locale, closed: &[String]) -> Self {
        let open = |sentence: &&String| {
            let sentence = sentence.to_lowercase();
            !closed.iter().any(|name| sentence.contains(name.as_str()))
        };
        let keep = |sentences: &[String]| sentences.iter().filter(open).cloned().collect();
        let referral = condition.refer.text(locale).to_owned();
        Self {
            advice: keep(condition.advice.list(locale)),
            diet: keep(condition.diet.list(locale)),
            referral: Some(referral).filter(|r| open(&r)).unwrap_or_default(),
        }
    }
}

/// Names of herbs and formulas as they may stand in a sentence, in lower case.
fn closed_names(pack: &Pack, locale: Locale) -> Vec<String> {
    let herbs = pack.herbs.iter().flat_map(|herb| name_parts(herb.names.text(locale)));
    let marks = pack.voice(locale).map_or(&[][..], |voice| &voice.expert.words.formula_marks);
    let formulas = pack.conditions.iter().map(|c| bare_formula(c.formula.text(locale), marks));
    let mut names: Vec<String> = herbs.chain(formulas).filter(|name| name.chars().count() >= 2).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The names inside a herb's name, in lower case: `Latin Name (Pin Yin)` holds two.
pub fn name_parts(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(['(', ')', '（', '）']).map(|part| part.trim().to_lowercase()).filter(|part| !part.is_empty())
}

/// A formula's own name, in lower case, without the words that say it was changed.
fn bare_formula(name: &str, marks: &[String]) -> String {
    let name = name.to_lowercase();
    let end = marks.iter().filter_map(|mark| name.find(&mark.to_lowercase())).min();
    name.get(..end.unwrap_or(name.len())).unwrap_or("").trim().to_owned()
}
