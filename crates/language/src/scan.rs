//! From units to tokens: what stands where, with what has slipped in between.

use crate::lexicon::{Kind, Lexicon, row};
use crate::locale::is_han;
use crate::units::{NUMBER, Unit, WHETHER};
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
    reclaim(lexicon, units, &text, &starts, &mut tokens);
    let covered = covered(&tokens, units.len());
    let short = |t: &Token| t.end - t.start == 1 || matches!(t.kind, Kind::Ended(_));
    tokens.retain(|t| !t.kind.is_medical() || enough(lexicon, units.get(t.start..t.end).unwrap_or(&[])));
    tokens.retain(|t| !t.kind.is_medical() || !short(t) || stands_alone(units, &covered, t));
    tokens
}

/// Gives a finding back what a function word took from its beginning, where the rest of that
/// word is a function word too: `也没甲` is `也` and `没甲`, if `没甲` is a saying.
fn reclaim(lexicon: &Lexicon, units: &[Unit], text: &str, starts: &[u32], tokens: &mut Vec<Token>) {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.drain(..).peekable();
    for (kind, from, to) in lexicon.medical.matches(text) {
        let (Ok(start), Ok(end)) = (starts.binary_search(&(from as u32)), starts.binary_search(&(to as u32))) else {
            continue;
        };
        while let Some(token) = rest.next_if(|t| t.end <= start) {
            out.push(token);
        }
        let Some(word) = rest.peek().filter(|t| t.start < start && t.end < end) else { continue };
        if word.kind.is_medical() || matches!(word.kind, Kind::Time(_)) {
            continue;
        }
        let mut left = words(lexicon, units, word.start, start);
        if let (Kind::Word(class), Some(left)) = (word.kind, left.as_mut())
            && class.denies()
        {
            // `一点也不甲`: the little word belonged to the denial.
            left.retain(|t| !t.kind.is(Class::Mild));
        }
        let (mut inside, mut fits) = (Vec::new(), left.is_some());
        while let Some(token) = rest.next_if(|t| t.start < end) {
            fits &= token.end <= end;
            inside.push(token);
        }
        if fits {
            out.extend(left.into_iter().flatten());
            out.push(Token { kind, start, end, inner: Vec::new() });
        } else {
            out.append(&mut inside);
        }
    }
    out.extend(rest);
    *tokens = out;
}

/// Function words that cover a stretch of units without a gap.
fn words(lexicon: &Lexicon, units: &[Unit], from: usize, to: usize) -> Option<Vec<Token>> {
    let (text, starts) = row(units.get(from..to)?.iter().copied());
    let mut tokens = Vec::new();
    let mut at = 0;
    for (kind, begin, end) in lexicon.all.matches(&text) {
        if begin != at || kind.is_medical() {
            return None;
        }
        at = end;
        let (begin, end) = (starts.binary_search(&(begin as u32)).ok()?, starts.binary_search(&(end as u32)).ok()?);
        tokens.push(Token { kind, start: from + begin, end: from + end, inner: Vec::new() });
    }
    (at == text.len()).then_some(tokens)
}

/// Whether the numbers in a saying are not below those it is known with.
fn enough(lexicon: &Lexicon, units: &[Unit]) -> bool {
    if !units.iter().any(|u| u.ch == NUMBER) {
        return true;
    }
    let row: Vec<char> = units.iter().map(|u| u.ch).collect();
    let numbers = units.iter().filter(|u| u.ch == NUMBER).map(|u| u.value);
    lexicon.least.get(row.as_slice()).is_none_or(|least| least.iter().zip(numbers).all(|(least, n)| n >= *least))
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
        let matched: Vec<Unit> = kept.get(a..b).unwrap_or(&[]).iter().filter_map(|i| units.get(*i).copied()).collect();
        if !enough(lexicon, &matched) {
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
