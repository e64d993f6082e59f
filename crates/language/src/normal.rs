//! What is said to be in order: `丙正常`, `x is fine` deny what `丙不好`, `x is bad` would state.
//!
//! The things that can be in order come from the pack: whatever stands before a word for *out of
//! order* in one of its sayings. Where that saying may mean several findings, none of them is there.

use std::collections::HashMap;

use wenzhen_pack::{Ambiguity, FindingIx, Pack};

use crate::clause::Clause;
use crate::compile::Builder;
use crate::lexicon::{Automaton, Kind, Lexicon, Pattern, row};
use crate::locale::is_han;
use crate::scan::{Token, residue};
use crate::units::Unit;
use crate::words::{Class, Normal, Table};
use crate::{LanguageError, normalise};

/// The longest clause that is looked through, in units.
const LONGEST: usize = 64;

/// Things of the pack with what is denied when they are in order, and the automaton that finds
/// them and the words for *in order* and *out of order*.
pub(crate) fn things(
    builder: &mut Builder,
    pack: &Pack,
    tables: &[Table],
) -> Result<(Vec<Vec<FindingIx>>, Automaton), LanguageError> {
    let mut things: Vec<Vec<FindingIx>> = Vec::new();
    let mut kinds: HashMap<Pattern, Kind> = HashMap::new();
    for (phrase, findings) in said(pack) {
        for table in tables {
            let Some(name) = thing(&table.normal, &phrase).filter(|name| about(pack, &findings, name)) else {
                continue;
            };
            let pattern = builder.units(&name);
            let at = match kinds.get(&pattern) {
                Some(Kind::Thing(at)) => *at,
                _ => things.len(),
            };
            if at == things.len() {
                things.push(Vec::new());
                kinds.insert(pattern, Kind::Thing(at));
            }
            if let Some(denied) = things.get_mut(at) {
                denied.extend(&findings);
                denied.sort_unstable();
                denied.dedup();
            }
        }
    }
    for table in tables {
        let fine = table.words.get(&Class::Fine).into_iter().flatten();
        for (word, class) in fine.chain(&table.normal.good).map(|w| (w, Class::Fine)) {
            let pattern = builder.units(word);
            kinds.entry(pattern).or_insert(Kind::Word(class));
        }
        for word in table.normal.bad.iter().chain(&table.normal.bad_before) {
            let pattern = builder.units(word);
            kinds.insert(pattern, Kind::Word(Class::Inert));
        }
    }
    Ok((things, Automaton::new(&kinds, |_| true)?))
}

/// Every saying with what it may mean.
fn said(pack: &Pack) -> Vec<(String, Vec<FindingIx>)> {
    let mut all = Vec::new();
    for (i, finding) in pack.findings.iter().enumerate() {
        let sayings = finding.sayings.iter().flat_map(|(_, list)| list);
        let names = finding.names.iter().map(|(_, name)| name);
        all.extend(names.chain(sayings).map(|phrase| (normalise(phrase).text, vec![FindingIx::new(i)])));
    }
    for ambiguity in &pack.ambiguities {
        let phrases = ambiguity.sayings.iter().flat_map(|(_, list)| list);
        all.extend(phrases.map(|phrase| (normalise(phrase).text, meanings(pack, ambiguity))));
    }
    all
}

/// What is general to several candidates, which denies them all; else the candidates.
fn meanings(pack: &Pack, ambiguity: &Ambiguity) -> Vec<FindingIx> {
    let parent = |f: &FindingIx| pack.findings.get(f.at()).and_then(|f| f.parent);
    let mut parents: Vec<FindingIx> = ambiguity.candidates.iter().filter_map(parent).collect();
    parents.sort_unstable();
    let mut shared: Vec<FindingIx> =
        parents.windows(2).filter(|w| w.first() == w.last()).filter_map(|w| w.first().copied()).collect();
    shared.dedup();
    if shared.is_empty() { ambiguity.candidates.clone() } else { shared }
}

