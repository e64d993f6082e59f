//! Facts about the patient beside findings: age, sex, pregnancy, allergies, who speaks for whom.

use wenzhen_pack::{Pack, Sex};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon, Pattern};
use crate::polarity::Who;
use crate::quantity::{Quantity, Reading};
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;
use crate::{ContextFacts, Normalised, Subject, substances};

/// The longest list of substances that is looked through, in units.
const LONGEST_LIST: usize = 16;

/// Most substances of one kind that are kept of one text.
const MOST_NAMED: usize = 20;

/// A clause with what was read in it.
pub(crate) struct Told<'a> {
    pub clause: &'a Clause,
    pub tokens: &'a [Token],
    pub readings: &'a [Reading],
    /// Whom the clause is about, at its end.
    pub who: Who,
    pub supposed: bool,
    /// The clause may answer a question.
    pub asked: bool,
}

/// Adds what a clause tells of the patient.
pub(crate) fn add(
    facts: &mut ContextFacts,
    told: &Told<'_>,
    patient: Option<Subject>,
    (lexicon, pack): (&Lexicon, &Pack),
    text: (&Normalised, &str, &[Unit]),
) {
    let about_patient = !told.who.relative && (told.who.subject.is_none() || told.who.subject == patient);
    if !about_patient || told.supposed || (told.clause.mood.asks && told.clause.mood.medical) {
        return;
    }
    for reading in told.readings {
        match reading.what {
            Quantity::Age(months) => facts.age_months = Some(months.round().max(0.0) as u32),
            Quantity::Weeks(weeks) if (0.0..46.0).contains(&weeks) => {
                facts.pregnancy_weeks = Some(weeks.round() as u32);
                facts.pregnant = Some(true);
                facts.sex.get_or_insert(Sex::Female);
            }
            // `女，34`: a number on its own beside a sex is an age.
            Quantity::Bare(years) if facts.sex.is_some() && told.tokens.len() == 1 && !told.asked => {
                facts.age_months.get_or_insert(years * 12);
            }
            _ => {}
        }
    }
    if let Some(at) = told.tokens.iter().rposition(|t| t.kind.is(Class::Pregnant)) {
        pregnancy(facts, told, at);
    }
    for token in told.tokens {
        match token.kind {
            Kind::Sex(sex) => facts.sex = Some(sex),
            Kind::Subject { sex: Some(sex), who, relative: false } if Some(who) == patient => facts.sex = Some(sex),
            _ => {}
        }
    }
    let named = substances::read(told, lexicon, pack, text);
    for (known, new) in [
        (&mut facts.allergies, allergies(told, lexicon, text).into_iter().chain(named.allergies).collect::<Vec<_>>()),
        (&mut facts.medicines, named.medicines),
    ] {
        for item in new {
            if known.len() < MOST_NAMED && !known.iter().any(|k| k.contains(&item)) {
                known.push(item);
            }
        }
    }
}

fn pregnancy(facts: &mut ContextFacts, told: &Told<'_>, at: usize) {
    let mood = told.clause.mood;
    if mood.question || mood.unsure || told.tokens.iter().any(|t| t.kind.is(Class::Whether) || t.kind.is(Class::Hedge))
    {
        return;
    }
    let denies = |t: &Token| match t.kind {
        Kind::Word(class) => class.denies() || matches!(class, Class::MetaNegator | Class::AllNo | Class::No),
        _ => false,
    };
    let before = told.tokens.iter().take(at).rev().take(3).any(denies);
    let behind = told.tokens.get(at + 1).is_some_and(denies) && told.tokens.len() == at + 2;
    let pregnant = !(before || behind);
    facts.pregnant = Some(pregnant);
    if pregnant {
        facts.sex.get_or_insert(Sex::Female);
    }
}

/// Substances named in a clear form: between the words of the table that open and close it.
fn allergies(
    told: &Told<'_>,
    lexicon: &Lexicon,
    (normalised, original, units): (&Normalised, &str, &[Unit]),
) -> Vec<String> {
    let mood = told.clause.mood;
    let negated = told.tokens.iter().any(|t| match t.kind {
        Kind::Word(class) => class.denies() || matches!(class, Class::AllNo | Class::Whether | Class::MetaNegator),
        _ => false,
    });
    if negated || mood.question || mood.unsure {
        return Vec::new();
    }
    let [before, behind] = &lexicon.allergic;
    let row: Vec<char> = units.get(told.clause.units.clone()).unwrap_or(&[]).iter().map(|u| u.ch).collect();
    let at = |patterns: &[Pattern], from: usize| {
        let here =
            |i: usize| row.get(i..).and_then(|r| patterns.iter().find(|p| r.starts_with(p)).map(|p| (i, i + p.len())));
        (from..row.len().min(from + LONGEST_LIST)).find_map(here)
    };
    let opened = (0..row.len()).step_by(LONGEST_LIST).find_map(|from| at(before, from));
    let Some((_, start)) = opened else { return Vec::new() };
    let chinese = row.get(start).is_some_and(|c| crate::locale::is_han(*c));
    let end = match at(behind, start) {
        Some((end, _)) => end,
        None if chinese => return Vec::new(),
        None => row.len(),
    };
    let (start, end) = (told.clause.units.start + start, told.clause.units.start + end);
    let mut names = Vec::new();
    let mut from = start;
    let lists = told
        .tokens
        .iter()
        .filter(|t| t.kind.is(Class::List) && t.start >= start && t.end <= end)
        .map(|t| (t.start, t.end));
    for (to, next) in lists.chain([(end, end)]) {
        let span = units.get(from..to).and_then(|s| Some((s.first()?.start as usize, s.last()?.end as usize)));
        if let Some((first, last)) = span.filter(|_| to - from <= 8) {
            let text = original.get(normalised.span(first..last)).unwrap_or("").trim();
            if !text.is_empty() {
                names.push(text.to_owned());
            }
        }
        from = next;
    }
    names
}
