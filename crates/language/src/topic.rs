//! Words about a thing that stands elsewhere: an answer that leaves out what it speaks of (`乙`, after
//! a question for 丙甲), and several qualities of one thing (`lots of 甲 丙`, `甲丙很乙`).
//!
//! Both are read by putting the thing beside the words, as the speaker would say it in full, and
//! reading that as any other text. What is found there is kept where it takes in words of the
//! speaker; negators and degrees remain the speaker's own, so nothing is denied by this alone.

use wenzhen_pack::FindingIx;

use crate::clause::{self, Clause};
use crate::lexicon::{Kind, Pattern};
use crate::locale::is_han;
use crate::polarity::{Draft, Who};
use crate::reader::Reader;
use crate::scan::{Token, residue, scan};
use crate::units::Unit;
use crate::words::Class;

/// The longest answer that is completed, in units.
const LONGEST_ANSWER: usize = 16;
/// The longest stretch of words beside a name that may be further qualities, in units.
const LONGEST_QUALITY: usize = 8;
/// The longest clause that is looked through for further qualities, in units.
const LONGEST_CLAUSE: usize = 120;
/// How many things the words are tried with.
const MOST_TOPICS: usize = 8;
/// How often further qualities are looked for beside those already found.
const DEEPEST: usize = 3;

/// On which side the thing is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

