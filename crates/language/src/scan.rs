//! From units to tokens: what stands where, with what has slipped in between.

use crate::lexicon::{Kind, Lexicon, row};
use crate::locale::is_han;
use crate::units::{Unit, WHETHER};
use crate::words::Class;

/// A recognised stretch of units.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub kind: Kind,
    /// Units from and to.
    pub start: usize,
    pub end: usize,
    /// Function words inside a finding's name.
    pub inner: Vec<Class>,
}

/// A stretch found in a shortened text, before overlaps are settled.
struct Candidate {
    token: Token,
    /// Units that matched.
    len: usize,
}

/// Reads a row of units; the tokens come in order and do not overlap.
pub(crate) fn scan(lexicon: &Lexicon, units: &[Unit]) -> Vec<Token> {
    let plain = plain(lexicon, units);
    let slipped = |class: Class| class.slips_in() || class == Class::Whether;
    let mut found: Vec<Candidate> = Vec::new();
    for (also_denied, drop) in [(false, &slipped as &dyn Fn(Class) -> bool), (true, &|c| slipped(c) || c.denies())] {
        let wanted = |t: &Token| matches!(t.kind, Kind::Word(c) if if also_denied { c.denies() } else { slipped(c) });
        if plain.iter().any(wanted) {
            shortened(lexicon, units, &plain, drop, &mut found);
        }
    }
    if found.is_empty() { plain } else { settle(plain, found, units.len()) }
}

/// Matches in the text as it stands.
fn plain(lexicon: &Lexicon, units: &[Unit]) -> Vec<Token> {
    let (text, starts) = row(units.iter().copied());
    let mut tokens: Vec<Token> = lexicon
        .all
        .matches(&text)
        .filter_map(|(kind, from, to)| {
            let start = starts.binary_search(&(from as u32)).ok()?;
            let end = starts.binary_search(&(to as u32)).ok()?;
            Some(Token { kind, start, end, inner: Vec::new() })
        })
        .collect();
    let covered = covered(&tokens, units.len());
    tokens.retain(|t| !t.kind.is_medical() || t.end - t.start > 1 || stands_alone(units, &covered, t));
    tokens
}

fn covered(tokens: &[Token], len: usize) -> Vec<bool> {
    let mut covered = vec![false; len];
    for token in tokens {
        if let Some(stretch) = covered.get_mut(token.start..token.end) {
            stretch.fill(true);
        }
    }
    covered
}

/// A finding of a single Chinese character counts unless it is the first half of an unknown word.
fn stands_alone(units: &[Unit], covered: &[bool], token: &Token) -> bool {
    let Some(unit) = units.get(token.start) else { return false };
    let unknown = |at: usize| units.get(at).is_some_and(|u| is_han(u.ch)) && covered.get(at) == Some(&false);
    !is_han(unit.ch) || !unknown(token.end)
}

/// Matches in the text without the words that `drop` names, where one of those stood inside.
fn shortened(
    lexicon: &Lexicon,
    units: &[Unit],
    plain: &[Token],
    drop: &dyn Fn(Class) -> bool,
    found: &mut Vec<Candidate>,
) {
    let mut dropped: Vec<Option<usize>> = vec![None; units.len()];
    let mut whole: Vec<Option<usize>> = vec![None; units.len()];
    for (i, token) in plain.iter().enumerate() {
        let slot = match token.kind {
            Kind::Word(class) if drop(class) => &mut dropped,
            Kind::Word(Class::Inert) => &mut whole,
            _ => continue,
        };
        if let Some(stretch) = slot.get_mut(token.start..token.end) {
            stretch.fill(Some(i));
        }
    }
    let kept: Vec<usize> = (0..units.len()).filter(|i| dropped.get(*i) == Some(&None)).collect();
    let (text, starts) = row(kept.iter().filter_map(|i| units.get(*i).copied()));
    for (kind, from, to) in lexicon.medical.matches(&text) {
        let (Ok(a), Ok(b)) = (starts.binary_search(&(from as u32)), starts.binary_search(&(to as u32))) else {
            continue;
        };
        let (Some(start), Some(last)) = (kept.get(a).copied(), b.checked_sub(1).and_then(|b| kept.get(b)).copied())
        else {
            continue;
        };
        let cuts_a_word = |at: usize, outside: Option<usize>| {
            let word = whole.get(at).copied().flatten();
            word.is_some() && outside.and_then(|o| whole.get(o)).copied().flatten() == word
        };
        if last + 1 - start == b - a || cuts_a_word(start, start.checked_sub(1)) || cuts_a_word(last, Some(last + 1)) {
            continue;
        }
        let mut inside: Vec<usize> = dropped.get(start..=last).unwrap_or(&[]).iter().flatten().copied().collect();
        inside.dedup();
        let inner: Vec<Class> = inside
            .iter()
            .filter_map(|i| match plain.get(*i).map(|t| t.kind) {
                Some(Kind::Word(class)) => Some(class),
                _ => None,
            })
            .collect();
        let denied = inner.iter().any(|class| class.denies());
        // A denial inside a long saying is more likely a coincidence of two statements.
        if denied && b - a > 5 {
            continue;
        }
        let token = Token { kind, start, end: last + 1, inner };
        found.push(Candidate { len: b - a, token });
    }
}

/// Lets the matches with more units win over what they overlap.
fn settle(plain: Vec<Token>, mut found: Vec<Candidate>, len: usize) -> Vec<Token> {
    let (medical, mut words): (Vec<Token>, Vec<Token>) = plain.into_iter().partition(|t| t.kind.is_medical());
    found.extend(medical.into_iter().map(|token| Candidate { len: token.end - token.start, token }));
    found.sort_by(|a, b| {
        let key = |c: &Candidate| (std::cmp::Reverse(c.len), c.token.inner.len(), c.token.start);
        key(a).cmp(&key(b))
    });
    let mut taken = vec![false; len];
    let mut kept = Vec::new();
    for Candidate { token, .. } in found {
        let Some(stretch) = taken.get_mut(token.start..token.end) else { continue };
        if !stretch.iter().any(|t| *t) {
            stretch.fill(true);
            kept.push(token);
        }
    }
    words.retain(|t| !taken.get(t.start..t.end).is_some_and(|stretch| stretch.iter().any(|t| *t)));
    words.append(&mut kept);
    words.sort_by_key(|t| t.start);
    words
}

/// Whether a stretch of units has a word or character outside all tokens.
pub(crate) fn residue(units: &[Unit], tokens: &[Token], from: usize, to: usize) -> usize {
    let mut count = 0;
    let mut at = from;
    for token in tokens {
        if token.end <= at {
            continue;
        }
        if token.start >= to {
            break;
        }
        count += content(units, at, token.start.min(to));
        at = token.end;
    }
    count + if at < to { content(units, at, to) } else { 0 }
}

fn content(units: &[Unit], from: usize, to: usize) -> usize {
    units.get(from..to.max(from)).unwrap_or(&[]).iter().filter(|u| u.is_content() && u.ch != WHETHER).count()
}
