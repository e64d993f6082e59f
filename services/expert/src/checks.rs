//! Which herbs must not stand in a plan, and why.

use wenzhen_pack::{Herb, HerbIx, Pack};

use crate::knowledge::name_parts;
use crate::words::fill;

/// Herbs that clash, as the pack lists them in either order; the source of the first pair found.
pub fn clash(pack: &Pack, a: HerbIx, b: HerbIx) -> Option<&str> {
    let pair = pack.incompatible.iter().find(|p| (p.a == a && p.b == b) || (p.a == b && p.b == a));
    pair.map(|p| p.source.as_str())
}

/// What a patient is allergic to, reduced to the substances' own words.
#[derive(Debug, Default)]
pub struct Allergies(Vec<String>);

impl Allergies {
    /// Reads the patient's words; `around` are those that only say that it is an allergy.
    pub fn new(told: &[String], around: &[String]) -> Self {
        let mut around: Vec<String> = around.iter().map(|w| w.to_lowercase()).collect();
        // Longer ones first, or a short one would break a long one up.
        around.sort_by_key(|w| std::cmp::Reverse(w.chars().count()));
        let substances = told.iter().flat_map(|text| {
            let text = text.to_lowercase();
            let whole = text.trim().to_owned();
            let bare = without(&text, &around);
            [whole, bare]
        });
        Self(substances.filter(|s| !s.is_empty()).collect())
    }

    /// Whether a herb is, or is a form of, one of the substances.
    pub fn hit(&self, herb: &Herb) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let names: Vec<String> = herb.names.iter().flat_map(|(_, name)| name_parts(name).collect::<Vec<_>>()).collect();
        self.0.iter().any(|told| {
            let solid: String = told.chars().filter(|c| !c.is_whitespace()).collect();
            let named = names.iter().any(|name| mentions(told, name) || is_form_of(name, told));
            named || (herb.id.len() >= MIN_LATIN && solid.contains(&herb.id))
        })
    }
}

/// Latin names shorter than this match too much by chance.
const MIN_LATIN: usize = 4;

/// The told words name the herb.
fn mentions(told: &str, name: &str) -> bool {
    let long_enough = if name.is_ascii() { name.len() >= MIN_LATIN } else { name.chars().count() >= 2 };
    long_enough && told.contains(name)
}

/// The herb's name holds the told substance: a prepared form of it, or another part of the plant.
fn is_form_of(name: &str, told: &str) -> bool {
    let long_enough = if told.is_ascii() { told.len() >= MIN_LATIN } else { !told.is_empty() };
    long_enough && name.contains(told)
}

fn without(text: &str, around: &[String]) -> String {
    let mut words = format!(" {text} ");
    for word in around {
        // Latin words go as a whole, so that `to` does not take a piece out of another word.
        let found = if word.is_ascii() { format!(" {word} ") } else { word.clone() };
        words = words.replace(&found, " ");
    }
    words.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// A herb's caution: template, herb, further values.
pub fn of_herb(template: &str, herb: &str, more: &[(&str, &str)]) -> String {
    let mut values = vec![("herb", herb)];
    values.extend_from_slice(more);
    fill(template, &values)
}
