//! How good: models against labelled data that stays outside the project.

mod figures;
mod tongue;

pub use tongue::tongue;
