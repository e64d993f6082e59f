//! What the patient does by saying this.

use crate::clause::Clause;
use crate::scan::Token;
use crate::words::Class;
use crate::{Intent, Interpretation};

/// Signs of an intent beside the observations.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signs {
    /// Says that something said before was wrong.
    pub corrects: bool,
    /// Might say so, when findings follow.
    pub may_correct: bool,
    /// Answers the question before, if only by not knowing.
    pub answers: bool,
    /// Tells an age, a sex or the like.
    pub tells: bool,
    /// Tells for how long, or when it is worse or better.
    pub course: bool,
    /// Has words beside those of grammar, and none of them is of the field or of a consultation.
    pub foreign: bool,
}

/// Decides the intent; `found` already holds observations and withdrawals.
pub(crate) fn decide(
    signs: Signs,
    found: &Interpretation,
    tokens: &[Token],
    clauses: &[Clause],
    asked: bool,
) -> Intent {
    let has = |class: Class| tokens.iter().any(|t| t.kind.is(class));
    let observed = !found.observations.is_empty();
    let said = observed || !found.ambiguous.is_empty();
    if !found.withdrawn.is_empty() || signs.corrects && said || signs.may_correct && observed {
        return Intent::Correction;
    }
    if found.refused {
        return Intent::Refuses;
    }
    // Who wants no more questions but to be told what it is wants an answer, not an end.
    let diagnosis = has(Class::Diagnosis);
    if has(Class::Stop) && !said && !diagnosis {
        return Intent::WantsStop;
    }
    if asked && signs.answers {
        return Intent::Answer;
    }
    if said {
        return if has(Class::Stop) { Intent::WantsStop } else { Intent::Report };
    }
    let asks = |c: &Clause| (c.mood.question || c.mood.asks || c.end == '?') && !greets(c, tokens);
    let question = clauses.iter().any(asks);
    if !found.meanings.is_empty() || clauses.iter().any(|c| c.mood.meaning) {
        return Intent::AsksQuestion;
    }
    if has(Class::OffTopic) {
        return Intent::OffTopic;
    }
    if diagnosis || clauses.iter().any(|c| c.mood.asks && c.mood.medical && !c.mood.defines) {
        return Intent::AsksDiagnosis;
    }
    if question {
        return if signs.foreign { Intent::OffTopic } else { Intent::AsksQuestion };
    }
    if signs.corrects {
        return Intent::Correction;
    }
    if signs.tells || signs.course {
        return Intent::Report;
    }
    if has(Class::Greeting) {
        return Intent::Greeting;
    }
    Intent::Unclear
}

/// Whether a clause is nothing but a greeting, which asks nothing even with a question mark.
fn greets(clause: &Clause, tokens: &[Token]) -> bool {
    let own = tokens.get(clause.tokens.clone()).unwrap_or(&[]);
    let covered: usize = own.iter().map(|t| t.end - t.start).sum();
    covered == clause.units.len()
        && own.iter().any(|t| t.kind.is(Class::Greeting))
        && own.iter().all(|t| t.kind.is(Class::Greeting) || t.kind.is(Class::Filler))
}
