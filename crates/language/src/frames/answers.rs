//! Quick answers, and the candidates in a clarifying question.

use wenzhen_pack::voice::{Answers, Clarify, Grammar, GuidanceVoice};

use super::compiled::{Clause, Parts};
use super::list;

/// Answers to a question for findings; `choice` when they are values of one axis.
pub fn to_findings(voice: &GuidanceVoice, clauses: &[&Clause], labels: &[&str], choice: bool) -> Vec<String> {
    let answers = &voice.answers;
    let with = |template: &str| labels.iter().map(|label| template.replace("{label}", label)).collect::<Vec<_>>();
    let mut out = Vec::with_capacity(labels.len() + 3);
    match clauses {
        [only] => out.extend(yes_no(&voice.grammar, only)),
        _ if choice => {
            out.extend(with(&answers.choose));
            out.push(answers.other.clone());
        }
        _ => {
            let (yes, no) = match labels.len() {
                2 => (&answers.both, &answers.neither),
                _ => (&answers.all, &answers.none),
            };
            // Values that exclude each other cannot all be so.
            if exclusive(clauses) {
                out.extend(with(&answers.only));
                out.push(no.clone());
            } else {
                out.extend([yes.clone(), no.clone()]);
                out.extend(with(&answers.only));
            }
        }
    }
    out.push(answers.unsure.clone());
    out
}

/// Whether any two are values of one axis.
fn exclusive(clauses: &[&Clause]) -> bool {
    let later = |i: usize, axis| clauses.iter().skip(i + 1).any(|other| other.axis == axis);
    clauses.iter().enumerate().any(|(i, clause)| clause.axis.is_some() && later(i, clause.axis))
}

fn yes_no(grammar: &Grammar, clause: &Clause) -> [String; 2] {
    match (grammar, &clause.parts) {
        (Grammar::Head(grammar), _) => [grammar.yes.clone(), grammar.no.clone()],
        (Grammar::Marker(grammar), Parts::Marker(parts)) => {
            let marker = parts.marker(grammar).or_else(|| grammar.markers.first());
            marker.map_or_else(Default::default, |marker| [marker.yes.clone(), marker.no.clone()])
        }
        (Grammar::Marker(_), Parts::Head(_)) => Default::default(),
    }
}

/// The clause that asks which candidate is meant; it gets the list where it does not list them itself.
pub fn clarifying(clarify: &Clarify, clause: &str, labels: &[&str]) -> String {
    let mut out = clause.trim().to_owned();
    if !clarify.lists_itself.iter().any(|word| out.contains(word.as_str())) {
        out.push_str(&clarify.before);
        list(&mut out, labels, &clarify.separator, &clarify.or);
    }
    out
}

/// Answers to a clarifying question: the candidates, and none of them.
pub fn to_clarifying(answers: &Answers, labels: &[&str]) -> Vec<String> {
    let candidates = labels.iter().map(|label| answers.choose.replace("{label}", label));
    candidates.chain([answers.other.clone()]).collect()
}
