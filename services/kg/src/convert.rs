//! Between messages and the types of the core: requests are checked here, all fields at once.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use wenzhen_pack::{Dialogue, Evidence, FindingIx, Kind, Pack, State, StrategyName};
use wenzhen_pack::{Locale, Observer, Sex};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::kg::v1 as kg;

use crate::error::{Error, Violation};
use crate::explain::Contribution;
use crate::strategy::{Candidate, Next, Person, Query, Ranked, Reason};
use crate::weights::apply::{Line, Share};
use crate::weights::{self, Cause, Epoch, Record};

/// Most observations, and most findings asked, of one case.
const MOST_OBSERVATIONS: usize = 1000;
/// Most violations that are reported at once.
const MOST_VIOLATIONS: usize = 20;

/// A case as the core needs it; owns what a [`Query`] borrows.
#[derive(Debug, Clone)]
pub struct Case {
    evidence: Vec<Evidence>,
    asked: Vec<FindingIx>,
    round: u32,
    seed: u64,
    person: Person,
    observer: Observer,
    /// The pack's dialogue with the strategy of the request.
    pub dialogue: Dialogue,
}

impl Case {
    /// The query of this case.
    pub fn query(&self, limit: usize) -> Query<'_> {
        Query {
            evidence: &self.evidence,
            asked: &self.asked,
            round: self.round,
            seed: self.seed,
            person: self.person,
            limit,
            observer: self.observer,
            dialogue: &self.dialogue,
        }
    }
}

/// Collects what is wrong with a request.
#[derive(Default)]
struct Check(Vec<Violation>);

impl Check {
    fn fail(&mut self, field: impl Into<String>, description: &'static str) {
        if self.0.len() < MOST_VIOLATIONS {
            self.0.push(Violation { field: field.into(), description });
        }
    }

    fn require(&mut self, ok: bool, field: &str, description: &'static str) {
        if !ok {
            self.fail(field, description);
        }
    }
}

/// Checks a case against its pack.
///
/// # Errors
/// [`Error::Invalid`] with every wrong field, up to a limit.
pub fn case(pack: &Pack, case: &kg::Case) -> Result<Case, Error> {
    let mut check = Check::default();
    check.require(case.observations.len() <= MOST_OBSERVATIONS, "case.observations", "at most 1000");
    check.require(case.asked_finding_ids.len() <= MOST_OBSERVATIONS, "case.asked_finding_ids", "at most 1000");
    let (evidence, mut asked) = observations(pack, case, &mut check);
    for (i, id) in case.asked_finding_ids.iter().take(MOST_OBSERVATIONS).enumerate() {
        match pack.finding(id) {
            Some(finding) => asked.push(finding),
            None => check.fail(format!("case.asked_finding_ids[{i}]"), "a finding of the pinned pack"),
        }
    }
    let strategy = strategy(case.strategy, pack.manifest.dialogue.strategy, &mut check);
    let observer = observer(case.observer, &mut check);
    let person = case.patient.as_ref().map(|p| person(p, &mut check)).unwrap_or_default();
    if !check.0.is_empty() {
        return Err(Error::Invalid(check.0));
    }
    let dialogue = Dialogue { strategy, ..pack.manifest.dialogue.clone() };
    Ok(Case { evidence, asked, round: case.round, seed: case.seed, person, observer, dialogue })
}

/// The last observation of each finding, and the findings that need no asking: what is said to
/// be over is no evidence of what is now, and what answers a question or was seen by somebody
/// else is no complaint of the patient's.
fn observations(pack: &Pack, case: &kg::Case, check: &mut Check) -> (Vec<Evidence>, Vec<FindingIx>) {
    let mut last: BTreeMap<FindingIx, (Evidence, bool)> = BTreeMap::new();
    let mut asked = Vec::new();
    for (i, o) in case.observations.iter().take(MOST_OBSERVATIONS).enumerate() {
        let field = |name: &str| format!("case.observations[{i}].{name}");
        let state = match clinical::FindingState::try_from(o.state) {
            Ok(clinical::FindingState::Present) => State::Present,
            Ok(clinical::FindingState::Denied) => State::Denied,
            Ok(clinical::FindingState::Unsure) => State::Unsure,
            Ok(clinical::FindingState::Unspecified) | Err(_) => {
                check.fail(field("state"), "present, denied or unsure");
                continue;
            }
        };
        let probability = o.probability.unwrap_or(1.0);
        if !(probability > 0.0 && probability <= 1.0) {
            check.fail(field("probability"), "above 0, at most 1");
            continue;
        }
        let Some(finding) = pack.finding(&o.finding_id) else {
            check.fail(field("finding_id"), "a finding of the pinned pack");
            continue;
        };
        let standing =
            pack.findings.get(finding.at()).is_some_and(|f| matches!(f.kind, Kind::History | Kind::Exposure));
        let over = o.past && !standing && state == State::Present;
        let seen = matches!(o.source(), clinical::ObservationSource::Clinician | clinical::ObservationSource::Image);
        if over || o.answers_question || seen {
            asked.push(finding);
        }
        last.insert(finding, (Evidence { finding, state, probability }, over));
    }
    let evidence = last.into_values().filter(|(_, over)| !over).map(|(evidence, _)| evidence).collect();
    (evidence, asked)
}

