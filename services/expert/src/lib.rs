//! Expert service: differential, plan and draft with typed fact slots.
//!
//! The path of one `Diagnose`: [`server`] takes the request, `validate` turns it into a
//! [`case::Case`], and four pure parts read that: [`differential`] (what speaks for and
//! against), [`plan`] (what a clinician may sign, what a patient may read), [`retrieve`]
//! (passages that support it) and [`draft`] (words for the patient). What depends on the pack
//! alone is prepared once, in [`knowledge`]. [`review`] looks back upon a consultation that has
//! ended: what the condition that a clinician confirmed teaches. Where there is a language model, `voice` lets it word the
//! draft and weigh the review.

pub mod case;
mod checks;
pub mod differential;
pub mod draft;
pub mod error;
pub mod knowledge;
pub mod plan;
mod rates;
pub mod retrieve;
pub mod review;
pub mod server;
mod tokens;
mod validate;
mod voice;
mod words;

pub use error::Error;
pub use server::ExpertServer;