impl Reader<'_> {
    /// Completes a clause that says nothing by itself, from what was asked or named just before;
    /// also one whose words mean something else of that. Gives all tokens of the clause.
    pub(crate) fn completed(
        &self,
        units: &[Unit],
        tokens: &[Token],
        clause: &Clause,
        last: Option<FindingIx>,
    ) -> Option<Vec<Token>> {
        let part = clause.units.clone();
        let asks = clause.mood.question && !clause.mood.retort;
        let picks = tokens.iter().any(|t| matches!(t.kind, Kind::Ordinal(_)));
        if self.depth > 0
            || asks
            || picks
            || clause.mood.unsure
            || part.len() > LONGEST_ANSWER
            || !says_more(units, tokens, clause)
        {
            return None;
        }
        let bare = residue(units, tokens, part.start, part.end) == 0;
        // Words that mean something already are only taken over whole, and only of what was asked.
        let said = clause.mood.medical;
        let own = |f: FindingIx| tokens.iter().any(|t| matches!(t.kind, Kind::Finding(x) if self.akin(x, f)));
        // Who names one of what was asked, or the other of what was just said, leaves nothing out.
        if said && last.into_iter().chain(self.asked.iter().copied()).any(own) {
            return None;
        }
        let focus = last.filter(|_| !said).into_iter().chain(self.asked.iter().copied());
        let mut found: Vec<Token> = Vec::new();
        for about in focus {
            let fits = |t: &Token, crosses: bool| match t.kind {
                Kind::Finding(f) if said => crosses && self.akin(f, about),
                Kind::Finding(f) => !(self.is_above(f, about) || f == about && bare),
                _ => false,
            };
            let read = self.topics(about, units, &part).find_map(|topic| {
                [Side::Before, Side::Behind].into_iter().find_map(|side| {
                    let all = self.beside(units, part.clone(), (about, topic), side);
                    let whole = |t: &Token| !cuts(units, tokens, t);
                    let kept: Vec<Token> =
                        all.into_iter().filter(|(t, c)| fits(t, *c) && whole(t)).map(|(t, _)| t).collect();
                    (!kept.is_empty()).then_some(kept)
                })
            });
            found.extend(read.into_iter().flatten().filter(|t| !found.contains(t)).collect::<Vec<_>>());
        }
        merged(tokens, found)
    }

    /// Finds further qualities of the things that the clause names.
    pub(crate) fn qualified(&self, units: &[Unit], tokens: &[Token], clause: &Clause) -> Option<Vec<Token>> {
        if self.depth >= DEEPEST || clause.units.len() > LONGEST_CLAUSE {
            return None;
        }
        let mut found: Vec<Token> = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            let Kind::Finding(about) = token.kind else { continue };
            let Some(thing) = self.thing(about, units, token) else { continue };
            let before = stretch_before(units, tokens, i, clause.units.start);
            let behind = stretch_behind(units, tokens, i, clause.units.end);
            for (part, sides) in [(before, [Side::Behind, Side::Before]), (behind, [Side::Before, Side::Behind])] {
                let Some(part) = part else { continue };
                let read = sides.into_iter().find_map(|side| {
                    let all = self.beside(units, part.clone(), (about, thing), side);
                    let more = |t: &Token| matches!(t.kind, Kind::Finding(f) if f != about && self.akin(f, about));
                    let whole = |t: &Token| !cuts(units, tokens, t);
                    let kept: Vec<Token> =
                        all.into_iter().filter(|(t, c)| *c && more(t) && whole(t)).map(|(t, _)| t).collect();
                    (!kept.is_empty()).then_some(kept)
                });
                found.extend(read.into_iter().flatten());
            }
        }
        merged(tokens, found)
    }

    /// Of what an answer to a question for the finding speaks, in the script of the words.
    fn topics<'s>(
        &'s self,
        about: FindingIx,
        units: &[Unit],
        part: &std::ops::Range<usize>,
    ) -> impl Iterator<Item = &'s Pattern> + use<'s> {
        let han = units.get(part.clone()).is_some_and(|all| all.iter().any(|u| is_han(u.ch)));
        let topics = self.lexicon.topics.get(about.at()).map_or(&[][..], Vec::as_slice);
        topics.iter().filter(move |t| t.first().is_some_and(|c| is_han(*c)) == han).take(MOST_TOPICS)
    }

    /// The thing that a name holds (`丙` in `甲丙`).
    fn thing(&self, about: FindingIx, units: &[Unit], token: &Token) -> Option<&Pattern> {
        let row: Vec<char> = units.get(token.start..token.end)?.iter().map(|u| u.ch).collect();
        let things = self.lexicon.things_of.get(about.at())?;
        things.iter().filter(|t| row.windows(t.len()).any(|w| w == &***t)).max_by_key(|t| t.len())
    }

    /// Reads some words with a thing beside them. Gives what takes in some of the words, in their
    /// own places, and whether it takes in the thing too.
    fn beside(
        &self,
        units: &[Unit],
        part: std::ops::Range<usize>,
        (about, topic): (FindingIx, &Pattern),
        side: Side,
    ) -> Vec<(Token, bool)> {
        let Some(words) = units.get(part.clone()) else { return Vec::new() };
        let thing = topic.iter().map(|ch| Unit { ch: *ch, start: 0, end: 0, value: 0.0 });
        let row: Vec<Unit> = match side {
            Side::Before => thing.chain(words.iter().copied()).collect(),
            Side::Behind => words.iter().copied().chain(thing).collect(),
        };
        let (from, place) = match side {
            Side::Before => (topic.len(), (0, topic.len())),
            Side::Behind => (0, (words.len(), row.len())),
        };
        let mut inner = Reader::new(self.pack, self.lexicon, self.locale, &[], false);
        inner.depth = self.depth + 1;
        inner.drafts.push(Draft::new(about, wenzhen_pack::State::Present, place, Who::default(), 0));
        let tokens = scan(self.lexicon, &row);
        let Some(mut clause) = clause::split(&row, &tokens).into_iter().next() else { return Vec::new() };
        clause.mood.question = false;
        let read = inner.understood(&row, &tokens, &mut clause).map_or(tokens, |read| read.tokens);
        let here = |at: usize| part.start + at.saturating_sub(from).min(words.len());
        read.into_iter()
            .filter(|t| t.kind.is_medical())
            .filter_map(|t| {
                let crosses = t.start < place.1 && place.0 < t.end;
                let (start, end) = (here(t.start), here(t.end));
                (start < end).then_some((Token { start, end, ..t }, crosses))
            })
            .collect()
    }

    /// Whether both are kinds of the same, or one of the other.
    fn akin(&self, a: FindingIx, b: FindingIx) -> bool {
        self.root(a) == self.root(b)
    }

    fn root(&self, of: FindingIx) -> FindingIx {
        let parent = |f: &FindingIx| self.pack.findings.get(f.at()).and_then(|f| f.parent);
        std::iter::successors(Some(of), parent).take(self.pack.findings.len()).last().unwrap_or(of)
    }

    /// Whether `upper` is a parent, grandparent, … of `lower`.
    fn is_above(&self, upper: FindingIx, lower: FindingIx) -> bool {
        let parent = |f: &FindingIx| self.pack.findings.get(f.at()).and_then(|f| f.parent);
        std::iter::successors(Some(lower), parent).skip(1).take(self.pack.findings.len()).any(|f| f == upper)
    }
}

