//! Age, sex and pregnancy said in passing: regular expressions, as data.

use std::collections::BTreeMap;

use regex::{Regex, RegexSet};
use serde::Deserialize;
use wenzhen_pack::Sex;

use super::{ScreenContext, ScreenError};

const TABLE: &str = include_str!("../../data/screen_context.toml");
const DAYS_PER_MONTH: f64 = 30.4;
const MONTHS_PER_YEAR: f64 = 12.0;
/// Weeks that the last third of a pregnancy means at least.
const LATE_PREGNANCY_WEEKS: u32 = 28;

/// The table as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Words that stand for a number.
    numbers: BTreeMap<String, f64>,
    /// Days in one of a unit of age.
    age_units: BTreeMap<String, f64>,
    /// Weeks in one of a unit of pregnancy.
    pregnancy_units: BTreeMap<String, f64>,
    /// Named pieces of the patterns.
    pieces: BTreeMap<String, String>,
    /// Who has given birth, which is no age of a child.
    birth: Vec<String>,
    /// The first that matches tells the age in years; group `n`.
    age_years: Vec<String>,
    /// The first that matches tells the age; groups `n` and `unit`.
    age: Vec<String>,
    newborn: Vec<String>,
    /// Groups `n` and `unit`.
    pregnancy_weeks: Vec<String>,
    late_pregnancy: Vec<String>,
    pregnant: Vec<String>,
    not_pregnant: Vec<String>,
    pregnancy_elsewhen: Vec<String>,
    female: Vec<String>,
    male: Vec<String>,
}

/// What a pattern tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    AgeYears,
    Age,
    Newborn,
    Weeks,
    Late,
    Pregnant,
    NotPregnant,
    Elsewhen,
    Female,
    Male,
}

/// The compiled patterns.
#[derive(Debug)]
pub struct ContextPatterns {
    table: Table,
    /// Words of childbirth.
    birth: Regex,
    /// All patterns in one automaton; most texts match none.
    any: RegexSet,
    /// The same patterns one by one, in the same order.
    each: Vec<(Fact, Regex)>,
}

impl ContextPatterns {
    pub fn load() -> Result<Self, ScreenError> {
        let wrong = |reason: String| ScreenError::Table { table: "screen_context.toml", reason };
        let table: Table = toml::from_str(TABLE).map_err(|e| wrong(e.to_string()))?;
        let lists = [
            (Fact::AgeYears, &table.age_years),
            (Fact::Age, &table.age),
            (Fact::Newborn, &table.newborn),
            (Fact::Weeks, &table.pregnancy_weeks),
            (Fact::Late, &table.late_pregnancy),
            (Fact::Pregnant, &table.pregnant),
            (Fact::NotPregnant, &table.not_pregnant),
            (Fact::Elsewhen, &table.pregnancy_elsewhen),
            (Fact::Female, &table.female),
            (Fact::Male, &table.male),
        ];
        let filled = |pattern: &String| {
            table.pieces.iter().fold(pattern.clone(), |p, (name, piece)| p.replace(&format!("<{name}>"), piece))
        };
        let all = lists.iter().flat_map(|(fact, list)| list.iter().map(|pattern| (*fact, filled(pattern))));
        let birth: Vec<String> = table.birth.iter().map(filled).collect();
        let birth = Regex::new(&birth.join("|")).map_err(|e| wrong(e.to_string()))?;
        let each: Result<Vec<_>, _> =
            all.map(|(fact, pattern)| Ok((fact, Regex::new(&pattern).map_err(|e| wrong(e.to_string()))?))).collect();
        let each = each?;
        let any = RegexSet::new(each.iter().map(|(_, regex)| regex.as_str())).map_err(|e| wrong(e.to_string()))?;
        Ok(Self { birth, any, each, table })
    }

    /// Reads a folded text.
    pub fn read(&self, text: &str) -> ScreenContext {
        // A separator stands for what is taken out, so that nothing grows together.
        let text = &*self.birth.replace_all(text, ",");
        let found: Vec<&(Fact, Regex)> = self.any.matches(text).iter().filter_map(|i| self.each.get(i)).collect();
        if found.is_empty() {
            return ScreenContext::default();
        }
        let is = |fact: Fact| found.iter().any(|(f, _)| *f == fact);
        let first = |fact: Fact, units: Option<&BTreeMap<String, f64>>| {
            found.iter().filter(|(f, _)| *f == fact).find_map(|(_, regex)| self.measure(regex, text, units))
        };
        let days = || first(Fact::Age, Some(&self.table.age_units));
        let months = first(Fact::AgeYears, None).map(|years| years * MONTHS_PER_YEAR);
        let months = months.or_else(|| days().map(|days| days / DAYS_PER_MONTH)).map(|months| months as u32);
        let age_months = months.or_else(|| is(Fact::Newborn).then_some(0));

        let weeks = first(Fact::Weeks, Some(&self.table.pregnancy_units)).map(|weeks| weeks as u32);
        let weeks = weeks.or_else(|| is(Fact::Late).then_some(LATE_PREGNANCY_WEEKS));
        let weeks = weeks.filter(|weeks| !is(Fact::Elsewhen) && (1..=45).contains(weeks));
        let pregnant = match (is(Fact::NotPregnant), weeks.is_some(), is(Fact::Pregnant) && !is(Fact::Elsewhen)) {
            (true, _, _) => Some(false),
            (false, false, false) => None,
            (false, _, _) => Some(true),
        };
        let sex = match (pregnant == Some(true) || is(Fact::Female), is(Fact::Male)) {
            (true, false) => Some(Sex::Female),
            (false, true) => Some(Sex::Male),
            _ => None,
        };
        ScreenContext { age_months, sex, pregnant, pregnancy_weeks: weeks.filter(|_| pregnant == Some(true)) }
    }

    /// The number in group `n`, times what the unit in group `unit` is worth.
    fn measure(&self, pattern: &Regex, text: &str, units: Option<&BTreeMap<String, f64>>) -> Option<f64> {
        let found = pattern.captures(text)?;
        let n = found.name("n")?.as_str();
        let n = n.parse().ok().or_else(|| self.table.numbers.get(n).copied())?;
        match units {
            Some(units) => Some(n * units.get(found.name("unit")?.as_str())?),
            None => Some(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ContextPatterns;
    use crate::normalise::normalise;

    #[test]
    fn reads_age_and_pregnancy_in_plain_form() {
        let patterns = ContextPatterns::load().expect("the table");
        let cases = [
            ("娃两个月", Some(2), None, None),
            ("我孙子两个月零五天", Some(2), None, None),
            ("1岁两个月孩子", Some(12), None, None),
            ("孩子哭了两个月", None, None, None),
            ("刚生下闺女两个月，29岁", Some(348), None, None),
            ("我刚生下闺女，宝宝两个月", Some(2), None, None),
            ("I had a baby 2 months ago", None, None, None),
            ("前几天孩子不舒服", None, None, None),
            ("my 6-week-old", Some(1), None, None),
            ("he's 72 years old", Some(864), None, None),
            ("怀孕七个月", None, Some(true), Some(28)),
            ("孕32周", None, Some(true), Some(32)),
            ("没怀孕", None, Some(false), None),
            ("在备孕", None, None, None),
            ("I'm 34 weeks pregnant", None, Some(true), Some(34)),
            ("not pregnant", None, Some(false), None),
        ];
        for (text, age, pregnant, weeks) in cases {
            let read = patterns.read(&normalise(text).text);
            assert_eq!((read.age_months, read.pregnant, read.pregnancy_weeks), (age, pregnant, weeks), "{text}");
        }
    }
}
