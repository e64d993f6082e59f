//! One case, as the pure parts read it.

use wenzhen_pack::voice::ExpertVoice;
use wenzhen_pack::{Closed, Condition, ConditionIx, FindingIx, Locale, Sex, State};
use wenzhen_proto::clinical::v1::Urgency;

use crate::differential::Known;
use crate::knowledge::Knowledge;

/// Conditions that are weighed and named, at most.
pub const DIFFERENTIALS: usize = 3;

/// Everything that a diagnosis depends on.
#[derive(Debug)]
pub struct Case<'a> {
    /// The pack, prepared.
    pub knowledge: &'a Knowledge,
    /// The language of everything that is written.
    pub locale: Locale,
    /// How it is written.
    pub voice: &'a ExpertVoice,
    /// What is known, closed under the pack's rules; one entry per finding of the pack.
    pub closed: Vec<Option<Closed>>,
    /// Conditions with scores, best first, each once; 1 to 20.
    pub ranked: Vec<Ranked>,
    /// The person.
    pub person: Person,
    /// The higher one of the request's urgency and that of its red flags.
    pub urgency: Urgency,
    /// Red flags that hold, most urgent first.
    pub flags: Vec<Flag>,
}

/// A condition with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The condition.
    pub condition: ConditionIx,
    /// Its score, 0 to 1.
    pub score: f64,
}

/// A red flag that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Id as the request gave it.
    pub id: String,
    /// Its urgency.
    pub urgency: Urgency,
    /// What to do now, from the pack; empty for an id that the pack does not know.
    pub message: String,
}

/// What a plan depends on beside the findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Age in months, if known.
    pub age_months: Option<u32>,
    /// Sex, if known.
    pub sex: Option<Sex>,
    /// Whether pregnant, if known.
    pub pregnant: Option<bool>,
    /// A parent or carer speaks for a child.
    pub spoken_for_as_child: bool,
    /// Allergies in the patient's words.
    pub allergies: Vec<String>,
    /// Medicines are being taken.
    pub takes_medicines: bool,
}

/// How pregnancy counts when herbs are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pregnancy {
    /// It was said.
    Yes,
    /// Nobody said, and it may be: counts as yes.
    Assumed,
    /// It was denied or cannot be.
    No,
}

impl Person {
    /// No dose of an adult is for whom this holds: under 14 years, or a child of unknown age.
    pub fn is_child(&self) -> bool {
        self.age_months.map_or(self.spoken_for_as_child, |months| months < 14 * 12)
    }

    /// How pregnancy counts. Unknown counts as pregnant from 12 to 55 years unless the person is
    /// male; a condition that only men can have says as much.
    pub fn pregnancy(&self, condition: &Condition) -> Pregnancy {
        let male = self.sex == Some(Sex::Male) || (self.sex.is_none() && condition.gate.sex == Some(Sex::Male));
        let of_age = self.age_months.is_none_or(|months| (12..=55).contains(&(months / 12)));
        match self.pregnant {
            Some(true) => Pregnancy::Yes,
            Some(false) => Pregnancy::No,
            None if male || !of_age => Pregnancy::No,
            None => Pregnancy::Assumed,
        }
    }
}

impl Case<'_> {
    /// What is known and what it is weighed against.
    pub fn known(&self) -> Known<'_> {
        Known { knowledge: self.knowledge, closed: &self.closed, ranked: &self.ranked }
    }

    /// What is known of a finding.
    pub fn state(&self, finding: FindingIx) -> Option<Closed> {
        self.closed.get(finding.at()).copied().flatten()
    }

    /// Whether a finding is more likely present than not.
    pub fn is_present(&self, finding: FindingIx) -> bool {
        self.state(finding).is_some_and(|c| c.state == State::Present && c.probability >= 0.5)
    }

    /// The best condition; `None` only for a case without any, which validation refuses.
    pub fn best(&self) -> Option<&Condition> {
        self.ranked.first().and_then(|r| self.knowledge.pack().conditions.get(r.condition.at()))
    }

    /// It is too urgent for a plan: more than a doctor today.
    pub fn too_urgent_for_a_plan(&self) -> bool {
        self.urgency > Urgency::Today
    }

    /// A number that is the same for the same case, for choosing among variants (FNV-1a).
    pub fn seed(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.write(self.locale.tag().as_bytes());
        for r in self.ranked.iter().take(DIFFERENTIALS) {
            hash.write(&r.condition.0.to_le_bytes());
        }
        for (i, closed) in self.closed.iter().enumerate() {
            if let Some(c) = closed.filter(|c| !c.derived) {
                hash.write(&FindingIx::new(i).0.to_le_bytes());
                hash.write(&[c.state as u8]);
            }
        }
        hash.0
    }
}

/// FNV-1a, 64 bits: unlike the standard hasher the same in every version of the compiler.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
