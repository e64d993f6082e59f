//! What a clause leaves out: `不干，有点稀` after a question for dry stools, `痰多，很黄`.

use std::collections::HashSet;

use wenzhen_pack::{FindingIx, Pack};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;

/// The longest part of a name that is looked for.
const LONGEST: usize = 4;

/// A clause without a name of the pack is compared with the names of the findings in focus: a
/// part that ends or begins one of them stands for it. Gives the tokens to add.
pub(crate) fn resolve(
    lexicon: &Lexicon,
    pack: &Pack,
    units: &[Unit],
    tokens: &[Token],
    clause: &Clause,
    focus: Focus<'_>,
) -> Vec<Token> {
    let Some((start, end)) = remainder(units, tokens, clause) else { return Vec::new() };
    let part: Vec<char> = units.get(start..end).unwrap_or(&[]).iter().map(|u| u.ch).collect();
    let token = |finding| Token { kind: Kind::Finding(finding), start, end, inner: Vec::new() };
    let asked: Vec<Token> = focus.asked.iter().filter(|f| fits(lexicon, **f, &part)).map(|f| token(*f)).collect();
    if !asked.is_empty() {
        // Several that fit are all meant, but one stretch of text carries one token.
        return asked.into_iter().take(1).collect();
    }
    let mut near: Vec<FindingIx> = Vec::new();
    for of in focus.asked.iter().chain(focus.last) {
        near.extend(neighbours(pack, *of).into_iter().filter(|f| fits(lexicon, *f, &part)));
    }
    let distinct: HashSet<FindingIx> = near.iter().copied().collect();
    match near.first() {
        Some(only) if distinct.len() == 1 => vec![token(*only)],
        _ => Vec::new(),
    }
}

/// The findings that a short clause can be about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Focus<'a> {
    pub asked: &'a [FindingIx],
    /// What the clause before named.
    pub last: Option<&'a FindingIx>,
}

/// The one stretch of words that no token covers, if it is short.
fn remainder(units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<(usize, usize)> {
    if tokens.iter().any(|t| t.kind.is_medical() || t.kind.is(Class::Inert)) {
        return None;
    }
    let mut stretches = Vec::new();
    let mut at = clause.units.start;
    for edge in tokens.iter().map(|t| (t.start, t.end)).chain([(clause.units.end, clause.units.end)]) {
        let free = at..edge.0.min(clause.units.end);
        if free.start < free.end {
            stretches.push(free);
        }
        at = edge.1.max(at);
        if stretches.len() > 1 {
            return None;
        }
    }
    let stretch = stretches.pop()?;
    let words = units.get(stretch.clone())?.iter().all(|u| u.is_content());
    (words && stretch.len() <= LONGEST).then_some((stretch.start, stretch.end))
}

fn fits(lexicon: &Lexicon, finding: FindingIx, part: &[char]) -> bool {
    lexicon.patterns.get(finding.at()).is_some_and(|patterns| {
        patterns.iter().any(|p| p.len() > part.len() && (p.ends_with(part) || p.starts_with(part)))
    })
}

/// Findings under the same parent, those that exclude it, its parent and its children.
fn neighbours(pack: &Pack, of: FindingIx) -> Vec<FindingIx> {
    let Some(finding) = pack.findings.get(of.at()) else { return Vec::new() };
    let related = |(i, other): (usize, &wenzhen_pack::Finding)| {
        let ix = FindingIx::new(i);
        let related = other.parent == Some(of)
            || (finding.parent.is_some() && (other.parent == finding.parent || finding.parent == Some(ix)))
            || finding.excludes.contains(&ix);
        (related && ix != of).then_some(ix)
    };
    pack.findings.iter().enumerate().filter_map(related).collect()
}
