//! Judges one sentence of a rewriting against the rules and the draft.

use regex::Regex;
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::FactKind;

use crate::fold::{BODY, CLAUSE, Folded, Folder, SLOT};
use crate::guard::GuardError;
use crate::numbers::{self, EnNumbers, ZhNumbers};
use crate::phrases::{LanguageData, Phrases, View, ViolationKind};
use crate::plan::Plan;
use crate::polarity::Polarity;
use crate::slots::{Piece, pieces};
use crate::vocabulary::{Mention, Vocabulary};

/// Everything that does not depend on the draft.
#[derive(Debug)]
pub struct Rules {
    folder: Folder,
    languages: [Language; 2],
    vocabulary: Vocabulary,
}

#[derive(Debug)]
struct Language {
    view: View,
    phrases: Phrases,
    polarity: Polarity,
    numbers: Regex,
}

/// What a sentence holds and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Positions of the draft's facts whose slots it holds, in order, each once.
    pub slots: Vec<usize>,
    /// Empty for a clean sentence.
    pub wrong: Vec<ViolationKind>,
}

impl Verdict {
    fn add(&mut self, kind: ViolationKind) {
        if !self.wrong.contains(&kind) {
            self.wrong.push(kind);
        }
    }
}

impl Rules {
    /// Compiles the data files and a pack's names.
    pub fn new(pack: &Pack) -> Result<Self, GuardError> {
        let folder = Folder::new()?;
        let zh: LanguageData<ZhNumbers> =
            toml::from_str(include_str!("../data/zh.toml")).map_err(|e| GuardError::data(&e))?;
        let en: LanguageData<EnNumbers> =
            toml::from_str(include_str!("../data/en.toml")).map_err(|e| GuardError::data(&e))?;
        let general: [&[String]; 2] = [&zh.terms.general, &en.terms.general];
        let vocabulary = Vocabulary::new(pack, [&zh.names, &en.names], general, &folder)?;
        let zh_numbers = numbers::zh(&zh.numbers)?;
        let en_numbers = numbers::en(&en.numbers, &folder)?;
        let languages = [
            Language::new(&zh, View::Compact, zh_numbers, &folder)?,
            Language::new(&en, View::Words, en_numbers, &folder)?,
        ];
        Ok(Self { folder, languages, vocabulary })
    }

    /// The compact form of a text without clause ends.
    pub fn compact(&self, text: &str) -> String {
        self.folder.text(text).compact.replace(CLAUSE, "")
    }

    /// For each slot of a sentence, whether the words around it negate it.
    pub fn slot_polarity(&self, sentence: &[Piece<'_>]) -> Vec<bool> {
        self.marks(&self.folder.pieces(sentence), SLOT)
    }

    fn marks(&self, folded: &Folded, mark: char) -> Vec<bool> {
        let [zh, en] = &self.languages;
        let words = en.polarity.marks(&folded.words, mark);
        zh.polarity.marks(&folded.compact, mark).zip(words).map(|(zh, en)| zh || en).collect()
    }

    /// Judges a trimmed sentence.
    pub fn judge(&self, sentence: &str, plan: &Plan) -> Verdict {
        let mut verdict = Verdict::default();
        let parts = pieces(sentence);
        let mut known = true;
        for part in &parts {
            match part {
                Piece::Slot(id) => match plan.fact(id) {
                    Some(fact) if verdict.slots.contains(&fact) => verdict.add(ViolationKind::Repeated),
                    Some(fact) => verdict.slots.push(fact),
                    None => known = false,
                },
                Piece::Text(words) => known &= !words.contains(['{', '}', '｛', '｝', '﹛', '﹜']),
            }
        }
        if !known {
            verdict.add(ViolationKind::Slot);
        }
        let rest = without_bodies(sentence, &plan.bodies);
        if rest.iter().any(|piece| *piece != Piece::Slot("")) {
            self.judge_words(&rest, plan, &mut verdict);
            if !matches!(rest.as_slice(), [Piece::Slot(_)]) {
                self.judge_slots(&parts, &rest, plan, &mut verdict);
            }
        }
        self.judge_echo(sentence, &rest, plan, &mut verdict);
        verdict
    }

    /// Everything about the words that are the rewriting's own.
    fn judge_words(&self, rest: &[Piece<'_>], plan: &Plan, verdict: &mut Verdict) {
        let folded = self.folder.pieces(rest);
        if folded.foreign {
            verdict.add(ViolationKind::Script);
        }
        if folded.digits {
            verdict.add(ViolationKind::Number);
        }
        if self.vocabulary.has_term(&folded.compact, &folded.words) {
            verdict.add(ViolationKind::Term);
        }
        for language in &self.languages {
            let view = language.text(&folded);
            let neutral = language.polarity.neutral(view);
            if language.numbers.is_match(&neutral) {
                verdict.add(ViolationKind::Number);
            }
            language.phrases.find(view, |kind| {
                if kind != ViolationKind::Softening || plan.urgent {
                    verdict.add(kind);
                }
            });
            for (before, after, mentions) in self.vocabulary.findings(language.view, view) {
                let negated = language.polarity.flips(before, after);
                if !mentions.iter().any(|mention| may_say(plan, mention, negated)) {
                    verdict.add(ViolationKind::Finding);
                }
            }
            // The draft's own sentence must not be introduced by a clause that denies it.
            for (at, _) in view.match_indices(BODY) {
                let before = view.get(..at).unwrap_or("").trim_end();
                if language.polarity.negates(before.strip_suffix(CLAUSE).unwrap_or(before)) {
                    verdict.add(ViolationKind::Negation);
                }
            }
        }
        if self.marks(&folded, BODY).contains(&true) {
            verdict.add(ViolationKind::Negation);
        }
        if plan
            .facts
            .iter()
            .any(|fact| !fact.echo.is_empty() && folded.compact.replace(CLAUSE, "").contains(&fact.echo))
        {
            verdict.add(ViolationKind::Echo);
        }
    }

    /// What the words do to the slots.
    fn judge_slots(&self, parts: &[Piece<'_>], rest: &[Piece<'_>], plan: &Plan, verdict: &mut Verdict) {
        let slots = parts.iter().filter_map(|part| match part {
            Piece::Slot(id) => plan.fact(id),
            Piece::Text(_) => None,
        });
        let negated = self.slot_polarity(parts);
        for (at, negated) in slots.zip(negated) {
            let Some(fact) = plan.facts.get(at) else { continue };
            if fact.negated != negated {
                let urgent = fact.kind == FactKind::Urgency;
                verdict.add(if urgent { ViolationKind::Softening } else { ViolationKind::Negation });
            }
        }
        let glued =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '‐' | '‑' | '/'));
        for pair in rest.windows(2) {
            let torn = match pair {
                [Piece::Text(words), Piece::Slot(_)] => glued(words.chars().next_back()),
                [Piece::Slot(_), Piece::Text(words)] => glued(words.chars().next()),
                _ => false,
            };
            if torn {
                verdict.add(ViolationKind::Slot);
            }
        }
    }

