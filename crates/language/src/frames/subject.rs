//! Turning a clause from the second person towards the person spoken of.

use wenzhen_pack::voice::SubjectVoice;

/// Rewrites every mention of the addressed person: the first by [`SubjectVoice::first`], the others
/// by [`SubjectVoice::later`].
pub fn address(subject: &SubjectVoice, clause: &str) -> String {
    if subject.first.is_empty() && subject.later.is_empty() {
        return clause.to_owned();
    }
    let mut out = String::with_capacity(clause.len() + 32);
    let (mut rest, mut mentioned, mut at_word) = (clause, false, true);
    while let Some(c) = rest.chars().next() {
        let rules = if mentioned { &subject.later } else { &subject.first };
        let rule = rules.iter().filter(|_| at_word).find_map(|[from, to]| {
            let behind = rest.strip_prefix(from.as_str())?;
            (!behind.starts_with(in_word)).then_some((to, behind))
        });
        if let Some((to, behind)) = rule {
            out.push_str(to);
            (rest, mentioned, at_word) = (behind, true, false);
        } else {
            out.push(c);
            at_word = !in_word(c);
            rest = rest.get(c.len_utf8()..).unwrap_or("");
        }
    }
    out
}

/// What stands between the words for the addressed person, which are the first of each rule; nothing empty.
pub fn without<'a>(rules: &[[String; 2]], clause: &'a str) -> Vec<&'a str> {
    let (mut parts, mut from, mut at, mut at_word) = (Vec::new(), 0, 0, true);
    while let Some(c) = clause.get(at..).and_then(|rest| rest.chars().next()) {
        let person = rules.iter().filter(|_| at_word).find(|[word, _]| {
            let behind = clause.get(at..).and_then(|rest| rest.strip_prefix(word.as_str()));
            behind.is_some_and(|behind| !behind.starts_with(in_word))
        });
        if let Some([word, _]) = person.filter(|[word, _]| !word.is_empty()) {
            parts.push(clause.get(from..at));
            (at, at_word) = (at + word.len(), false);
            from = at;
        } else {
            at_word = !in_word(c);
            at += c.len_utf8();
        }
    }
    parts.push(clause.get(from..));
    parts.into_iter().flatten().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\''
}

#[cfg(test)]
mod tests {
    use super::{SubjectVoice, address, without};

    fn rules(pairs: &[(&str, &str)]) -> Vec<[String; 2]> {
        pairs.iter().map(|(from, to)| [(*from).to_owned(), (*to).to_owned()]).collect()
    }

    #[test]
    fn the_first_mention_names_and_the_later_ones_refer() {
        let child = SubjectVoice {
            first: rules(&[("do you", "does your child"), ("your", "your child's"), ("you", "your child")]),
            later: rules(&[("do you", "do they"), ("your", "their"), ("you", "they")]),
            ..SubjectVoice::default()
        };
        assert_eq!(
            address(&child, "do you feel warm, and is your bed young"),
            "does your child feel warm, and is their bed young"
        );
        assert_eq!(address(&child, "is your bed cold when you wake"), "is your child's bed cold when they wake");
        assert_eq!(address(&child, "is it raining"), "is it raining");
        assert_eq!(address(&SubjectVoice::default(), "do you"), "do you");
    }

    #[test]
    fn what_is_no_word_for_the_person_stays() {
        let rules = rules(&[("do you", ""), ("your", ""), ("you", "")]);
        assert_eq!(
            without(&rules, "do you feel worse when your young dog wakes you"),
            ["feel worse when", "young dog wakes"]
        );
        assert_eq!(without(&rules, "is it raining"), ["is it raining"]);
        assert_eq!(without(&rules, "you"), [""; 0]);
        assert_eq!(without(&[], "手脚"), ["手脚"]);
    }
}
