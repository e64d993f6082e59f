//! What a clause leaves out: `不甲，有点乙` after a question for 丙甲, `丙不甲，也不乙`.

use std::collections::HashSet;

use wenzhen_pack::{Finding, FindingIx, Pack};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::locale::is_han;
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;

/// The longest part of a name that is looked for.
const LONGEST: usize = 4;
/// How far a clause is looked through for what it is about.
const AHEAD: usize = 24;
/// The longest beginning or end of a name that is taken over.
const TOPIC: usize = 3;

/// The longest circumstance under which something is worse, in units.
const CIRCUMSTANCE: usize = 10;

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
/// the tokens to add.
pub(crate) fn resolve(
    lexicon: &Lexicon,
    pack: &Pack,
    units: &[Unit],
    tokens: &[Token],
    clause: &Clause,
    focus: Focus<'_>,
) -> Option<Vec<Token>> {
    // Who does not mind says nothing of what is named.
    if tokens.iter().any(|t| t.kind.is(Class::Refuse)) {
        return None;
    }
    let (start, end) = remainder(units, tokens, clause)?;
    // `丙甲，乙少`: the word behind may belong to the name.
    let longer = tokens.iter().find(|t| t.start == end && t.end - end <= 2).map(|t| t.end);
    let topic = focus.topic.and_then(|(from, to)| units.get(from..to));
    if let (Some(topic), Some(longer)) = (topic, longer) {
        let part: Vec<char> = units.get(start..longer)?.iter().map(|u| u.ch).collect();
        if let Some(finding) = completed(lexicon, topic, &part) {
            return Some(vec![Token { kind: Kind::Finding(finding), start, end: longer, inner: Vec::new() }]);
        }
    }
    let part: Vec<char> = units.get(start..end)?.iter().map(|u| u.ch).collect();
    // `丙正常` denies what was asked of it.
    let fine = tokens.iter().any(|t| t.kind.is(Class::Fine) || t.kind.is(Class::Unrelated));
    let inner = if fine { vec![Class::NegatorOne] } else { Vec::new() };
    let token = |finding| Token { kind: Kind::Finding(finding), start, end, inner: inner.clone() };
    let one = |finding| vec![token(finding)];
    // The thing alone, without what is wrong with it, says nothing of it.
    let fitting = |f: &FindingIx| fits(lexicon, *f, &part, !fine && part.len() > 1 && part.iter().all(|c| is_han(*c)));
    // A single character of a relative's name counts only as its predicate.
    let related = |f: &FindingIx| fits(lexicon, *f, &part, part.len() == 1 && part.iter().all(|c| is_han(*c)));
    if !clause.mood.medical {
        let asked: Vec<Token> = focus.asked.iter().filter(|f| fitting(f)).map(|f| token(*f)).collect();
        if !asked.is_empty() {
            return Some(asked);
        }
    }
    if let Some(finding) = topic.and_then(|topic| completed(lexicon, topic, &part)) {
        return Some(one(finding));
    }
    if clause.mood.medical || fine {
        return None;
    }
    for tier in [rivals, relatives] {
        let near = focus.asked.iter().copied().chain(focus.last).flat_map(|of| tier(pack, of));
        let near: HashSet<FindingIx> = near.filter(|f| related(f)).collect();
        if !near.is_empty() {
            return near.iter().next().filter(|_| near.len() == 1).map(|f| one(*f));
        }
    }
    None
}

