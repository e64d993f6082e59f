//! The words of a pack that no code may hold.

use std::collections::HashSet;

use serde_json::Value;

use crate::tree::file;

/// Names and sayings of a pack.
///
/// Chinese ones count from two characters, word for word. English ones count from two words (a single
/// one may be an ordinary word), in any case and however the words are joined: `Of rust`, `of_rust` and
/// `OfRust` are the same.
pub struct Terms {
    han: HashSet<Vec<char>>,
    latin: HashSet<String>,
    longest_han: usize,
    longest_latin: usize,
}

impl Terms {
    /// Reads the names and sayings of findings and ambiguities, and the names of herbs, diseases, patterns
    /// and formulas.
    pub fn of_pack(folder: &str) -> Self {
        let mut terms = Self { han: HashSet::new(), latin: HashSet::new(), longest_han: 0, longest_latin: 0 };
        for finding in rows(folder, "findings") {
            terms.names(&finding["names"]);
            terms.sayings(&finding["sayings"]);
        }
        for ambiguity in rows(folder, "ambiguities") {
            terms.sayings(&ambiguity["sayings"]);
        }
        for herb in rows(folder, "herbs") {
            terms.names(&herb["names"]);
        }
        for condition in rows(folder, "conditions") {
            terms.names(&condition["disease"]);
            terms.names(&condition["pattern"]);
            terms.formula(&condition["formula"]);
        }
        assert!(terms.han.len() > 1000 && terms.latin.len() > 300, "the terms of {folder} were not found");
        terms
    }

    /// Every term in a text with its line, from 1; of terms that start at one place, the longest.
    pub fn find(&self, text: &str) -> Vec<(usize, String)> {
        let mut found = self.find_latin(text);
        for (index, line) in text.lines().enumerate().filter(|(_, line)| line.chars().any(is_han)) {
            let chars: Vec<char> = line.chars().collect();
            for start in 0..chars.len() {
                let longest = chars.len().min(start + self.longest_han);
                let mut ends = (start + 2..=longest).rev();
                if let Some(end) = ends.find(|end| self.han.contains(&chars[start..*end])) {
                    found.push((index + 1, chars[start..end].iter().collect()));
                }
            }
        }
        found.sort();
        found
    }

    /// A Chinese and an English term, always the same ones.
    pub fn samples(&self) -> (String, String) {
        (self.han.iter().min().unwrap().iter().collect(), self.latin.iter().min().unwrap().clone())
    }

    // The words of the whole text in order, so that a term broken by a line end is found too.
    fn find_latin(&self, text: &str) -> Vec<(usize, String)> {
        let lines = text.lines().enumerate();
        let words: Vec<(usize, String)> =
            lines.flat_map(|(index, line)| words(line).into_iter().map(move |word| (index + 1, word))).collect();
        let mut found = Vec::new();
        for start in 0..words.len() {
            let window = &words[start..words.len().min(start + self.longest_latin)];
            let joined = (2..=window.len()).rev().map(|count| {
                let words: Vec<&str> = window[..count].iter().map(|(_, word)| word.as_str()).collect();
                words.join(" ")
            });
            if let Some(term) = joined.into_iter().find(|term| self.latin.contains(term)) {
                found.push((words[start].0, term));
            }
        }
        found
    }

    fn names(&mut self, names: &Value) {
        // A name may be followed by another one in brackets.
        for part in names["en"].as_str().unwrap_or_default().split(['(', ')', ',', ';', '/']) {
            self.english(part);
        }
        self.chinese(names["zh"].as_str().unwrap_or_default());
    }

    // Two formulas may be given as one; "加减" says that it is modified.
    fn formula(&mut self, names: &Value) {
        self.names(names);
        for part in names["en"].as_str().unwrap_or_default().split([',', ';']).flat_map(|name| name.split(" with ")) {
            self.english(part);
        }
        let name = names["zh"].as_str().unwrap_or_default().trim_end_matches("加减");
        for part in std::iter::once(name).chain(name.split('合')).filter(|part| part.chars().count() > 2) {
            self.chinese(part);
        }
    }

    fn sayings(&mut self, sayings: &Value) {
        for saying in sayings["zh"].as_array().into_iter().flatten() {
            self.chinese(saying.as_str().unwrap_or_default());
        }
    }

    fn english(&mut self, term: &str) {
        let words = words(term);
        if words.len() >= 2 {
            self.longest_latin = self.longest_latin.max(words.len());
            self.latin.insert(words.join(" "));
        }
    }

    fn chinese(&mut self, term: &str) {
        let chars: Vec<char> = term.trim().chars().collect();
        if chars.iter().filter(|c| is_han(**c)).count() >= 2 {
            self.longest_han = self.longest_han.max(chars.len());
            self.han.insert(chars);
        }
    }
}

fn rows(folder: &str, table: &str) -> Vec<Value> {
    let file = file(&format!("{folder}/{table}.jsonl"));
    file.lines()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(_, line)| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

/// The words of a line in lower case; `snake_case` and `CamelCase` are taken apart.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for c in line.chars() {
        let humps = previous.is_lowercase() && c.is_uppercase();
        if !c.is_alphanumeric() || humps {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        previous = c;
    }
    words.retain(|word| !word.is_empty());
    words
}
