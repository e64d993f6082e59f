//! Findings to questions: one natural sentence for one to three findings, or for an ambiguous saying.
//!
//! Every word comes from the pack: the `ask` clauses of its findings, and the frames, joints and
//! forms of address of `voice/<locale>/guidance.toml`. A question is made in four steps: the clauses
//! are joined ([`marker`], [`head`]), turned towards the person spoken of ([`subject`]), put into a
//! frame that was not the last one, and given quick answers ([`answers`]). The same request gives the
//! same words.

mod answers;
mod compiled;
mod head;
mod marker;
mod subject;

use std::collections::BTreeMap;
use std::sync::Arc;

use wenzhen_pack::voice::{FrameList, Grammar, GuidanceVoice, SubjectVoice};
use wenzhen_pack::{FindingIx, Locale, Pack};

use crate::Subject;
use compiled::{Clause, Compiled};

/// Most findings in one question.
pub const MAX_FINDINGS: usize = 3;

/// What to ask.
#[derive(Debug, Clone, Copy)]
pub struct AskSpec<'a> {
    /// One to three different findings, in the order in which they are to be asked; empty for an ambiguity.
    pub findings: &'a [FindingIx],
    /// Position in `pack.ambiguities` of the saying to clarify; then no findings.
    pub ambiguity: Option<usize>,
    /// Language of the question. Where the pack has no voice in it, the pack's default language.
    pub locale: Locale,
    /// [`Question::frame`] of the question before; empty when there was none.
    pub last_frame: &'a str,
    /// The person spoken of.
    pub subject: Subject,
    /// Varies the words.
    pub seed: u64,
}

/// A worded question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// One sentence with one question mark at its end.
    pub text: String,
    /// Id of the frame. The same id always stands for the same words.
    pub frame: String,
    /// Answers to offer, at most six; each is understood as an answer to this question.
    pub quick_answers: Vec<String>,
}

/// Why a question could not be worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Neither findings nor an ambiguity.
    #[error("there is nothing to ask for")]
    Nothing,
    /// Findings and an ambiguity at once.
    #[error("findings and an ambiguity cannot be asked for in one question")]
    Both,
    /// More than [`MAX_FINDINGS`] findings.
    #[error("{0} findings in one question, at most 3 are possible")]
    TooMany(usize),
    /// The finding at this position of the request stands there twice.
    #[error("finding {0} of the question is asked for twice")]
    Twice(usize),
    /// The finding at this position of the request is not in the pack.
    #[error("finding {0} of the question is not in the pack")]
    UnknownFinding(usize),
    /// The finding at this position of the request cannot be asked of a patient.
    #[error("finding {0} of the question cannot be asked of a patient")]
    NotAskable(usize),
    /// No such position in the pack's ambiguities.
    #[error("the ambiguity is not in the pack")]
    UnknownAmbiguity,
    /// The pack has no voice, neither in the locale nor in its default one.
    #[error("the pack has no voice to ask with")]
    NoVoice,
}

/// Words questions from one pack.
#[derive(Debug)]
pub struct Framer {
    pack: Arc<Pack>,
    voices: BTreeMap<Locale, Compiled>,
}

impl Framer {
    /// Takes the pack's clauses apart, once per language.
    pub fn new(pack: Arc<Pack>) -> Self {
        let voices = pack.voices.iter().map(|(locale, v)| (*locale, Compiled::new(&pack, *locale, &v.guidance)));
        Self { voices: voices.collect(), pack }
    }

    /// The pack.
    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// The short word for a finding in lists and quick answers; its name where the pack has no voice.
    pub fn label(&self, finding: FindingIx, locale: Locale) -> &str {
        match self.voice(locale) {
            Some((_, compiled)) => compiled.label(finding),
            None => self.pack.findings.get(finding.at()).map_or("", |f| f.names.text(locale)),
        }
    }

    /// The findings that a text asks for in the words of the pack's own clauses: those before and behind the word that
    /// makes it a question and the words for the person, in that order, whatever else is said. Many a quality has no
    /// name that a lexicon knows without the question around it ("is it thick?").
    pub fn kept(&self, locale: Locale, text: &str) -> Vec<FindingIx> {
        let Some((voice, compiled)) = self.voice(locale) else { return Vec::new() };
        let (child, other, text) = (&voice.subjects.child, &voice.subjects.other, text.to_lowercase());
        let persons = [child.first.as_slice(), &child.later, &other.first].concat();
        let stands = |clause: &Clause| {
            let core = clause.core().into_iter().flat_map(|words| subject::without(&persons, words));
            let mut core = core.map(str::to_lowercase).peekable();
            let mut rest = Some(text.as_str());
            core.peek().is_some()
                && core.all(|words| {
                    rest = rest.and_then(|text| text.split_once(&words)).map(|(_, behind)| behind);
                    rest.is_some()
                })
        };
        let findings = (0..self.pack.findings.len()).map(FindingIx::new);
        findings.filter(|finding| compiled.clause(*finding).is_some_and(stands)).collect()
    }

