//! A message of nothing but numbers picks what was shown with them: `2`, `1和3`, `option 1`.
//!
//! A number means the quick answer that was shown at that place. Where none were shown it means the
//! finding at that place of the question. A number that nothing was shown for picks nothing, and
//! neither does one that counts something (`3天`), so that such a message is read as any other.

use std::ops::Range;

use wenzhen_pack::{Locale, State};

use crate::locale::is_han;
use crate::words::PickWords;
use crate::{ContextFacts, Intent, Interpretation, Normalised, Observation, Utterance};

/// The longest message that is looked at, in bytes.
const LONGEST: usize = 48;
/// Numbers above have more digits than any list has places.
const DIGITS: usize = 2;

/// A place in a list, counted from one, with the bytes of the normalised text that name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pick {
    pub place: usize,
    pub span: Range<usize>,
}

/// The places that a whole message names, if it names some of `shown` and says nothing else.
pub(crate) fn read(tables: &[PickWords], text: &str, shown: usize) -> Option<Vec<Pick>> {
    if text.len() > LONGEST || shown == 0 {
        return None;
    }
    let mut picks: Vec<Pick> = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next()?;
        if first.is_ascii_digit() {
            let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let place: usize = rest.get(..len)?.parse().ok().filter(|_| len <= DIGITS)?;
            let joined = rest.get(len..).is_some_and(counts);
            if !(1..=shown).contains(&place) || joined {
                return None;
            }
            if !picks.iter().any(|p| p.place == place) {
                picks.push(Pick { place, span: at..at + len });
            }
            at += len;
        } else if first.is_alphabetic() {
            at += word(tables, rest)?;
        } else if matches!(first, '-' | '~' | '%' | '°') {
            // A range or a measure.
            return None;
        } else {
            at += first.len_utf8();
        }
    }
    (!picks.is_empty()).then_some(picks)
}

/// Whether a number goes on behind its digits (`1.5`).
fn counts(next: &str) -> bool {
    let mut chars = next.chars();
    matches!(chars.next(), Some('.' | ':' | '/')) && chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// The length of the word at the beginning, if it may stand beside a number that picks.
fn word(tables: &[PickWords], text: &str) -> Option<usize> {
    let latin = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let han = text.chars().next().is_some_and(is_han);
    let fits = |w: &&String| if han { text.starts_with(w.as_str()) } else { text.get(..latin) == Some(w.as_str()) };
    tables.iter().flat_map(|t| &t.words).filter(fits).map(String::len).max()
}

/// What the picks say together: `answers` are the quick answers, each read on its own.
///
/// What one of them affirms counts against what another denies (`only the first` and `only the
/// second` are both). One that affirms nothing beside one that does contradicts it: then nothing
/// was understood.
pub(crate) fn together(locale: Locale, answers: Vec<Interpretation>) -> Interpretation {
    let mut all = nothing(locale);
    let affirms = |i: &Interpretation| i.observations.iter().any(|o| o.state == State::Present);
    let empty = |i: &Interpretation| i.observations.is_empty();
    let several = answers.len() > 1;
    if several && answers.iter().any(affirms) && !answers.iter().all(affirms) || answers.iter().all(empty) && several {
        return all;
    }
    for answer in answers {
        all.intent = answer.intent;
        all.withdrawn.extend(answer.withdrawn);
        all.ambiguous.extend(answer.ambiguous);
        all.context = if all.context == ContextFacts::default() { answer.context } else { all.context };
        for new in answer.observations {
            match all.observations.iter_mut().find(|o| o.finding == new.finding) {
                None => all.observations.push(new),
                Some(old) if new.state == State::Present => *old = new,
                Some(_) => {}
            }
        }
    }
    all
}

/// Nothing understood.
pub(crate) fn nothing(locale: Locale) -> Interpretation {
    Interpretation {
        locale,
        intent: Intent::Unclear,
        observations: Vec::new(),
        ambiguous: Vec::new(),
        withdrawn: Vec::new(),
        context: ContextFacts::default(),
        meanings: Vec::new(),
        refused: false,
    }
}

/// The findings of the question at the places picked.
pub(crate) fn of_asked(u: &Utterance<'_>, locale: Locale, picks: &[Pick], text: &Normalised) -> Interpretation {
    let present = |pick: &Pick| {
        let finding = *u.asked.get(pick.place.checked_sub(1)?)?;
        Some(Observation {
            finding,
            state: State::Present,
            span: text.span(pick.span.clone()),
            past: false,
            duration_days: None,
            severity: None,
            value: None,
            answers_question: true,
        })
    };
    Interpretation {
        intent: Intent::Answer,
        observations: picks.iter().filter_map(present).collect(),
        ..nothing(locale)
    }
}

#[cfg(test)]
mod tests {
    use wenzhen_pack::Locale;

    use super::{Pick, read};
    use crate::words::Table;

    #[test]
    fn only_bare_places_of_the_list_are_picked() {
        let tables: Vec<_> = Locale::ALL.iter().map(|l| Table::load(*l).expect("a table").pick).collect();
        let places = |text: &str, shown| {
            let picks: Option<Vec<Pick>> = read(&tables, &crate::normalise(text).text, shown);
            picks.map(|all| all.into_iter().map(|p| p.place).collect::<Vec<_>>())
        };
        for (text, shown, want) in [
            ("1", 3, Some(vec![1])),
            ("１", 3, Some(vec![1])),
            ("1和3", 3, Some(vec![1, 3])),
            ("1、2", 3, Some(vec![1, 2])),
            ("1,3", 5, Some(vec![1, 3])),
            ("2 and 3", 3, Some(vec![2, 3])),
            ("选2", 3, Some(vec![2])),
            ("option 2.", 3, Some(vec![2])),
            ("3", 2, None),
            ("0", 3, None),
            ("3天", 5, None),
            ("3 days", 5, None),
            ("1.5", 3, None),
            ("1-3", 5, None),
            ("2次", 5, None),
            ("1", 0, None),
            ("and", 3, None),
            ("", 3, None),
        ] {
            assert_eq!(places(text, shown), want, "{text}");
        }
    }
}
