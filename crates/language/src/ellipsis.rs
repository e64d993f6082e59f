//! What a clause leaves out: `不干，有点稀` after a question for dry stools, `头不晕，也不疼`.

use std::collections::HashSet;

use wenzhen_pack::{Finding, FindingIx, Pack};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;

/// The longest part of a name that is looked for.
const LONGEST: usize = 4;
/// The longest beginning or end of a name that is taken over.
const TOPIC: usize = 3;

/// What a short clause can be about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Focus<'a> {
    /// What the last question named.
    pub asked: &'a [FindingIx],
    /// What was named before.
    pub last: Option<FindingIx>,
    /// The units that named it.
    pub topic: Option<(usize, usize)>,
}

/// Completes a stretch of words that nothing covers: with the beginning or end of the name
/// before it, else from the names of what was asked, else from those of its relatives. Gives
/// the token to add.
pub(crate) fn resolve(
    lexicon: &Lexicon,
    pack: &Pack,
    units: &[Unit],
    tokens: &[Token],
    clause: &Clause,
    focus: Focus<'_>,
) -> Option<Token> {
    let (start, end) = remainder(units, tokens, clause)?;
    let part: Vec<char> = units.get(start..end)?.iter().map(|u| u.ch).collect();
    let token = |finding| Token { kind: Kind::Finding(finding), start, end, inner: Vec::new() };
    let fitting = |f: &FindingIx| fits(lexicon, *f, &part);
    if !clause.mood.medical {
        if let Some(asked) = focus.asked.iter().copied().find(|f| fitting(f)) {
            return Some(token(asked));
        }
    }
    let topic = focus.topic.and_then(|(from, to)| units.get(from..to));
    if let Some(finding) = topic.and_then(|topic| completed(lexicon, topic, &part)) {
        return Some(token(finding));
    }
    if clause.mood.medical {
        return None;
    }
    for tier in [rivals, relatives] {
        let near = focus.asked.iter().copied().chain(focus.last).flat_map(|of| tier(pack, of));
        let near: HashSet<FindingIx> = near.filter(|f| fitting(f)).collect();
        if !near.is_empty() {
            return near.iter().next().filter(|_| near.len() == 1).map(|f| token(*f));
        }
    }
    None
}

/// The last stretch of words that no token covers, if it is short and nothing but function
/// words stands beside it.
fn remainder(units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<(usize, usize)> {
    let mut end = clause.units.end;
    for token in tokens.iter().rev() {
        if token.end < end {
            break;
        }
        if token.kind.is_medical() || matches!(token.kind, Kind::Word(Class::Inert)) || end - token.start > 12 {
            return None;
        }
        end = token.start;
    }
    let behind = tokens.iter().rev().find(|t| t.end <= end);
    let start = behind.map_or(clause.units.start, |t| t.end);
    // Behind a name in the clause only a predicate of its own is taken (`口干不苦`).
    let led = behind.is_some_and(|t| matches!(t.kind, Kind::Word(c) if c.denies() || c.slips_in() || c == Class::List));
    let open = !clause.mood.medical && tokens.iter().all(|t| !t.kind.is(Class::Inert) || t.end > end);
    let words = units.get(start..end)?.iter().all(|u| u.is_content());
    (words && start < end && end - start <= LONGEST && (led || (open && whole(units, tokens, clause, start))))
        .then_some((start, end))
}

/// Whether tokens cover everything in the clause before `start`.
fn whole(units: &[Unit], tokens: &[Token], clause: &Clause, start: usize) -> bool {
    crate::scan::residue(units, tokens, clause.units.start, start) == 0
}

/// The finding named by the beginning of the topic and the part, or by the part and its end.
fn completed(lexicon: &Lexicon, topic: &[Unit], part: &[char]) -> Option<FindingIx> {
    let topic: Vec<char> = topic.iter().map(|u| u.ch).collect();
    let longest = TOPIC.min(topic.len().saturating_sub(1));
    (1..=longest).rev().find_map(|n| {
        let (head, tail) = (topic.get(..n)?, topic.get(topic.len() - n..)?);
        let joined = |a: &[char], b: &[char]| lexicon.named.get([a, b].concat().as_slice()).copied();
        joined(head, part).or_else(|| joined(part, tail))
    })
}

fn fits(lexicon: &Lexicon, finding: FindingIx, part: &[char]) -> bool {
    lexicon.patterns.get(finding.at()).is_some_and(|patterns| {
        patterns.iter().any(|p| p.len() > part.len() && (p.ends_with(part) || p.starts_with(part)))
    })
}

/// Findings that exclude it.
fn rivals(pack: &Pack, of: FindingIx) -> Vec<FindingIx> {
    pack.findings.get(of.at()).map(|f| f.excludes.clone()).unwrap_or_default()
}

/// Findings under the same parent, its parent and its children.
fn relatives(pack: &Pack, of: FindingIx) -> Vec<FindingIx> {
    let Some(finding) = pack.findings.get(of.at()) else { return Vec::new() };
    let related = |(i, other): (usize, &Finding)| {
        let ix = FindingIx::new(i);
        let same = finding.parent.is_some() && (other.parent == finding.parent || finding.parent == Some(ix));
        (ix != of && (same || other.parent == Some(of))).then_some(ix)
    };
    pack.findings.iter().enumerate().filter_map(related).collect()
}
