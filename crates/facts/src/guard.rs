//! The guard: lets clean sentences of a rewriting through and puts the draft's in place of dirty ones.

use std::sync::Arc;

use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{Draft, FactKind};

use crate::check::Rules;
use crate::phrases::{Violation, ViolationKind};
use crate::plan::Plan;
use crate::sentence::{Sentence, Splitter};

/// A rewriting longer than this is not read on, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Why a guard could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A data file of this crate is wrong.
    #[error("a data file of the guard is wrong: {0}")]
    Data(String),
    /// A phrase without words.
    #[error("a phrase of the guard has no words")]
    EmptyPhrase,
    /// The vocabulary is too large.
    #[error("the vocabulary cannot be compiled: {0}")]
    Vocabulary(#[from] aho_corasick::BuildError),
    /// The number patterns are too large.
    #[error("the number patterns cannot be compiled: {0}")]
    Numbers(#[from] regex::Error),
}

impl GuardError {
    pub(crate) fn data(error: &toml::de::Error) -> Self {
        Self::Data(error.to_string())
    }
}

/// The guard of one pack. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    rules: Arc<Rules>,
}

/// Text that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Words with slots filled, and the white space before them.
    pub text: String,
    /// They are the draft's, not the rewriting's.
    pub replaced: bool,
}

/// What the guard did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardReport {
    /// Sentences released as they came.
    pub clean: u32,
    /// Dirty sentences, replaced by the draft's or dropped.
    pub replaced: u32,
    /// Sentences of the draft added at the end for slots that never came.
    pub appended: u32,
    /// Everything that was wrong, in order.
    pub violations: Vec<Violation>,
}

impl GuardReport {
    /// Nothing was replaced and nothing had to be added.
    pub const fn is_clean(&self) -> bool {
        self.replaced == 0 && self.appended == 0
    }
}

impl Guard {
    /// Compiles the names in a pack and the phrase lists.
    ///
    /// # Errors
    /// When a data file of this crate is wrong or the vocabulary does not compile.
    pub fn new(pack: &Pack) -> Result<Self, GuardError> {
        Ok(Self { rules: Arc::new(Rules::new(pack)?) })
    }

    /// Starts reading a rewriting of `draft`.
    pub fn session(&self, draft: &Draft) -> GuardSession {
        let plan = Plan::new(draft, &self.rules);
        GuardSession {
            rules: Arc::clone(&self.rules),
            released: vec![false; plan.facts.len()],
            announced: vec![false; plan.facts.len()],
            plan,
            splitter: Splitter::default(),
            opened: false,
            bytes: 0,
            sentences: 0,
            gap: Gap::Start,
            report: GuardReport::default(),
        }
    }
}

/// The white space due before the next text; the widest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Line,
    Paragraph,
    /// Nothing has been said yet: none is due.
    Start,
}

/// One rewriting under guard.
#[derive(Debug, Clone)]
pub struct GuardSession {
    rules: Arc<Rules>,
    plan: Plan,
    /// Facts that have been released.
    released: Vec<bool>,
    /// Facts released at the opening whose slot the rewriting has not placed yet.
    announced: Vec<bool>,
    splitter: Splitter,
    opened: bool,
    bytes: usize,
    sentences: u32,
    gap: Gap,
    report: GuardReport,
}

