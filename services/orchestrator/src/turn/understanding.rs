//! What the words say: red flags and topic by rule, findings by guidance, feelings by empathy.

use wenzhen_language::Utterance;
use wenzhen_language::redflag::ScreenContext;
use wenzhen_pack::{FindingIx, Locale};
use wenzhen_proto::clinical::v1::{Agent, Degradation, FindingState, PatientContext, Pins, Sex, Subject};
use wenzhen_proto::empathy::v1::{AssessRequest, AssessResponse};
use wenzhen_proto::guidance::v1::{InterpretRequest, InterpretResponse};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{AgentVersion, DecisionInputs, Stage, UrgencyRaised};

use super::{Scene, Updates, raised, scoring, unheard};
use crate::agents::call;
use crate::knowledge::from_locale;
use crate::state::State;
use crate::topic::MEANING;
use crate::{Knowledge, policy, recorder};

/// What rules alone read in the words, before any model.
#[derive(Clone)]
pub(super) struct Words {
    cue_ids: Vec<String>,
    topic: String,
    /// Age, sex and pregnancy, as far as red flags hang on them.
    person: PatientContext,
    /// Language of the words, else of the consultation.
    pub(super) locale: Locale,
}

/// Reads the words by rule.
pub(super) fn words(knowledge: &Knowledge, state: &State, text: &str) -> Words {
    let locale = language(state, text).unwrap_or_else(|| knowledge.locale(state.locale));
    let cues = &knowledge.pack.safety.cues;
    // A number says what was shown with it.
    let shown = state.question.as_ref().map(|q| q.quick_answers.as_slice()).unwrap_or_default();
    let picked = knowledge.interpreter.picks(text, shown.len());
    let mut cue_ids: Vec<String> = std::iter::once(text)
        .chain(picked.iter().filter_map(|at| shown.get(*at).map(String::as_str)))
        .chain(unheard(state, text))
        .flat_map(|words| knowledge.screen.cues(words))
        .filter_map(|hit| cues.get(hit.cue).map(|cue| cue.id.clone()))
        .collect();
    cue_ids.sort_unstable();
    cue_ids.dedup();
    let person = person(knowledge.screen.context(text));
    Words { cue_ids, topic: knowledge.topics.of(text, locale), person, locale }
}

/// Shorter words of Latin letters ("ok", "CT", "y") are written in Chinese too.
const ENGLISH_FROM: usize = 4;

/// The language to go on in: that of the words. A dialogue under way does not change it for an "ok"
/// among Chinese, or for one character among English; nor does a first "y" begin one in English.
fn language(state: &State, text: &str) -> Option<Locale> {
    let settled = crate::knowledge::to_locale(state.locale);
    let written = wenzhen_language::detect_locale(text);
    match (settled, written) {
        (Some(settled), Some(written)) if settled != written && !state.turns.is_empty() => {
            let enough = match written {
                Locale::Zh => text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).count() >= 2,
                Locale::En => text.split_whitespace().filter(|w| w.contains(char::is_alphabetic)).count() >= 3,
            };
            Some(if enough { written } else { settled })
        }
        (Some(settled), Some(Locale::En)) if text.trim().len() < ENGLISH_FROM => Some(settled),
        (settled, written) => written.or(settled),
    }
}

impl Words {
    /// The red flags that the words alone raise.
    pub(super) fn raised(&self, knowledge: &Knowledge, before: &State) -> Option<UrgencyRaised> {
        if self.cue_ids.is_empty() {
            return None;
        }
        let inputs = DecisionInputs {
            cue_ids: self.cue_ids.clone(),
            patient: Some(self.person.clone()),
            ..DecisionInputs::default()
        };
        let decision = policy::decide(knowledge, before, &inputs);
        raised(knowledge, from_locale(self.locale), decision.urgency(), &decision.raised_flag_ids)
    }

    /// Adds what was read by rule to what the agents said.
    pub(super) fn enter(self, inputs: &mut DecisionInputs) {
        inputs.cue_ids = self.cue_ids;
        let explains = !inputs.explain_finding_ids.is_empty() || !inputs.explain_condition_ids.is_empty();
        inputs.question_topic = if explains { MEANING.to_owned() } else { self.topic };
        let mut person = self.person;
        if let Some(patient) = &inputs.patient {
            recorder::learn(&mut person, patient);
        }
        inputs.patient = Some(person);
    }
}

fn person(context: ScreenContext) -> PatientContext {
    let sex = match context.sex {
        None => Sex::Unspecified,
        Some(wenzhen_pack::Sex::Female) => Sex::Female,
        Some(wenzhen_pack::Sex::Male) => Sex::Male,
    };
    PatientContext {
        age_months: context.age_months,
        sex: sex as i32,
        pregnant: context.pregnant,
        pregnancy_weeks: context.pregnancy_weeks,
        ..PatientContext::default()
    }
}

/// The words with their language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub text: &'a str,
    /// Language to go on in.
    pub locale: Locale,
}

impl Said<'_> {
    /// Language of the words themselves: an English "yes" among Chinese is still read as English.
    fn written(&self) -> Locale {
        wenzhen_language::detect_locale(self.text).unwrap_or(self.locale)
    }
}

