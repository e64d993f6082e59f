//! Numbers: measures, stretches of time, degrees out of ten, ages.

use wenzhen_pack::{FindingIx, Pack};

use crate::clause::Clause;
use crate::lexicon::{Kind, Lexicon};
use crate::scan::Token;
use crate::units::{NUMBER, Unit};
use crate::words::Class;
use crate::{Severity, Subject};

/// A number read as something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    pub what: Quantity,
    /// Units from and to.
    pub start: usize,
    pub end: usize,
}

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quantity {
    /// A measure of a finding, in the first unit of the measure.
    Measured {
        finding: FindingIx,
        value: f64,
    },
    /// Days.
    Lasts(f32),
    /// Months of age.
    Age(f32),
    /// Weeks of pregnancy.
    Weeks(f32),
    Degree(Severity),
    /// A whole number that nothing follows.
    Bare(u32),
}

/// What a number without a unit may mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Findings that it may measure.
    pub named: &'a [FindingIx],
    /// A child is spoken of: it may be an age.
    pub child: bool,
}

/// Reads the numbers of a clause.
pub(crate) fn read(
    lexicon: &Lexicon,
    pack: &Pack,
    units: &[Unit],
    tokens: &[Token],
    clause: &Clause,
    expected: Expected<'_>,
) -> Vec<Reading> {
    if !tokens.iter().any(|t| matches!(t.kind, Kind::Number | Kind::Count(_) | Kind::Time(_) | Kind::Half)) {
        return Vec::new();
    }
    let scanner = Scanner { lexicon, pack, units, tokens, clause, expected };
    let mut readings = Vec::new();
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        let read = match token.kind {
            Kind::Time(days) if days > 0.0 => {
                Some((Reading { what: Quantity::Lasts(days), start: token.start, end: token.end }, i + 1))
            }
            Kind::Number | Kind::Count(_) => scanner.number(i),
            _ => None,
        };
        match read {
            Some((reading, next)) => {
                readings.push(reading);
                i = next.max(i + 1);
            }
            None => i += 1,
        }
    }
    readings
}

struct Scanner<'a> {
    lexicon: &'a Lexicon,
    pack: &'a Pack,
    units: &'a [Unit],
    tokens: &'a [Token],
    clause: &'a Clause,
    expected: Expected<'a>,
}

