//! The plan: what a clinician may sign, and what a patient may read before that.
//!
//! No herb gets into a plan that pregnancy forbids, that a reported allergy names, or that was
//! to be added beside one it clashes with; each is named in the cautions instead. Nothing is
//! planned at all when help must come first.

use wenzhen_pack::{Condition, Herb, HerbDose, HerbIx, Modification, PregnancyClass, Toxicity};
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::expert::v1::{ClinicianPlan, HerbDose as HerbDoseMessage, PatientPlan};

use crate::case::{Case, Pregnancy};
use crate::checks::{Allergies, clash, of_herb};

/// Both parts of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// For the clinician.
    pub clinician: ClinicianPlan,
    /// For the patient.
    pub patient: PatientPlan,
}

/// The plan for the best condition.
pub fn plan(case: &Case<'_>) -> Plan {
    let Some((ranked, condition)) = case.ranked.first().zip(case.best()) else { return Plan::default() };
    let open = case.knowledge.open_words(ranked.condition, case.locale);
    if case.too_urgent_for_a_plan() {
        let cautions = vec![case.voice.cautions.urgent.clone()];
        return Plan {
            clinician: ClinicianPlan { cautions, ..ClinicianPlan::default() },
            patient: PatientPlan { referral: urgent_message(case), ..PatientPlan::default() },
        };
    }
    let patient = PatientPlan { advice: open.advice, diet: open.diet, referral: open.referral };
    Plan { clinician: Planner::new(case, condition).run(condition), patient }
}

/// What to do now, where the case is above routine: the most urgent red flag's words, else the
/// voice's own; empty for a routine case.
pub fn urgent_message(case: &Case<'_>) -> String {
    let told = case.flags.iter().find(|flag| flag.urgency == case.urgency && !flag.message.is_empty());
    let words = &case.voice.sentences.urgent;
    let own = match case.urgency {
        Urgency::Unspecified | Urgency::Routine => "",
        Urgency::Today => words.today.as_str(),
        Urgency::Crisis => words.crisis.as_str(),
        Urgency::Emergency => words.emergency.as_str(),
    };
    told.map_or(own, |flag| flag.message.as_str()).to_owned()
}

/// A herb on its way into the plan.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Dosed {
    herb: HerbIx,
    dose_g: [f64; 2],
    added_for: Option<wenzhen_pack::FindingIx>,
}

struct Planner<'a> {
    case: &'a Case<'a>,
    pregnancy: Pregnancy,
    allergies: Allergies,
    kept: Vec<Dosed>,
    cautions: Vec<String>,
    /// Cautions of single herbs, which go last.
    notes: Vec<String>,
}

