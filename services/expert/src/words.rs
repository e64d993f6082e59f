//! Filling sentences and choosing among variants.

use wenzhen_pack::voice::ExpertVoice;
use wenzhen_pack::{FindingIx, Locale, Pack};

/// Replaces `{name}` by its value. What a value holds is not read again.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { return out };
        out.push_str(values.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Chooses variants: the same for the same case, different from case to case.
#[derive(Debug)]
pub struct Chooser(u64);

impl Chooser {
    /// Starts from the case's seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of the variants; empty when there is none.
    pub fn pick<'v>(&mut self, variants: &'v [String]) -> &'v str {
        // SplitMix64 (Steele, Lea and Flood 2014): successive seeds give unrelated choices.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let at = z.checked_rem(variants.len() as u64).unwrap_or(0);
        variants.get(at as usize).map_or("", String::as_str)
    }
}

/// Items as a list: `a, b and c`.
pub fn list(voice: &ExpertVoice, items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{}{}{end}", most.join(&voice.words.between), voice.words.last),
    }
}

/// What a finding is called before patients.
pub fn plain_name<'v>(voice: &'v ExpertVoice, pack: &'v Pack, finding: FindingIx, locale: Locale) -> &'v str {
    let Some(finding) = pack.findings.get(finding.at()) else { return "" };
    voice.plain.get(&finding.id).map_or_else(|| finding.names.text(locale), String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_read_again() {
        assert_eq!(fill("a {x} b {y}", &[("x", "{y}"), ("y", "2")]), "a {y} b 2");
        assert_eq!(fill("a {x", &[("x", "1")]), "a ");
        assert_eq!(fill("{z}", &[]), "");
    }

    #[test]
    fn choices_are_fixed_by_the_seed_and_all_are_reached() {
        let variants: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let picks = |seed| {
            let mut chooser = Chooser::new(seed);
            (0..4).map(|_| chooser.pick(&variants)).collect::<String>()
        };
        assert_eq!(picks(7), picks(7));
        let firsts: std::collections::BTreeSet<_> = (0..30).map(|seed| picks(seed).remove(0)).collect();
        assert_eq!(firsts.len(), 3);
        assert_eq!(Chooser::new(1).pick(&[]), "");
    }
}
