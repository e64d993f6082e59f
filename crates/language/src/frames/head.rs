//! Joining clauses that open with verb and subject.

use wenzhen_pack::voice::HeadGrammar;

use super::compiled::{Clause, Parts};
use super::list;

/// Lengths in bytes of the openings of a clause that may be shared, the longest first: a head, or one
/// word with a subject; something must follow.
pub fn openings(grammar: &HeadGrammar, clause: &str) -> Vec<usize> {
    let subjects = clause.split_once(' ').into_iter().flat_map(|(verb, behind)| {
        let len = move |subject: &str| opens(behind, subject).then_some(verb.len() + 1 + subject.len());
        grammar.subjects.iter().filter_map(move |subject| len(subject))
    });
    let heads = grammar.heads.iter().filter(|head| opens(clause, head)).map(String::len);
    let mut openings: Vec<usize> = heads.chain(subjects).collect();
    openings.sort_unstable_by(|a, b| b.cmp(a));
    openings
}

/// Whether a text begins with these words and goes on after them.
fn opens(text: &str, words: &str) -> bool {
    text.strip_prefix(words).is_some_and(|behind| behind.starts_with(' '))
}

/// Joins clauses in their order; neighbours that share an opening say it once.
pub fn join(grammar: &HeadGrammar, clauses: &[&Clause]) -> String {
    let mut spoken: Vec<String> = Vec::with_capacity(clauses.len());
    let mut rest = clauses;
    while let Some(first) = rest.first() {
        let same_axis = |clause: &&&Clause| first.axis.is_some() && clause.axis == first.axis;
        let axis = 1 + rest.iter().skip(1).take_while(same_axis).count();
        let len = if axis > 1 { axis } else { sharing(grammar, rest) };
        let (run, behind) = rest.split_at(len.min(rest.len()));
        spoken.push(say(grammar, run));
        rest = behind;
    }
    let spoken: Vec<&str> = spoken.iter().map(String::as_str).collect();
    let mut out = String::new();
    list(&mut out, &spoken, &grammar.separator, &grammar.and);
    out
}

/// How many of the first clauses share an opening.
fn sharing(grammar: &HeadGrammar, clauses: &[&Clause]) -> usize {
    let share =
        |len: &usize| clauses.get(..*len).is_some_and(|run| opening(run).is_some_and(|o| together(grammar, o, run)));
    (2..=clauses.len()).take_while(share).last().unwrap_or(1)
}

/// Whether what follows a shared opening may stand in one list.
fn together(grammar: &HeadGrammar, opening: &str, run: &[&Clause]) -> bool {
    let mut rests = run.iter().filter_map(|clause| clause.text.get(opening.len() + 1..)?.split(' ').next());
    rests.all(|word| !grammar.apart.iter().any(|apart| apart == word))
}

/// The longest opening that all clauses share.
fn opening<'a>(clauses: &[&'a Clause]) -> Option<&'a str> {
    let (first, others) = clauses.split_first()?;
    let Parts::Head(lengths) = &first.parts else { return None };
    let mut openings = lengths.iter().filter_map(|len| first.text.get(..*len));
    openings.find(|opening| others.iter().all(|clause| opens(&clause.text, opening)))
}

fn say(grammar: &HeadGrammar, run: &[&Clause]) -> String {
    let shared = (run.len() > 1).then(|| opening(run)).flatten();
    let Some(shared) = shared else {
        let whole: Vec<&str> = run.iter().map(|clause| clause.text.as_str()).collect();
        let mut out = String::new();
        list(&mut out, &whole, &grammar.separator, &grammar.or_long);
        return out;
    };
    let rests: Vec<&str> = run.iter().filter_map(|clause| clause.text.get(shared.len() + 1..)).collect();
    let ending = ending(grammar, &rests);
    let cores: Vec<&str> =
        rests.iter().filter_map(|rest| rest.get(..rest.len() - ending.len())).map(str::trim_end).collect();
    let connected = |core: &str| grammar.connectives.iter().any(|word| core.split(' ').any(|w| w == word));
    let long = cores.iter().any(|core| core.split(' ').count() >= grammar.long || connected(core));
    let or = if long { &grammar.or_long } else { &grammar.or };
    let mut out = format!("{shared} ");
    list(&mut out, &cores, &grammar.separator, or);
    if !ending.is_empty() {
        out.extend([" ", ending]);
    }
    out
}

/// The longest ending that all share, that begins with a tail word, and that leaves something of each.
fn ending<'a>(grammar: &HeadGrammar, rests: &[&'a str]) -> &'a str {
    let Some((first, others)) = rests.split_first() else { return "" };
    let starts = first.match_indices(' ').map(|(at, _)| at);
    let mut endings = starts.filter_map(|at| first.get(at..));
    let shared = endings.find(|ending| {
        let word = ending.split(' ').nth(1).unwrap_or("");
        grammar.tails.iter().any(|tail| tail == word)
            && others.iter().all(|other| other.len() > ending.len() && other.ends_with(ending))
    });
    shared.map_or("", str::trim_start)
}