impl<'a> Planner<'a> {
    fn new(case: &'a Case<'a>, condition: &Condition) -> Self {
        Self {
            case,
            pregnancy: case.person.pregnancy(condition),
            allergies: Allergies::new(&case.person.allergies, &case.voice.words.allergy_words),
            kept: Vec::new(),
            cautions: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn run(mut self, condition: &Condition) -> ClinicianPlan {
        let present: Vec<&Modification> =
            condition.modifications.iter().filter(|m| self.case.is_present(m.when)).collect();
        let removed: Vec<HerbIx> = present.iter().flat_map(|m| m.remove.iter().copied()).collect();
        if !condition.herbs.is_empty() {
            self.about_the_person();
        }
        for dose in condition.herbs.iter().filter(|dose| !removed.contains(&dose.herb)) {
            self.base(*dose);
        }
        self.name_clashes();
        for (modification, herb) in present.iter().flat_map(|m| m.add.iter().map(move |herb| (m, *herb))) {
            if !removed.contains(&herb) {
                self.add(modification, herb);
            }
        }
        self.name_poisons();
        let herbs = self.kept.iter().filter_map(|dosed| self.message(dosed)).collect();
        self.cautions.append(&mut self.notes);
        ClinicianPlan {
            principle: condition.principle.text(self.case.locale).to_owned(),
            formula: condition.formula.text(self.case.locale).to_owned(),
            herbs,
            cautions: self.cautions,
        }
    }

    /// Cautions that concern the person, whatever the herbs.
    fn about_the_person(&mut self) {
        let words = &self.case.voice.cautions;
        let person = &self.case.person;
        for (holds, text) in [
            (self.pregnancy == Pregnancy::Assumed, &words.pregnancy_unknown),
            (person.is_child(), &words.child),
            (!person.allergies.is_empty(), &words.allergies),
            (person.takes_medicines, &words.medicines),
        ] {
            if holds {
                self.cautions.push(text.clone());
            }
        }
    }

    fn base(&mut self, dose: HerbDose) {
        let Some(herb) = self.herb(dose.herb).filter(|herb| self.admits(herb)) else { return };
        let [least, most] = herb.dose_g;
        let capped = [dose.dose_g[0].clamp(least, most), dose.dose_g[1].clamp(least, most)];
        if capped != dose.dose_g {
            let text = of_herb(&self.case.voice.cautions.dose_capped, self.name(herb), &[]);
            self.cautions.push(text);
        }
        self.kept.push(Dosed { herb: dose.herb, dose_g: capped, added_for: None });
    }

    fn add(&mut self, modification: &Modification, ix: HerbIx) {
        if self.kept.iter().any(|dosed| dosed.herb == ix) {
            return;
        }
        let Some(herb) = self.herb(ix).filter(|herb| self.admits(herb)) else { return };
        let pack = self.case.knowledge.pack();
        let clashing =
            self.kept.iter().find_map(|dosed| clash(pack, ix, dosed.herb).map(|source| (dosed.herb, source)));
        if let Some((other, source)) = clashing {
            let other = self.herb(other).map_or("", |other| self.name(other));
            let values = [("other", other), ("source", source)];
            let text = of_herb(&self.case.voice.cautions.clash_not_added, self.name(herb), &values);
            self.caution_once(text);
            return;
        }
        self.kept.push(Dosed { herb: ix, dose_g: herb.dose_g, added_for: Some(modification.when) });
    }

    /// Whether a herb may stand in the plan; a caution says why not, or what to mind.
    fn admits(&mut self, herb: &Herb) -> bool {
        let words = &self.case.voice.cautions;
        let pregnant = self.pregnancy != Pregnancy::No;
        let (admitted, template) = match herb.pregnancy {
            _ if self.allergies.hit(herb) => (false, &words.allergy_left_out),
            PregnancyClass::Forbidden if pregnant => (false, &words.pregnancy_left_out),
            PregnancyClass::Caution if pregnant => (true, &words.pregnancy_caution),
            _ => return true,
        };
        let text = of_herb(template, self.name(herb), &[]);
        self.caution_once(text);
        admitted
    }

    /// Clashes inside the formula are the clinician's to decide.
    fn name_clashes(&mut self) {
        let pack = self.case.knowledge.pack();
        let herbs: Vec<HerbIx> = self.kept.iter().map(|dosed| dosed.herb).collect();
        for (i, a) in herbs.iter().enumerate() {
            for b in herbs.iter().skip(i + 1) {
                let Some(source) = clash(pack, *a, *b) else { continue };
                let (Some(one), Some(other)) = (self.herb(*a), self.herb(*b)) else { continue };
                let values = [("other", self.name(other)), ("source", source)];
                let text = of_herb(&self.case.voice.cautions.clash_in_formula, self.name(one), &values);
                self.cautions.push(text);
            }
        }
    }

    fn name_poisons(&mut self) {
        let words = &self.case.voice.cautions;
        for dosed in self.kept.clone() {
            let Some(herb) = self.herb(dosed.herb) else { continue };
            let class = match herb.toxicity {
                Toxicity::None => None,
                Toxicity::Slight => Some(&words.classes.slight),
                Toxicity::Toxic => Some(&words.classes.toxic),
                Toxicity::Severe => Some(&words.classes.severe),
            };
            if let Some(class) = class {
                self.cautions.push(of_herb(&words.toxicity, self.name(herb), &[("class", class)]));
            }
            if let Some(text) = &herb.cautions {
                let values = [("text", text.text(self.case.locale))];
                self.notes.push(of_herb(&words.note, self.name(herb), &values));
            }
        }
    }

    fn message(&self, dosed: &Dosed) -> Option<HerbDoseMessage> {
        let herb = self.herb(dosed.herb)?;
        let finding =
            |f: wenzhen_pack::FindingIx| self.case.knowledge.pack().findings.get(f.at()).map(|f| f.id.clone());
        // The dose of an adult is none for a child: 0 says that it is still to be set.
        let [from, to] = if self.case.person.is_child() { [0.0, 0.0] } else { dosed.dose_g };
        Some(HerbDoseMessage {
            herb_id: herb.id.clone(),
            name: self.name(herb).to_owned(),
            dose_from_g: from,
            dose_to_g: to,
            added_for_finding_id: dosed.added_for.and_then(finding).unwrap_or_default(),
        })
    }

    fn caution_once(&mut self, text: String) {
        if !self.cautions.contains(&text) {
            self.cautions.push(text);
        }
    }

    fn herb(&self, ix: HerbIx) -> Option<&'a Herb> {
        self.case.knowledge.pack().herbs.get(ix.at())
    }

    fn name(&self, herb: &'a Herb) -> &'a str {
        herb.names.text(self.case.locale)
    }
}
