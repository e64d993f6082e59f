//! The report as lines for people.

use std::fmt;

use super::PackReport;

impl PackReport {
    /// Whether nothing in it asks for a second look.
    pub fn is_clean(&self) -> bool {
        let lists = [
            &self.unused_askable,
            &self.unused_other,
            &self.unused_cues,
            &self.lonely_axis_values,
            &self.child_above_parent,
            &self.plan_in_patient_texts,
        ];
        let pairs = [&self.identical, &self.hard_to_tell];
        lists.iter().all(|list| list.is_empty()) && pairs.iter().all(|list| list.is_empty()) && !self.no_red_flags
    }
}

impl fmt::Display for PackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = &self.counts;
        writeln!(f, "pack {} ({})", self.pack, self.digest)?;
        writeln!(
            f,
            "findings {} (askable {}), sayings {}, ambiguities {}",
            c.findings, c.askable, c.sayings, c.ambiguities
        )?;
        writeln!(
            f,
            "conditions {}, edges {}, herbs {}, incompatible {}",
            c.conditions, c.edges, c.herbs, c.incompatible
        )?;
        writeln!(f, "cues {}, red flags {}, passages {}, voices {}", c.cues, c.red_flags, c.passages, c.voices)?;
        for (title, list) in [
            ("askable, but bear on nothing", &self.unused_askable),
            ("not askable, and bear on nothing", &self.unused_other),
            ("cues in no red flag", &self.unused_cues),
            ("alone on their axis", &self.lonely_axis_values),
            ("held more frequent than the parent", &self.child_above_parent),
            ("herbs or formulas in texts for patients", &self.plan_in_patient_texts),
        ] {
            if !list.is_empty() {
                writeln!(f, "{title} ({}): {}", list.len(), list.join(", "))?;
            }
        }
        for pair in &self.identical {
            writeln!(f, "a patient's answers cannot tell apart: {} / {}", pair.a, pair.b)?;
        }
        for pair in &self.hard_to_tell {
            let by = if pair.separated_by.is_empty() { "nothing".to_owned() } else { pair.separated_by.join(", ") };
            writeln!(f, "hard to tell apart: {} / {} (by {by})", pair.a, pair.b)?;
        }
        if self.no_red_flags {
            writeln!(f, "a medical pack without red flags")?;
        }
        Ok(())
    }
}