    /// No fact may come to be read a second time where slots and words meet.
    fn judge_echo(&self, sentence: &str, rest: &[Piece<'_>], plan: &Plan, verdict: &mut Verdict) {
        if rest.iter().all(|piece| *piece == Piece::Slot("")) {
            return;
        }
        let filled = plan.fill(sentence);
        for (at, fact) in plan.facts.iter().enumerate() {
            let own = usize::from(verdict.slots.contains(&at));
            let within = plan
                .facts
                .iter()
                .enumerate()
                .filter(|(other, f)| *other != at && verdict.slots.contains(other) && f.text.contains(&fact.text));
            if !fact.text.is_empty() && filled.matches(&fact.text).count() > own + within.count() {
                verdict.add(ViolationKind::Echo);
            }
        }
    }
}

impl Language {
    fn new<N>(data: &LanguageData<N>, view: View, numbers: Regex, folder: &Folder) -> Result<Self, GuardError> {
        Ok(Self {
            view,
            phrases: Phrases::new(&data.phrases, view, folder)?,
            polarity: Polarity::new(&data.slots, &data.clauses, view, folder)?,
            numbers,
        })
    }

    fn text<'a>(&self, folded: &'a Folded) -> &'a str {
        match self.view {
            View::Compact => &folded.compact,
            View::Words => &folded.words,
        }
    }
}

/// Whether a mention of a finding agrees with the draft. A name that the draft does not hold agrees
/// with nothing; a colloquial saying may stand where it is not denied.
fn may_say(plan: &Plan, mention: &Mention, negated: bool) -> bool {
    match plan.findings.get(&mention.id).copied().unwrap_or_default() {
        (false, false) => !mention.name && !negated,
        (stated, denied) => (stated && !negated) || (denied && negated),
    }
}

/// The sentence with every sentence of the draft in it, standing between clause ends, taken out.
fn without_bodies<'a>(sentence: &'a str, bodies: &[String]) -> Vec<Piece<'a>> {
    let mut rest: Vec<Result<&'a str, ()>> = vec![Ok(sentence)];
    for body in bodies {
        let mut next = Vec::with_capacity(rest.len());
        for part in rest {
            match part {
                Ok(words) => match find_body(words, body) {
                    Some((before, after)) => next.extend([Ok(before), Err(()), Ok(after)]),
                    None => next.push(Ok(words)),
                },
                Err(()) => next.push(Err(())),
            }
        }
        rest = next;
    }
    rest.into_iter()
        .flat_map(|part| match part {
            Ok(words) if words.trim_matches(is_border).is_empty() => Vec::new(),
            Ok(words) => pieces(words),
            Err(()) => vec![Piece::Slot("")],
        })
        .collect()
}

fn find_body<'a>(words: &'a str, body: &str) -> Option<(&'a str, &'a str)> {
    let at = words.find(body)?;
    let (before, after) = (words.get(..at)?, words.get(at + body.len()..)?);
    let bordered = before.chars().next_back().is_none_or(is_border) && after.chars().next().is_none_or(is_border);
    bordered.then_some((before, after))
}

fn is_border(c: char) -> bool {
    matches!(c, '，' | ',' | '；' | ';' | '：' | ':' | '。' | '！' | '.' | '!' | ' ' | '\n' | '—')
}
