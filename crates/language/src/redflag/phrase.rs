//! The notation of phrases: `…` is a gap, `(a|b)` either, `(a|b)?` either or nothing, `x?` x or
//! nothing, `[3-9]`, `[89]` and `#` a digit. A phrase becomes its parts between the gaps, each with
//! every way to write it.

use crate::normalise::normalise;

/// More ways to write one part than this is a mistake in the pack.
const MAX_VARIANTS: usize = 1000;

/// The gap between two parts.
const GAP: char = '…';

/// The parts of a phrase, each with every way to write it (folded as the text is).
pub fn parts(phrase: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut parts = Vec::new();
    for part in split_outside_groups(phrase, GAP) {
        let chars: Vec<char> = part.chars().collect();
        let mut variants: Vec<String> = alternatives(&chars)?
            .iter()
            .map(|text| normalise(text).text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect();
        variants.sort_unstable();
        variants.dedup();
        if !variants.is_empty() {
            parts.push(variants);
        }
    }
    if parts.is_empty() { Err("nothing to look for") } else { Ok(parts) }
}

fn split_outside_groups(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut from, mut out) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            c if c == separator && depth == 0 => {
                out.extend(text.get(from..at));
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    out.extend(text.get(from..));
    out
}

/// Every text that `chars` stands for.
fn alternatives(chars: &[char]) -> Result<Vec<String>, &'static str> {
    let text: String = chars.iter().collect();
    let mut all = Vec::new();
    for branch in split_outside_groups(&text, '|') {
        let branch: Vec<char> = branch.chars().collect();
        all.extend(sequence(&branch)?);
    }
    Ok(all)
}

fn sequence(chars: &[char]) -> Result<Vec<String>, &'static str> {
    let mut out = vec![String::new()];
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        let (mut choices, used) = match c {
            '(' => {
                let len = group_len(chars.get(at..).unwrap_or_default())?;
                (alternatives(chars.get(at + 1..at + len - 1).unwrap_or_default())?, len)
            }
            ')' => return Err("a closing bracket without an opening one"),
            '[' => digits(chars.get(at..).unwrap_or_default())?,
            '#' => (('0'..='9').map(String::from).collect(), 1),
            c => (vec![c.to_string()], 1),
        };
        at += used;
        if chars.get(at) == Some(&'?') {
            choices.push(String::new());
            at += 1;
        }
        if out.len() * choices.len() > MAX_VARIANTS {
            return Err("too many ways to write one part");
        }
        out = out.iter().flat_map(|head| choices.iter().map(move |tail| format!("{head}{tail}"))).collect();
    }
    Ok(out)
}

/// How many characters the group that begins here has, brackets included.
fn group_len(chars: &[char]) -> Result<usize, &'static str> {
    let mut depth = 0_i32;
    for (i, c) in chars.iter().enumerate() {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        if depth == 0 {
            return Ok(i + 1);
        }
    }
    Err("an opening bracket without a closing one")
}

/// The digits of a class such as `[3-9]` or `[89]` and how many characters it has.
fn digits(chars: &[char]) -> Result<(Vec<String>, usize), &'static str> {
    let len = chars.iter().position(|c| *c == ']').ok_or("an opening bracket without a closing one")?;
    let found = match chars.get(1..len).unwrap_or_default() {
        [from @ '0'..='9', '-', to @ '0'..='9'] => (*from..=*to).map(String::from).collect(),
        set if !set.is_empty() && set.iter().all(char::is_ascii_digit) => set.iter().map(char::to_string).collect(),
        _ => return Err("square brackets hold digits, as [3-9] or [89]"),
    };
    Ok((found, len + 1))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_phrase_is_parts_with_variants() {
        assert_eq!(parts("(a|b)c…d?e"), Ok(vec![vec!["ac".into(), "bc".into()], vec!["de".into(), "e".into()]]));
        assert_eq!(parts("x[3-5]"), Ok(vec![vec!["x3".into(), "x4".into(), "x5".into()]]));
        assert_eq!(parts("((a|b)c|d)?").map(|p| p[0].len()), Ok(3));
    }

    #[test]
    fn malformed_phrases_are_refused() {
        for phrase in ["(a", "a)", "[ab]", "…", "(####|#####)"] {
            assert!(parts(phrase).is_err(), "{phrase}");
        }
    }
}
