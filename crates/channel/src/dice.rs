//! Random numbers for picking and jitter: shared by all tasks of a channel without a lock, and the same for the same
//! seed, so that a simulation can be run again.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter whose every step is scrambled (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
#[derive(Debug)]
pub struct Dice(AtomicU64);

/// The odd constant by which SplitMix64 steps: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Any number.
    pub fn roll(&self) -> u64 {
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not, 1.
    pub fn unit(&self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `count`; 0 for a count of 0.
    pub fn below(&self, count: usize) -> usize {
        let wide = u128::from(self.roll()) * count as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_face_comes_about_as_often() {
        let dice = Dice::new(7);
        let mut faces = [0_u32; 6];
        for _ in 0..60_000 {
            faces[dice.below(6)] += 1;
        }
        assert!(faces.iter().all(|count| (9_500..10_500).contains(count)), "{faces:?}");
        assert_eq!(dice.below(0), 0);
        let mean = (0..10_000).map(|_| dice.unit()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
    }
}
