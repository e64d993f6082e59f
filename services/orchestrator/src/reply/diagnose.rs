//! The diagnosis: the expert's draft, rewritten for comfort, guarded sentence by sentence.

use wenzhen_proto::clinical::v1::{Agent, Degradation, Draft, EmotionAssessment, EmpathyNecessity, RedFlag};
use wenzhen_proto::empathy::v1::{ModulateRequest, Order, modulate_response::Piece};
use wenzhen_proto::expert::v1::{DiagnoseRequest, DiagnoseResponse};
use wenzhen_proto::orchestrator::v1::{DiagnosedCondition, Diagnosis, PlanStatus, PlannedHerb, Stage};

use super::{Composer, Material};
use crate::agents::{call, degradation, label};
use crate::knowledge::from_locale;
use crate::{Error, recorder, turn};

/// Conditions that the expert is shown.
const RANKED: usize = 10;

pub(super) async fn compose(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let scene = material.scene;
    let mut client = scene.agents.expert.clone();
    let work = call(Agent::Expert, scene.agents.budgets.diagnose, client.diagnose(scene.request(request(material))));
    match composer.out().during(Stage::Diagnosing, work).await {
        Ok(mut response) => {
            composer.made_by(Agent::Expert, response.pins.clone());
            std::mem::take(&mut response.degraded).into_iter().for_each(|why| composer.degrade(why));
            let draft = response.draft.take().unwrap_or_default();
            comfort(material, composer, draft).await;
            composer.diagnosis = Some(diagnosis(material, response));
            Ok(())
        }
        Err(why) => {
            composer.degrade(why);
            without_expert(material, composer).await
        }
    }
}

fn request(material: &Material<'_>) -> DiagnoseRequest {
    let (knowledge, after) = (material.scene.knowledge, material.after);
    let flags: Vec<String> = after.flags.iter().cloned().collect();
    let raised = turn::raised(knowledge, after.locale, after.urgency, &flags);
    let red_flags: Vec<RedFlag> = raised.map(|r| r.red_flags).unwrap_or_default();
    DiagnoseRequest {
        pins: Some(after.pins()),
        observations: recorder::current(&knowledge.pack, &after.record).cloned().collect(),
        patient: Some(after.patient.clone()),
        ranked: after.ranked.iter().take(RANKED).cloned().collect(),
        urgency: after.urgency as i32,
        red_flags,
        locale: from_locale(knowledge.locale(after.locale)) as i32,
    }
}

/// Streams the rewriting through the guard; where empathy is away, the draft itself.
async fn comfort(material: &Material<'_>, composer: &mut Composer<'_>, draft: Draft) {
    let knowledge = material.scene.knowledge;
    let mut session = knowledge.guard.session(&draft);
    let rewritten =
        modulate(material, composer, &draft, |text| session.push(text).into_iter().map(|r| r.text).collect());
    if let Err(why) = rewritten.await {
        composer.degrade(why);
        // What was released stays; the guard appends every fact that is still missing.
        if composer.nothing_said() {
            session = knowledge.guard.session(&draft);
            for released in session.push(&draft.text) {
                composer.piece(&released.text).await;
            }
        }
    }
    let (rest, report) = session.finish();
    for released in rest {
        composer.piece(&released.text).await;
    }
    if !report.violations.is_empty() {
        composer.degrade(degradation(Agent::Empathy, "guard"));
    }
}

