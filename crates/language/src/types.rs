//! What goes in and what comes out.

use std::ops::Range;

use wenzhen_pack::{ConditionIx, FindingIx, Locale, Sex, State};

/// What a patient wrote, and what it may be an answer to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Utterance<'a> {
    /// The words as written.
    pub text: &'a str,
    /// The findings that the last question named, in its order; empty when it named none.
    pub asked: &'a [FindingIx],
    /// Position in `pack.ambiguities` when the last question asked what a saying meant.
    pub clarifying: Option<usize>,
    /// The quick answers that were shown with the last question, in their order: a bare number picks one.
    pub quick_answers: &'a [String],
    /// The language of the consultation, where it is settled.
    pub locale: Option<Locale>,
    /// It is settled that the speaker is the patient: what others have is not recorded as the patient's.
    pub of_self: bool,
}

/// Everything that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Interpretation {
    /// The language of the text: as given, else detected, else the pack's default.
    pub locale: Locale,
    /// What the patient does by saying this.
    pub intent: Intent,
    /// What is stated of the patient, in the order of the text; each finding once.
    pub observations: Vec<Observation>,
    /// Sayings that may mean several findings; nothing is recorded for them.
    pub ambiguous: Vec<AmbiguousSaying>,
    /// Findings that the patient takes back: what was recorded of them no longer holds.
    pub withdrawn: Vec<FindingIx>,
    /// Facts about the patient beside findings.
    pub context: ContextFacts,
    /// What the patient wants to have explained.
    pub meanings: Vec<Meaning>,
    /// The patient declines to answer the question.
    pub refused: bool,
}

/// One finding as stated by the patient.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The finding.
    pub finding: FindingIx,
    /// Its state. With `past`, the state that was: present and past means that it is over.
    pub state: State,
    /// Bytes of the original text that say so, on character boundaries.
    pub span: Range<usize>,
    /// It was so and is over.
    pub past: bool,
    /// For how long, or since when, in days.
    pub duration_days: Option<f32>,
    /// How bad.
    pub severity: Option<Severity>,
    /// The number, in the first unit of the finding's measure.
    pub value: Option<f64>,
    /// The finding was asked for in the last question.
    pub answers_question: bool,
}

/// How bad a finding is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A little.
    Mild,
    /// Noticeable.
    Moderate,
    /// Bad.
    Severe,
}

/// Something of the pack whose name the patient does not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// A finding.
    Finding(FindingIx),
    /// A condition.
    Condition(ConditionIx),
}

impl Meaning {
    /// The finding, if it is one.
    pub const fn finding(self) -> Option<FindingIx> {
        match self {
            Self::Finding(finding) => Some(finding),
            Self::Condition(_) => None,
        }
    }

    /// The condition, if it is one.
    pub const fn condition(self) -> Option<ConditionIx> {
        match self {
            Self::Condition(condition) => Some(condition),
            Self::Finding(_) => None,
        }
    }
}

/// A saying that may mean several findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmbiguousSaying {
    /// Position in `pack.ambiguities`.
    pub ambiguity: usize,
    /// Bytes of the original text.
    pub span: Range<usize>,
}

/// What the patient does by saying something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    /// Tells what is the matter.
    Report,
    /// Answers the last question.
    Answer,
    /// Takes back or changes what was said before.
    Correction,
    /// Asks something.
    AsksQuestion,
    /// Asks what the illness is.
    AsksDiagnosis,
    /// Wants no further questions.
    WantsStop,
    /// Speaks of something else.
    OffTopic,
    /// Nothing was understood.
    Unclear,
    /// Does not want to answer.
    Refuses,
    /// Only a greeting or thanks.
    Greeting,
}

/// Facts about the patient; `None` where nothing was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextFacts {
    /// Age in months.
    pub age_months: Option<u32>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Whether she is pregnant.
    pub pregnant: Option<bool>,
    /// For how many weeks.
    pub pregnancy_weeks: Option<u32>,
    /// Whom the speaker speaks for.
    pub speaks_for: Option<Subject>,
    /// What the patient is allergic to, in the words of the patient; only where said in a clear form.
    pub allergies: Vec<String>,
    /// What the patient takes now, in the words of the patient; only where said in a clear form.
    pub medicines: Vec<String>,
}

/// The person that somebody speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The speaker.
    #[serde(rename = "self")]
    SelfPatient,
    /// The speaker's child.
    Child,
    /// Mother, father, grandparents.
    Parent,
    /// Wife, husband, partner.
    Partner,
    /// Somebody else.
    Other,
}
