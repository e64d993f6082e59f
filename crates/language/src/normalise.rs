//! One form for what can be written in many: width, script, case, numerals, spaces.
//!
//! Full-width letters and signs become half-width (Unicode NFKC, character by character),
//! traditional characters simplified ones, letters lower case, Chinese numerals before a unit
//! Arabic ones (`三天` is `3天`, `两三天` is `2-3天`), runs of spaces one space. Control and
//! format characters and combining marks go. Every byte of the result knows the bytes of the
//! original that it came from.

use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::locale::is_han;
use crate::words::ZH_TABLE;

/// A folded text and the way back to the original.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Normalised {
    /// The folded text.
    pub text: String,
    /// Per byte of `text`: where the original characters behind it begin and end.
    sources: Vec<(u32, u32)>,
}

impl Normalised {
    /// The bytes of the original behind the bytes `range` of [`Self::text`]; always on
    /// character boundaries of the original, and empty for an empty range.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        let end_of_text = self.sources.last().map_or(0, |s| s.1 as usize);
        let start = self.sources.get(range.start).map_or(end_of_text, |s| s.0 as usize);
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
        let end = last.and_then(|last| self.sources.get(last)).map_or(start, |s| s.1 as usize);
        start..end.max(start)
    }

    fn push(&mut self, cell: Cell) {
        self.text.push(cell.c);
        self.sources.extend(std::iter::repeat_n((cell.from, cell.to), cell.c.len_utf8()));
    }
}

/// A folded character with the bytes of the original behind it.
#[derive(Debug, Clone, Copy)]
struct Cell {
    c: char,
    from: u32,
    to: u32,
}

/// Folds a text. Linear in its length.
pub fn normalise(text: &str) -> Normalised {
    let cells = fold(text);
    let mut out = Normalised { text: String::with_capacity(text.len()), sources: Vec::with_capacity(text.len()) };
    let mut at = 0;
    while let Some(cell) = cells.get(at) {
        if let Some((written, len)) = numeral(&cells, at) {
            let (from, to) = (cell.from, cells.get(at + len - 1).map_or(cell.to, |last| last.to));
            written.chars().for_each(|c| out.push(Cell { c, from, to }));
            at += len;
        } else {
            out.push(*cell);
            at += 1;
        }
    }
    out
}

fn fold(text: &str) -> Vec<Cell> {
    // The conversion goes character by character, so both texts have the same number of them.
    let simplified = if text.chars().any(is_han) { fast2s::convert(text) } else { text.to_owned() };
    let mut cells: Vec<Cell> = Vec::with_capacity(text.len() / 2);
    let mut space: Option<Cell> = None;
    for ((at, original), c) in text.char_indices().zip(simplified.chars()) {
        let (from, to) = (at as u32, (at + original.len_utf8()) as u32);
        if c.is_whitespace() {
            let c = if matches!(c, '\n' | '\r') { '\n' } else { ' ' };
            if !cells.is_empty() && space.is_none_or(|s| s.c == ' ') {
                space = Some(Cell { c, from, to });
            }
            continue;
        }
        if is_dropped(c) {
            continue;
        }
        cells.extend(space.take());
        if c.is_ascii() {
            cells.push(Cell { c: c.to_ascii_lowercase(), from, to });
        } else if is_han(c) && !matches!(c, '\u{F900}'..='\u{FAFF}') {
            cells.push(Cell { c, from, to });
        } else {
            let folded = std::iter::once(unquote(c)).nfkc().flat_map(char::to_lowercase);
            cells.extend(folded.filter(|c| !is_dropped(*c) && !c.is_whitespace()).map(|c| Cell { c, from, to }));
        }
    }
    cells
}

/// Typographic quotes, as NFKC keeps them.
fn unquote(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{02BC}' | '\u{0060}' | '\u{00B4}' => '\'',
        '\u{201C}' | '\u{201D}' => '"',
        other => other,
    }
}

/// Control and format characters, variation selectors, combining marks.
fn is_dropped(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
        || is_combining_mark(c)
}

/// Chinese numerals, as data.
#[derive(Debug, Deserialize)]
struct Numerals {
    digits: String,
    zero: String,
    two: String,
    places: Vec<(char, u32)>,
    point: char,
    several: char,
    units: Vec<String>,
    after: Vec<char>,
    /// Words before and behind a number that needs no unit.
    bare_before: Vec<String>,
    bare_after: Vec<String>,
}

static NUMERALS: LazyLock<Option<Numerals>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Table {
        numerals: Numerals,
    }
    toml::from_str::<Table>(ZH_TABLE).ok().map(|table| table.numerals)
});

/// A numeral that begins at `at` and stands before a unit (or behind one that carries a
/// fraction, as in `38度5`): how to write it and how many characters it has.
fn numeral(cells: &[Cell], at: usize) -> Option<(String, usize)> {
    let n = NUMERALS.as_ref()?;
    n.part(cells.get(at)?.c)?;
    // Inside a longer run the numeral has been looked at from its beginning already.
    if at.checked_sub(1).and_then(|before| cells.get(before)).is_some_and(|c| n.part(c.c).is_some()) {
        return None;
    }
    let run: Vec<Part> = cells.get(at..)?.iter().take(12).map_while(|cell| n.part(cell.c)).collect();
    let len = run.len();
    let rest = cells.get(at + len..)?;
    let before_unit = n.units.iter().any(|unit| {
        let mut chars = rest.iter().map(|cell| cell.c);
        unit.chars().all(|c| chars.next() == Some(c))
    });
    let behind_unit = at.checked_sub(2).and_then(|i| cells.get(i..at)).is_some_and(|before| match before {
        [number, unit] => {
            n.after.contains(&unit.c) && (number.c.is_ascii_digit() || n.part(number.c).is_some()) && len == 1
        }
        _ => false,
    });
    let alone = || run.len() > 1 && run.contains(&Part::Place(10)) && n.stands_alone(cells.get(..at), rest);
    if !(before_unit || behind_unit || alone()) {
        return None;
    }
    Some((written(&run)?, len))
}

