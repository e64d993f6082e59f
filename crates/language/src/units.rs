//! The text as a row of units: a Chinese character, an English word, a number or a separator
//! each are one. Patterns and texts become strings of units, so that one automaton reads both
//! languages, and a match can neither begin nor end inside a word.

use std::collections::HashMap;

use crate::locale::is_han;

/// Stands for any number.
pub(crate) const NUMBER: char = '\u{10FFFC}';
/// Stands for any word that no pattern has.
pub(crate) const UNKNOWN: char = '\u{10FFFB}';
/// Stands for the first part of `甲不` in `甲不甲`: whether.
pub(crate) const WHETHER: char = '\u{10FFFA}';
const FIRST_WORD: u32 = 0xF_0000;
const LAST_WORD: u32 = 0xF_FFFD;

/// One unit of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    /// The character, or what stands for the word, the number or the separator.
    pub ch: char,
    /// Bytes of the normalised text.
    pub start: u32,
    pub end: u32,
    /// The value of a number.
    pub value: f64,
}

impl Unit {
    /// Ends a clause.
    pub(crate) const fn separates(self) -> bool {
        matches!(self.ch, ',' | '.' | '?' | ' ')
    }

    /// A word or a Chinese character.
    pub(crate) fn is_content(self) -> bool {
        is_han(self.ch) || self.is_word()
    }

    /// An English word.
    pub(crate) const fn is_word(self) -> bool {
        self.ch == UNKNOWN || (FIRST_WORD <= self.ch as u32 && self.ch as u32 <= LAST_WORD)
    }
}

/// The words that patterns use, each with the character that stands for it.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    words: HashMap<Box<str>, char>,
    whether: Vec<char>,
}

impl Vocabulary {
    pub(crate) fn new(whether: Vec<char>) -> Self {
        Self { words: HashMap::new(), whether }
    }

    /// The units of a pattern, whose words enter the vocabulary.
    pub(crate) fn learn(&mut self, normalised: &str) -> Vec<Unit> {
        let mut words = std::mem::take(&mut self.words);
        let units = self.split(normalised, |stem| {
            if let Some(known) = words.get(stem) {
                return *known;
            }
            let next = char::from_u32(FIRST_WORD + words.len() as u32).filter(|c| (*c as u32) <= LAST_WORD);
            let c = next.unwrap_or(UNKNOWN);
            words.insert(stem.into(), c);
            c
        });
        self.words = words;
        units
    }

    /// The units of a text.
    pub(crate) fn read(&self, normalised: &str) -> Vec<Unit> {
        self.split(normalised, |stem| self.words.get(stem).copied().unwrap_or(UNKNOWN))
    }

    fn split(&self, text: &str, mut word: impl FnMut(&str) -> char) -> Vec<Unit> {
        let mut units = Vec::with_capacity(text.len() / 2 + 1);
        let mut buffer = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let start = (text.len() - rest.len()) as u32;
            let (ch, len, value) = if c.is_ascii_digit() {
                let len = number_len(rest);
                (Some(NUMBER), len, rest.get(..len).and_then(|n| n.parse().ok()).unwrap_or(f64::NAN))
            } else if is_letter(c) {
                let len = rest.find(|c| !(is_letter(c) || c == '\'')).unwrap_or(rest.len());
                stem(rest.get(..len).unwrap_or(rest), &mut buffer);
                (Some(word(&buffer)), len, 0.0)
            } else {
                (symbol(c, units.last(), rest), c.len_utf8(), 0.0)
            };
            rest = rest.get(len..).unwrap_or("");
            let end = start + len as u32;
            units.extend(ch.map(|ch| Unit { ch, start, end, value }));
        }
        self.merge_whether(units)
    }

    /// `甲不甲` and `甲乙不甲乙` become "whether 甲 (乙)".
    fn merge_whether(&self, mut units: Vec<Unit>) -> Vec<Unit> {
        if !units.iter().any(|u| self.whether.contains(&u.ch)) {
            return units;
        }
        let mut out: Vec<Unit> = Vec::with_capacity(units.len());
        for i in 0..units.len() {
            let Some(unit) = units.get(i).copied() else { break };
            let same = |n: usize| {
                let before = out.len().checked_sub(n).and_then(|from| out.get(from..));
                let after = units.get(i + 1..i + 1 + n);
                before.zip(after).is_some_and(|(b, a)| {
                    b.iter().zip(a).all(|(b, a)| b.ch == a.ch && is_han(a.ch) && !self.whether.contains(&a.ch))
                })
            };
            let taken = if self.whether.contains(&unit.ch) { [2, 1].into_iter().find(|n| same(*n)) } else { None };
            match taken.and_then(|n| out.len().checked_sub(n)) {
                Some(keep) => {
                    let start = out.get(keep).map_or(unit.start, |first| first.start);
                    out.truncate(keep);
                    out.push(Unit { ch: WHETHER, start, end: unit.end, value: 0.0 });
                }
                None => out.push(unit),
            }
        }
        std::mem::swap(&mut units, &mut out);
        units
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && c.is_alphabetic() && !is_han(c))
}

