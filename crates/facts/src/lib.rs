//! Typed facts, slots, and the guard that no rewriting gets past.
//!
//! An expert writes a [`Draft`](wenzhen_proto::clinical::v1::Draft): text around slots such as
//! `{{f1}}`, each standing for one fact from the pack ([`DraftBuilder`]). A voice may rewrite the
//! text but not the facts. [`Guard`] reads the rewriting sentence by sentence as it streams in:
//! clean sentences go out with their slots filled, dirty ones give way to the draft's own.
//! Everything here is pure: values in, values out.

mod check;
mod fold;
mod guard;
mod numbers;
mod phrases;
mod plan;
mod polarity;
mod sentence;
mod slots;
mod vocabulary;

pub use guard::{Guard, GuardError, GuardReport, GuardSession, Released};
pub use phrases::{Violation, ViolationKind};
pub use sentence::{Sentence, Splitter, split};
pub use slots::{DraftBuilder, Piece, SlotError, patient_view, pieces, render, validate};
