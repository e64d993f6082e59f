//! Text that comes in pieces, broken at words to the width of the terminal. Pure.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Breaks lines; remembers the column between pieces.
#[derive(Debug)]
pub struct Wrapper {
    width: usize,
    column: usize,
}

impl Wrapper {
    /// Lines of `width` columns at most, but for words that are longer.
    pub fn new(width: usize) -> Self {
        Self { width, column: 0 }
    }

    /// The piece with line feeds where it has to break.
    pub fn feed(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for word in words(piece) {
            let (text, space) = (word.trim_end_matches(' '), word.len() - word.trim_end_matches(' ').len());
            if self.column > 0 && self.column + text.width() > self.width && !opens_no_line(text) {
                while out.ends_with(' ') {
                    out.pop();
                }
                out.push('\n');
                self.column = 0;
            }
            out.push_str(word);
            self.column = if text.ends_with('\n') { 0 } else { self.column + text.width() + space };
        }
        out
    }
}

/// Punctuation stays at the end of its line.
fn opens_no_line(text: &str) -> bool {
    text.chars().next().is_some_and(|c| matches!(c, '，' | '。' | '、' | '；' | '：' | '？' | '！' | '）' | '”' | '\n'))
}

/// Words with the spaces behind them; a wide character is a word of its own.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut ends = rest.char_indices().skip(1);
        let wide = |c: char| c.width().unwrap_or(0) > 1 || c == '\n';
        let mut before = rest.chars().next()?;
        let end = ends.find_map(|(at, c)| {
            let ends = wide(before) && c != ' ' || wide(c) || before == ' ' && c != ' ';
            before = c;
            ends.then_some(at)
        });
        let (word, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::Wrapper;

    #[test]
    fn words_are_not_broken() {
        let mut wrapper = Wrapper::new(12);
        assert_eq!(wrapper.feed("do you have a fever"), "do you have\na fever");
        assert_eq!(wrapper.feed(" or chills?"), " or\nchills?", "the column is kept between pieces");
    }

    #[test]
    fn wide_characters_break_anywhere_but_before_punctuation() {
        assert_eq!(Wrapper::new(6).feed("一二三四五"), "一二三\n四五");
        assert_eq!(Wrapper::new(6).feed("一二三，四"), "一二三，\n四");
    }

    #[test]
    fn line_feeds_begin_anew_and_nothing_is_lost() {
        let text = "one two\nthree four 五六 seven";
        let wrapped = Wrapper::new(9).feed(text);
        let bare = |t: &str| t.split_whitespace().collect::<String>();
        assert_eq!(bare(&wrapped), bare(text));
        assert!(wrapped.starts_with("one two\nthree"), "{wrapped}");
    }
}
