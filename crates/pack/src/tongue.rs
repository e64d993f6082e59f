//! The table of the tongue: which finding each class of a feature means, and how features point to constitutions.

use std::collections::BTreeMap;

use crate::{FindingIx, Localized};

/// `tongue.toml`, resolved. Names of features and classes are those of a model that reads photographs.
#[derive(Debug, Clone, PartialEq)]
pub struct TongueTable {
    /// A photograph is asked for when one finding that it may show is expected to tell at least so much, in bits.
    pub ask_gain_bits: f64,
    /// Feature to class to what the class means.
    pub features: BTreeMap<String, BTreeMap<String, ClassMeaning>>,
    /// Constitutions, in file order.
    pub constitutions: Vec<ConstitutionRow>,
}

/// What a class of a feature means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassMeaning {
    /// Findings that are present with it.
    pub present: Vec<FindingIx>,
    /// Findings that are denied by it.
    pub denied: Vec<FindingIx>,
}

/// A constitution and the signs that speak for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstitutionRow {
    /// Unique id.
    pub id: String,
    /// Its name.
    pub names: Localized<String>,
    /// Its score before any sign, in nats.
    pub bias: f64,
    /// What each class adds to the score when it is certain, in nats.
    pub signs: Vec<ConstitutionSign>,
}

/// A class of a feature that speaks for (above 0) or against (below 0) a constitution.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstitutionSign {
    /// The feature.
    pub feature: String,
    /// Its class.
    pub class: String,
    /// What it adds when it is certain, in nats.
    pub weight: f64,
}

impl TongueTable {
    /// Whether some class means that this finding is present.
    pub fn shows(&self, finding: FindingIx) -> bool {
        self.features.values().flat_map(BTreeMap::values).any(|class| class.present.contains(&finding))
    }
}
