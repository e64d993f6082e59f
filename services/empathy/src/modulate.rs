//! Brings comfort and a draft's facts together.
//!
//! Dual-stage generation (Kim, Choi and Huang 2026): the draft holds the facts; the empathy stage,
//! conditioned on emotion type, intensity and necessity, puts words around them. Every sentence of
//! the draft comes through with its slots; only what stands around the sentences changes. Urgent
//! sentences come first, whatever the order, and nothing beside them plays them down.

use wenzhen_facts::{Piece, pieces, split};
use wenzhen_pack::voice::{EmpathyBands, EmpathyVoice, Feeling};
use wenzhen_proto::clinical::v1::{Draft, EmotionAssessment, EmpathyNecessity, FactKind, Locale, Subject};
use wenzhen_proto::empathy::v1::Order;

use crate::assess::feeling_of;
use crate::choice::Choice;

/// What to rewrite, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Rewrite<'a> {
    /// The draft.
    pub draft: &'a Draft,
    /// What the patient feels.
    pub assessment: &'a EmotionAssessment,
    /// Order of the stages; unset is fact to empathy.
    pub order: Order,
    /// For whom the patient speaks.
    pub subject: Subject,
    /// Decides among variants.
    pub seed: u64,
}

/// A sentence on its way into the text.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    /// It begins a new line.
    fresh: bool,
}

/// Rewrites a draft; the text in sentences, white space included, slots unfilled.
pub fn modulate(voice: &EmpathyVoice, rewrite: &Rewrite<'_>) -> Vec<String> {
    if rewrite.assessment.necessity() <= EmpathyNecessity::None {
        return split(&rewrite.draft.text).into_iter().map(|sentence| sentence.text).collect();
    }
    let facts: Vec<Line> = lines(&rewrite.draft.text);
    let (urgent, facts): (Vec<Line>, Vec<Line>) =
        facts.into_iter().partition(|line| holds(rewrite.draft, &line.text, FactKind::Urgency));
    let stage = Stage { voice, rewrite, feeling: feeling_of(rewrite.assessment.emotion()) };
    let mut choice = Choice::new(rewrite.seed);
    let arranged = if urgent.is_empty() {
        match rewrite.order {
            Order::Unspecified | Order::FactToEmpathy => stage.fact_to_empathy(facts, &mut choice),
            Order::EmpathyToFact => stage.empathy_to_fact(facts, &mut choice),
            Order::SingleStage => stage.single_stage(facts, &mut choice),
        }
    } else {
        stage.beside_urgency(urgent, facts, &mut choice)
    };
    write(&arranged, rewrite.draft.locale())
}

struct Stage<'a> {
    voice: &'a EmpathyVoice,
    rewrite: &'a Rewrite<'a>,
    feeling: Feeling,
}

