//! A draft taken apart: its sentences, its facts, and how each fact is said.

use std::collections::HashMap;

use wenzhen_proto::clinical::v1::{Draft, FactKind, Locale};

use crate::check::Rules;
use crate::sentence::split;
use crate::slots::{Piece, pieces};

/// A draft's body of fewer characters without a slot is too short to be told from other words.
const MIN_BODY_CHARS: usize = 4;

/// A draft, ready to be compared with its rewriting.
#[derive(Debug, Clone)]
pub struct Plan {
    pub english: bool,
    pub facts: Vec<PlanFact>,
    pub sentences: Vec<PlanSentence>,
    /// It has something urgent to say.
    pub urgent: bool,
    /// Bodies of sentences that a rewriting may take over, the longest first.
    pub bodies: Vec<String>,
    /// Finding id to whether it is stated and whether it is denied.
    pub findings: HashMap<String, (bool, bool)>,
}

/// A fact with its place.
#[derive(Debug, Clone)]
pub struct PlanFact {
    pub id: String,
    pub text: String,
    pub kind: FactKind,
    /// Its longest sentence, folded: what betrays it outside its slot.
    pub echo: String,
    /// The sentence that holds its slot.
    pub sentence: Option<usize>,
    /// The draft's words around the slot negate it.
    pub negated: bool,
    /// The clause, counted through the draft.
    pub clause: usize,
}

/// A sentence of the draft.
#[derive(Debug, Clone)]
pub struct PlanSentence {
    /// Trimmed text with slots.
    pub text: String,
    /// Positions of its facts, in order.
    pub slots: Vec<usize>,
}

impl Plan {
    /// Takes a draft apart. Slots without a fact are left out of the sentences.
    pub fn new(draft: &Draft, rules: &Rules) -> Self {
        let mut facts: Vec<PlanFact> = Vec::with_capacity(draft.facts.len());
        let mut findings: HashMap<String, (bool, bool)> = HashMap::new();
        for fact in &draft.facts {
            let said = findings.entry(fact.subject_id.clone()).or_default();
            said.0 |= fact.kind() == FactKind::Finding;
            said.1 |= fact.kind() == FactKind::Denial;
            facts.push(PlanFact {
                id: fact.id.clone(),
                text: fact.text.clone(),
                kind: fact.kind(),
                echo: longest_sentence(&fact.text, rules),
                sentence: None,
                negated: false,
                clause: 0,
            });
        }
        let urgent = facts.iter().any(|fact| fact.kind == FactKind::Urgency);
        let english = draft.locale() == Locale::En;
        let mut plan = Self { english, facts, sentences: Vec::new(), urgent, bodies: Vec::new(), findings };
        for sentence in split(&draft.text) {
            plan.add_sentence(sentence.text.trim(), rules);
        }
        plan.bodies.sort_by_key(|body| std::cmp::Reverse(body.len()));
        plan.bodies.dedup();
        plan
    }

    /// The position of the fact with this id.
    pub fn fact(&self, id: &str) -> Option<usize> {
        self.facts.iter().position(|fact| fact.id == id)
    }

    fn add_sentence(&mut self, text: &str, rules: &Rules) {
        if text.is_empty() {
            return;
        }
        let parts = pieces(text);
        let mut known = String::with_capacity(text.len());
        let mut slots = Vec::new();
        for part in &parts {
            match part {
                Piece::Text(words) => known.push_str(words),
                Piece::Slot(id) => {
                    if let Some(fact) = self.fact(id).filter(|fact| !slots.contains(fact)) {
                        slots.push(fact);
                        known.push_str(&format!("{{{{{id}}}}}"));
                    }
                }
            }
        }
        let index = self.sentences.len();
        let negated = rules.slot_polarity(&pieces(&known));
        let mut clause = self.facts.iter().map(|fact| fact.clause).max().unwrap_or(0) + 1;
        for segment in clauses(&known) {
            for piece in pieces(segment) {
                let Piece::Slot(id) = piece else { continue };
                let Some(at) = self.fact(id) else { continue };
                let order = slots.iter().position(|slot| *slot == at);
                if let Some(fact) = self.facts.get_mut(at).filter(|fact| fact.sentence.is_none()) {
                    fact.sentence = Some(index);
                    fact.clause = clause;
                    fact.negated = order.and_then(|i| negated.get(i)).copied().unwrap_or(false);
                }
            }
            clause += 1;
        }
        let body = known.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '}' | '?' | '？')).to_owned();
        let safe = !pieces(&body).iter().any(|p| matches!(p, Piece::Text(words) if words.contains(['{', '}'])));
        if safe && (!slots.is_empty() || body.chars().count() >= MIN_BODY_CHARS) {
            self.bodies.push(body);
        }
        self.sentences.push(PlanSentence { text: known, slots });
    }

    /// The words of a draft's sentence for those of its facts that are still `wanted`.
    ///
    /// Whole when all are; else the clauses that hold them. A fact in a clause with facts already
    /// said stands alone, with the words before it when they negate it.
    pub fn words(&self, sentence: usize, wanted: &[usize]) -> String {
        let Some(sentence) = self.sentences.get(sentence) else { return String::new() };
        if sentence.slots.iter().all(|slot| wanted.contains(slot)) {
            return self.fill(&sentence.text);
        }
        let mut out = String::new();
        for clause in clauses(&sentence.text) {
            let parts = pieces(clause);
            let held: Vec<usize> = parts.iter().filter_map(|part| self.slot(part)).collect();
            if !held.is_empty() && held.iter().all(|slot| wanted.contains(slot)) {
                out.push_str(&self.fill(clause));
            } else if held.iter().any(|slot| wanted.contains(slot)) {
                self.fill_some(&parts, wanted, &mut out);
                out.push(if self.english { ',' } else { '，' });
            }
        }
        let separator = |c: char| matches!(c, '，' | ',' | '；' | ';' | '：' | ':' | ' ' | '、');
        let mut out = out.trim_matches(separator).to_owned();
        if !out.ends_with(['。', '！', '？', '.', '!', '?']) {
            out.push(if self.english { '.' } else { '。' });
        }
        out
    }

    fn fill_some(&self, parts: &[Piece<'_>], wanted: &[usize], out: &mut String) {
        let mut before = "";
        for part in parts {
            match part {
                Piece::Text(words) => before = words,
                Piece::Slot(_) => {
                    if let Some(fact) =
                        self.slot(part).filter(|slot| wanted.contains(slot)).and_then(|s| self.facts.get(s))
                    {
                        if fact.negated {
                            out.push_str(before);
                        } else if !out.is_empty() {
                            out.push_str(if self.english { ", " } else { "，" });
                        }
                        out.push_str(&fact.text);
                    }
                    before = "";
                }
            }
        }
    }

    /// Fills every known slot in a text.
    pub fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() * 2);
        for piece in pieces(text) {
            match piece {
                Piece::Text(words) => out.push_str(words),
                Piece::Slot(_) => {
                    out.push_str(self.slot(&piece).and_then(|i| self.facts.get(i)).map_or("", |f| &f.text))
                }
            }
        }
        out
    }

    fn slot(&self, piece: &Piece<'_>) -> Option<usize> {
        match piece {
            Piece::Slot(id) => self.fact(id),
            Piece::Text(_) => None,
        }
    }
}

/// The clauses of a sentence, each with its final separator.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['，', ',', '；', ';', '：', ':', '。', '！', '？', '!', '?', '\n'])
}

fn longest_sentence(text: &str, rules: &Rules) -> String {
    split(text).iter().map(|s| rules.compact(&s.text)).max_by_key(String::len).unwrap_or_default()
}
