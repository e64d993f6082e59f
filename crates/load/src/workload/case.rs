//! A simulated patient: a condition by its frequency, a person whom it can concern, and findings by their
//! probabilities.

use rand::Rng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use wenzhen_pack::{ConditionIx, Evidence, FindingIx, Pack, Sex, State, close};
use wenzhen_proto::clinical::v1 as clinical;

/// Findings that a patient complains of at first.
const COMPLAINTS: std::ops::RangeInclusive<usize> = 1..=3;
/// How much less often than among people with something else a patient has what does not belong to the condition.
const BESIDE: f64 = 0.1;
/// Share of findings of which the patient is not sure.
const UNSURE: f64 = 0.04;
/// Other conditions whose findings are asked too.
const RIVALS: usize = 2;

/// A patient.
#[derive(Debug, Clone)]
pub struct Case {
    /// What the patient has.
    pub condition: ConditionIx,
    /// The person.
    pub person: clinical::PatientContext,
    /// What the patient tells at first, most typical first.
    pub complaints: Vec<FindingIx>,
    /// What may be asked, in an order.
    pub questions: Vec<FindingIx>,
    states: Vec<clinical::FindingState>,
}

impl Case {
    /// A patient of a pack; `None` when the pack has no condition with a finding that a patient can tell.
    pub fn sample<R: Rng>(pack: &Pack, random: &mut R) -> Option<Self> {
        // Some conditions show in signs alone; a pack with one that does not is found soon.
        (0..100).find_map(|_| Self::try_sample(pack, random))
    }

    fn try_sample<R: Rng>(pack: &Pack, random: &mut R) -> Option<Self> {
        let indices: Vec<usize> = (0..pack.conditions.len()).collect();
        let prior = |at: &usize| pack.conditions.get(*at).map_or(0.0, |condition| condition.prior);
        let at = *indices.choose_weighted(random, prior).ok()?;
        let condition = pack.conditions.get(at)?;
        let person = person(condition.gate, random);
        let present = present(pack, condition, &person, random);
        let mut complaints: Vec<(f64, FindingIx)> = condition
            .edges
            .iter()
            .filter(|edge| !edge.expects_denial && present.contains(&edge.finding) && tellable(pack, edge.finding))
            .map(|edge| (edge.present, edge.finding))
            .collect();
        complaints.shuffle(random);
        complaints.sort_by(|a, b| b.0.total_cmp(&a.0));
        complaints.truncate(random.random_range(COMPLAINTS));
        let complaints: Vec<FindingIx> = complaints.into_iter().map(|(_, finding)| finding).collect();
        if complaints.is_empty() {
            return None;
        }
        let states = states(pack, &present, &complaints, random);
        let questions = questions(pack, at, &complaints, random);
        Some(Self { condition: ConditionIx::new(at), person, complaints, questions, states })
    }

    /// The truth about a finding, as far as the patient knows it.
    pub fn state(&self, finding: FindingIx) -> clinical::FindingState {
        self.states.get(finding.at()).copied().unwrap_or(clinical::FindingState::Denied)
    }

    /// What is known after some findings were asked: the complaints and the answers.
    pub fn observations(&self, pack: &Pack, asked: usize) -> Vec<clinical::Observation> {
        let told = self.complaints.iter().map(|finding| (*finding, 1, false));
        let answers = self.questions.iter().take(asked).enumerate();
        let answers = answers.map(|(i, finding)| (*finding, u32::try_from(i / 2).unwrap_or_default() + 2, true));
        told.chain(answers)
            .map(|(finding, turn, answers_question)| clinical::Observation {
                finding_id: pack.findings.get(finding.at()).map(|f| f.id.clone()).unwrap_or_default(),
                state: self.state(finding).into(),
                source: clinical::ObservationSource::Patient.into(),
                turn,
                answers_question,
                ..clinical::Observation::default()
            })
            .collect()
    }
}