/// The most characters beside a number without a unit that are looked at; more are never known.
const CLAUSE: usize = 6;

/// Whether a short text is nothing but words of a list.
fn made_of(text: &str, words: &[String]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(next) = words.iter().find_map(|w| rest.strip_prefix(w.as_str())) else { return false };
        rest = next;
    }
    true
}

/// A character of a numeral.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Digit(u32),
    Place(u32),
    Point,
    Several,
}

impl Numerals {
    /// Whether a number fills its clause but for a few words that go with an age.
    fn stands_alone(&self, before: Option<&[Cell]>, behind: &[Cell]) -> bool {
        let clause = |cells: &mut dyn Iterator<Item = &Cell>| -> String {
            cells.map(|cell| cell.c).take_while(|c| c.is_alphanumeric()).take(CLAUSE).collect()
        };
        let before: String = clause(&mut before.unwrap_or(&[]).iter().rev()).chars().rev().collect();
        let behind = clause(&mut behind.iter());
        made_of(&before, &self.bare_before) && made_of(&behind, &self.bare_after)
    }

    fn part(&self, c: char) -> Option<Part> {
        if !is_han(c) {
            return None;
        }
        let digit = self.digits.chars().position(|d| d == c).map(|i| i as u32 + 1);
        let digit = digit.or(self.zero.contains(c).then_some(0)).or(self.two.contains(c).then_some(2));
        let place = || self.places.iter().find(|(p, _)| *p == c).map(|(_, value)| Part::Place(*value));
        digit.map(Part::Digit).or_else(place).or_else(|| {
            (c == self.point).then_some(Part::Point).or_else(|| (c == self.several).then_some(Part::Several))
        })
    }
}

fn written(run: &[Part]) -> Option<String> {
    if let Some(point) = run.iter().position(|p| *p == Part::Point) {
        let whole = whole(run.get(..point)?)?;
        let fraction = run.get(point + 1..)?.iter().map(|p| match p {
            Part::Digit(d) => char::from_digit(*d, 10),
            _ => None,
        });
        let fraction: String = fraction.collect::<Option<_>>()?;
        return (!fraction.is_empty()).then(|| format!("{whole}.{fraction}"));
    }
    match run {
        // 三四天: about three or four.
        [Part::Digit(a), Part::Digit(b)] if *b == a + 1 && *a > 0 => Some(format!("{a}-{b}")),
        [Part::Several] => Some("3".to_owned()),
        [.., Part::Place(10), Part::Several] => {
            let tens = whole(run.get(..run.len() - 1)?)?;
            Some((tens + 5).to_string())
        }
        _ => whole(run).map(|n| n.to_string()),
    }
}

/// The value of a numeral without a fraction: 二十三 and 二三 both are 23.
fn whole(run: &[Part]) -> Option<u32> {
    if run.iter().all(|p| matches!(p, Part::Digit(_))) {
        return run.iter().try_fold(0_u32, |n, p| match p {
            Part::Digit(d) => n.checked_mul(10)?.checked_add(*d),
            _ => None,
        });
    }
    let (mut total, mut digit) = (0_u32, None);
    for (i, part) in run.iter().enumerate() {
        match (*part, digit) {
            (Part::Digit(0), None) => {}
            (Part::Digit(d), None) => digit = Some(d),
            // 十二 has its one unwritten.
            (Part::Place(10), None) if i == 0 => total = 10,
            (Part::Place(place), Some(d)) => {
                total = total.checked_add(place.checked_mul(d)?)?;
                digit = None;
            }
            _ => return None,
        }
    }
    total.checked_add(digit.unwrap_or(0)).filter(|_| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn folds_width_script_case_and_spaces() {
        assert_eq!(normalise("ＡＢＣ，　問　診\u{200b}！").text, "abc, 问 诊!");
        assert_eq!(normalise("38.5℃  Don’t").text, "38.5°c don't");
    }

    #[test]
    fn numerals_become_digits_only_before_a_unit() {
        assert_eq!(normalise("三天").text, "3天");
        assert_eq!(normalise("两三天").text, "2-3天");
        assert_eq!(normalise("三十九度二").text, "39度2");
        assert_eq!(normalise("三十八点五度").text, "38.5度");
        assert_eq!(normalise("一百零一天").text, "101天");
        assert_eq!(normalise("十几天").text, "15天");
        assert_eq!(normalise("一点也不").text, "一点也不");
        assert_eq!(normalise("万一天冷").text, "万一天冷");
    }

    #[test]
    fn spans_lead_back_to_the_original() {
        let text = "我ＡＢ三十九度";
        let folded = normalise(text);
        let at = folded.text.find("39").expect("the number");
        assert_eq!(text.get(folded.span(at..at + 2)), Some("三十九"));
        assert_eq!(text.get(folded.span(0..folded.text.len())), Some(text));
        assert_eq!(folded.span(999..1000), text.len()..text.len());
    }
}
