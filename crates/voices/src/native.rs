//! Whether words are of a language at all: a model that has lost its way often writes in another one, or in none.

use wenzhen_pack::Locale;

/// Whether every letter is of the language, and there is one. Slots are to be taken out before.
pub fn native(text: &str, locale: Locale) -> bool {
    let han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
    let own = |c: char| match locale {
        Locale::Zh => han(c),
        Locale::En => c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{17f}'),
    };
    let mut letters = text.chars().filter(|c| c.is_alphabetic()).peekable();
    letters.peek().is_some() && letters.all(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_tell_the_language() {
        assert!(native("您好，慢慢说。", Locale::Zh) && native("Take your time, naïve as it is.", Locale::En));
        for bad in ["", "9 %", "您好 ok", "ok", "привет"] {
            assert!(!native(bad, Locale::Zh), "{bad}");
        }
        assert!(!native("Hello 您", Locale::En) && !native("您好", Locale::En));
    }
}