/// `丙甲，乙的时候更厉害`, `丙甲乙厉害`: what makes worse what was named before, where that has a name of
/// its own.
pub(crate) fn worse(
    lexicon: &Lexicon,
    pack: &Pack,
    units: &[Unit],
    tokens: &[Token],
    clause: &Clause,
    focus: Focus<'_>,
) -> Option<Vec<Token>> {
    let degree = |t: &Token| matches!(t.kind, Kind::Word(Class::Persisting | Class::SevereAfter));
    let medical = tokens.iter().rposition(|t| t.kind.is_medical());
    let word = tokens.iter().skip(medical.map_or(0, |at| at + 1)).find(|t| degree(t))?;
    let (topic, last) = (focus.topic.and_then(|(from, to)| units.get(from..to))?, focus.last?);
    let chinese = units.get(word.start).is_some_and(|u| is_han(u.ch));
    // In the clause that names it, the circumstance stands between the name and the degree.
    let from = medical.and_then(|at| tokens.get(at)).map_or(clause.units.start, |t| t.end);
    let (start, end) = if chinese { (from, word.start) } else { (word.end, clause.units.end) };
    let slips = |i: usize| {
        let token = tokens.get(tokens.partition_point(|t| t.end <= i)).filter(|t| t.start <= i);
        token.is_some_and(|t| matches!(t.kind, Kind::Word(c) if c.slips_in() || (chinese && c == Class::When)))
    };
    let content = |i: &usize| units.get(*i).is_some_and(|u| u.is_content());
    let part: Vec<char> = (start..end.min(start + CIRCUMSTANCE))
        .filter(content)
        .filter(|i| !(chinese && slips(*i)))
        .filter_map(|i| units.get(i).map(|u| u.ch))
        .collect();
    if part.len() < 2 || end - start > CIRCUMSTANCE {
        return None;
    }
    let topic: Vec<char> = topic.iter().map(|u| u.ch).collect();
    let mut near = relatives(pack, last);
    near.extend(pack.findings.get(last.at()).and_then(|f| f.parent));
    let kin = || {
        let is =
            |f: &FindingIx| lexicon.patterns.get(f.at()).is_some_and(|all| all.iter().any(|p| has(p, &part, chinese)));
        let mut near = near.iter().copied().filter(is);
        near.next().filter(|_| near.next().is_none())
    };
    let finding = either_way(lexicon, &topic, &part).or_else(kin)?;
    Some(vec![Token { kind: Kind::Finding(finding), start, end, inner: Vec::new() }])
}

/// `丙甲，不乙不丁`: single predicates behind a negator, each completed from the name before.
pub(crate) fn predicates(
    lexicon: &Lexicon,
    units: &[Unit],
    tokens: &[Token],
    topic: Option<(usize, usize)>,
) -> Vec<Token> {
    let Some(topic) = topic.and_then(|(from, to)| units.get(from..to)) else { return Vec::new() };
    let mut out = Vec::new();
    let mut parts: Vec<(Vec<char>, usize, usize)> = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, t)| t.kind.is(Class::NegatorOne)) {
        let start = token.end;
        let next = tokens.get(i + 1);
        let end = next.map_or(units.len(), |t| t.start).min(start + LONGEST);
        let free = units.get(start..end).unwrap_or(&[]).iter().take_while(|u| is_han(u.ch)).count();
        let closed = next.is_none_or(|t| t.start != start + free || t.kind.is(Class::NegatorOne));
        if !(1..=2).contains(&free) || !closed {
            continue;
        }
        let part: Vec<char> = units.get(start..start + free).unwrap_or(&[]).iter().map(|u| u.ch).collect();
        if let Some(finding) = completed(lexicon, topic, &part) {
            out.push(Token { kind: Kind::Finding(finding), start, end: start + free, inner: Vec::new() });
        }
        parts.push((part, start, start + free));
    }
    // Two that have a name together only.
    if let (true, [first, second]) = (out.is_empty(), parts.as_slice())
        && let Some(finding) = completed(lexicon, topic, &[first.0.as_slice(), &second.0].concat())
    {
        let token = |start, end| Token { kind: Kind::Finding(finding), start, end, inner: Vec::new() };
        out.extend([token(first.1, first.2), token(second.1, second.2)]);
    }
    out
}

/// Whether a saying begins, in English ends, with the part.
fn has(saying: &[char], part: &[char], chinese: bool) -> bool {
    saying.len() > part.len() && if chinese { saying.starts_with(part) } else { saying.ends_with(part) }
}