impl Scanner<'_> {
    fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    fn value(&self, i: usize) -> Option<f64> {
        match self.kind(i)? {
            Kind::Number => self.units.get(self.tokens.get(i)?.start).map(|u| u.value).filter(|v| v.is_finite()),
            Kind::Count(count) => Some(f64::from(count)),
            _ => None,
        }
    }

    /// The kind of the token before a unit.
    fn before(&self, start: usize) -> Option<Kind> {
        self.tokens.partition_point(|t| t.end <= start).checked_sub(1).and_then(|i| self.kind(i))
    }

    /// Whether two tokens follow each other with nothing but the sign `-` or fillers between.
    fn adjacent(&self, i: usize, sign: Option<char>) -> bool {
        let (Some(a), Some(b)) = (self.tokens.get(i), self.tokens.get(i + 1)) else { return false };
        match (sign, b.start.checked_sub(a.end)) {
            (None, Some(0)) => true,
            (Some(sign), Some(1)) => self.units.get(a.end).is_some_and(|u| u.ch == sign),
            _ => false,
        }
    }

    fn number(&self, i: usize) -> Option<(Reading, usize)> {
        let start = self.tokens.get(i)?.start;
        let first = self.value(i)?;
        let (mut last, mut value, mut high) = (i, first, first);
        if self.adjacent(i, Some('-'))
            && let Some(second) = self.value(i + 1)
        {
            (last, value, high) = (i + 1, (first + second) / 2.0, second);
        }
        if self.adjacent(last, Some('\u{3001}')) && self.value(last + 1) == Some(10.0) && (0.0..=10.0).contains(&first)
        {
            let degree = if first >= 7.0 {
                Severity::Severe
            } else if first >= 4.0 {
                Severity::Moderate
            } else {
                Severity::Mild
            };
            return self.reading(Quantity::Degree(degree), start, last + 1);
        }
        let mut unit = last + 1;
        while self.kind(unit).is_some_and(|k| k.is(Class::Filler)) && self.adjacent(unit - 1, None) {
            unit += 1;
        }
        if self.adjacent(unit - 1, None) {
            match self.kind(unit) {
                Some(Kind::Measure(at)) => return self.measured(at, high, start, unit),
                Some(Kind::AgeUnit(months)) => return self.age(value, months, start, unit),
                Some(Kind::TimeUnit(days)) => return self.time(i, value, days, start, unit),
                Some(Kind::Frequency) => return None,
                _ => {}
            }
        }
        self.without_unit(last, high, start)
    }

    fn reading(&self, what: Quantity, start: usize, last: usize) -> Option<(Reading, usize)> {
        let end = self.tokens.get(last)?.end;
        Some((Reading { what, start, end }, last + 1))
    }

    fn measured(&self, at: usize, value: f64, start: usize, unit: usize) -> Option<(Reading, usize)> {
        let measure = self.lexicon.measures.get(at)?;
        let [low, top] = self.pack.findings.get(measure.finding.at())?.measure.as_ref()?.plausible;
        let (mut value, mut last) = (value, unit);
        // `38度5` is 38.5.
        if let (true, Some(tenths)) = (self.adjacent(unit, None), self.value(unit + 1)) {
            let ends = !matches!(self.kind(unit + 2), Some(Kind::TimeUnit(_) | Kind::Frequency | Kind::AgeUnit(_)));
            if tenths < 10.0 && tenths.fract() == 0.0 && ends && self.kind(unit + 1) == Some(Kind::Number) {
                value += tenths / 10.0;
                last = unit + 1;
            }
        }
        let value = measure.readings.iter().map(|[scale, offset]| value * scale + offset);
        let value = value.filter(|v| (low..=top).contains(v)).map(|v| (v * 100.0).round() / 100.0).next()?;
        self.reading(Quantity::Measured { finding: measure.finding, value }, start, last)
    }

    fn age(&self, value: f64, months: f32, start: usize, unit: usize) -> Option<(Reading, usize)> {
        let half = self.kind(unit + 1) == Some(Kind::Half) && self.adjacent(unit, None);
        let months = (value as f32 + if half { 0.5 } else { 0.0 }) * months;
        self.reading(Quantity::Age(months), start, unit + usize::from(half)).filter(|_| months < 1600.0)
    }

    /// A number with a unit of time: how long, unless it is how often, how old, or how far gone
    /// with child.
    fn time(&self, i: usize, value: f64, days: f32, start: usize, unit: usize) -> Option<(Reading, usize)> {
        let before = i.checked_sub(1).and_then(|b| self.kind(b));
        if before == Some(Kind::Every) && self.adjacent(i.saturating_sub(1), None) {
            return None;
        }
        let mut last = unit;
        let mut value = value as f32;
        if self.kind(unit + 1) == Some(Kind::Half) && self.adjacent(unit, None) {
            value += 0.5;
            last += 1;
        }
        let often = self.value(last + 1).is_some() && self.kind(last + 2) == Some(Kind::Frequency);
        if often || self.kind(last + 1) == Some(Kind::Frequency) {
            return None;
        }
        if let Some(weeks) = self.weeks(i, last, value, unit) {
            return self.reading(Quantity::Weeks(weeks), start, last);
        }
        if self.is_age(i, last) {
            return self.reading(Quantity::Age(value * days / 30.4), start, last);
        }
        self.reading(Quantity::Lasts(value * days), start, last)
    }

    fn weeks(&self, i: usize, last: usize, value: f32, unit: usize) -> Option<f32> {
        let near = |at: Option<usize>| at.and_then(|at| self.kind(at)).is_some_and(|k| k.is(Class::Pregnant));
        let mut before = i.checked_sub(1);
        while before.and_then(|b| self.kind(b)).is_some_and(|k| k.is(Class::Perfect) || k.is(Class::Filler)) {
            before = before.and_then(|b| b.checked_sub(1));
        }
        if !near(before) && !near(Some(last + 1)) && !near(i.checked_sub(2)) {
            return None;
        }
        let token = self.tokens.get(unit)?;
        let name: Box<[char]> = self.units.get(token.start..token.end)?.iter().map(|u| u.ch).collect();
        self.lexicon.weeks.get(&name).map(|weeks| value * weeks)
    }

    /// `娃两个月`, `两个月的宝宝`: beside a child, without a finding in the clause before it.
    fn is_age(&self, i: usize, last: usize) -> bool {
        let child = |kind: Option<Kind>| matches!(kind, Some(Kind::Subject { who: Subject::Child, .. }));
        let skip = |mut at: usize| {
            while self.kind(at).is_some_and(|k| k.is(Class::Filler)) {
                at += 1;
            }
            at
        };
        let mut before = i.checked_sub(1);
        let filler = |k: Kind| k.is(Class::Filler) || k.is(Class::Affirm) || k.is(Class::Only);
        while before.and_then(|b| self.kind(b)).is_some_and(filler) {
            before = before.and_then(|b| b.checked_sub(1));
        }
        child(before.and_then(|b| self.kind(b))) || child(self.kind(skip(last + 1)))
    }

    /// `my son is 3`, `I'm 40`: between a person and the end of the statement.
    fn is_age_of(&self, last: usize, start: usize, value: f64) -> bool {
        let end = self.tokens.get(last).map_or(0, |t| t.end);
        let next = self.tokens.get(last + 1).filter(|t| t.start == end);
        let closes = end == self.clause.units.end
            || next.is_some_and(|t| {
                matches!(t.kind, Kind::Word(Class::List | Class::Contrast | Class::Now | Class::Perfect))
            });
        let mut before = self.tokens.partition_point(|t| t.end <= start).checked_sub(1);
        let mut at = start;
        // `甲70了`: in Chinese the ending will do.
        let mut is = next.is_some_and(|t| t.kind.is(Class::Perfect));
        while let Some(token) = before.and_then(|b| self.tokens.get(b)).filter(|t| closes && t.end == at) {
            match token.kind {
                Kind::Word(Class::Copula) => is = true,
                Kind::Word(Class::Filler | Class::Now | Class::Only) => {}
                // What may be a degree or a place in a list is no age.
                Kind::Subject { who: Subject::SelfPatient, .. } => return value >= 10.0,
                Kind::Subject { relative, .. } => return is && !relative,
                _ => break,
            }
            at = token.start;
            before = before.and_then(|b| b.checked_sub(1));
        }
        closes && is && self.expected.child
    }

    /// A number without a unit: a measure where the pack lets it count, or an answer.
    fn without_unit(&self, last: usize, value: f64, start: usize) -> Option<(Reading, usize)> {
        let end = self.tokens.get(last)?.end;
        if self.kind(last) == Some(Kind::Number) && self.units.get(end).is_some_and(|u| u.is_content()) {
            let next = self.tokens.get(last + 1).filter(|t| t.start == end);
            let harmless = |k: Kind| {
                matches!(k, Kind::Word(Class::Filler | Class::Perfect | Class::Mild | Class::List)) || k.is_medical()
            };
            if !next.is_some_and(|t| harmless(t.kind)) {
                return None;
            }
        }
        for ix in self.lexicon.measured.iter().copied() {
            let Some(measure) = self.pack.findings.get(ix.at()).and_then(|f| f.measure.as_ref()) else { continue };
            let [low, top] = measure.plausible;
            let named = self.expected.named.contains(&ix);
            let decimal = measure.bare && value.fract() != 0.0;
            let scales = self.lexicon.measures.iter().filter(|m| m.finding == ix).flat_map(|m| m.readings.iter());
            let readings = std::iter::once(&[1.0, 0.0]).chain(scales.filter(|_| named));
            let plausible = readings.map(|[s, o]| value * s + o).find(|v| (low..=top).contains(v));
            if let (true, Some(value)) = (named || decimal, plausible) {
                let value = (value * 100.0).round() / 100.0;
                return self.reading(Quantity::Measured { finding: ix, value }, start, last);
            }
        }
        if (1.0..120.0).contains(&value) && self.before(start) == Some(Kind::Aged) {
            return self.reading(Quantity::Age(value as f32 * 12.0), start, last);
        }
        if value.fract() == 0.0 && (1.0..120.0).contains(&value) && self.is_age_of(last, start, value) {
            return self.reading(Quantity::Age(value as f32 * 12.0), start, last);
        }
        let whole = value.fract() == 0.0 && (0.0..100.0).contains(&value);
        let is_digit = self.units.get(start).is_some_and(|u| u.ch == NUMBER) && !self.clause.units.is_empty();
        if whole && is_digit { self.reading(Quantity::Bare(value as u32), start, last) } else { None }
    }
}
