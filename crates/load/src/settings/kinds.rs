//! Values that flags and profiles are made of.

use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a search looks for.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// The highest rate of arrivals
    MaxRps,
}

/// The priority that calls ask for.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// A red flag is up
    Urgent,
    /// A consultation that is under way
    Ongoing,
    /// A consultation that has not begun
    New,
}

impl Priority {
    /// The header's value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Ongoing => "ongoing",
            Self::New => "new",
        }
    }
}

/// The share of a method: `Interpret=8`, or `Interpret` for one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weight {
    /// Name of the method.
    pub method: String,
    /// Parts.
    pub parts: u32,
}

impl FromStr for Weight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (method, parts) = text.trim().split_once('=').unwrap_or((text.trim(), "1"));
        let parts: u32 = parts.parse().map_err(|_| format!("`{text}` is no share: write METHOD=N"))?;
        if parts > 1_000_000 {
            return Err(format!("`{text}`: at most a million parts"));
        }
        Ok(Self { method: method.to_owned(), parts })
    }
}

impl TryFrom<String> for Weight {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Weight> for String {
    fn from(weight: Weight) -> Self {
        format!("{}={}", weight.method, weight.parts)
    }
}