impl GuardSession {
    /// The draft's own urgent sentences, which come before anything else. Empty when there are none
    /// and on later calls; [`Self::push`] begins with them when this was not called.
    pub fn opening(&mut self) -> Vec<Released> {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.opened, true) {
            for at in 0..self.plan.facts.len() {
                if self.plan.facts.get(at).is_some_and(|fact| fact.kind == FactKind::Urgency) {
                    self.release_from_draft(at, &mut out);
                }
            }
            self.announced.clone_from(&self.released);
            if self.gap != Gap::Start {
                self.widen(Gap::Line);
            }
        }
        out
    }

    /// Takes the next piece of the rewriting, cut anywhere; what may be shown now.
    pub fn push(&mut self, delta: &str) -> Vec<Released> {
        let mut out = self.opening();
        let left = MAX_TEXT_BYTES.saturating_sub(self.bytes);
        let delta = match delta.get(..left.min(delta.len())) {
            Some(whole) => whole,
            None => delta
                .char_indices()
                .take_while(|(i, c)| i + c.len_utf8() <= left)
                .last()
                .map_or("", |(i, c)| delta.get(..i + c.len_utf8()).unwrap_or("")),
        };
        self.bytes += delta.len();
        for sentence in self.splitter.push(delta) {
            self.take(&sentence, &mut out);
        }
        out
    }

    /// The end of the rewriting: what is left of it, then the draft's sentences for missing slots.
    pub fn finish(mut self) -> (Vec<Released>, GuardReport) {
        let mut out = self.opening();
        if let Some(sentence) = std::mem::take(&mut self.splitter).finish() {
            self.take(&sentence, &mut out);
        }
        for at in 0..self.plan.facts.len() {
            if self.released.get(at) == Some(&false) {
                self.widen(Gap::Line);
                self.wrong(ViolationKind::Missing);
                self.report.appended += 1;
                self.release_from_draft(at, &mut out);
            }
        }
        (out, self.report)
    }

    fn take(&mut self, sentence: &Sentence, out: &mut Vec<Released>) {
        let body = sentence.text.trim();
        let lead = sentence.text.get(..sentence.text.len() - sentence.text.trim_start().len()).unwrap_or("");
        self.widen(match lead.matches('\n').count() {
            0 if lead.is_empty() => Gap::None,
            0 => Gap::Space,
            1 => Gap::Line,
            _ => Gap::Paragraph,
        });
        if body.is_empty() {
            return;
        }
        let mut verdict = self.rules.judge(body, &self.plan);
        if sentence.cut {
            verdict.wrong.push(ViolationKind::Length);
        }
        let said = self.check_placement(&verdict.slots.clone(), &mut verdict.wrong);
        for kind in &verdict.wrong {
            self.wrong(*kind);
        }
        self.sentences += 1;
        if !verdict.wrong.is_empty() {
            self.report.replaced += 1;
            for at in verdict.slots {
                if self.released.get(at) == Some(&false) {
                    self.release_from_draft(at, out);
                }
            }
        } else if !said {
            self.report.clean += 1;
            for at in &verdict.slots {
                self.mark(*at);
            }
            let text = self.plan.fill(body);
            self.emit(&text, false, out);
        }
    }

    /// Whether each slot may stand here. True when all that the sentence holds has been said already,
    /// at the opening and in the draft's words: then it is passed over.
    fn check_placement(&mut self, slots: &[usize], wrong: &mut Vec<ViolationKind>) -> bool {
        let mut announced = 0;
        for (position, &at) in slots.iter().enumerate() {
            let earlier = slots.get(..position).unwrap_or(&[]);
            let expected = self.announced.get_mut(at).is_some_and(|expected| std::mem::replace(expected, false));
            if expected {
                announced += 1;
            } else if self.released.get(at) == Some(&true) {
                wrong.push(ViolationKind::Repeated);
            } else if self.out_of_order(at, slots, earlier) {
                wrong.push(ViolationKind::Order);
            }
        }
        // A fact beside one that is out already cannot be released in these words.
        if announced > 0 && announced < slots.len() && wrong.is_empty() {
            wrong.push(ViolationKind::Repeated);
        }
        announced > 0 && announced == slots.len()
    }

    /// Facts of one kind keep their order, and a negated list stays whole.
    fn out_of_order(&self, at: usize, slots: &[usize], earlier: &[usize]) -> bool {
        let Some(fact) = self.plan.facts.get(at) else { return false };
        let free = matches!(fact.kind, FactKind::Advice | FactKind::Referral | FactKind::Caution);
        self.plan.facts.iter().enumerate().any(|(other, o)| {
            let overtaken = !free
                && other < at
                && o.kind == fact.kind
                && self.released.get(other) == Some(&false)
                && !earlier.contains(&other);
            let torn = fact.negated && o.negated && o.clause == fact.clause && !slots.contains(&other);
            overtaken || torn
        })
    }

    /// Releases the draft's own sentence for a fact, with all its facts that are still to be said.
    fn release_from_draft(&mut self, at: usize, out: &mut Vec<Released>) {
        if self.released.get(at) != Some(&false) {
            return;
        }
        let Some(sentence) = self.plan.facts.get(at).and_then(|fact| fact.sentence) else {
            // A fact that the draft itself forgot: its words alone.
            let text = self.plan.facts.get(at).map(|fact| fact.text.clone()).unwrap_or_default();
            self.mark(at);
            self.emit(&text, true, out);
            return;
        };
        let slots = self.plan.sentences.get(sentence).map(|s| s.slots.clone()).unwrap_or_default();
        let wanted: Vec<usize> = slots.into_iter().filter(|slot| self.released.get(*slot) == Some(&false)).collect();
        let text = self.plan.words(sentence, &wanted);
        for slot in wanted {
            self.mark(slot);
        }
        self.mark(at);
        self.emit(&text, true, out);
    }

    fn mark(&mut self, at: usize) {
        if let Some(released) = self.released.get_mut(at) {
            *released = true;
        }
    }

    fn emit(&mut self, text: &str, replaced: bool, out: &mut Vec<Released>) {
        let gap = match self.gap {
            Gap::None if self.plan.english => " ",
            Gap::Start | Gap::None => "",
            Gap::Space => " ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        };
        out.push(Released { text: format!("{gap}{text}"), replaced });
        self.gap = Gap::None;
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn wrong(&mut self, kind: ViolationKind) {
        self.report.violations.push(Violation { kind, sentence: self.sentences });
    }
}
