//! Numbers in words: quantities that no digit betrays.

use regex::Regex;
use serde::Deserialize;

use crate::fold::Folder;
use crate::guard::GuardError;
use crate::phrases::View;

/// Numerals and units of Chinese.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZhNumbers {
    numerals: String,
    between: String,
    units: Vec<String>,
    alone: Vec<String>,
}

/// Number words and units of English.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnNumbers {
    numerals: Vec<String>,
    between: usize,
    units: Vec<String>,
    counted: Vec<String>,
    alone: Vec<String>,
}

/// Finds quantities in the compact view: a numeral with a unit, two numerals, or a fraction.
pub fn zh(data: &ZhNumbers) -> Result<Regex, GuardError> {
    let (n, between) = (regex::escape(&data.numerals), regex::escape(&data.between));
    let (units, alone) = (any(&data.units, regex::escape), any(&data.alone, regex::escape));
    Ok(Regex::new(&format!("[{n}][{between}]?(?:{units})|[{n}]{{2}}|{alone}"))?)
}

/// Finds quantities in the word view: a number word with a unit a few words on, or a large number.
pub fn en(data: &EnNumbers, folder: &Folder) -> Result<Regex, GuardError> {
    let fold = |word: &str| regex::escape(&View::Words.fold(folder, word));
    let several: Vec<String> = data.numerals.iter().filter(|n| !matches!(n.as_str(), "a" | "one")).cloned().collect();
    let gap = format!("(?: [a-z]+ ){{0,{}}}", data.between);
    let (numerals, several) = (any(&data.numerals, fold), any(&several, fold));
    let (units, counted, alone) = (any(&data.units, fold), any(&data.counted, fold), any(&data.alone, fold));
    Ok(Regex::new(&format!("(?:{numerals}){gap}(?:{units})|(?:{several}){gap}(?:{counted})|{alone}"))?)
}

fn any(words: &[String], each: impl Fn(&str) -> String) -> String {
    words.iter().map(|word| each(word)).collect::<Vec<_>>().join("|")
}
