//! A message that is nothing but an age and a sex: `27 m`, `m, 30`, and a round number of years.

use wenzhen_pack::Sex;

use crate::lexicon::Lexicon;
use crate::locale::is_han;
use crate::words::Brief;

/// The most words that such a message has.
const MOST: usize = 4;
/// The longest message that is looked at, in bytes.
const LONGEST: usize = 48;
/// Nobody younger writes of himself, nobody is older; in years.
const YEARS: std::ops::RangeInclusive<u32> = 10..=115;
/// What `some years more` adds.
const MORE: u32 = 5;

/// What a word of the message is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Years(u32),
    Sex(Sex),
    More,
    Beside,
}

/// Age in months and sex, if the whole (normalised) message tells an age with a sex, or a round
/// age, and nothing else.
pub(crate) fn read(lexicon: &Lexicon, text: &str) -> Option<(u32, Option<Sex>)> {
    if text.len() > LONGEST {
        return None;
    }
    let (mut age, mut sex, mut more) = (None, None, false);
    let mut rest = text;
    for count in 0.. {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        if rest.is_empty() {
            break;
        }
        let (word, len) = word(&lexicon.brief, rest).filter(|_| count < MOST)?;
        match word {
            Word::Years(years) if age.is_none() => age = Some(years),
            Word::Sex(told) if sex.is_none() => sex = Some(told),
            Word::More if age.is_some_and(|years| years % 10 == 0) => more = true,
            Word::Beside => {}
            _ => return None,
        }
        rest = rest.get(len..)?;
    }
    let years = age.filter(|years| YEARS.contains(years) && (more || sex.is_some()))?;
    Some(((years + if more { MORE } else { 0 }) * 12, sex))
}

/// The first word and its length in bytes.
fn word(tables: &[Brief], text: &str) -> Option<(Word, usize)> {
    let first = text.chars().next()?;
    let run = |inside: fn(char) -> bool| text.find(|c| !inside(c)).unwrap_or(text.len());
    if first.is_ascii_digit() {
        let len = run(|c| c.is_ascii_digit());
        let fraction = text.get(len..)?.strip_prefix('.').is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit()));
        let years = text.get(..len)?.parse().ok().filter(|_| !fraction)?;
        return Some((Word::Years(years), len));
    }
    let len = run(|c| c.is_ascii_alphabetic() || c == '\'');
    let fits = |w: &&String| if is_han(first) { text.starts_with(w.as_str()) } else { text.get(..len) == Some(w) };
    let lists = tables.iter().flat_map(|t| {
        [(&t.m, Word::Sex(Sex::Male)), (&t.f, Word::Sex(Sex::Female)), (&t.more, Word::More), (&t.beside, Word::Beside)]
    });
    let known = lists.filter_map(|(words, kind)| Some((kind, words.iter().filter(fits).map(String::len).max()?)));
    known.max_by_key(|(_, len)| *len)
}