/// Whether the words are more than yes, no and the like.
fn says_more(units: &[Unit], tokens: &[Token], clause: &Clause) -> bool {
    let plain = |t: &Token| match t.kind {
        Kind::Word(class) => {
            class.denies()
                || matches!(
                    class,
                    Class::Yes
                        | Class::No
                        | Class::AllYes
                        | Class::AllNo
                        | Class::Affirm
                        | Class::Copula
                        | Class::Filler
                        | Class::Perfect
                        | Class::Attributive
                        | Class::Greeting
                        | Class::Over
                        | Class::Past
                        | Class::Once
                        | Class::Now
                        | Class::Fine
                        | Class::Unrelated
                        | Class::Often
                        | Class::Only
                        | Class::List
                        | Class::Except
                        | Class::Rest
                )
        }
        Kind::Subject { .. } | Kind::Ordinal(_) => true,
        _ => false,
    };
    residue(units, tokens, clause.units.start, clause.units.end) > 0 || !tokens.iter().all(plain)
}

/// Puts what was found in the place of what it overlaps; `None` when nothing was found.
fn merged(tokens: &[Token], mut found: Vec<Token>) -> Option<Vec<Token>> {
    if found.is_empty() {
        return None;
    }
    let apart = |a: &Token, b: &Token| a.end <= b.start || b.end <= a.start;
    let mut all: Vec<Token> = tokens.iter().filter(|t| found.iter().all(|f| apart(t, f))).cloned().collect();
    all.append(&mut found);
    all.sort_by_key(|t| t.start);
    Some(all)
}

/// Whether a token takes only a part of a Chinese word.
fn cuts(units: &[Unit], tokens: &[Token], token: &Token) -> bool {
    let han = |at: usize| units.get(at).is_some_and(|u| is_han(u.ch));
    let inside = |at: usize, word: &Token| word.start < at && at < word.end && han(at);
    tokens.iter().any(|word| inside(token.start, word) || inside(token.end, word))
}

/// Whether a token may stand among qualities.
fn among_qualities(token: &Token) -> bool {
    match token.kind {
        Kind::Word(class) => {
            class.slips_in()
                || matches!(class, Class::List | Class::Inert | Class::MildAfter | Class::SevereAfter | Class::Whether)
        }
        _ => false,
    }
}

/// The words before a name that may be further qualities of its thing.
fn stretch_before(units: &[Unit], tokens: &[Token], i: usize, from: usize) -> Option<std::ops::Range<usize>> {
    let end = tokens.get(i)?.start;
    let mut start = from.max(end.saturating_sub(LONGEST_QUALITY));
    if let Some(stop) = tokens.get(..i)?.iter().rev().find(|t| !among_qualities(t)) {
        start = start.max(stop.end);
    }
    trimmed(units, tokens, start, end)
}

/// The words behind a name that may be further qualities of its thing.
fn stretch_behind(units: &[Unit], tokens: &[Token], i: usize, to: usize) -> Option<std::ops::Range<usize>> {
    let start = tokens.get(i)?.end;
    let mut end = to.min(start + LONGEST_QUALITY);
    if let Some(stop) = tokens.get(i + 1..)?.iter().find(|t| !among_qualities(t)) {
        end = end.min(stop.start);
    }
    trimmed(units, tokens, start, end)
}

/// Without conjunctions and fillers at its ends; `None` when nothing is left.
fn trimmed(units: &[Unit], tokens: &[Token], mut start: usize, mut end: usize) -> Option<std::ops::Range<usize>> {
    let little = |t: &Token| matches!(t.kind, Kind::Word(Class::List | Class::Filler | Class::Copula | Class::Now));
    while let Some(token) = tokens.iter().find(|t| t.start == start && t.end <= end && little(t)) {
        start = token.end;
    }
    while let Some(token) = tokens.iter().find(|t| t.end == end && t.start >= start && little(t)) {
        end = token.start;
    }
    let words = units.get(start..end)?;
    (!words.is_empty() && words.iter().any(|u| u.is_content())).then_some(start..end)
}
