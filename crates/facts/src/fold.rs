//! Reads a text as its meaning is read: width, case, accents, spaces and look-alikes aside.
//!
//! A text is folded into two views. In the *compact* view (Chinese) only letters, digits and clause
//! ends are left, so a term cannot hide behind spaces or symbols inside it. In the *word* view
//! (English) every word stands between its own two spaces, so terms match at word boundaries.
//! A character that neither view knows how to read makes the whole sentence foreign: letters of
//! other scripts, traditional forms, invisible characters. Nothing unread is let through.

use std::collections::HashMap;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::guard::GuardError;
use crate::slots::Piece;

/// Stands for a slot in a view. Private-use characters of the input itself are foreign.
pub const SLOT: char = '\u{E000}';
/// Stands for a sentence taken over from the draft.
pub const BODY: char = '\u{E001}';
/// Stands for a harmless phrase that was taken out.
pub const BLANK: char = '\u{E002}';
/// Stands for the end of a clause.
pub const CLAUSE: char = ',';

/// A folded text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// Letters, digits, marks and clause ends.
    pub compact: String,
    /// Words of Latin letters and digits, marks and clause ends, each between two spaces.
    pub words: String,
    /// It has characters that cannot be read.
    pub foreign: bool,
    /// It has digits of any script or a percent sign.
    pub digits: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldData {
    clause: String,
    soft: String,
    symbols: String,
    variants: String,
}

/// What a character is for the views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Not in the tables: it is decomposed, and foreign if nothing known comes out.
    Unknown,
    /// A permitted Chinese character.
    Han,
    /// Ends a clause.
    Clause,
    /// Read as if it were not there.
    Soft,
    /// Written for another character.
    Variant,
}

/// Folds texts by the tables in `data/`.
#[derive(Debug)]
pub struct Folder {
    /// By code point, for the basic plane.
    classes: Vec<Class>,
    /// Symbols of comfort beyond the basic plane.
    symbols: Vec<char>,
    variants: HashMap<char, char>,
}

impl Folder {
    /// Reads the tables.
    pub fn new() -> Result<Self, GuardError> {
        let data: FoldData = toml::from_str(include_str!("../data/fold.toml")).map_err(|e| GuardError::data(&e))?;
        let mut classes = vec![Class::Unknown; 0x1_0000];
        let mut set = |chars: &str, class: Class| {
            for c in chars.chars() {
                if let Some(slot) = classes.get_mut(c as usize) {
                    *slot = class;
                }
            }
        };
        set(include_str!("../data/han.txt"), Class::Han);
        set(&data.symbols, Class::Soft);
        set(&data.soft, Class::Soft);
        set(&data.clause, Class::Clause);
        let mut pairs = data.variants.chars();
        let mut variants = HashMap::new();
        while let (Some(from), Some(to)) = (pairs.next(), pairs.next()) {
            set(from.encode_utf8(&mut [0; 4]), Class::Variant);
            variants.insert(from, to);
        }
        Ok(Self { classes, symbols: data.symbols.chars().filter(|c| *c as usize >= 0x1_0000).collect(), variants })
    }

    fn class(&self, c: char) -> Class {
        self.classes.get(c as usize).copied().unwrap_or(Class::Unknown)
    }

    /// Folds plain text.
    pub fn text(&self, text: &str) -> Folded {
        self.pieces(&[Piece::Text(text)])
    }

    /// Folds words and slots; a slot with an empty id is a sentence of the draft.
    pub fn pieces(&self, pieces: &[Piece<'_>]) -> Folded {
        let mut writer = Writer { folder: self, out: Folded::default(), word: String::new(), singles: Vec::new() };
        for piece in pieces {
            match piece {
                Piece::Text(words) => words.chars().for_each(|c| writer.put(c)),
                Piece::Slot("") => writer.mark(BODY),
                Piece::Slot(_) => writer.mark(SLOT),
            }
        }
        writer.end_word();
        writer.end_singles();
        writer.out
    }
}

struct Writer<'a> {
    folder: &'a Folder,
    out: Folded,
    word: String,
    /// The letters of a word written letter by letter.
    singles: Vec<char>,
}

