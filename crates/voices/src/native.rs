//! Whether words are of a language at all: a model that has lost its way often writes in another one, or in none.

use wenzhen_pack::Locale;

/// Letters of the longest abbreviation that stands in Chinese text as it is.
const ABBREVIATION: usize = 5;

/// Whether every letter is of the language, and there is one. Slots are to be taken out before.
///
/// Chinese text may hold abbreviations in capitals, as the names of examinations are written, as long as its own
/// letters are not fewer than theirs.
pub fn native(text: &str, locale: Locale) -> bool {
    let own = |c: char| match locale {
        Locale::Zh => han(c),
        Locale::En => c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{17f}'),
    };
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (native, foreign): (Vec<char>, Vec<char>) = letters.partition(|c| own(*c));
    let borrowed = locale == Locale::Zh && foreign.len() <= native.len() && abbreviated(text);
    !native.is_empty() && (foreign.is_empty() || borrowed)
}

fn han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Whether all that is not Chinese among the letters is short words in capitals.
fn abbreviated(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphabetic() || han(c));
    words.all(|word| word.len() <= ABBREVIATION && word.chars().all(|c| c.is_ascii_uppercase()))
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

    #[test]
    fn chinese_keeps_abbreviations_and_takes_no_words() {
        for good in ["您做过CT吗？", "血里的 WBC 高不高？", "拍过X光或者B超没有？", "CT、MRI都做过了吗"]
        {
            assert!(native(good, Locale::Zh), "{good}");
        }
        for bad in ["您HELLOO好啊您好啊", "CT", "是 OK OK", "您好 Ct", "您好您好 ПРИ", "您做过CT吗 please"]
        {
            assert!(!native(bad, Locale::Zh), "{bad}");
        }
        assert!(!native("Have you had a CT 检查?", Locale::En));
    }
}
