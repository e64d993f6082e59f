//! Splits a text into sentences while it is still coming in.
//!
//! Sentences joined together are the text again, and they do not depend on how it was cut into
//! pieces: an end is only decided when the character after it is known.

/// No sentence is longer, in bytes; a longer one is cut and marked.
const MAX_BYTES: usize = 4096;
/// A cut stays this far away from an open brace, so that no slot is split.
const SLOT_BYTES: usize = 12;

/// Words whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 14] =
    ["dr", "mr", "mrs", "ms", "prof", "vs", "etc", "e.g", "i.e", "a.m", "p.m", "approx", "fig", "cf"];

/// A sentence with the white space before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Leading white space, words, final punctuation with closing quotes.
    pub text: String,
    /// It was cut off because it was too long.
    pub cut: bool,
}

/// Takes a text in pieces and gives its sentences.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    buffer: String,
    /// Everything before is known to hold no end.
    scanned: usize,
}

impl Splitter {
    /// Adds text; the sentences that are complete now.
    pub fn push(&mut self, delta: &str) -> Vec<Sentence> {
        let mut done = Vec::new();
        self.buffer.push_str(delta);
        while let Some((end, cut)) = self.next_end() {
            let rest = self.buffer.split_off(end);
            done.push(Sentence { text: std::mem::replace(&mut self.buffer, rest), cut });
            self.scanned = 0;
        }
        done
    }

    /// What is left at the end of the text; `None` when nothing is.
    pub fn finish(self) -> Option<Sentence> {
        (!self.buffer.is_empty()).then_some(Sentence { text: self.buffer, cut: false })
    }

    /// Where the first sentence ends, if that is certain, and whether it is cut off there.
    fn next_end(&mut self) -> Option<(usize, bool)> {
        let text = self.buffer.as_str();
        let from = self.scanned;
        let mut chars = text.get(from..).unwrap_or("").char_indices().map(|(i, c)| (from + i, c)).peekable();
        let mut resume = self.scanned;
        while let Some((at, c)) = chars.next() {
            if at >= MAX_BYTES {
                return Some((cut_point(text, at), true));
            }
            resume = at;
            if c == '\n' && text.get(..at).is_some_and(|before| !before.trim().is_empty()) {
                return Some((at, false));
            }
            if !is_end_mark(c) {
                continue;
            }
            let mut end = at + c.len_utf8();
            while let Some((_, next)) = chars.next_if(|(_, next)| is_end_mark(*next) || is_closer(*next)) {
                end += next.len_utf8();
            }
            // Without the next character nothing is certain.
            let Some(&(_, next)) = chars.peek() else { break };
            if end > MAX_BYTES {
                return Some((cut_point(text, MAX_BYTES), true));
            }
            if ends_sentence(text, at, end, next) {
                return Some((end, false));
            }
        }
        self.scanned = resume;
        None
    }
}

/// All sentences of a whole text.
pub fn split(text: &str) -> Vec<Sentence> {
    let mut splitter = Splitter::default();
    let mut sentences = splitter.push(text);
    sentences.extend(splitter.finish());
    sentences
}

fn is_end_mark(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '!' | '?' | '.' | '．')
}

fn is_closer(c: char) -> bool {
    matches!(c, '”' | '’' | '"' | '\'' | '」' | '』' | '）' | ')' | '】' | ']' | '》')
}

/// Whether the marks in `at..end` end a sentence when `next` follows.
fn ends_sentence(text: &str, at: usize, end: usize, next: char) -> bool {
    let marks = text.get(at..end).unwrap_or("");
    if !matches!(marks, "." | "．") {
        // "..." and "3.)" run on when a word follows at once.
        return !marks.starts_with(['.', '．']) || next.is_whitespace() || marks.contains(['!', '?', '！', '？', '。']);
    }
    if !next.is_whitespace() {
        return false;
    }
    let before = text.get(..at).unwrap_or("");
    let word = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).next().unwrap_or("");
    let initial = word.len() == 1 && word.chars().all(|c| c.is_ascii_uppercase() && c != 'I');
    let number_alone = before.trim().chars().all(|c| c.is_ascii_digit());
    !(initial || number_alone || ABBREVIATIONS.contains(&word.to_ascii_lowercase().as_str()))
}

/// The last character boundary up to `limit` that is not inside what may become a slot.
fn cut_point(text: &str, limit: usize) -> usize {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let brace = text.get(..end).and_then(|t| t.rfind('{')).filter(|i| end - i < SLOT_BYTES);
    match brace {
        Some(i) => {
            let head = text.get(..i).unwrap_or("").trim_end_matches('{').len();
            if head == 0 { end } else { head }
        }
        None => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        split(text).into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn ends_are_found_in_both_languages() {
        assert_eq!(texts("好的。他说：“来！”那么？走"), ["好的。", "他说：“来！”", "那么？", "走"]);
        assert_eq!(
            texts("It is 38.5 now. Dr. Li says e.g. this. Ok"),
            ["It is 38.5 now.", " Dr. Li says e.g. this.", " Ok"]
        );
        assert_eq!(texts("体温38.5度。\n\n下一段\n再一行"), ["体温38.5度。", "\n\n下一段", "\n再一行"]);
        assert_eq!(texts("Really?! Wait... what. v1.2 is"), ["Really?!", " Wait...", " what.", " v1.2 is"]);
        assert_eq!(texts("1. {{f1}}.2 {{f2}}。 "), ["1. {{f1}}.2 {{f2}}。", " "]);
    }

    #[test]
    fn a_cut_never_falls_into_a_slot() {
        for pad in 4070..4100 {
            let text = format!("{}{{{{f12}}}}{}", "a".repeat(pad), "b".repeat(100));
            let sentences = split(&text);
            assert!(sentences[0].cut);
            assert_eq!(sentences.iter().filter(|s| s.text.contains("{{f12}}")).count(), 1, "{pad}");
        }
    }
}