impl Writer<'_> {
    fn put(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.letter(c.to_ascii_lowercase());
            return;
        }
        match self.folder.class(c) {
            Class::Han => self.han(c),
            Class::Variant => self.han(self.folder.variants.get(&c).copied().unwrap_or(c)),
            Class::Clause => self.mark(CLAUSE),
            // Inside a word an apostrophe is no boundary: "don't" reads as "dont".
            Class::Soft if matches!(c, '\'' | '’' | '‘') => {}
            Class::Soft => self.end_word(),
            Class::Unknown => std::iter::once(c).nfkd().for_each(|part| self.put_part(c, part)),
        }
    }

    /// A part of a decomposed character: what is still unknown is foreign.
    fn put_part(&mut self, whole: char, part: char) {
        self.out.digits |= whole.is_numeric() || matches!(part, '%' | '‰');
        if is_combining(part) {
            return;
        }
        if part != whole {
            // A decomposition does not decompose further, so this ends.
            self.put(part);
        } else if matches!(part, '%' | '‰') {
            self.end_word();
        } else {
            self.end_word();
            self.out.foreign |= !self.folder.symbols.contains(&part);
        }
    }

    fn letter(&mut self, c: char) {
        self.out.digits |= c.is_ascii_digit();
        self.word.push(c);
        self.out.compact.push(c);
    }

    fn han(&mut self, c: char) {
        self.end_word();
        self.end_singles();
        self.out.compact.push(c);
    }

    fn mark(&mut self, mark: char) {
        self.end_word();
        self.end_singles();
        self.out.compact.push(mark);
        push_word(&mut self.out.words, mark.encode_utf8(&mut [0; 4]));
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let mut letters = self.word.chars();
        match (letters.next(), letters.next()) {
            (Some(single), None) => self.singles.push(single),
            _ => self.end_singles(),
        }
        push_word(&mut self.out.words, &self.word);
        self.word.clear();
    }

    /// Three or more single letters in a row are a word written letter by letter: it is added joined.
    fn end_singles(&mut self) {
        if self.singles.len() >= 3 {
            let joined: String = self.singles.iter().collect();
            push_word(&mut self.out.words, &joined);
        }
        self.singles.clear();
    }
}

fn push_word(words: &mut String, word: &str) {
    words.push(' ');
    words.push_str(word);
    words.push(' ');
}

/// Accents, which decomposition has split off. The enclosing keycap stays, and is foreign.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_fold_to_the_same_text() {
        let folder = Folder::new().unwrap();
        let plain = folder.text("abcd，efg");
        for disguise in ["ＡＢＣＤ,efg", "Ábcd, èfg", "𝐚𝐛𝐜𝐝，efg"] {
            assert_eq!(folder.text(disguise), plain, "{disguise}");
        }
        assert_eq!(folder.text("好 · 的").compact, "好的");
        assert!(folder.text("x y z w").words.contains(" xyzw "));
        assert_eq!(folder.text("don't").words, " dont ");
    }

    #[test]
    fn what_cannot_be_read_is_foreign() {
        let folder = Folder::new().unwrap();
        for text in ["а", "α", "ﾊ", "好\u{200b}的", "當", "\u{E000}", "🔟", "\u{202e}abc", "́ا"] {
            assert!(folder.text(text).foreign, "{text:?}");
        }
        for text in ["Hello, “you” – it's fine… (yes)!", "您好，别着急～😊", "a naïve café"] {
            assert!(!folder.text(text).foreign, "{text:?}");
        }
        for text in ["3", "３", "③", "٣", "½", "5️⃣", "百分之５％"] {
            assert!(folder.text(text).digits, "{text:?}");
        }
    }
}
