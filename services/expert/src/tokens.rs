//! Words for retrieval: characters and pairs of them in Chinese, light stems in English.

use bm25::Tokenizer;

/// Tokenizer of both languages, chosen character by character.
#[derive(Debug, Default, Clone, Copy)]
pub struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let mut tokens = Vec::with_capacity(text.len() / 2);
        let mut word = String::new();
        let mut before: Option<char> = None;
        for c in text.chars() {
            let han = is_han(c);
            if c.is_alphanumeric() && !han {
                word.extend(c.to_lowercase());
            } else if !matches!(c, '\'' | '’') {
                end(&mut word, &mut tokens);
            }
            if han {
                tokens.push(c.to_string());
                tokens.extend(before.map(|b| String::from_iter([b, c])));
            }
            before = han.then_some(c);
        }
        end(&mut word, &mut tokens);
        tokens
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}')
}

/// Closes a word. Words of one or two letters carry nothing.
fn end(word: &mut String, tokens: &mut Vec<String>) {
    if word.chars().count() > 2 {
        tokens.push(stem(word).to_owned());
    }
    word.clear();
}

/// Takes off the commonest endings, so that `coughs`, `coughing` and `cough` meet.
fn stem(word: &str) -> &str {
    let long_enough = |stem: &&str| stem.len() >= 3;
    for ending in ["ness", "ing", "ies", "ed", "es", "ly", "s", "y", "e"] {
        if let Some(stem) = word.strip_suffix(ending).filter(long_enough) {
            return if ending == "s" && stem.ends_with('s') { word } else { stem };
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_are_cut() {
        assert_eq!(Words.tokenize("甲乙，丙"), ["甲", "乙", "甲乙", "丙"]);
        assert_eq!(Words.tokenize("It walks; Walking, walked"), ["walk", "walk", "walk"]);
        assert_eq!(Words.tokenize("甲abc乙"), ["甲", "abc", "乙"]);
        assert!(Words.tokenize(" \u{0}…🙂").is_empty());
    }
}
