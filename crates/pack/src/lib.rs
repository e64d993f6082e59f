//! The domain pack: what can be found, what it points to, what is dangerous, how to speak.
//!
//! A pack is a folder of data files (see `docs/pack.md`). [`Pack::load`] reads one from
//! [`PackFiles`], checks every reference, and gives typed, index-addressed knowledge to all
//! services. A pack is identified by the digest of its content.

mod digest;
mod error;
mod evidence;
mod files;
mod index;
mod load;
mod locale;
mod manifest;
mod model;
mod passages;
pub mod prompts;
mod raw;
mod read;
mod report;
mod resolve;
mod safety;
mod toml_lines;
pub mod voice;

pub use digest::Digest;
pub use error::{PackError, PackErrors};
pub use evidence::{Closed, Evidence, State, close};
pub use files::PackFiles;
pub use index::{ConditionIx, FindingIx, HerbIx};
pub use locale::{Locale, Localized};
pub use model::{
    Ambiguity, Condition, Dialogue, Edge, Finding, Gate, Grades, Herb, HerbDose, Incompatible, Kind, Manifest, Measure,
    Modification, Observer, Pack, Passage, PregnancyClass, Profile, Release, Sex, StrategyName, Substance,
    SubstanceKind, Toxicity,
};
pub use prompts::Prompts;
pub use report::{Counts, PackReport, Pair, check_report};
pub use safety::{Cue, CueRef, Level, RedFlag, Safety};
