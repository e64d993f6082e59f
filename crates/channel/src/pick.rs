//! Which endpoint takes the next call: the better of two drawn at random (Mitzenmacher, "The power of two choices in
//! randomized load balancing", 2001).

use crate::dice::Dice;

/// What a choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Calls that it is busy with.
    pub outstanding: u32,
    /// Cost of one call, in seconds; above 0.
    pub weight: f64,
    /// Share of its calls that it takes already, above 0 up to 1: less than 1 while it starts slowly.
    pub ramp: f64,
}

/// Costs that differ by less than this factor are the same: who is a little faster must not get everything.
const BAND: f64 = 2.0;
/// Draws before all endpoints are looked at.
const DRAWS: usize = 4;

/// Chooses among `count` endpoints; `view` says what there is to know about one, or that it takes no calls.
pub fn choose(count: usize, dice: &Dice, view: impl Fn(usize) -> Option<Candidate>) -> Option<usize> {
    let (first, one) = draw(count, dice, None, &view)?;
    if count == 1 {
        return Some(first);
    }
    let Some((second, two)) = draw(count, dice, Some(first), &view) else { return Some(first) };
    Some(if prefers_second(&one, &two, dice) { second } else { first })
}

fn draw(
    count: usize,
    dice: &Dice,
    other_than: Option<usize>,
    view: &impl Fn(usize) -> Option<Candidate>,
) -> Option<(usize, Candidate)> {
    let usable = |place: usize| if Some(place) == other_than { None } else { view(place).map(|seen| (place, seen)) };
    if count == 0 {
        return None;
    }
    let drawn = (0..DRAWS).find_map(|_| usable(dice.below(count)));
    drawn.or_else(|| {
        let start = dice.below(count);
        (0..count).find_map(|step| usable((start + step) % count))
    })
}

fn prefers_second(one: &Candidate, two: &Candidate, dice: &Dice) -> bool {
    let full = one.ramp.max(two.ramp);
    if one.ramp < full {
        return dice.unit() * full >= one.ramp;
    }
    if two.ramp < full {
        return dice.unit() * full < two.ramp;
    }
    if one.weight < two.weight * BAND && two.weight < one.weight * BAND {
        return two.outstanding < one.outstanding;
    }
    // The dearer one gets a few calls all the same, the fewer the dearer it is: only they can show that it has mended.
    let cost = |seen: &Candidate| (f64::from(seen.outstanding) + 1.0) * seen.weight;
    let (first, second) = (cost(one), cost(two));
    let dearer = (first.min(second) / first.max(second)).powi(2) / 2.0;
    (second < first) != (dice.unit() < dearer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn idle(weight: f64) -> Option<Candidate> {
        Some(Candidate { outstanding: 0, weight, ramp: 1.0 })
    }

    /// How often each is chosen.
    fn shares(calls: u32, candidates: &[Option<Candidate>]) -> Vec<u32> {
        let dice = Dice::new(3);
        let mut counts = vec![0; candidates.len()];
        for _ in 0..calls {
            counts[choose(candidates.len(), &dice, |place| candidates[place]).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn equals_share_alike_even_when_one_is_a_little_faster() {
        let counts = shares(3_000, &[idle(0.005), idle(0.0065), idle(0.009)]);
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(f64::from(*most) / f64::from(*least) <= 1.2, "{counts:?}");
    }

    #[test]
    fn the_slow_and_the_busy_are_passed_over() {
        let busy = Some(Candidate { outstanding: 9, weight: 0.005, ramp: 1.0 });
        assert_eq!(shares(1_000, &[idle(0.005), busy]), [1_000, 0]);
        let counts = shares(100_000, &[idle(0.005), idle(0.05)]);
        assert!((400..600).contains(&counts[1]), "one in two hundred at ten times the cost: {counts:?}");
    }

    #[test]
    fn who_starts_slowly_gets_its_share() {
        let ramped = Some(Candidate { outstanding: 0, weight: 0.005, ramp: 0.1 });
        let counts = shares(10_000, &[idle(0.005), idle(0.005), ramped]);
        // It is among the drawn two times out of three.
        assert!((550..800).contains(&counts[2]), "{counts:?}");
        let all = shares(10_000, &[ramped, ramped]);
        assert!(all[0] > 4_500 && all[1] > 4_500, "{all:?}");
    }

    #[test]
    fn one_usable_among_many_is_found() {
        let mut candidates = vec![None; 100];
        candidates[71] = idle(1.0);
        assert_eq!(shares(50, &candidates)[71], 50);
        assert_eq!(choose(100, &Dice::new(1), |_| None), None);
        assert_eq!(choose(0, &Dice::new(1), |_| idle(1.0)), None);
    }

    proptest! {
        #[test]
        fn a_choice_is_usable_and_among_equals_never_the_busiest(
            loads in prop::collection::vec(prop::option::of((0_u32..100, 0.005_f64..0.012)), 0..12),
            seed: u64,
        ) {
            let candidates: Vec<_> = loads
                .iter()
                .map(|load| load.map(|(outstanding, weight)| Candidate { outstanding, weight, ramp: 1.0 }))
                .collect();
            let chosen = choose(candidates.len(), &Dice::new(seed), |place| candidates[place]);
            prop_assert_eq!(chosen.is_some(), candidates.iter().any(Option::is_some));
            if let Some(place) = chosen {
                let seen = candidates[place].unwrap();
                let alike = candidates.iter().flatten().all(|one| one.weight < seen.weight * BAND && seen.weight < one.weight * BAND);
                let mut others = candidates.iter().enumerate().filter(|(at, _)| *at != place).filter_map(|(_, one)| *one).peekable();
                let alone = others.peek().is_none();
                prop_assert!(!alike || alone || !others.all(|one| one.outstanding < seen.outstanding));
            }
        }
    }
}
