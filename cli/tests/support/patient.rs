//! A patient who answers whatever is asked, now with the quick answers, now in her own words.

use wenzhen_pack::{FindingIx, Locale, Pack};
use wenzhen_proto::clinical::v1::FindingState;
use wenzhen_proto::orchestrator::v1::Question;

use super::script::{Answer, Script};
use super::words::{Short, words};

/// What the patient answers, and what must be recorded of it.
#[derive(Debug, Default)]
pub struct Reply {
    /// The words.
    pub text: String,
    /// Findings with the state that they must have afterwards.
    pub means: Vec<(String, FindingState)>,
}

/// Answers a question in `locale`; `turn` varies the form.
pub fn answer(pack: &Pack, script: &Script, question: &Question, locale: Locale, turn: usize) -> Reply {
    let short = short(locale);
    match question.context_field.as_str() {
        "age_sex" => {
            return Reply { text: script.person.clone().unwrap_or_else(|| short.person.clone()), means: vec![] };
        }
        // Whoever has a photograph sends it in a step of its own.
        "tongue_photo" => return Reply { text: question.quick_answers[0].clone(), means: vec![] },
        "pregnancy" => {
            let text = script.pregnancy.clone().unwrap_or_else(|| short.not_pregnant.clone());
            return Reply { text, means: vec![] };
        }
        _ => {}
    }
    if !question.ambiguity_id.is_empty() {
        return clarification(pack, script, question);
    }
    let answers: Vec<Answer> = question.finding_ids.iter().map(|id| of(pack, script, id)).collect();
    let means = question.finding_ids.iter().zip(&answers).map(|(id, answer)| (id.clone(), state(*answer))).collect();
    let quick = &question.quick_answers;
    match (answers.as_slice(), quick.len()) {
        // One finding: yes, no, unsure.
        ([only], 3) => Reply { text: quick[*only as usize].clone(), means },
        // Two that go together: both, neither, only the first, only the second, unsure.
        ([a, b], 5) => Reply { text: two(short, (*a, *b), quick, turn), means },
        // Two that exclude each other: the first, the second, neither, unsure.
        ([a, b], 4) => one_of_two(short, (*a, *b), question, turn),
        (answers, _) => panic!("{} findings with the quick answers {quick:?}", answers.len()),
    }
}

/// The short answers of a language.
pub fn short(locale: Locale) -> &'static Short {
    match locale {
        Locale::Zh => &words().zh,
        Locale::En => &words().en,
    }
}

/// The script's answer to a finding; whoever has a child of it has it too.
fn of(pack: &Pack, script: &Script, id: &str) -> Answer {
    if let Some(answer) = script.answers.get(id) {
        return *answer;
    }
    let ix = pack.finding(id);
    let below = |f: FindingIx| {
        let parent = |f: FindingIx| pack.findings[f.at()].parent;
        std::iter::successors(parent(f), |f| parent(*f)).any(|f| Some(f) == ix)
    };
    let yes = |(child, answer): (&String, &Answer)| *answer == Answer::Yes && pack.finding(child).is_some_and(below);
    if script.answers.iter().any(yes) { Answer::Yes } else { script.otherwise }
}

fn state(answer: Answer) -> FindingState {
    match answer {
        Answer::Yes => FindingState::Present,
        Answer::No => FindingState::Denied,
        Answer::Unsure => FindingState::Unsure,
    }
}

fn two(short: &Short, answers: (Answer, Answer), quick: &[String], turn: usize) -> String {
    use Answer::{No, Unsure, Yes};
    let own_words = turn % 2 == 1;
    let (at, own) = match answers {
        (Yes, Yes) => (0, &short.both),
        (No, No) => (1, &short.neither),
        (Yes, No) => (2, &short.first_only),
        (No, Yes) => (3, &short.second_only),
        (Unsure, Unsure) => (4, &short.unsure),
        (Yes, Unsure) => return short.first_yes_second_unsure.clone(),
        (No, Unsure) => return short.first_no_second_unsure.clone(),
        (Unsure, Yes) => return short.first_unsure_second_yes.clone(),
        (Unsure, No) => return short.first_unsure_second_no.clone(),
    };
    if own_words { own.clone() } else { quick[at].clone() }
}

/// Of two values of one axis one can be so; what is chosen says nothing of the other but that it is not so.
fn one_of_two(short: &Short, answers: (Answer, Answer), question: &Question, turn: usize) -> Reply {
    let own_words = turn % 2 == 1;
    let (at, own, means) = match answers {
        (Answer::Yes, _) => (0, Some(&short.first), vec![(0, FindingState::Present)]),
        (_, Answer::Yes) => (1, Some(&short.second), vec![(1, FindingState::Present)]),
        (Answer::No, Answer::No) => (2, None, vec![(0, FindingState::Denied), (1, FindingState::Denied)]),
        _ => (3, Some(&short.unsure), vec![]),
    };
    let quick = &question.quick_answers[at];
    let text = if own_words { own.unwrap_or(quick) } else { quick };
    let means = means.into_iter().map(|(i, state)| (question.finding_ids[i].clone(), state)).collect();
    Reply { text: text.clone(), means }
}

/// Says which candidate is meant: the first that the script answers with yes, else none of them.
fn clarification(pack: &Pack, script: &Script, question: &Question) -> Reply {
    let ambiguity = pack.ambiguities.iter().find(|a| a.id == question.ambiguity_id).expect("an ambiguity of the pack");
    let ids: Vec<&String> = ambiguity.candidates.iter().map(|c| &pack.findings[c.at()].id).collect();
    assert_eq!(question.quick_answers.len(), ids.len() + 1, "a quick answer per candidate and one for none");
    let meant = ids.iter().position(|id| script.answers.get(*id) == Some(&Answer::Yes));
    Reply {
        text: question.quick_answers[meant.unwrap_or(ids.len())].clone(),
        means: meant.map(|at| (ids[at].clone(), FindingState::Present)).into_iter().collect(),
    }
}