fn tellable(pack: &Pack, finding: FindingIx) -> bool {
    pack.findings.get(finding.at()).is_some_and(wenzhen_pack::Finding::askable)
}

/// A person whom a gate admits: an adult, where the gate allows one.
fn person<R: Rng>(gate: wenzhen_pack::Gate, random: &mut R) -> clinical::PatientContext {
    let oldest = gate.age_max.unwrap_or(80);
    let youngest = gate.age_min.unwrap_or(18).min(oldest);
    let age = random.random_range(youngest..=oldest.max(youngest));
    let female = gate.sex.map_or_else(|| random.random_bool(0.5), |sex| sex == Sex::Female);
    clinical::PatientContext {
        age_months: Some((age * 12).min(1560)),
        sex: if female { clinical::Sex::Female } else { clinical::Sex::Male }.into(),
        pregnant: Some(false),
        subject: if age < 12 { clinical::Subject::Child } else { clinical::Subject::Self_ }.into(),
        ..clinical::PatientContext::default()
    }
}

/// What is present: findings of the condition by their probabilities, a few others by their base rates, nothing that
/// excludes something else.
fn present<R: Rng>(
    pack: &Pack,
    condition: &wenzhen_pack::Condition,
    person: &clinical::PatientContext,
    random: &mut R,
) -> Vec<FindingIx> {
    let sex = match person.sex() {
        clinical::Sex::Female => Some(Sex::Female),
        clinical::Sex::Male => Some(Sex::Male),
        clinical::Sex::Unspecified => None,
    };
    let age = person.age_months.map(|months| months / 12);
    let mut present: Vec<FindingIx> = Vec::new();
    let own = condition.edges.iter().map(|edge| (edge.finding, edge.present));
    let others = pack.findings.iter().enumerate().map(|(at, finding)| (FindingIx::new(at), finding.base_rate * BESIDE));
    for (finding, probability) in own.chain(others) {
        let Some(known) = pack.findings.get(finding.at()) else { continue };
        let excluded = present.iter().any(|other| {
            known.excludes.contains(other)
                || pack.findings.get(other.at()).is_some_and(|o| o.excludes.contains(&finding))
        });
        if !excluded && !present.contains(&finding) && known.gate.admits(sex, age) && random.random_bool(probability) {
            present.push(finding);
        }
    }
    present
}

fn states<R: Rng>(
    pack: &Pack,
    present: &[FindingIx],
    complaints: &[FindingIx],
    random: &mut R,
) -> Vec<clinical::FindingState> {
    let evidence: Vec<Evidence> =
        present.iter().map(|finding| Evidence { finding: *finding, state: State::Present, probability: 1.0 }).collect();
    let closed = close(pack, &evidence);
    let state = |(at, closed): (usize, &Option<wenzhen_pack::Closed>)| {
        let told = complaints.contains(&FindingIx::new(at));
        match closed {
            _ if !told && random.random_bool(UNSURE) => clinical::FindingState::Unsure,
            Some(closed) if closed.state == State::Present => clinical::FindingState::Present,
            _ => clinical::FindingState::Denied,
        }
    };
    closed.iter().enumerate().map(state).collect()
}

/// Findings that could be asked: of the condition and of others, shuffled, none of the complaints.
fn questions<R: Rng>(pack: &Pack, condition: usize, complaints: &[FindingIx], random: &mut R) -> Vec<FindingIx> {
    let rivals: Vec<usize> = (0..RIVALS).map(|_| random.random_range(0..pack.conditions.len())).collect();
    let mut questions: Vec<FindingIx> = Vec::new();
    for condition in rivals.into_iter().chain([condition]).filter_map(|at| pack.conditions.get(at)) {
        for finding in condition.edges.iter().map(|edge| edge.finding) {
            if tellable(pack, finding) && !complaints.contains(&finding) && !questions.contains(&finding) {
                questions.push(finding);
            }
        }
    }
    questions.shuffle(random);
    questions
}