    /// Words a question.
    ///
    /// # Errors
    /// When the request names nothing, too much, or what the pack does not have or cannot ask.
    pub fn ask(&self, spec: &AskSpec<'_>) -> Result<Question, FrameError> {
        let (voice, compiled) = self.voice(spec.locale).ok_or(FrameError::NoVoice)?;
        match (spec.findings, spec.ambiguity) {
            ([], None) => Err(FrameError::Nothing),
            ([], Some(at)) => self.clarify(voice, compiled, at, spec),
            (_, Some(_)) => Err(FrameError::Both),
            (findings, None) if findings.len() > MAX_FINDINGS => Err(FrameError::TooMany(findings.len())),
            _ => self.findings(voice, compiled, spec),
        }
    }

    fn findings(&self, voice: &GuidanceVoice, compiled: &Compiled, spec: &AskSpec<'_>) -> Result<Question, FrameError> {
        let clauses = self.clauses(compiled, spec.findings)?;
        let subject = self.subject(voice, spec);
        let seed = mix(spec.seed);
        let clause = match &voice.grammar {
            Grammar::Marker(grammar) => marker::join(grammar, &clauses, &subject.who, seed),
            Grammar::Head(grammar) => head::join(grammar, &clauses),
        };
        let clause = subject::address(subject, &clause);
        let choice = clauses.len() > 1 && same_axis(&clauses);
        let frames = match clauses.len() {
            1 => &voice.frames.one,
            _ if choice => &voice.frames.choice,
            _ => &voice.frames.several,
        };
        let labels: Vec<&str> = spec.findings.iter().map(|f| compiled.label(*f)).collect();
        let quick_answers = answers::to_findings(voice, &clauses, &labels, choice);
        Ok(framed(frames, &clause, subject, spec, quick_answers))
    }

    fn clarify(
        &self,
        voice: &GuidanceVoice,
        compiled: &Compiled,
        at: usize,
        spec: &AskSpec<'_>,
    ) -> Result<Question, FrameError> {
        let ambiguity = self.pack.ambiguities.get(at).ok_or(FrameError::UnknownAmbiguity)?;
        let labels: Vec<&str> = ambiguity.candidates.iter().map(|f| compiled.label(*f)).collect();
        let clause = answers::clarifying(&voice.clarify, ambiguity.ask.text(compiled.locale), &labels);
        let quick_answers = answers::to_clarifying(&voice.answers, &labels);
        Ok(framed(&voice.frames.clarify, &clause, self.subject(voice, spec), spec, quick_answers))
    }

    fn clauses<'c>(&self, compiled: &'c Compiled, findings: &[FindingIx]) -> Result<Vec<&'c Clause>, FrameError> {
        let mut clauses = Vec::with_capacity(findings.len());
        for (i, finding) in findings.iter().enumerate() {
            if findings.iter().take(i).any(|before| before == finding) {
                return Err(FrameError::Twice(i));
            }
            self.pack.findings.get(finding.at()).ok_or(FrameError::UnknownFinding(i))?;
            clauses.push(compiled.clause(*finding).ok_or(FrameError::NotAskable(i))?);
        }
        Ok(clauses)
    }

    /// How the person spoken of is addressed. What concerns only children is asked about a child.
    fn subject<'v>(&self, voice: &'v GuidanceVoice, spec: &AskSpec<'_>) -> &'v SubjectVoice {
        let of_children = |f: &FindingIx| {
            let oldest = self.pack.findings.get(f.at()).and_then(|finding| finding.gate.age_max);
            oldest.is_some_and(|age| age <= voice.child_until_years)
        };
        let subjects = &voice.subjects;
        match spec.subject {
            Subject::SelfPatient if spec.findings.iter().any(of_children) => &subjects.child,
            Subject::SelfPatient => &subjects.self_patient,
            Subject::Child => &subjects.child,
            Subject::Parent => subjects.parent.as_ref().unwrap_or(&subjects.other),
            Subject::Partner => subjects.partner.as_ref().unwrap_or(&subjects.other),
            Subject::Other => &subjects.other,
        }
    }

    fn voice(&self, locale: Locale) -> Option<(&GuidanceVoice, &Compiled)> {
        let compiled = self.voices.get(&locale).or_else(|| self.voices.get(&self.pack.manifest.default_locale()))?;
        let voice = self.pack.voices.get(&compiled.locale)?;
        Some((&voice.guidance, compiled))
    }
}

/// Whether all clauses ask for values of one axis.
fn same_axis(clauses: &[&Clause]) -> bool {
    let first = clauses.first().and_then(|clause| clause.axis);
    first.is_some() && clauses.iter().all(|clause| clause.axis == first)
}

/// Puts a clause into a frame of the list that was not the last one.
fn framed(
    frames: &FrameList,
    clause: &str,
    subject: &SubjectVoice,
    spec: &AskSpec<'_>,
    quick_answers: Vec<String>,
) -> Question {
    let frames: Vec<_> = frames.all().iter().filter(|frame| frame.id != spec.last_frame).collect();
    let at = mix(spec.seed.wrapping_add(1)) % frames.len().max(1) as u64;
    let (id, text) = frames.get(at as usize).map_or(("", "{ask}"), |frame| (frame.id.as_str(), frame.text.as_str()));
    let text = text.replace("{you}", &subject.you).replace("{Ask}", &capital(clause)).replace("{ask}", clause);
    Question { text, frame: id.to_owned(), quick_answers }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Joins a list: `separator` between all, `last` before the last.
fn list(out: &mut String, items: &[&str], separator: &str, last: &str) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(if i + 1 == items.len() { last } else { separator });
        }
        out.push_str(item);
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): neighbouring seeds give unrelated numbers.
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
