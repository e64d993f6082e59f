//! Choices among variants, the same for the same seed.

/// A sequence of choices that a seed determines (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Choice {
    state: u64,
}

impl Choice {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of the variants; `None` when there are none.
    pub fn one<'a>(&mut self, variants: &'a [String]) -> Option<&'a str> {
        let count = u64::try_from(variants.len()).ok().filter(|count| *count > 0)?;
        let at = usize::try_from(self.next() % count).ok()?;
        variants.get(at).map(String::as_str)
    }

    /// Up to `count` different variants, in an order of their own.
    pub fn some<'a>(&mut self, variants: &'a [String], count: usize) -> Vec<&'a str> {
        let mut left: Vec<&str> = variants.iter().map(String::as_str).collect();
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count && !left.is_empty() {
            let at = usize::try_from(self.next() % left.len() as u64).unwrap_or(0);
            chosen.push(left.swap_remove(at));
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_and_every_variant_comes_up() {
        let variants: Vec<String> = (0..5).map(|i| i.to_string()).collect();
        let draw = |seed| Choice::new(seed).some(&variants, 3);
        assert_eq!(draw(7), draw(7));
        assert_eq!(draw(7).len(), 3);
        let seen: std::collections::BTreeSet<_> = (0..100).filter_map(|s| Choice::new(s).one(&variants)).collect();
        assert_eq!(seen.len(), 5);
        assert_eq!(Choice::new(1).one(&[]), None);
    }
}
