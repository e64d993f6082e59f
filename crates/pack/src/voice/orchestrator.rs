//! `voice/<locale>/orchestrator.toml`: what the orchestrator itself says.
//!
//! Placeholders in braces are filled by the orchestrator: `{name}`, `{retention_days}`, `{question}`,
//! `{advice}`, `{diet}`, `{referral}`, `{evidence}`, `{message}`, `{candidates}`, `{findings}`.

use serde::Deserialize;

/// The orchestrator voice in one locale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorVoice {
    /// Shown before anything else; going on accepts it. `{retention_days}`.
    pub consent: String,
    /// The first words, which ask for the complaint.
    pub opening: String,
    /// Answers to a greeting without content.
    pub greeting: Vec<String>,
    /// Asks for age and sex.
    pub ask_age_sex: String,
    /// The same where somebody speaks for a child: never the speaker's own age.
    pub ask_age_sex_child: String,
    /// The same where somebody speaks for another adult.
    pub ask_age_sex_other: String,
    /// Asks for the complaint where no question stands that could be repeated.
    pub ask_complaint: String,
    /// Asks whether the patient may be pregnant.
    pub ask_pregnancy: String,
    /// Quick answers of the pregnancy question.
    pub pregnancy_answers: Vec<String>,
    /// Before the question again, after words about something else. `{question}`.
    pub off_topic: Vec<String>,
    /// Before the question again, after words that were not understood. `{question}`.
    pub unclear: Vec<String>,
    /// After a question that the patient will not answer. `{question}`.
    pub refused: Vec<String>,
    /// Before the question again, when the patient asked something that can only be answered later. `{question}`.
    pub later: Vec<String>,
    /// Why the standing question was asked. `{findings}`, `{candidates}`, `{question}`.
    pub why: String,
    /// Why the standing question was asked, when it looks for danger. `{findings}`, `{question}`.
    pub why_precaution: String,
    /// What can still be done after an abstention.
    pub after_abstain: String,
    /// Before the messages of red flags that need help now. `{message}`.
    pub escalate: String,
    /// What to do now when the words sound like danger to life without lighting a red flag.
    pub crisis: String,
    /// Says again that help is needed now. `{message}`.
    pub still_urgent: String,
    /// Before a red flag that can wait until later today. `{message}`.
    pub today: String,
    /// It is not enough to tell. `{candidates}` (may be empty), `{referral}`.
    pub abstain: String,
    /// Before the candidates in `abstain`, when there are any. `{candidates}`.
    pub abstain_candidates: String,
    /// Where to go when the pack's condition gives no other advice.
    pub referral: String,
    /// A clinician will go on.
    pub hand_over: String,
    /// A clinician has it and will answer.
    pub handed_over: String,
    /// Goodbye.
    pub end: String,
    /// The reply when the expert is away. `{name}`, `{referral}`.
    pub no_expert: String,
    /// The reply when nothing can be scored. `{referral}`.
    pub no_graph: String,
    /// Said once when something was done with less than usual.
    pub degraded: String,
    /// After a correction has been recorded.
    pub corrected: String,
    /// What a word means, where the pack explains it. `{name}`, `{explain}`.
    pub meaning: String,
    /// What a word means, by what people say for it. `{name}`, `{sayings}`.
    pub meaning_said: String,
    /// What a word means, by how it is asked for. `{name}`, `{ask}`.
    pub meaning_asked: String,
    /// What the name of a condition means. `{name}`, `{explain}`.
    pub meaning_of_condition: String,
    /// Joins sayings.
    pub meaning_separator: String,
    /// Names by which a topic of a question is recognised, and the answer.
    pub topics: Vec<Topic>,
    /// Answer to a question about no known topic, after the diagnosis. `{name}`, `{referral}`.
    pub answer_default: String,
    /// Answers when thanked after the diagnosis.
    pub thanks: Vec<String>,
    /// Joins items of a list.
    pub list_separator: String,
    /// Joins names of conditions, which may hold commas.
    pub condition_separator: String,
    /// Headings of the export.
    pub export: ExportHeadings,
    /// What is said about photographs of the tongue; a pack with `tongue.toml` needs it.
    #[serde(default)]
    pub photo: Option<PhotoVoice>,
}

/// What is said about photographs of the tongue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhotoVoice {
    /// Asks for one.
    pub ask: String,
    /// Asks for one of somebody else's tongue.
    pub ask_other: String,
    /// Words that agree to it, each a whole message but for punctuation.
    pub agrees: Vec<String>,
    /// After whoever says yes: it is waited for.
    pub awaited: String,
    /// Quick answers of whoever would rather not.
    pub answers: Vec<String>,
    /// After whoever would rather not.
    pub declined: String,
    /// What was seen. `{seen}`.
    pub seen: String,
    /// One finding that is there. `{name}`, `{percent}`.
    pub present: String,
    /// One finding that is not there. `{name}`, `{percent}`.
    pub denied: String,
    /// A good picture, of which nothing could be told for sure.
    pub nothing: String,
    /// The picture could not be looked at now.
    pub away: String,
    /// The picture as a line of the dialogue.
    pub sent: String,
    /// No tongue was found.
    pub not_a_tongue: String,
    /// Not in focus.
    pub blurred: String,
    /// Too little light.
    pub too_dark: String,
    /// Too much light.
    pub too_bright: String,
    /// Coloured light.
    pub colour_cast: String,
    /// Too far away.
    pub too_small: String,
    /// Partly hidden.
    pub covered: String,
}

/// A topic of a patient's question.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Unique id, `why_asked` being reserved for questions about the standing question, `meaning` for
    /// those about a word in it or in a reply.
    pub id: String,
    /// Words by which it is recognised; none for `meaning`, which the interpreter recognises.
    pub cues: Vec<String>,
    /// The answer from the record, with placeholders; empty for `why_asked` and `meaning`.
    pub answer: String,
    /// The answer while there is no diagnosis, without placeholders; unset: it has to wait.
    #[serde(default)]
    pub before: Option<String>,
}

/// Headings of an exported record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeadings {
    /// The document.
    pub title: String,
    /// What was found.
    pub findings: String,
    /// Word for a denied finding.
    pub denied: String,
    /// Word for an unsure finding.
    pub unsure: String,
    /// The dialogue.
    pub dialogue: String,
    /// The patient as speaker.
    pub patient: String,
    /// The system as speaker.
    pub system: String,
    /// The diagnosis.
    pub diagnosis: String,
    /// The plan.
    pub plan: String,
    /// Urgency.
    pub urgency: String,
    /// Routine, today, crisis, emergency.
    pub urgency_names: [String; 4],
    /// The last line.
    pub disclaimer: String,
}