/// The length of the number at the beginning: digits, at most one point between digits.
fn number_len(text: &str) -> usize {
    let digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let whole = digits(0);
    let fraction = if text.as_bytes().get(whole) == Some(&b'.') { digits(whole + 1) } else { 0 };
    if fraction > 0 { whole + 1 + fraction } else { whole }
}

/// What a sign stands for: one of the separators `, . ? 、` and space, itself, or nothing.
fn symbol(c: char, before: Option<&Unit>, rest: &str) -> Option<char> {
    let next = rest.chars().nth(1);
    let ch = match c {
        ',' | ';' | ':' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' => ',',
        '.' | '\u{3002}' | '!' | '\n' => '.',
        '?' => '?',
        '\u{3001}' | '/' | '&' => '\u{3001}',
        // A space ends a clause only between Chinese characters.
        ' ' if before.is_some_and(|u| is_han(u.ch)) && next.is_some_and(is_han) => ' ',
        ' ' | '\'' | '"' | '\u{300A}' | '\u{300B}' | '_' => return None,
        '-' | '~' if before.is_some_and(|u| u.ch == NUMBER) && next.is_some_and(|c| c.is_ascii_digit()) => '-',
        '-' if before.is_some_and(|u| u.is_word()) && next.is_some_and(is_letter) => return None,
        '°' | '%' | '+' | '\u{2103}' => c,
        c if is_han(c) => c,
        _ => ',',
    };
    let repeated = before.is_some_and(|u| u.separates() && ch == u.ch);
    (!repeated).then_some(ch)
}

/// Takes off the inflection of an English word: possessive, plural, -ing, -ed, -ness; the same
/// for patterns and texts, so the result need not be a word.
fn stem(word: &str, out: &mut String) {
    out.clear();
    let word = word.strip_suffix("'s").unwrap_or(word);
    out.extend(word.chars().filter(|c| *c != '\''));
    if word.contains('\'') || !out.is_ascii() || out.len() <= 3 {
        return;
    }
    let cut = |out: &mut String, n: usize| out.truncate(out.len().saturating_sub(n));
    if out.ends_with("ness") && out.len() > 6 {
        cut(out, 4);
    }
    if out.ends_with("ies") && out.len() > 4 {
        cut(out, 3);
        out.push('y');
    } else if (out.ends_with("sses") || out.ends_with("ches") || out.ends_with("shes") || out.ends_with("xes"))
        && out.len() > 5
    {
        cut(out, 2);
    } else if out.ends_with('s') && !out.ends_with("ss") && !out.ends_with("us") && !out.ends_with("is") {
        cut(out, 1);
    }
    let vowel = |s: &str| s.bytes().any(|b| b"aeiouy".contains(&b));
    for suffix in ["ing", "ed"] {
        let base = out.strip_suffix(suffix).filter(|b| b.len() >= 3 && vowel(b) && !b.ends_with('e')).map(str::len);
        if let Some(base) = base {
            out.truncate(base);
            let doubled =
                out.len() >= 4 && out.as_bytes().windows(2).next_back().is_some_and(|w| w.first() == w.last());
            if doubled && !out.ends_with("ss") && !out.ends_with("ll") {
                cut(out, 1);
            }
            break;
        }
    }
    if out.ends_with('e') && out.len() > 3 {
        cut(out, 1);
    }
    if out.ends_with('y') && out.len() > 3 {
        cut(out, 1);
        out.push('i');
    }
}

#[cfg(test)]
mod tests {
    use super::{NUMBER, Vocabulary, WHETHER, stem};

    #[test]
    fn inflected_forms_meet() {
        let stem = |word: &str| {
            let mut out = String::new();
            stem(word, &mut out);
            out
        };
        for forms in [
            &["raise", "raising", "raised", "raises"][..],
            &["stop", "stopped", "stopping", "stops"],
            &["lazy", "laziness"],
            &["trace", "traces", "tracing", "traced"],
            &["watch", "watches", "watching"],
        ] {
            let stems: std::collections::BTreeSet<_> = forms.iter().map(|w| stem(w)).collect();
            assert_eq!(stems.len(), 1, "{stems:?}");
        }
        assert_ne!(stem("feed"), stem("fed"));
    }

    #[test]
    fn units_keep_numbers_words_and_questions_of_choice() {
        let mut vocabulary = Vocabulary::new(vec!['不']);
        let units = vocabulary.learn("门开不开, 38.5 front-door");
        let row: Vec<char> = units.iter().map(|u| u.ch).collect();
        assert_eq!(row.get(..4), Some(&['门', WHETHER, '开', ','][..]));
        assert_eq!(row.get(4), Some(&NUMBER));
        assert_eq!(row.len(), 7);
        assert!(units.get(4).is_some_and(|u| (u.value - 38.5).abs() < 1e-9));
    }
}
