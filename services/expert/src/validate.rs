//! From a request to a [`Case`], or to everything that is wrong with it.

use std::collections::{HashMap, HashSet};

use wenzhen_pack::{Closed, Evidence, FindingIx, Kind, Locale, Pack, Sex, State, close};
use wenzhen_proto::clinical::v1::{
    FindingState, Locale as LocaleMessage, Observation, ObservationSource, PatientContext, Pins, RankedCondition,
    Sex as SexMessage, Subject, Urgency,
};
use wenzhen_proto::expert::v1::{DiagnoseRequest, GraphRate, ReviewRequest};

use crate::case::{Case, Flag, Person, Ranked};
use crate::error::{Error, Violation};
use crate::knowledge::Knowledge;
use crate::review::Outcome;

const MOST_OBSERVATIONS: usize = 1000;
const MOST_RANKED: usize = 20;
const MOST_FLAGS: usize = 100;
const MOST_ALLERGIES: usize = 20;
const MOST_MEDICINES: usize = 50;
const MOST_AGE_MONTHS: u32 = 1560;

/// Collects violations while a request is read.
#[derive(Default)]
struct Check(Vec<Violation>);

/// The digest that a request names.
///
/// # Errors
/// When it names none or one that is not 64 hexadecimal digits.
pub fn digest(pins: Option<&Pins>) -> Result<&str, Error> {
    let digest = pins.map_or("", |pins| pins.pack_digest.as_str());
    let well_formed = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let violation = || ("pins.pack_digest".to_owned(), "64 hexadecimal digits in lower case");
    if well_formed { Ok(digest) } else { Err(Error::Invalid(vec![violation()])) }
}

/// The case that a request describes.
///
/// # Errors
/// With every violation found, and when the pack has no voice.
pub fn case<'a>(knowledge: &'a Knowledge, request: &DiagnoseRequest) -> Result<Case<'a>, Error> {
    let mut check = Check::default();
    let pack = knowledge.pack();
    let wanted = check.locale(request);
    let closed = check.observations(pack, &request.observations);
    check.require(!request.ranked.is_empty(), || "ranked".into(), "1 to 20 conditions");
    let ranked = check.ranked(pack, &request.ranked);
    let person = check.person(request.patient.as_ref());
    let urgency = check.urgency("urgency", request.urgency);
    let locale = knowledge.locale(wanted);
    let flags = check.flags(pack, request, locale);
    if !check.0.is_empty() {
        return Err(Error::Invalid(check.0));
    }
    let voice = knowledge.voice(locale).ok_or(Error::NoVoice)?;
    let urgency = flags.iter().map(|flag| flag.urgency).fold(urgency, Urgency::max);
    Ok(Case { knowledge, locale, voice, closed, ranked, person, urgency, flags })
}

/// The finished consultation that a request describes.
///
/// # Errors
/// With every violation found.
pub fn outcome<'a>(knowledge: &'a Knowledge, request: &ReviewRequest) -> Result<Outcome<'a>, Error> {
    let mut check = Check::default();
    let pack = knowledge.pack();
    let closed = check.observations(pack, &request.observations);
    let ranked = check.ranked(pack, &request.ranked);
    let confirmed = pack.condition(&request.confirmed_condition_id);
    check.require(confirmed.is_some(), || "confirmed_condition_id".into(), "a condition of the pack");
    let rates = check.rates(pack, &request.rates);
    let Some(confirmed) = confirmed.filter(|_| check.0.is_empty()) else { return Err(Error::Invalid(check.0)) };
    Ok(Outcome { knowledge, closed, ranked, confirmed, asked: asked(pack, &request.observations), rates })
}

/// Findings whose last observation answers a question or is somebody else's than the patient's.
fn asked(pack: &Pack, observations: &[Observation]) -> HashSet<FindingIx> {
    let mut asked = HashSet::new();
    for observation in observations {
        let Some(finding) = pack.finding(&observation.finding_id) else { continue };
        let looked_for = matches!(observation.source(), ObservationSource::Clinician | ObservationSource::Image);
        if observation.answers_question || looked_for {
            asked.insert(finding)
        } else {
            asked.remove(&finding)
        };
    }
    asked
}

