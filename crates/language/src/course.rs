//! What is said of the course and names no finding: under which circumstances it is worse or better
//! (`丙的时候更厉害`, `x makes it worse`). It was understood, but answers no question for a finding.

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon, row};
use crate::scan::Token;
use crate::units::Unit;
use crate::words::Class;

/// The longest clause that is looked through, in units.
const LONGEST: usize = 48;

/// Where the course goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Worse,
    Better,
}

/// The course, where the clause tells a circumstance beside a word for worse or better. Without one
/// (`更厉害`) it only says how bad.
pub(crate) fn read(lexicon: &Lexicon, units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<Course> {
    let mood = clause.mood;
    if mood.medical || mood.question || mood.unsure || clause.units.len() > LONGEST {
        return None;
    }
    let (text, starts) = row(units.get(clause.units.clone())?.iter().copied());
    let at = |byte: usize| starts.binary_search(&(byte as u32)).ok().map(|i| i + clause.units.start);
    let words: Vec<(Kind, usize, usize)> =
        lexicon.course.matches(&text).filter_map(|(kind, from, to)| Some((kind, at(from)?, at(to)?))).collect();
    let in_word = |i: usize| words.iter().any(|(_, from, to)| (*from..*to).contains(&i));
    let little = |i: usize| {
        let token = tokens.get(tokens.partition_point(|t| t.end <= i)).filter(|t| t.start <= i);
        token.is_some_and(|t| !tells_occasion(t.kind))
    };
    let content = |i: usize| units.get(i).is_some_and(|u| u.is_content());
    let (kind, ..) = words.last().filter(|_| clause.units.clone().any(|i| content(i) && !in_word(i) && !little(i)))?;
    Some(if kind.is(Class::MildAfter) { Course::Better } else { Course::Worse })
}

/// Whether a word may be a circumstance: one that is known but means nothing here, a time of the day.
fn tells_occasion(kind: Kind) -> bool {
    match kind {
        Kind::Word(class) => matches!(class, Class::Inert),
        Kind::Time(days) => days == 0.0,
        _ => false,
    }
}
