//! Clauses, and how each is meant: stated, asked, supposed.

use std::ops::Range;

use crate::lexicon::Kind;
use crate::scan::{Token, residue};
use crate::units::Unit;
use crate::words::Class;

/// A clause: what stands between two separators.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    /// Positions in the row of tokens.
    pub tokens: Range<usize>,
    /// Positions in the row of units.
    pub units: Range<usize>,
    /// The separator behind it; `\0` at the end of the text.
    pub end: char,
    pub mood: Mood,
}

/// How a clause is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mood {
    /// Asks whether what it names is there.
    pub asks: bool,
    /// Asks something, whatever it is.
    pub question: bool,
    /// A question with a word such as *how* or *why* takes for granted what it names.
    pub wonders: bool,
    /// Asks what counts as what it names, or what the word means.
    pub defines: bool,
    /// Wants a word to be explained.
    pub meaning: bool,
    /// Looks like a question but affirms or denies with force.
    pub retort: bool,
    /// The speaker says not to know.
    pub unsure: bool,
    /// Has a name or saying of the pack.
    pub medical: bool,
}

impl Clause {
    /// Whether the sentence ends with this clause.
    pub(crate) const fn ends_sentence(&self) -> bool {
        matches!(self.end, '.' | '?' | '\0')
    }
}

/// Splits at separators; tokens belong where they begin.
pub(crate) fn split(units: &[Unit], tokens: &[Token]) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let (mut unit_from, mut token_from, mut token) = (0, 0, 0);
    for (i, end) in units.iter().map(|u| u.separates().then_some(u.ch)).chain([Some('\0')]).enumerate() {
        while tokens.get(token).is_some_and(|t| t.start < i) {
            token += 1;
        }
        // A separator inside a token ends nothing.
        let inside = token.checked_sub(1).and_then(|t| tokens.get(t)).is_some_and(|t| t.end > i);
        let Some(end) = end.filter(|_| !inside) else { continue };
        if i > unit_from {
            let own = tokens.get(token_from..token).unwrap_or(&[]);
            let mood = mood(units, own, unit_from..i, end);
            clauses.push(Clause { tokens: token_from..token, units: unit_from..i, end, mood });
        } else if let (Some(last), true) = (clauses.last_mut(), end != '\0') {
            // Of several separators the one that ends a sentence counts.
            if matches!(end, '.' | '?') && !last.ends_sentence() {
                last.end = end;
            }
        }
        unit_from = i + 1;
        token_from = token;
    }
    clauses
}

fn mood(units: &[Unit], tokens: &[Token], range: Range<usize>, end: char) -> Mood {
    let has = |class: Class| tokens.iter().any(|t| t.kind.is(class));
    let position = |class: Class| tokens.iter().rposition(|t| t.kind.is(class));
    let leads =
        |t: &&Token| !matches!(t.kind, Kind::Word(Class::Filler | Class::List | Class::Contrast | Class::Greeting));
    let begins = tokens.iter().find(leads).filter(|t| t.kind.is(Class::WonderingFirst));
    // `when I walk` tells the occasion: a question has its verb before the person.
    let tells = |t: &Token| tokens.iter().any(|p| p.start == t.end && matches!(p.kind, Kind::Subject { .. }));
    let first = begins.is_some_and(|t| residue(units, tokens, range.start, t.start) == 0 && !tells(t));
    let wonders =
        has(Class::Wondering) || has(Class::MeaningNear) || first || (end == '?' && has(Class::WonderingFirst));
    let particle = position(Class::Particle);
    let asking = has(Class::Asking);
    let meaning = explains(units, tokens, &range, end);
    let defining = has(Class::Defining) || meaning;
    let inside = |t: &Token| t.inner.contains(&Class::Rhetorical);
    let retort = has(Class::Retort) || has(Class::Rhetorical) || tokens.iter().any(inside);
    let marked = end == '?' || particle.is_some();
    let question = !retort && (marked || asking || wonders || defining);
    let last_medical = tokens.iter().rposition(|t| t.kind.is_medical());
    let asks =
        defining || question && !wonders && (asking || asks_for_finding(units, tokens, &range, last_medical, particle));
    let unsure = position(Class::Unsure).is_some_and(|at| !tokens.iter().skip(at).any(|t| t.kind.is(Class::Wondering)));
    let unsure = unsure && !meaning;
    Mood { asks, question, wonders, retort, unsure, defines: defining, meaning, medical: last_medical.is_some() }
}

/// Whether a word is to be explained: a verb of meaning in a question or beside a denial (`I don't
/// understand`), or `what is` with nothing but a name.
fn explains(units: &[Unit], tokens: &[Token], range: &Range<usize>, end: char) -> bool {
    let has = |test: fn(Class) -> bool| tokens.iter().any(|t| matches!(t.kind, Kind::Word(class) if test(class)));
    let asks = |class: Class| {
        matches!(class, Class::Wondering | Class::Defining | Class::Unsure | Class::Particle | Class::Whether)
            || class.denies()
    };
    let supposes = tokens.iter().any(|t| t.kind.is(Class::Supposing));
    if has(|class| class == Class::Meaning) {
        // In Chinese, and in several words, they ask by themselves.
        let asking = |t: &Token| t.end - t.start > 1 || units.get(t.start).is_some_and(|u| crate::locale::is_han(u.ch));
        let alone = tokens.iter().any(|t| t.kind.is(Class::Meaning) && asking(t));
        return !supposes && (alone || end == '?' || has(asks));
    }
    let mut near = tokens.windows(2).enumerate().filter(|(i, pair)| match pair {
        [a, b] if a.end == b.start => {
            let rest = || tokens.iter().skip(i + 2).all(|t| t.kind.is(Class::Copula));
            let first = a.kind.is(Class::MeaningNear) && b.kind.is_medical() && rest();
            let last = a.kind.is_medical() && b.kind.is(Class::MeaningNear) && b.end == range.end;
            first || last
        }
        _ => false,
    });
    let little = |t: &Token| {
        matches!(
            t.kind,
            Kind::Word(Class::Filler | Class::Contrast | Class::List | Class::Copula) | Kind::Subject { .. }
        )
    };
    let alone = |t: &Token| t.kind.is_medical() || t.kind.is(Class::MeaningNear) || little(t);
    near.next().is_some() && tokens.iter().all(alone) && residue(units, tokens, range.start, range.end) == 0
}

/// A question mark or particle asks for the finding unless much stands between the two (then it
/// asks about a remedy, and the finding is taken for granted) or the clause states a time.
fn asks_for_finding(
    units: &[Unit],
    tokens: &[Token],
    range: &Range<usize>,
    last_medical: Option<usize>,
    particle: Option<usize>,
) -> bool {
    let Some(last) = last_medical.and_then(|at| tokens.get(at)) else { return false };
    if residue(units, tokens, last.end, range.end) > 2 {
        return false;
    }
    particle.is_some()
        || !tokens.iter().any(|t| match t.kind {
            Kind::Word(class) => matches!(class, Class::Affirm | Class::Persisting | Class::Over) || class.denies(),
            Kind::Time(_) | Kind::TimeUnit(_) => true,
            _ => false,
        })
}