impl Check {
    fn require(&mut self, holds: bool, field: impl FnOnce() -> String, expected: &'static str) {
        if !holds {
            self.0.push((field(), expected));
        }
    }

    fn locale(&mut self, request: &DiagnoseRequest) -> Locale {
        match LocaleMessage::try_from(request.locale) {
            Ok(LocaleMessage::Zh) => return Locale::Zh,
            Ok(LocaleMessage::En) => return Locale::En,
            Ok(LocaleMessage::Unspecified) | Err(_) => {}
        }
        self.require(false, || "locale".into(), "a known locale");
        Locale::Zh
    }

    fn observations(&mut self, pack: &Pack, observations: &[Observation]) -> Vec<Option<Closed>> {
        self.require(observations.len() <= MOST_OBSERVATIONS, || "observations".into(), "at most 1,000");
        let mut evidence = Vec::with_capacity(observations.len().min(MOST_OBSERVATIONS));
        for (i, observation) in observations.iter().take(MOST_OBSERVATIONS).enumerate() {
            evidence.extend(self.observation(pack, i, observation));
        }
        close(pack, &evidence)
    }

    fn observation(&mut self, pack: &Pack, i: usize, observation: &Observation) -> Option<Evidence> {
        let at = |name: &str| format!("observations[{i}].{name}");
        let finding = pack.finding(&observation.finding_id);
        self.require(finding.is_some(), || at("finding_id"), "a finding of the pack");
        let state = state(observation.state);
        self.require(state.is_some(), || at("state"), "a known state, set");
        let probability = observation.probability.unwrap_or(1.0);
        self.require(probability > 0.0 && probability <= 1.0, || at("probability"), "above 0, at most 1");
        let source = ObservationSource::try_from(observation.source);
        self.require(source.is_ok(), || at("source"), "a known source");
        let (finding, state) = finding.zip(state)?;
        // What is over is no sign of what is there now; histories and exposures are always over.
        let over = observation.past && state == State::Present && !lasts(pack, finding);
        (!over).then_some(Evidence { finding, state, probability })
    }