impl Stage<'_> {
    /// The facts are laid out first; then comfort goes before, between and after them.
    fn fact_to_empathy(&self, mut facts: Vec<Line>, choice: &mut Choice) -> Vec<Line> {
        let mut out = self.opening(choice);
        if self.full() {
            out.extend(said(choice.one(&self.voice.bridges)));
            self.lead(&mut facts, FactKind::Condition, choice.one(&self.voice.leads.condition));
            self.lead(&mut facts, FactKind::Advice, choice.one(&self.voice.leads.advice));
            self.lead(&mut facts, FactKind::Referral, choice.one(&self.voice.leads.referral));
        }
        paragraph(&mut out, facts);
        paragraph(&mut out, said(choice.one(self.closings())).collect());
        out
    }

    /// All the comfort first, then the draft as it is.
    fn empathy_to_fact(&self, facts: Vec<Line>, choice: &mut Choice) -> Vec<Line> {
        let mut out = self.opening(choice);
        out.extend(said(choice.one(self.closings())));
        out.extend(said(choice.one(&self.voice.bridges)));
        paragraph(&mut out, facts);
        out
    }

    /// Comfort and facts mixed: some before, some after the first fact's sentence, some at the end.
    fn single_stage(&self, facts: Vec<Line>, choice: &mut Choice) -> Vec<Line> {
        let mut comfort = self.opening(choice).into_iter();
        let mut out: Vec<Line> = comfort.next().into_iter().collect();
        let first = facts.iter().position(|line| line.text.contains("{{")).map_or(0, |at| at + 1);
        let mut facts = facts;
        let later = facts.split_off(first.min(facts.len()));
        paragraph(&mut out, facts);
        out.extend(comfort);
        paragraph(&mut out, later);
        paragraph(&mut out, said(choice.one(self.closings())).collect());
        out
    }

    /// What is urgent, then words that play nothing down, then the rest of the draft as it is.
    fn beside_urgency(&self, urgent: Vec<Line>, facts: Vec<Line>, choice: &mut Choice) -> Vec<Line> {
        let mut out = urgent;
        let count = if self.full() { 2 } else { 1 };
        let comfort = choice.some(&self.voice.urgent, count).into_iter().map(|text| line(text, false)).collect();
        paragraph(&mut out, comfort);
        paragraph(&mut out, facts);
        out
    }

    fn full(&self) -> bool {
        self.rewrite.assessment.necessity() == EmpathyNecessity::Full
    }

    fn opening(&self, choice: &mut Choice) -> Vec<Line> {
        let parent = (self.rewrite.subject == Subject::Child).then(|| self.voice.parent.get(&self.feeling)).flatten();
        let own = self.voice.comfort.get(&self.feeling);
        let variants = |bands: Option<&EmpathyBands>, count, choice: &mut Choice| -> Vec<Line> {
            let list = bands.map_or(&[] as &[String], |bands| if self.full() { &bands.full } else { &bands.light });
            choice.some(list, count).into_iter().map(|text| line(text, false)).collect()
        };
        let mut out = variants(parent, 1, choice);
        let wanted = if self.full() { 2 } else { 1 };
        out.extend(variants(own, wanted - out.len().min(wanted), choice));
        out
    }

    fn closings(&self) -> &[String] {
        let own = self.voice.closing.get(&self.feeling).filter(|list| !list.is_empty());
        own.or_else(|| self.voice.closing.get(&Feeling::Neutral)).map_or(&[], Vec::as_slice)
    }

    /// Puts a beginning before the first sentence that holds a fact of a kind.
    fn lead(&self, facts: &mut [Line], kind: FactKind, lead: Option<&str>) {
        let found = facts.iter_mut().find(|line| holds(self.rewrite.draft, &line.text, kind));
        if let (Some(line), Some(lead)) = (found, lead) {
            line.text.insert_str(0, lead);
        }
    }
}

fn line(text: &str, fresh: bool) -> Line {
    Line { text: text.to_owned(), fresh }
}

fn said(text: Option<&str>) -> impl Iterator<Item = Line> {
    text.map(|text| line(text, false)).into_iter()
}

/// Appends lines as a new paragraph.
fn paragraph(out: &mut Vec<Line>, mut lines: Vec<Line>) {
    if let Some(first) = lines.first_mut() {
        first.fresh = true;
    }
    out.append(&mut lines);
}

fn lines(text: &str) -> Vec<Line> {
    let sentences = split(text).into_iter().map(|sentence| sentence.text);
    sentences
        .filter(|text| !text.trim().is_empty())
        .map(|text| {
            let words = text.trim();
            let fresh = text.get(..text.len() - text.trim_start().len()).is_some_and(|lead| lead.contains('\n'));
            line(words, fresh)
        })
        .collect()
}

fn holds(draft: &Draft, text: &str, kind: FactKind) -> bool {
    pieces(text).iter().any(|piece| match piece {
        Piece::Slot(id) => draft.facts.iter().any(|fact| fact.id == *id && fact.kind() == kind),
        Piece::Text(_) => false,
    })
}

fn write(lines: &[Line], locale: Locale) -> Vec<String> {
    let space = if locale == Locale::En { " " } else { "" };
    let mut out = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let gap = match (i, line.fresh) {
            (0, _) => "",
            (_, true) => "\n",
            (_, false) => space,
        };
        out.push(format!("{gap}{}", line.text));
    }
    out
}