/// The finding named by the part with the beginning or the end of the topic, in either order.
fn either_way(lexicon: &Lexicon, topic: &[char], part: &[char]) -> Option<FindingIx> {
    (1..=TOPIC.min(topic.len())).rev().find_map(|n| {
        let (head, tail) = (topic.get(..n)?, topic.get(topic.len() - n..)?);
        [[part, head], [head, part], [part, tail], [tail, part]].iter().find_map(|pair| {
            match lexicon.exact.get(pair.concat().as_slice()) {
                Some(Kind::Finding(finding)) => Some(*finding),
                _ => None,
            }
        })
    })
}

/// The last stretch of words that no token covers, if it is short and nothing but function
/// words stands beside it.
fn remainder(units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<(usize, usize)> {
    let mut end = clause.units.end;
    for token in tokens.iter().rev() {
        if token.end < end {
            break;
        }
        if !matches!(token.kind, Kind::Word(class) if class != Class::Inert) || end - token.start > 12 {
            return None;
        }
        end = token.start;
    }
    let behind = tokens.iter().rev().find(|t| t.end <= end);
    let start = behind.map_or(clause.units.start, |t| t.end);
    // Behind a name in the clause only a predicate of its own is taken (`丙甲不乙`).
    let led = behind.is_some_and(|t| matches!(t.kind, Kind::Word(c) if c.denies() || c.slips_in() || c == Class::List));
    let open = !clause.mood.medical && tokens.iter().all(|t| !t.kind.is(Class::Inert) || t.end > end);
    let words = units.get(start..end)?.iter().all(|u| u.is_content());
    // `丙甲乙`: directly behind a name only what goes on with its first words.
    let led = led || behind.is_some_and(|t| matches!(t.kind, Kind::Finding(_)) && t.end == start);
    let alone = if clause.mood.medical { led } else { open && whole(units, tokens, clause, start) };
    (words && start < end && end - start <= LONGEST && alone).then_some((start, end))
}

/// The first stretch of words in a clause that no token covers: what it may be about.
pub(crate) fn subject(units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<(usize, usize)> {
    let covered = |i: &usize| tokens.get(tokens.partition_point(|t| t.end <= *i)).is_some_and(|t| t.start <= *i);
    let free = |i: &usize| units.get(*i).is_some_and(|u| u.is_content()) && !covered(i);
    let start = clause.units.clone().take(AHEAD).find(|i| free(i))?;
    Some((start, (start..clause.units.end).take(AHEAD).take_while(|i| free(i)).last()? + 1))
}

/// Whether tokens cover everything in the clause before `start`.
fn whole(units: &[Unit], tokens: &[Token], clause: &Clause, start: usize) -> bool {
    crate::scan::residue(units, tokens, clause.units.start, start) == 0
}

/// The finding named by the beginning of the topic and the part, or by the part and its end.
pub(crate) fn completed(lexicon: &Lexicon, topic: &[Unit], part: &[char]) -> Option<FindingIx> {
    let topic: Vec<char> = topic.iter().map(|u| u.ch).collect();
    let longest = TOPIC.min(topic.len());
    (1..=longest).rev().find_map(|n| {
        let (head, tail) = (topic.get(..n)?, topic.get(topic.len() - n..)?);
        let joined = |a: &[char], b: &[char]| match lexicon.exact.get([a, b].concat().as_slice()) {
            Some(Kind::Finding(finding)) => Some(*finding),
            _ => None,
        };
        joined(head, part).or_else(|| joined(part, tail))
    })
}

fn fits(lexicon: &Lexicon, finding: FindingIx, part: &[char], at_end: bool) -> bool {
    lexicon.patterns.get(finding.at()).is_some_and(|patterns| {
        patterns.iter().any(|p| p.len() > part.len() && (p.ends_with(part) || (!at_end && p.starts_with(part))))
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