    fn ranked(&mut self, pack: &Pack, rows: &[RankedCondition]) -> Vec<Ranked> {
        self.require(rows.len() <= MOST_RANKED, || "ranked".into(), "1 to 20 conditions");
        let mut seen = HashSet::new();
        let mut ranked = Vec::with_capacity(rows.len().min(MOST_RANKED));
        for (i, row) in rows.iter().take(MOST_RANKED).enumerate() {
            let at = |name: &str| format!("ranked[{i}].{name}");
            let condition = pack.condition(&row.condition_id);
            self.require(condition.is_some(), || at("condition_id"), "a condition of the pack");
            let once = condition.is_none_or(|c| seen.insert(c));
            self.require(once, || at("condition_id"), "each condition once");
            self.require((0.0..=1.0).contains(&row.score), || at("score"), "0 to 1");
            ranked.extend(condition.map(|condition| Ranked { condition, score: row.score }));
        }
        // Stable, and ties go to the more frequent condition, then to the order of the pack.
        let prior = |r: &Ranked| pack.conditions.get(r.condition.at()).map_or(0.0, |c| c.prior);
        ranked.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then(prior(b).total_cmp(&prior(a))).then(a.condition.cmp(&b.condition))
        });
        ranked
    }

    fn rates(&mut self, pack: &Pack, given: &[GraphRate]) -> HashMap<FindingIx, f64> {
        self.require(given.len() <= MOST_OBSERVATIONS, || "rates".into(), "at most 1,000");
        let mut rates = HashMap::new();
        for (i, rate) in given.iter().take(MOST_OBSERVATIONS).enumerate() {
            let at = |name: &str| format!("rates[{i}].{name}");
            let finding = pack.finding(&rate.finding_id);
            self.require(finding.is_some(), || at("finding_id"), "a finding of the pack");
            let inside = rate.probability > 0.0 && rate.probability < 1.0;
            self.require(inside, || at("probability"), "above 0, below 1");
            let once = finding.is_none_or(|finding| rates.insert(finding, rate.probability).is_none());
            self.require(once, || at("finding_id"), "each finding once");
        }
        rates
    }

    fn person(&mut self, patient: Option<&PatientContext>) -> Person {
        let Some(patient) = patient else { return Person::default() };
        let at = |name: &str| format!("patient.{name}");
        let age_ok = patient.age_months.is_none_or(|months| months <= MOST_AGE_MONTHS);
        self.require(age_ok, || at("age_months"), "0 to 1560");
        let weeks_ok = patient.pregnancy_weeks.is_none_or(|weeks| (1..=45).contains(&weeks));
        self.require(weeks_ok, || at("pregnancy_weeks"), "1 to 45");
        self.require(patient.allergies.len() <= MOST_ALLERGIES, || at("allergies"), "at most 20");
        self.require(patient.medicines.len() <= MOST_MEDICINES, || at("medicines"), "at most 50");
        let sex = SexMessage::try_from(patient.sex);
        self.require(sex.is_ok(), || at("sex"), "a known sex");
        let subject = Subject::try_from(patient.subject);
        self.require(subject.is_ok(), || at("subject"), "a known subject");
        Person {
            age_months: patient.age_months,
            sex: match sex {
                Ok(SexMessage::Female) => Some(Sex::Female),
                Ok(SexMessage::Male) => Some(Sex::Male),
                Ok(SexMessage::Unspecified) | Err(_) => None,
            },
            // A week of pregnancy says that there is one.
            pregnant: patient.pregnancy_weeks.map_or(patient.pregnant, |_| Some(true)),
            spoken_for_as_child: subject == Ok(Subject::Child),
            allergies: patient.allergies.iter().filter(|a| !a.trim().is_empty()).cloned().collect(),
            takes_medicines: patient.medicines.iter().any(|m| !m.trim().is_empty()),
        }
    }

    fn urgency(&mut self, field: &str, value: i32) -> Urgency {
        let urgency = Urgency::try_from(value).ok().filter(|u| *u != Urgency::Unspecified);
        self.require(urgency.is_some(), || field.to_owned(), "a known urgency, set");
        urgency.unwrap_or(Urgency::Routine)
    }

    fn flags(&mut self, pack: &Pack, request: &DiagnoseRequest, locale: Locale) -> Vec<Flag> {
        self.require(request.red_flags.len() <= MOST_FLAGS, || "red_flags".into(), "at most 100");
        let mut flags: Vec<Flag> = Vec::new();
        for (i, flag) in request.red_flags.iter().take(MOST_FLAGS).enumerate() {
            let urgency = self.urgency(&format!("red_flags[{i}].urgency"), flag.urgency);
            // The words come from the pack, not from the request: an unknown flag has its level alone.
            let message = pack.safety.message(&flag.id, locale).to_owned();
            flags.push(Flag { id: flag.id.clone(), urgency, message });
        }
        flags.sort_by_key(|flag| std::cmp::Reverse(flag.urgency));
        flags
    }
}

fn state(value: i32) -> Option<State> {
    match FindingState::try_from(value).ok()? {
        FindingState::Unspecified => None,
        FindingState::Present => Some(State::Present),
        FindingState::Denied => Some(State::Denied),
        FindingState::Unsure => Some(State::Unsure),
    }
}

fn lasts(pack: &Pack, finding: FindingIx) -> bool {
    pack.findings.get(finding.at()).is_some_and(|f| matches!(f.kind, Kind::History | Kind::Exposure))
}

/// The message form of a state.
pub const fn state_message(state: State) -> FindingState {
    match state {
        State::Present => FindingState::Present,
        State::Denied => FindingState::Denied,
        State::Unsure => FindingState::Unsure,
    }
}

/// The message form of a locale.
pub const fn locale_message(locale: Locale) -> LocaleMessage {
    match locale {
        Locale::Zh => LocaleMessage::Zh,
        Locale::En => LocaleMessage::En,
    }
}
