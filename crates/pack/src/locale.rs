//! Languages and text in several of them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A language that the system reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// Chinese, written in simplified characters.
    Zh,
    /// English.
    En,
}

impl Locale {
    /// Every locale, in a fixed order.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The lower-case tag used in files, flags and messages.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// The locale of a tag such as `zh`, `zh-CN`, `en_US`; `None` for any other language.
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.split(['-', '_', '.']).next()?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// One value per locale of the pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Localized<T>(pub BTreeMap<Locale, T>);

impl<T> Default for Localized<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Localized<T> {
    /// As a map, but a locale that stands twice is an error: the first text would be lost silently.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(PerLocale(PhantomData))
    }
}

struct PerLocale<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PerLocale<T> {
    type Value = Localized<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value per locale")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((locale, value)) = map.next_entry::<Locale, T>()? {
            if values.insert(locale, value).is_some() {
                return Err(A::Error::custom(format_args!("`{locale}` a second time, expected each locale once")));
            }
        }
        Ok(Localized(values))
    }
}

impl<T> Localized<T> {
    /// The value in `locale`, else in any other locale; `None` when there is none at all.
    pub fn get(&self, locale: Locale) -> Option<&T> {
        self.0.get(&locale).or_else(|| self.0.values().next())
    }

    /// All values with their locales.
    pub fn iter(&self) -> impl Iterator<Item = (Locale, &T)> {
        self.0.iter().map(|(l, v)| (*l, v))
    }
}

impl Localized<String> {
    /// The text in `locale`, else in another locale, else empty.
    pub fn text(&self, locale: Locale) -> &str {
        self.get(locale).map_or("", String::as_str)
    }
}

impl<T> Localized<Vec<T>> {
    /// The list in `locale`, else in another locale, else empty.
    pub fn list(&self, locale: Locale) -> &[T] {
        self.get(locale).map_or(&[], Vec::as_slice)
    }
}
