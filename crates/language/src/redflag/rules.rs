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
    let age = context.age_months;
    let weeks = context.pregnancy_weeks.filter(|_| context.pregnant != Some(false));
    match cue {
        CueRef::Cue(i) => lit.contains(&i),
        CueRef::AgeUnder3Months => age.is_some_and(|months| months < 3),
        CueRef::AgeUnder3Years => age.is_some_and(|months| months < 3 * MONTHS_PER_YEAR),
        CueRef::AgeOver60 => age.is_some_and(|months| months >= 60 * MONTHS_PER_YEAR),
        CueRef::Pregnant => context.pregnant == Some(true) || weeks.is_some(),
        CueRef::Pregnant20Weeks => weeks.is_some_and(|weeks| weeks >= 20),
        CueRef::Female => context.sex == Some(Sex::Female),
        CueRef::Male => context.sex == Some(Sex::Male),
    }
}
