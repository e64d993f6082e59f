//! Strategy `bayes-plain`: posterior over conditions from all observation states.

use wenzhen_pack::ConditionIx;

use super::relevance::Complaint;
use super::{Ending, Person, Query, Reason, Scored, gain, rank, recommend};
use crate::model::Model;
use crate::terms::{Known, Term};

/// Findings are correlated beyond their condition, so that plain naive Bayes is too sure of
/// itself: the log likelihood is multiplied by this. On real cases (before [`COMPLAINT`]) 0.7 to
/// 0.9 gave the lowest log loss on MZ-4 and MZ-10, 0.9 to 1 on Dxy, at much the same accuracy.
pub const TEMPER: f64 = 0.8;
/// What a patient brings up unasked is rarely incidental: it is why they came. It weighs this
/// much more, on top of [`TEMPER`]; without it, a few wrong answers lead away from the complaint.
pub const COMPLAINT: f64 = 0.5;
/// The bonus of complaints ends at this many nats for or against a condition, about two chief
/// findings: more of them are as correlated as any other findings.
const MOST_BY_COMPLAINT: f64 = 4.0;
/// A condition that explains none of the specific complaints is less likely by so many nats: it
/// would need a second, unrelated reason for coming. Whatever the number or order of complaints.
/// On simulated patients of the flagship pack 1 gained up to 3 points of accuracy. On Dxy, MZ-4
/// and MZ-10 it moved accuracy no further than noise, but the posterior gets surer of itself
/// (calibration error up by 1 to 2 points), and 2 or 3 do more of that than of good.
pub const UNEXPLAINED: f64 = 1.0;

/// Logarithm of the likelihood of everything known under each condition, against the
/// reference, in nats and in the pack's order; kept apart by how it came to be known.
#[derive(Debug, Clone)]
pub struct Likelihood {
    asked: Vec<f64>,
    complaint: Vec<f64>,
    complaints: Complaint,
}

impl Likelihood {
    /// Adds up the terms.
    pub fn new(model: &Model, known: &Known) -> Self {
        let zero = vec![0.0; model.pack().conditions.len()];
        let mut sums = Self { asked: zero.clone(), complaint: zero, complaints: Complaint::new(model, known) };
        for term in &known.terms {
            let sum = if term.complaint { &mut sums.complaint } else { &mut sums.asked };
            term.each(model, |condition, ratio| {
                if let Some(sum) = sum.get_mut(condition.at()) {
                    *sum += ratio;
                }
            });
        }
        sums
    }

    /// What a term adds to the logarithm under a condition, tempered. The specific complaints
    /// share the penalty of conditions that explain none of them.
    pub fn part(&self, model: &Model, term: &Term, condition: ConditionIx) -> f64 {
        let complaints = self.complaints.findings();
        let blamed = term.complaint && complaints.contains(&term.finding);
        let penalty = if blamed { self.penalty(condition) / complaints.len() as f64 } else { 0.0 };
        term.ratio(model, condition) * self.factor(condition, term.complaint) - penalty
    }

    fn penalty(&self, condition: ConditionIx) -> f64 {
        self.complaints.unexplained_by(condition) * UNEXPLAINED
    }

    /// The factor on a term's logarithm under a condition.
    fn factor(&self, condition: ConditionIx, complaint: bool) -> f64 {
        let sum = self.complaint.get(condition.at()).copied().unwrap_or(0.0).abs();
        match complaint {
            true if sum > MOST_BY_COMPLAINT => TEMPER + COMPLAINT * MOST_BY_COMPLAINT / sum,
            true => TEMPER + COMPLAINT,
            false => TEMPER,
        }
    }

    /// The tempered sum of a condition.
    fn total(&self, condition: ConditionIx) -> f64 {
        let at = |sums: &[f64]| sums.get(condition.at()).copied().unwrap_or(0.0);
        let tempered =
            at(&self.asked) * self.factor(condition, false) + at(&self.complaint) * self.factor(condition, true);
        tempered - self.penalty(condition)
    }
}

/// Posterior probability of every condition, in the pack's order; 0 for those that cannot
/// concern the person. Sums to 1 unless none can.
pub fn posterior(model: &Model, known: &Known, person: Person) -> Vec<f64> {
    let likelihood = Likelihood::new(model, known);
    let mut ln: Vec<f64> = model
        .conditions()
        .zip(&model.pack().conditions)
        .map(|(ix, c)| if person.passes(&c.gate) { c.prior.ln() + likelihood.total(ix) } else { f64::NEG_INFINITY })
        .collect();
    normalise(&mut ln);
    ln
}

/// Turns logarithms into probabilities that sum to 1, in place.
fn normalise(ln: &mut [f64]) {
    let top = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in ln.iter_mut() {
        *value = if top.is_finite() { (*value - top).exp() } else { 0.0 };
        sum += *value;
    }
    if sum > 0.0 {
        ln.iter_mut().for_each(|p| *p /= sum);
    }
}

/// Scores, picks the findings worth asking, recommends.
pub fn advance(model: &Model, query: &Query<'_>, known: &Known) -> Scored {
    let posterior = posterior(model, known, query.person);
    let ranked = rank(model, &posterior, query.person);
    let worth_asking = gain::worth_asking(model, query, known, &posterior, &ranked);
    let best = ranked.first().map_or(0.0, |r| r.score);
    let enough = (best >= query.dialogue.stop_posterior).then_some(Reason::PosteriorReached);
    let ending = Ending {
        best: worth_asking.first().map(|c| c.value),
        least: query.dialogue.min_gain_bits,
        sure_enough: best >= query.dialogue.abstain_posterior,
    };
    let recommendation = recommend(query, known, enough, ending);
    Scored { ranked, worth_asking, recommendation }
}