fn strategy(value: i32, default: StrategyName, check: &mut Check) -> StrategyName {
    match kg::Strategy::try_from(value) {
        Ok(kg::Strategy::Unspecified) => default,
        Ok(kg::Strategy::BayesPlain) => StrategyName::BayesPlain,
        Ok(kg::Strategy::Dopi) => StrategyName::Dopi,
        Err(_) => {
            check.fail("case.strategy", "a strategy that this agent knows");
            default
        }
    }
}

fn observer(value: i32, check: &mut Check) -> Observer {
    match kg::Observer::try_from(value) {
        Ok(kg::Observer::Unspecified | kg::Observer::Patient) => Observer::Patient,
        Ok(kg::Observer::Clinician) => Observer::Clinician,
        Err(_) => {
            check.fail("case.observer", "patient or clinician");
            Observer::Patient
        }
    }
}

fn person(patient: &clinical::PatientContext, check: &mut Check) -> Person {
    check.require(patient.age_months.is_none_or(|m| m <= 1560), "case.patient.age_months", "0 to 1560");
    let sex = match clinical::Sex::try_from(patient.sex) {
        Ok(clinical::Sex::Female) => Some(Sex::Female),
        Ok(clinical::Sex::Male) => Some(Sex::Male),
        Ok(clinical::Sex::Unspecified) => None,
        Err(_) => {
            check.fail("case.patient.sex", "female, male or unset");
            None
        }
    };
    Person { sex, age_years: patient.age_months.map(|m| m / 12), pregnant: patient.pregnant }
}

/// A page or list size: 0 means `default`, more than `most` is an error.
///
/// # Errors
/// [`Error::Invalid`] above `most`.
pub fn size(value: u32, default: usize, most: usize, field: &'static str) -> Result<usize, Error> {
    match usize::try_from(value) {
        Ok(0) => Ok(default),
        Ok(n) if n <= most => Ok(n),
        _ => Err(Error::field(field, "not above its limit")),
    }
}

/// The language of an answer: as asked for, else the pack's default.
pub fn locale(pack: &Pack, value: i32) -> Locale {
    match clinical::Locale::try_from(value) {
        Ok(clinical::Locale::Zh) => Locale::Zh,
        Ok(clinical::Locale::En) => Locale::En,
        Ok(clinical::Locale::Unspecified) | Err(_) => pack.manifest.default_locale(),
    }
}

/// A ranked condition as a message.
pub fn ranked(pack: &Pack, ranked: &Ranked) -> clinical::RankedCondition {
    clinical::RankedCondition { condition_id: condition_id(pack, ranked.condition), score: ranked.score }
}

/// A candidate as a message.
pub fn candidate(pack: &Pack, candidate: &Candidate) -> clinical::CandidateFinding {
    clinical::CandidateFinding {
        finding_id: finding_id(pack, candidate.finding),
        value: candidate.value,
        probability: candidate.probability,
        separates: candidate.separates.iter().map(|(c, _)| condition_id(pack, *c)).collect(),
    }
}

/// A contribution as a message.
pub fn contribution(pack: &Pack, contribution: &Contribution) -> clinical::Contribution {
    let state = match contribution.state {
        State::Present => clinical::FindingState::Present,
        State::Denied => clinical::FindingState::Denied,
        State::Unsure => clinical::FindingState::Unsure,
    };
    clinical::Contribution {
        finding_id: finding_id(pack, contribution.finding),
        state: state.into(),
        weight: contribution.weight,
        derived: contribution.derived,
    }
}

/// A step as a message.
pub fn next(next: Next) -> kg::Recommendation {
    match next {
        Next::Ask => kg::Recommendation::Ask,
        Next::Diagnose => kg::Recommendation::Diagnose,
        Next::Abstain => kg::Recommendation::Abstain,
    }
}

