//! Rows of cues to red flags: a flag holds when all cues of any of its rows are lit.

use std::collections::BTreeSet;

use wenzhen_pack::{CueRef, Level, Sex};

use super::{Flagged, ScreenContext};

const MONTHS_PER_YEAR: u32 = 12;

/// The flags that hold, the most urgent first and then in the order given.
pub fn evaluate(flags: &[(Level, Vec<Vec<CueRef>>)], lit: &BTreeSet<usize>, context: &ScreenContext) -> Vec<Flagged> {
    let holds = |row: &Vec<CueRef>| !row.is_empty() && row.iter().all(|cue| is_lit(*cue, lit, context));
    let mut flagged: Vec<Flagged> = flags
        .iter()
        .enumerate()
        .filter(|(_, (_, rows))| rows.iter().any(holds))
        .map(|(flag, (level, _))| Flagged { flag, level: *level })
        .collect();
    flagged.sort_by_key(|f| std::cmp::Reverse(f.level));
    flagged
}

fn is_lit(cue: CueRef, lit: &BTreeSet<usize>, context: &ScreenContext) -> bool {
    match cue {
        CueRef::Cue(i) => lit.contains(&i),
        of_person => context.holds(of_person),
    }
}

impl ScreenContext {
    /// Whether what a row asks of the person holds; a cue that words or findings light is none of it.
    pub fn holds(&self, cue: CueRef) -> bool {
        let younger = |months: u32| self.age_months.is_some_and(|age| age < months);
        let weeks = self.pregnancy_weeks.filter(|_| self.pregnant != Some(false));
        match cue {
            CueRef::Cue(_) => false,
            CueRef::AgeUnder3Months => younger(3),
            CueRef::AgeUnder3Years => younger(3 * MONTHS_PER_YEAR),
            CueRef::AgeUnder5Years => younger(5 * MONTHS_PER_YEAR),
            CueRef::AgeOver60 => self.age_months.is_some_and(|age| age >= 60 * MONTHS_PER_YEAR),
            CueRef::Pregnant => self.pregnant == Some(true) || weeks.is_some(),
            CueRef::Pregnant20Weeks => weeks.is_some_and(|weeks| weeks >= 20),
            CueRef::Female => self.sex == Some(Sex::Female),
            CueRef::Male => self.sex == Some(Sex::Male),
        }
    }
}
