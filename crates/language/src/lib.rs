//! Words to observations: what a patient's sentence states, denies, leaves open or asks.
//!
//! Pure and deterministic, for Chinese and English. The terms of the field come from the pack,
//! the function words (negators, hedges, ordinals, units of time) from `data/*.toml`, so that
//! the code holds neither. A turn passes through these steps:
//!
//! 1. [`normalise`] folds width, script, case and numerals and keeps the way back to the bytes
//!    of the original ([`normalise::Normalised::span`]);
//! 2. the lexicon turns the text into words with a class or a meaning in the pack;
//! 3. clauses get a speaker, a mood (stated, asked, supposed) and a scope of negation;
//! 4. what is left is read as an answer to the question before.
//!
//! [`Interpreter`] does all of it. Beside it, [`redflag`] looks for danger signs with a reading of its
//! own, [`frames`] words questions, and [`proto`] turns results into messages.

mod answer;
mod brief;
mod clause;
mod compile;
mod context;
mod course;
mod ellipsis;
mod error;
pub mod frames;
mod intent;
mod interpret;
mod lexicon;
mod locale;
mod meaning;
mod normal;
pub mod normalise;
mod outcome;
mod picks;
mod polarity;
pub mod proto;
mod quantity;
mod reader;
pub mod redflag;
mod scan;
mod scope;
mod substances;
mod topic;
mod types;
mod units;
mod words;

pub use error::LanguageError;
pub use interpret::Interpreter;
pub use locale::detect_locale;
pub use normalise::{Normalised, normalise};
pub use types::{
    AmbiguousSaying, ContextFacts, Intent, Interpretation, Meaning, Observation, Severity, Subject, Utterance,
};