/// What the agents make of the words: guidance reads them and the graph scores what it read, with empathy beside both.
/// Gives what the decision is made from, and what is to go on record where the consultation was pinned anew.
pub(super) async fn understand(
    scene: &Scene<'_>,
    state: &State,
    (said, words): (Said<'_>, Words),
    out: &Updates,
) -> (DecisionInputs, Option<Kind>) {
    let scored = async {
        let mut inputs = read(scene, state, said, out).await;
        words.enter(&mut inputs);
        let repinned = scoring::advance(scene, state, &mut inputs, out).await;
        (inputs, repinned)
    };
    let assessed = out.during(Stage::Interpreting, assess(scene, state, said));
    let ((mut inputs, repinned), assessed) = tokio::join!(scored, assessed);
    match assessed {
        Ok(felt) => {
            inputs.emotion = felt.assessment;
            inputs.preface = felt.preface;
            inputs.degraded.extend(felt.degraded);
            inputs.versions.extend(made_by(Agent::Empathy, felt.pins));
        }
        Err(why) => inputs.degraded.push(why),
    }
    (inputs, repinned)
}

/// What guidance reads in the words, or the orchestrator itself where guidance is away.
async fn read(scene: &Scene<'_>, state: &State, said: Said<'_>, out: &Updates) -> DecisionInputs {
    match out.during(Stage::Interpreting, interpret(scene, state, said)).await {
        Ok(read) => completed(scene, state, said, read),
        Err(why) => {
            let mut inputs = by_rule(scene, state, said);
            inputs.degraded.push(why);
            inputs
        }
    }
}

/// What the orchestrator itself reads in the words.
pub(super) fn by_rule(scene: &Scene<'_>, state: &State, said: Said<'_>) -> DecisionInputs {
    completed(scene, state, said, fallback(scene, state, said))
}

/// What was read, with what only makes sense to who knows what was asked.
fn completed(scene: &Scene<'_>, state: &State, said: Said<'_>, mut read: InterpretResponse) -> DecisionInputs {
    super::qualified::settle(&scene.knowledge.pack, state, scene.number, &mut read);
    let mut agreed_to_photograph = false;
    if let Some(question) = &state.question {
        if !question.ambiguity_id.is_empty() {
            // "None of these" says that the saying meant something else, not that nothing is there.
            read.observations.retain(|o| !(o.answers_question && o.state() == FindingState::Denied));
        }
        let (field, words) = (question.context_field.as_str(), (said.text, said.written()));
        agreed_to_photograph = super::person::agrees(scene.knowledge, field, words, &read);
        super::person::complete(scene.knowledge, field, words, &mut read);
    }
    DecisionInputs {
        locale: from_locale(said.locale) as i32,
        intent: read.intent,
        observations: read.observations,
        withdrawn_finding_ids: read.withdrawn_finding_ids,
        ambiguity_ids: read.ambiguous.into_iter().map(|a| a.ambiguity_id).collect(),
        patient: read.patient,
        agreed_to_photograph,
        explain_finding_ids: read.explain_finding_ids,
        explain_condition_ids: read.explain_condition_ids,
        degraded: read.degraded,
        versions: made_by(Agent::Guidance, read.pins).into_iter().collect(),
        ..DecisionInputs::default()
    }
}

/// Whose answer it was, where it says.
fn made_by(agent: Agent, pins: Option<Pins>) -> Option<AgentVersion> {
    pins.map(|pins| AgentVersion { agent: agent as i32, pins: Some(pins) })
}

async fn interpret(scene: &Scene<'_>, state: &State, said: Said<'_>) -> Result<InterpretResponse, Degradation> {
    let question = state.question.as_ref();
    let request = InterpretRequest {
        pins: Some(state.pins()),
        text: said.text.to_owned(),
        asked_finding_ids: question.map(|q| q.finding_ids.clone()).unwrap_or_default(),
        clarifying_id: question.map(|q| q.ambiguity_id.clone()).unwrap_or_default(),
        locale: from_locale(said.written()) as i32,
        turn: scene.number,
        quick_answers: question.map(|q| q.quick_answers.clone()).unwrap_or_default(),
        subject: settled(state).into(),
    };
    let (mut client, budget) = (scene.agents.guidance.clone(), scene.agents.budgets.understand);
    call(Agent::Guidance, budget, client.interpret(scene.request(request, budget))).await
}

async fn assess(scene: &Scene<'_>, state: &State, said: Said<'_>) -> Result<AssessResponse, Degradation> {
    let request = AssessRequest {
        pins: Some(state.pins()),
        text: said.text.to_owned(),
        locale: from_locale(said.locale) as i32,
        previous: state.emotion,
        seed: state.started.seed.wrapping_add(u64::from(scene.number)),
    };
    let (mut client, budget) = (scene.agents.empathy.clone(), scene.agents.budgets.understand);
    call(Agent::Empathy, budget, client.assess(scene.request(request, budget))).await
}

/// Whom the consultation is about. Before the person's age is known the words may still say that it is a child.
fn settled(state: &State) -> Subject {
    if state.patient.age_months.is_some() { state.patient.subject() } else { Subject::Unspecified }
}

/// The orchestrator's own reading when guidance is away.
fn fallback(scene: &Scene<'_>, state: &State, said: Said<'_>) -> InterpretResponse {
    let pack = &scene.knowledge.pack;
    let question = state.question.as_ref();
    let asked: Vec<FindingIx> =
        question.map(|q| q.finding_ids.iter().filter_map(|id| pack.finding(id)).collect()).unwrap_or_default();
    let clarifying = question.and_then(|q| pack.ambiguities.iter().position(|a| a.id == q.ambiguity_id));
    let quick_answers = question.map(|q| q.quick_answers.as_slice()).unwrap_or_default();
    let locale = Some(said.written());
    let of_self = settled(state) == Subject::Self_;
    let utterance = Utterance { text: said.text, asked: &asked, clarifying, locale, quick_answers, of_self };
    let read = scene.knowledge.interpreter.interpret(&utterance);
    InterpretResponse { pins: None, ..wenzhen_language::proto::interpretation(pack, &read, scene.number) }
}