async fn modulate(
    material: &Material<'_>,
    composer: &mut Composer<'_>,
    draft: &Draft,
    mut guard: impl FnMut(&str) -> Vec<String>,
) -> Result<(), Degradation> {
    let (scene, after) = (material.scene, material.after);
    let neutral = EmotionAssessment { necessity: EmpathyNecessity::None as i32, ..EmotionAssessment::default() };
    let request = ModulateRequest {
        pins: Some(after.pins()),
        draft: Some(draft.clone()),
        assessment: Some(after.emotion.unwrap_or(neutral)),
        order: Order::FactToEmpathy as i32,
        subject: after.patient.subject,
        seed: after.started.seed.wrapping_add(u64::from(scene.number)),
    };
    let until = tokio::time::Instant::now() + scene.agents.budgets.modulate;
    let mut client = scene.agents.empathy.clone();
    let work = call(Agent::Empathy, scene.agents.budgets.modulate, client.modulate(scene.request(request)));
    let mut pieces = composer.out().during(Stage::Comforting, work).await?;
    loop {
        let late = |_| degradation(Agent::Empathy, "deadline");
        let next = tokio::time::timeout_at(until, pieces.message()).await.map_err(late)?;
        match next.map_err(|status| degradation(Agent::Empathy, label(&status)))?.and_then(|r| r.piece) {
            Some(Piece::Text(text)) => {
                for released in guard(&text) {
                    composer.piece(&released).await;
                }
            }
            Some(Piece::Done(done)) => {
                composer.made_by(Agent::Empathy, done.pins);
                done.degraded.into_iter().for_each(|why| composer.degrade(why));
                return Ok(());
            }
            None => return Err(degradation(Agent::Empathy, "malformed")),
        }
    }
}

fn diagnosis(material: &Material<'_>, response: DiagnoseResponse) -> Diagnosis {
    let differential = response.differential.into_iter().map(|d| {
        let condition = d.condition.unwrap_or_default();
        DiagnosedCondition {
            condition_id: condition.condition_id,
            disease: d.disease,
            pattern: d.pattern,
            score: condition.score,
            evidence_for: d.evidence_for,
            evidence_against: d.evidence_against,
            undecided_finding_ids: d.undecided_finding_ids,
        }
    });
    let plan = response.clinician_plan.unwrap_or_default();
    let patient = response.patient_plan.unwrap_or_default();
    let to_sign = !plan.formula.is_empty() || !plan.herbs.is_empty();
    let needs_signature = material.scene.knowledge.pack.manifest.release.plan_needs_signature;
    let plan_status = match (to_sign, needs_signature) {
        (false, _) => PlanStatus::Unspecified,
        (true, true) => PlanStatus::Waiting,
        (true, false) => PlanStatus::Signed,
    };
    let herbs = plan.herbs.into_iter().map(|h| PlannedHerb {
        name: h.name,
        dose_from_g: h.dose_from_g,
        dose_to_g: h.dose_to_g,
    });
    Diagnosis {
        differential: differential.collect(),
        principle: plan.principle,
        formula: plan.formula,
        herbs: herbs.collect(),
        cautions: plan.cautions,
        advice: patient.advice,
        diet: patient.diet,
        referral: patient.referral,
        citations: response.citations,
        plan_status: plan_status as i32,
        clinician_note: String::new(),
    }
}

/// Ranked conditions and a referral: what can be said without the expert.
async fn without_expert(material: &Material<'_>, composer: &mut Composer<'_>) -> Result<(), Error> {
    let (knowledge, after) = (material.scene.knowledge, material.after);
    let voice = knowledge.voice(after.locale)?;
    let locale = knowledge.locale(after.locale);
    let best = after.ranked.first().map(|r| r.condition_id.clone()).unwrap_or_default();
    let condition = knowledge.pack.condition(&best).and_then(|c| knowledge.pack.conditions.get(c.at()));
    let referral = condition.map(|c| c.refer.text(locale)).filter(|text| !text.is_empty()).unwrap_or(&voice.referral);
    let text = voice.no_expert.replace("{name}", &knowledge.condition_name(&best, locale));
    composer.line(&text.replace("{referral}", referral)).await;
    let named = after.ranked.iter().take(3).filter_map(|r| {
        let condition = knowledge.pack.conditions.get(knowledge.pack.condition(&r.condition_id)?.at())?;
        Some(DiagnosedCondition {
            condition_id: r.condition_id.clone(),
            disease: condition.disease.text(locale).to_owned(),
            pattern: condition.pattern.text(locale).to_owned(),
            score: r.score,
            ..DiagnosedCondition::default()
        })
    });
    composer.diagnosis =
        Some(Diagnosis { differential: named.collect(), referral: referral.to_owned(), ..Diagnosis::default() });
    Ok(())
}
