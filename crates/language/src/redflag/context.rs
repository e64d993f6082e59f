//! Age, sex and pregnancy said in passing: regular expressions, as data.

use regex::Regex;
use serde::Deserialize;
use wenzhen_pack::Sex;

use super::{ScreenContext, ScreenError};

const TABLE: &str = include_str!("../../data/screen_context.toml");
const DAYS_PER_MONTH: f64 = 30.4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Words that stand for a number.
    numbers: std::collections::BTreeMap<String, f64>,
    /// Days in one of a unit of age.
    age_units: std::collections::BTreeMap<String, f64>,
    /// Weeks in one of a unit of pregnancy.
    pregnancy_units: std::collections::BTreeMap<String, f64>,
    /// Named pieces of the patterns.
    pieces: std::collections::BTreeMap<String, String>,
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

/// The compiled patterns.
#[derive(Debug)]
pub struct ContextPatterns {
    table: Table,
    age: Vec<Regex>,
    newborn: Vec<Regex>,
    weeks: Vec<Regex>,
    late: Vec<Regex>,
    pregnant: Vec<Regex>,
    not_pregnant: Vec<Regex>,
    elsewhen: Vec<Regex>,
    female: Vec<Regex>,
    male: Vec<Regex>,
}

/// Weeks that are at least meant by the last third of a pregnancy.
const LATE_PREGNANCY_WEEKS: u32 = 28;

impl ContextPatterns {
    pub fn load() -> Result<Self, ScreenError> {
        let wrong = |reason: String| ScreenError::Table { table: "screen_context.toml", reason };
        let table: Table = toml::from_str(TABLE).map_err(|e| wrong(e.to_string()))?;
        let compile = |patterns: &[String]| -> Result<Vec<Regex>, ScreenError> {
            let filled = patterns.iter().map(|pattern| {
                table.pieces.iter().fold(pattern.clone(), |p, (name, piece)| p.replace(&format!("<{name}>"), piece))
            });
            filled.map(|pattern| Regex::new(&pattern).map_err(|e| wrong(e.to_string()))).collect()
        };
        Ok(Self {
            age: compile(&table.age)?,
            newborn: compile(&table.newborn)?,
            weeks: compile(&table.pregnancy_weeks)?,
            late: compile(&table.late_pregnancy)?,
            pregnant: compile(&table.pregnant)?,
            not_pregnant: compile(&table.not_pregnant)?,
            elsewhen: compile(&table.pregnancy_elsewhen)?,
            female: compile(&table.female)?,
            male: compile(&table.male)?,
            table,
        })
    }

    /// Reads a folded text.
    pub fn read(&self, text: &str) -> ScreenContext {
        let any = |patterns: &[Regex]| patterns.iter().any(|p| p.is_match(text));
        let age_days = self.age.iter().find_map(|p| self.measure(p, text, &self.table.age_units));
        let age_months = if any(&self.newborn) { Some(0) } else { age_days.map(|days| (days / DAYS_PER_MONTH) as u32) };
        let elsewhen = any(&self.elsewhen);
        let weeks = self.weeks.iter().find_map(|p| self.measure(p, text, &self.table.pregnancy_units));
        let weeks = weeks.map(|weeks| weeks as u32).or_else(|| any(&self.late).then_some(LATE_PREGNANCY_WEEKS));
        let weeks = weeks.filter(|weeks| !elsewhen && (1..=45).contains(weeks));
        let pregnant = match (any(&self.not_pregnant), weeks.is_some() || (!elsewhen && any(&self.pregnant))) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
        let sex = match (pregnant == Some(true) || any(&self.female), any(&self.male)) {
            (true, false) => Some(Sex::Female),
            (false, true) => Some(Sex::Male),
            _ => None,
        };
        ScreenContext { age_months, sex, pregnant, pregnancy_weeks: weeks.filter(|_| pregnant == Some(true)) }
    }

    fn measure(&self, pattern: &Regex, text: &str, units: &std::collections::BTreeMap<String, f64>) -> Option<f64> {
        let found = pattern.captures(text)?;
        let n = found.name("n")?.as_str();
        let n = n.parse().ok().or_else(|| self.table.numbers.get(n).copied())?;
        let unit = units.get(found.name("unit")?.as_str())?;
        Some(n * unit)
    }
}
