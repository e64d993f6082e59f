//! Clauses that name nothing and answer the question before: `前两个有`, `都不`, `a bit`, `not sure`.

use wenzhen_pack::{FindingIx, State};

use crate::Severity;
use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::scan::{Token, residue};
use crate::units::Unit;
use crate::words::Class;

/// What a clause without a finding says of what was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bare {
    pub scope: Scope,
    pub state: State,
    pub severity: Option<Severity>,
    pub past: bool,
    /// Nothing denies it: it is only said to be well.
    pub well: bool,
}

/// Of which of the asked findings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scope {
    /// Of what was asked.
    Asked,
    /// Of every one of them, in so many words (`都没有`).
    All,
    /// Of these places, with the state of each; with `only`, the others are denied.
    Picked { places: Vec<(i8, State)>, only: bool },
}

/// Reads a clause that names no finding; `None` when it is no answer either.
pub(crate) fn read(lexicon: &Lexicon, units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<Bare> {
    let mood = clause.mood;
    if mood.medical || (mood.question && !mood.retort && !mood.unsure) {
        return None;
    }
    let has = |class: Class| tokens.iter().any(|t| t.kind.is(class));
    let bare = |scope, state| Some(Bare { scope, state, severity: None, past: false, well: false });
    if mood.unsure {
        return bare(Scope::Asked, State::Unsure);
    }
    // To be with child or not is no answer to a question for findings.
    if has(Class::Pregnant) || has(Class::Inert) || has(Class::OffTopic) || has(Class::Greeting) && tokens.len() == 1 {
        return None;
    }
    let free = residue(units, tokens, clause.units.start, clause.units.end);
    if let Some(picked) = picked(lexicon, tokens).filter(|_| free <= 3) {
        return bare(picked, State::Present);
    }
    let severity = degree(tokens);
    // A word that covers the question as a whole tolerates a word or two beside it.
    let english = units.get(clause.units.start).is_some_and(|u| u.is_word());
    let spare = if english { 2 } else { 0 };
    if has(Class::AllNo) && free <= spare {
        return bare(Scope::All, State::Denied);
    }
    if has(Class::AllYes) && free <= spare {
        return Some(Bare { scope: Scope::All, state: State::Present, severity, past: false, well: false });
    }
    let (yes, no) = (has(Class::Yes), has(Class::No) || has(Class::Fine) || has(Class::Unrelated));
    if free > if yes || no { spare } else { 0 } {
        return None;
    }
    // An adverb that waits for its adjective (`很`) says how much of nothing.
    if free == 0
        && tokens.len() == 1
        && tokens.iter().any(|t| t.kind.is(Class::Severe) && t.end - t.start == 1 && !english)
    {
        return None;
    }
    let (state, mild) = state(&has, severity.is_some())?;
    // `有点担心`, `很害怕`: of what, is not said; `有药`, `我有孩子`: it is something else that is there.
    let beside = has(Class::RemedyPrefix) || has(Class::RemedySuffix) || owns(tokens);
    if state == State::Present && beside {
        return None;
    }
    let formerly = has(Class::Past) && !has(Class::Now);
    if formerly && state == State::Denied {
        // That it was not so before says nothing of now.
        return None;
    }
    let severity = if mild { Some(Severity::Mild) } else { severity };
    let severity = severity.filter(|_| state == State::Present);
    // `有三天` to several findings tells how long, not that all are there.
    let timed = tokens.iter().any(|t| matches!(t.kind, Kind::TimeUnit(_)));
    if timed && state == State::Present && !yes {
        return None;
    }
    let past = (has(Class::Over) || formerly) && state == State::Present;
    let well = (has(Class::Fine) || has(Class::Unrelated))
        && !has(Class::No)
        && !has(Class::Negator)
        && !has(Class::NegatorOne);
    Some(Bare { scope: Scope::Asked, state, severity, past, well })
}

/// Whether it is somebody that the speaker has (`我有两个孩子`).
fn owns(tokens: &[Token]) -> bool {
    let has = tokens.iter().position(|t| t.kind.is(Class::Affirm));
    let somebody =
        tokens.iter().rposition(|t| matches!(t.kind, Kind::Subject { who, .. } if who != crate::Subject::SelfPatient));
    has.zip(somebody).is_some_and(|(has, somebody)| has < somebody)
}

/// The state that the words give, and whether it is there only a little; `degree`: one is named.
fn state(has: &impl Fn(Class) -> bool, degree: bool) -> Option<(State, bool)> {
    let (yes, no) = (has(Class::Yes), has(Class::No) || has(Class::Fine) || has(Class::Unrelated));
    let denied = no || has(Class::Negator) || has(Class::NegatorOne) || has(Class::MetaNegator);
    let affirming =
        [Class::Affirm, Class::Copula, Class::Often, Class::Persisting, Class::Over, Class::Past, Class::Once];
    if has(Class::Hedge) {
        Some((State::Unsure, false))
    } else if denied && degree && !no {
        // `不特别`: a little.
        Some((State::Present, true))
    } else if denied && !(yes && !no && !has(Class::Negator)) {
        Some((State::Denied, false))
    } else if yes || degree || affirming.into_iter().any(has) {
        Some((State::Present, false))
    } else {
        None
    }
}

/// How much, in a word.
fn degree(tokens: &[Token]) -> Option<Severity> {
    let has = |class: Class| tokens.iter().any(|t| t.kind.is(class));
    if has(Class::Mild) || has(Class::MildAfter) || has(Class::WeakNegator) {
        Some(Severity::Mild)
    } else if has(Class::Severe) || has(Class::SevereAfter) {
        Some(Severity::Severe)
    } else if has(Class::Moderate) {
        Some(Severity::Moderate)
    } else {
        None
    }
}

/// Ordinals with what is said of each.
fn picked(lexicon: &Lexicon, tokens: &[Token]) -> Option<Scope> {
    let mut places: Vec<(i8, State)> = Vec::new();
    let (mut begun, mut turned, mut only, mut excepted) = (0, false, false, false);
    let mut rest = None;
    for token in tokens {
        match token.kind {
            Kind::Ordinal(at) => {
                begun = places.len();
                let state = if turned { State::Denied } else { State::Present };
                places.extend(lexicon.ordinals.get(at)?.iter().map(|place| (*place, state)));
                turned = false;
            }
            Kind::Word(Class::Negator | Class::NegatorOne | Class::MetaNegator | Class::No | Class::AllNo) => {
                rest = Some(State::Denied);
                if places.is_empty() {
                    turned = true;
                } else if !excepted {
                    places.iter_mut().skip(begun).for_each(|p| p.1 = State::Denied);
                }
            }
            Kind::Word(Class::AllYes) => rest = Some(State::Present),
            Kind::Word(Class::Only | Class::Contrast) => only = true,
            Kind::Word(Class::Except) => excepted = true,
            Kind::Word(Class::Rest) => only = true,
            _ => {}
        }
    }
    if places.is_empty() {
        return None;
    }
    if excepted && rest == Some(State::Present) {
        places.iter_mut().for_each(|p| p.1 = State::Denied);
    }
    Some(Scope::Picked { places, only: only || (excepted && rest == Some(State::Denied)) })
}

/// The finding at a place, counted from one, from the end when negative.
pub(crate) fn place(asked: &[FindingIx], place: i8) -> Option<FindingIx> {
    let at = usize::from(place.unsigned_abs()).checked_sub(1)?;
    if place > 0 { asked.get(at).copied() } else { asked.iter().rev().nth(at).copied() }
}