/// A reason as a message.
pub fn reason(reason: Reason) -> kg::Reason {
    match reason {
        Reason::Gain => kg::Reason::Gain,
        Reason::PosteriorReached => kg::Reason::PosteriorReached,
        Reason::CosineReached => kg::Reason::CosineReached,
        Reason::GainVanished => kg::Reason::GainVanished,
        Reason::RoundsSpent => kg::Reason::RoundsSpent,
        Reason::NothingLeft => kg::Reason::NothingLeft,
        Reason::NoEvidence => kg::Reason::NoEvidence,
    }
}

/// A strategy as a message.
pub fn strategy_message(strategy: StrategyName) -> kg::Strategy {
    match strategy {
        StrategyName::BayesPlain => kg::Strategy::BayesPlain,
        StrategyName::Dopi => kg::Strategy::Dopi,
    }
}

/// A kind as the pack writes it.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Symptom => "symptom",
        Kind::Tongue => "tongue",
        Kind::Pulse => "pulse",
        Kind::Sign => "sign",
        Kind::History => "history",
        Kind::Exposure => "exposure",
    }
}

/// Id of a finding.
pub fn finding_id(pack: &Pack, finding: FindingIx) -> String {
    pack.findings.get(finding.at()).map(|f| f.id.clone()).unwrap_or_default()
}

fn condition_id(pack: &Pack, condition: wenzhen_pack::ConditionIx) -> String {
    pack.conditions.get(condition.at()).map(|c| c.id.clone()).unwrap_or_default()
}

/// A weight epoch as a message.
pub fn epoch(digest: &str, record: &Record) -> kg::Epoch {
    let Epoch { number, fingerprint, cause, note, counts, changed, shifted } = &record.epoch;
    let rolled_back_to = if let Cause::Rollback { to } = cause { *to } else { 0 };
    kg::Epoch {
        pack_digest: digest.to_owned(),
        epoch: *number,
        cause: epoch_cause(*cause).into(),
        by: note.by.clone(),
        reason: note.reason.clone(),
        publish_id: note.publish_id.clone(),
        published_at: (*number > 0).then(|| timestamp(note.at_ms)),
        rolled_back_to,
        consultations: counts.consultations,
        applied: counts.applied,
        clamped: counts.clamped,
        dropped: counts.dropped,
        edges_changed: *changed,
        edges_shifted: *shifted,
        fingerprint: fingerprint.clone(),
        retired: record.overlay.is_none(),
    }
}

/// A line of an epoch's ledger as a message.
pub fn ledger_entry(epoch: &Epoch, line: &Line) -> kg::LedgerEntry {
    let share = |share: &Share| kg::LedgerShare {
        confirmed_by: share.confirmed_by.clone(),
        reason: feedback_reason(share.reason).into(),
        proposals: share.proposals,
        proposed_micros: share.micros,
    };
    kg::LedgerEntry {
        epoch: epoch.number,
        cause: epoch_cause(epoch.cause).into(),
        by: epoch.note.by.clone(),
        reason: epoch.note.reason.clone(),
        at: Some(timestamp(epoch.note.at_ms)),
        condition_id: line.edge.condition.clone(),
        finding_id: line.edge.finding.clone(),
        before_micros: line.before,
        after_micros: line.after,
        clamped: line.clamped,
        shares: line.shares.iter().map(share).collect(),
    }
}

fn epoch_cause(cause: Cause) -> kg::EpochCause {
    match cause {
        Cause::Base => kg::EpochCause::Base,
        Cause::Publish => kg::EpochCause::Publish,
        Cause::Rollback { .. } => kg::EpochCause::Rollback,
    }
}

fn feedback_reason(reason: weights::Reason) -> kg::FeedbackReason {
    match reason {
        weights::Reason::UnexpectedPresence => kg::FeedbackReason::UnexpectedPresence,
        weights::Reason::UnexpectedDenial => kg::FeedbackReason::UnexpectedDenial,
        weights::Reason::ExpectedPresence => kg::FeedbackReason::ExpectedPresence,
        weights::Reason::ExpectedDenial => kg::FeedbackReason::ExpectedDenial,
    }
}

fn timestamp(ms: u64) -> Timestamp {
    let nanos = i32::try_from(ms % 1000 * 1_000_000).unwrap_or(0);
    Timestamp { seconds: i64::try_from(ms / 1000).unwrap_or(i64::MAX), nanos }
}
