//! Joining clauses whose marker of doubt stands between topic and statement.

use wenzhen_pack::voice::{Marker, MarkerGrammar};

use super::compiled::{self, Clause};
use super::list;

/// A clause as topic, marker and statement.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    topic: String,
    /// Position in [`MarkerGrammar::markers`]; `None` when the clause has none, and `topic` is all of it.
    marker: Option<usize>,
    rest: String,
}

impl Parts {
    /// Takes a clause apart at its first marker.
    pub fn of(grammar: &MarkerGrammar, clause: &str) -> Self {
        let found = grammar.markers.iter().enumerate().filter_map(|(i, marker)| {
            let (topic, rest) = clause.split_once(&marker.text)?;
            Some((topic.len(), Self { topic: topic.to_owned(), marker: Some(i), rest: rest.to_owned() }))
        });
        let first = found.min_by_key(|(at, _)| *at).map(|(_, parts)| parts);
        first.unwrap_or_else(|| Self { topic: clause.to_owned(), marker: None, rest: String::new() })
    }

    /// What stands before and behind the marker.
    pub fn around(&self) -> [&str; 2] {
        [&self.topic, &self.rest]
    }

    /// The marker of the clause.
    pub fn marker<'g>(&self, grammar: &'g MarkerGrammar) -> Option<&'g Marker> {
        grammar.markers.get(self.marker?)
    }
}

/// A clause while it is being joined: its topic without the person, who is named once.
#[derive(Clone, Copy)]
struct Part<'a> {
    topic: &'a str,
    marker: Option<&'a Marker>,
    rest: &'a str,
    axis: Option<u32>,
}

impl<'a> Part<'a> {
    fn of(grammar: &'a MarkerGrammar, clause: &'a Clause, who: &str) -> Self {
        let spared = |topic: &'a str| if who.is_empty() { topic } else { topic.strip_prefix(who).unwrap_or(topic) };
        match &clause.parts {
            compiled::Parts::Marker(parts) => Self {
                topic: spared(&parts.topic),
                marker: parts.marker(grammar),
                rest: &parts.rest,
                axis: clause.axis,
            },
            compiled::Parts::Head(_) => Self { topic: spared(&clause.text), marker: None, rest: "", axis: clause.axis },
        }
    }

    fn same_marker(&self, other: &Self) -> bool {
        self.marker.zip(other.marker).is_some_and(|(a, b)| a.text == b.text)
    }
}

/// What neighbouring clauses share.
#[derive(Clone, Copy)]
enum Shared<'a> {
    /// They are values of one axis; the text takes the marker's place.
    Axis(&'a str),
    /// Topic and marker.
    Topic,
    /// Marker and statement.
    Statement,
    /// Nothing.
    Nothing,
}

/// Joins clauses in their order; neighbours that share something say it once. `who` stands before
/// all of it and in no topic.
pub fn join(grammar: &MarkerGrammar, clauses: &[&Clause], who: &str, seed: u64) -> String {
    let parts: Vec<Part<'_>> = clauses.iter().map(|clause| Part::of(grammar, clause, who)).collect();
    let mut spoken: Vec<String> = Vec::with_capacity(parts.len());
    let mut rest = parts.as_slice();
    while !rest.is_empty() {
        let (shared, len) = shared(grammar, rest);
        let (run, behind) = rest.split_at(len.min(rest.len()));
        spoken.push(say(grammar, run, shared));
        rest = behind;
    }
    let first = grammar.and.first().map_or("", String::as_str);
    let any = seed.checked_rem(grammar.and.len() as u64).and_then(|at| grammar.and.get(at as usize));
    let spoken: Vec<&str> = spoken.iter().map(String::as_str).collect();
    let mut out = who.to_owned();
    list(&mut out, &spoken, first, any.map_or(first, String::as_str));
    out
}

/// What the first clauses share, and how many of them.
fn shared<'a>(grammar: &MarkerGrammar, parts: &[Part<'a>]) -> (Shared<'a>, usize) {
    let Some((first, behind)) = parts.split_first() else { return (Shared::Nothing, 0) };
    let run = |same: &dyn Fn(&Part<'a>) -> bool| 1 + behind.iter().take_while(|part| same(part)).count();
    let choice = first.marker.and_then(|marker| marker.choice.as_deref());
    let axis = run(&|part| first.axis.is_some() && part.axis == first.axis && part.same_marker(first));
    let long = |part: &Part<'_>| part.rest.chars().count() >= grammar.long;
    let may_share = |part: &Part<'_>| part.marker.is_some_and(|m| m.shared_by_long) || !long(part);
    let same_topic = |part: &Part<'_>| part.topic == first.topic && part.same_marker(first) && may_share(part);
    let topic = if may_share(first) { run(&same_topic) } else { 1 };
    let statement = run(&|part| part.rest == first.rest && part.same_marker(first) && !part.topic.is_empty());
    match choice {
        Some(choice) if axis > 1 => (Shared::Axis(choice), axis),
        _ if topic > 1 => (Shared::Topic, topic),
        _ if statement > 1 && !first.topic.is_empty() => (Shared::Statement, statement),
        _ => (Shared::Nothing, 1),
    }
}

fn say(grammar: &MarkerGrammar, run: &[Part<'_>], shared: Shared<'_>) -> String {
    let Some(first) = run.first() else { return String::new() };
    let marker = first.marker.map_or("", |marker| marker.text.as_str());
    let rests: Vec<&str> = run.iter().map(|part| part.rest).collect();
    let long = |items: &[&str]| items.iter().any(|item| item.chars().count() >= grammar.long);
    let or = |items: &[&str]| if long(items) { grammar.or_long.as_str() } else { grammar.or.as_str() };
    let mut out = String::new();
    match shared {
        Shared::Nothing => out.extend([first.topic, marker, first.rest]),
        Shared::Topic => {
            out.extend([first.topic, marker]);
            list(&mut out, &rests, &grammar.separator, or(&rests));
        }
        Shared::Statement => {
            let topics: Vec<&str> = run.iter().map(|part| part.topic).collect();
            list(&mut out, &topics, &grammar.separator, or(&topics));
            out.extend([marker, first.rest]);
        }
        Shared::Axis(choice) if run.iter().all(|part| part.topic == first.topic) => {
            out.extend([first.topic, choice]);
            list(&mut out, &rests, &grammar.separator, &grammar.choose);
        }
        Shared::Axis(choice) => {
            let whole: Vec<String> = run.iter().map(|part| [part.topic, choice, part.rest].concat()).collect();
            let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
            list(&mut out, &whole, &grammar.separator, &grammar.choose);
        }
    }
    out
}
