//! What the patient takes, and what the patient does not tolerate, by the names of the pack and by the
//! words around them. It is kept in the patient's own words.

use std::ops::Range;

use wenzhen_pack::SubstanceKind;

use crate::Normalised;
use crate::clause::Clause;
use crate::context::Told;
use crate::lexicon::{Kind, Lexicon, row};
use crate::locale::is_han;
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;

/// How far from the word for taking a name may stand, in units.
const REACH: usize = 12;
/// The longest name of something that the pack does not know, in units.
const LONGEST_NAME: usize = 5;
/// How far from its name the word for not tolerating may stand, in units.
const NEAR: usize = 2;
/// The longest clause that is looked through, in units.
const LONGEST: usize = 120;

/// Substances of a clause, in the words of the patient.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub medicines: Vec<String>,
    pub allergies: Vec<String>,
}

/// A name or a word around it.
#[derive(Debug, Clone, Copy)]
struct Match {
    kind: Kind,
    start: usize,
    end: usize,
}

/// What a statement about the patient says to be taken now, or not tolerated.
pub(crate) fn read(
    told: &Told<'_>,
    lexicon: &Lexicon,
    pack: &wenzhen_pack::Pack,
    text: (&Normalised, &str, &[Unit]),
) -> Named {
    let clause = told.clause;
    let has = |class: Class| told.tokens.iter().any(|t| t.kind.is(class));
    let denied = told.tokens.iter().any(|t| match t.kind {
        Kind::Word(class) => class.denies() || matches!(class, Class::AllNo | Class::Whether | Class::MetaNegator),
        _ => false,
    });
    let over = (has(Class::Past) || has(Class::Over)) && !has(Class::Now);
    if clause.mood.question || clause.mood.unsure || denied || clause.units.len() > LONGEST {
        return Named::default();
    }
    let matches = find(lexicon, text.2, clause);
    let is = |m: &Match, class: Class| m.kind.is(class);
    let kind = |m: &Match| match m.kind {
        Kind::Substance(at) => pack.substances.get(at).map(|s| s.kind),
        _ => None,
    };
    let mut named = Named::default();
    let mut known: Vec<Range<usize>> = Vec::new();
    for name in matches.iter().filter(|m| kind(m).is_some()) {
        let behind = |m: &&Match| is(m, Class::AllergicAfter) && m.start >= name.end && m.start - name.end <= NEAR;
        if matches.iter().any(|m| behind(&m)) {
            named.allergies.extend(words(text, name.start, name.end));
            continue;
        }
        let taken = |m: &&Match| {
            let before = m.end <= name.start && name.start - m.end <= REACH;
            let after =
                m.start >= name.end && m.start - name.end <= NEAR && text.2.get(m.start).is_some_and(|u| is_han(u.ch));
            is(m, Class::Taking) && (before || after) || is(m, Class::TakingNear) && m.end == name.start
        };
        if !over && kind(name) == Some(SubstanceKind::Medicine) && matches.iter().any(|m| taken(&m)) {
            known.push(name.start..name.end);
            named.medicines.extend(words(text, name.start, name.end));
        }
    }
    if !over {
        let others = matches.iter().filter(|m| is(m, Class::Medicine));
        let free = others.filter(|m| !known.iter().any(|k| k.start < m.end && m.start < k.end || k.end == m.start));
        let unknown = free.filter_map(|m| unknown(&matches, told.tokens, text, *m));
        named.medicines.extend(unknown.collect::<Vec<_>>());
    }
    named
}

/// Names and the words around them, in the units of the text.
fn find(lexicon: &Lexicon, units: &[Unit], clause: &Clause) -> Vec<Match> {
    let (text, starts) = row(units.get(clause.units.clone()).unwrap_or(&[]).iter().copied());
    let at = |byte: usize| starts.binary_search(&(byte as u32)).ok().map(|i| i + clause.units.start);
    let found = lexicon.substances.matches(&text);
    found.filter_map(|(kind, from, to)| Some(Match { kind, start: at(from)?, end: at(to)? })).collect()
}

/// Something taken that the pack does not know: from the word for taking to the word for a medicine.
fn unknown(matches: &[Match], tokens: &[Token], text: (&Normalised, &str, &[Unit]), medicine: Match) -> Option<String> {
    let taking = matches.iter().rev().find(|m| m.kind.is(Class::Taking) && m.end <= medicine.start)?;
    let little = |at: usize| {
        let token = tokens.iter().find(|t| t.start == at)?;
        let slips = matches!(token.kind, Kind::Word(class) if class.slips_in()) || matches!(token.kind, Kind::Count(_));
        slips.then_some(token.end)
    };
    let mut from = taking.end;
    while let Some(next) = little(from).filter(|next| *next <= medicine.start) {
        from = next;
    }
    let named = from < medicine.start && medicine.start - from <= LONGEST_NAME;
    named.then(|| words(text, from, medicine.end)).flatten()
}

fn words((normalised, original, units): (&Normalised, &str, &[Unit]), from: usize, to: usize) -> Option<String> {
    let (first, last) = (units.get(from)?.start as usize, units.get(to.checked_sub(1)?)?.end as usize);
    let text = original.get(normalised.span(first..last))?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