/// What is out of order by this saying.
fn thing(normal: &Normal, phrase: &str) -> Option<String> {
    let chinese = phrase.chars().next().is_some_and(is_han);
    let glue = if chinese { "" } else { " " };
    let behind = normal.bad.iter().filter_map(|bad| phrase.strip_suffix(bad.as_str())?.strip_suffix(glue));
    let before = normal.bad_before.iter().filter_map(|bad| phrase.strip_prefix(bad.as_str())?.strip_prefix(glue));
    let shortest = behind.chain(before).min_by_key(|name| name.len())?;
    let least = if chinese { 2 } else { 1 };
    (shortest.chars().count() >= least).then(|| shortest.trim_start_matches("my ").to_owned())
}

/// Whether one of several findings is named after the thing: what is wrong with the whole body may
/// be any of them, but that it is well denies none.
fn about(pack: &Pack, findings: &[FindingIx], name: &str) -> bool {
    let core = if name.chars().all(is_han) { name.chars().last().map(String::from) } else { Some(name.to_owned()) };
    let Some(core) = core.filter(|core| !core.is_empty()) else { return false };
    let has = |f: &FindingIx| {
        pack.findings.get(f.at()).is_some_and(|f| {
            let sayings = f.sayings.iter().flat_map(|(_, list)| list);
            f.names.iter().map(|(_, name)| name).chain(sayings).any(|phrase| phrase.contains(&core))
        })
    };
    findings.len() == 1 || findings.iter().any(has)
}

/// Tokens that deny what belongs to the things said to be in order.
pub(crate) fn read(lexicon: &Lexicon, units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<Vec<Token>> {
    if clause.units.len() > LONGEST {
        return None;
    }
    let (text, starts) = row(units.get(clause.units.clone())?.iter().copied());
    let at = |byte: usize| starts.binary_search(&(byte as u32)).ok().map(|i| i + clause.units.start);
    let mut pending: Vec<(usize, usize, usize)> = Vec::new();
    let mut good: Option<usize> = None;
    let mut out: Vec<Token> = Vec::new();
    for (kind, from, to) in lexicon.normal.matches(&text) {
        let (start, end) = (at(from)?, at(to)?);
        let near = pending.last().is_some_and(|last| joined(units, tokens, last.2, start));
        match kind {
            Kind::Thing(thing) if !covered(tokens, start, end) => {
                if good.take() == Some(start) && units.get(start).is_some_and(|u| u.is_word()) {
                    out.extend(denied(lexicon, (thing, start, end)));
                    continue;
                }
                if !near {
                    pending.clear();
                }
                pending.push((thing, start, end));
            }
            Kind::Word(Class::Fine) if whole(units, tokens, start, end) => {
                for thing in pending.drain(..).filter(|_| near) {
                    out.extend(denied(lexicon, thing));
                }
                good = Some(end);
            }
            _ => pending.clear(),
        }
    }
    (!out.is_empty()).then_some(out)
}

fn denied(lexicon: &Lexicon, (thing, start, end): (usize, usize, usize)) -> impl Iterator<Item = Token> + '_ {
    let findings = lexicon.things.get(thing).map_or(&[][..], Vec::as_slice);
    findings.iter().map(move |f| Token { kind: Kind::Finding(*f), start, end, inner: vec![Class::NegatorOne] })
}

/// Whether only little words stand between.
fn joined(units: &[Unit], tokens: &[Token], from: usize, to: usize) -> bool {
    let between = tokens.iter().filter(|t| t.end > from && t.start < to);
    let little = |t: &Token| matches!(t.kind, Kind::Word(c) if c.slips_in() || matches!(c, Class::List | Class::Fine));
    from <= to && residue(units, tokens, from, to) == 0 && between.into_iter().all(little)
}

/// Whether a finding has the words already.
fn covered(tokens: &[Token], start: usize, end: usize) -> bool {
    tokens.iter().any(|t| t.kind.is_medical() && t.start < end && start < t.end)
}

/// Whether the word is not the beginning or end of a longer one.
fn whole(units: &[Unit], tokens: &[Token], start: usize, end: usize) -> bool {
    let unknown = units.get(end).is_some_and(|u| is_han(u.ch)) && !tokens.iter().any(|t| t.start == end);
    !unknown && tokens.iter().all(|t| t.end <= start || end <= t.start || (start <= t.start && t.end <= end))
}
