//! Which language a text is written in.

use wenzhen_pack::Locale;

/// The language of a text: Chinese when at least a third of its words are Chinese characters,
/// English when it has Latin letters, `None` when it has neither (a bare number, a symbol).
///
/// A Latin word counts as one word, a Chinese character as half of one.
pub fn detect_locale(text: &str) -> Option<Locale> {
    let (mut han, mut words, mut in_word) = (0_usize, 0_usize, false);
    for c in text.chars() {
        let latin = c.is_ascii_alphabetic();
        words += usize::from(latin && !in_word);
        in_word = latin || (in_word && c == '\'');
        han += usize::from(is_han(c));
    }
    match (han, words) {
        (0, 0) => None,
        (0, _) => Some(Locale::En),
        (han, words) if han >= words => Some(Locale::Zh),
        _ => Some(Locale::En),
    }
}

/// Whether a character is a Chinese one (unified ideographs, extension A, the compatibility
/// block, and the supplementary planes of ideographs).
pub(crate) fn is_han(c: char) -> bool {
    matches!(u32::from(c), 0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF | 0x3007)
}
