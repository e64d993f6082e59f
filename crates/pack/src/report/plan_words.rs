//! Herb and formula names in texts that a patient reads before anything is signed.

use crate::{Condition, Locale, Pack};

/// A run of this many characters of a formula's Chinese name counts as the name; names end in
/// words such as those for "modified", so the whole name is seldom what leaks.
const RUN_ZH: usize = 3;

/// The same in English, in words.
const RUN_EN: usize = 2;

/// `condition: field.locale: name` for every text with a herb or formula name in advice, diet or refer.
pub fn in_patient_texts(pack: &Pack) -> Vec<String> {
    let mut found = Vec::new();
    for &locale in &pack.manifest.locales {
        let herbs: Vec<String> = pack
            .herbs
            .iter()
            .flat_map(|herb| names(herb.names.0.get(&locale)))
            .map(|name| plain(&name, locale))
            .collect();
        for condition in &pack.conditions {
            let formula = condition.formula.0.get(&locale).map(|name| runs(&plain(name, locale), locale));
            let formula = formula.unwrap_or_default();
            for (field, text) in texts(condition, locale) {
                let text = plain(text, locale);
                let named = herbs.iter().chain(&formula).find(|name| text.contains(name.as_str()));
                found.extend(named.map(|name| format!("{}: {field}.{locale}: {}", condition.id, name.trim())));
            }
        }
    }
    found
}

fn texts(condition: &Condition, locale: Locale) -> Vec<(&'static str, &str)> {
    let advice = condition.advice.0.get(&locale).into_iter().flatten().map(|text| ("advice", text.as_str()));
    let diet = condition.diet.0.get(&locale).into_iter().flatten().map(|text| ("diet", text.as_str()));
    let refer = condition.refer.0.get(&locale).map(|text| ("refer", text.as_str()));
    advice.chain(diet).chain(refer).collect()
}

/// A name and its other form in brackets.
fn names(name: Option<&String>) -> impl Iterator<Item = String> {
    let parts = name.map_or("", String::as_str).split(['(', ')', '（', '）']);
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)
}

/// Text in a form in which a name can be looked for: English as ` word word `, so that only
/// whole words match.
fn plain(text: &str, locale: Locale) -> String {
    let text = text.to_lowercase();
    match locale {
        Locale::Zh => text,
        Locale::En => {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            format!(" {} ", words.collect::<Vec<_>>().join(" "))
        }
    }
}

/// Every run of a formula's name that is long enough to be taken for it.
fn runs(name: &str, locale: Locale) -> Vec<String> {
    match locale {
        Locale::Zh => name.chars().collect::<Vec<_>>().windows(RUN_ZH).map(|run| run.iter().collect()).collect(),
        Locale::En => {
            let words: Vec<&str> = name.split_whitespace().collect();
            words.windows(RUN_EN).map(|run| format!(" {} ", run.join(" "))).collect()
        }
    }
}
