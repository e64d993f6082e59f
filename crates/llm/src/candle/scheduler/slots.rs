//! Which sequence runs where, and what may be reused of what was computed before. Pure bookkeeping: no decoder, no
//! clock.

use super::sequence::Sequence;

/// A place for one sequence in the decoder.
#[derive(Default)]
pub(crate) struct Slot {
    /// Who holds it.
    pub(crate) running: Option<Sequence>,
    /// Where nobody does: the tokens of which keys and values are still there.
    pub(crate) kept: Vec<u32>,
    /// When it was last used.
    pub(crate) used: u64,
}

/// How a prompt gets its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// There is no free slot.
    None,
    /// A sequence is just computing a beginning that it shares: waiting for it is cheaper.
    Soon,
    /// In a free slot, of which the first `reused` tokens stay.
    Here { slot: usize, reused: usize },
    /// In a free slot, into which the first `reused` tokens of another are copied.
    Copy { slot: usize, from: usize, reused: usize },
}

/// Shared tokens from which on waiting for somebody who computes them is better than computing them again.
const WORTH_WAITING: usize = 32;

/// Tokens at the beginning of both.
fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Slot {
    /// Tokens that are computed here.
    fn computed(&self) -> &[u32] {
        match &self.running {
            Some(sequence) => sequence.tokens.get(..sequence.computed).unwrap_or_default(),
            None => &self.kept,
        }
    }
}

/// Where a prompt goes best.
pub(crate) fn place(slots: &[Slot], prompt: &[u32]) -> Place {
    // The last token is always computed: its logits are wanted.
    let most = prompt.len().saturating_sub(1);
    let reusable = |slot: &Slot| shared(slot.computed(), prompt).min(most);
    let free = || slots.iter().enumerate().filter(|(_, slot)| slot.running.is_none());
    let Some((oldest, _)) = free().min_by_key(|(_, slot)| (!slot.kept.is_empty(), slot.used)) else {
        return Place::None;
    };
    let best = slots.iter().map(reusable).max().unwrap_or(0);
    let coming =
        slots.iter().filter_map(|slot| slot.running.as_ref()).map(|sequence| shared(sequence.prompt(), prompt));
    if coming.max().unwrap_or(0).min(most) >= best + WORTH_WAITING {
        return Place::Soon;
    }
    // In place where that loses little: a dialogue that goes on. Otherwise a copy keeps the other for its own.
    let own = free().filter(|(_, slot)| reusable(slot) == best).min_by_key(|(_, slot)| slot.kept.len());
    if let Some((slot, kept)) = own
        && kept.kept.len() - best <= best
    {
        return Place::Here { slot, reused: best };
    }
    let from = slots.iter().position(|slot| reusable(slot) == best);
    match from {
        Some(from) if best > 0 && from != oldest => Place::Copy { slot: oldest, from, reused: best },
        _ => Place::Here { slot: oldest, reused: shared(&slots[oldest].kept, prompt).min(most) },
    }
}

/// How many rows of each prompt are computed in the next pass: equal shares in turn, so that a short prompt does not
/// wait for a long one; what a short one leaves goes to the others.
pub(crate) fn shares(left: &[usize], budget: usize) -> Vec<usize> {
    let mut given = vec![0; left.len()];
    let mut budget = budget;
    loop {
        let open: Vec<usize> = (0..left.len()).filter(|index| given[*index] < left[*index]).collect();
        if open.is_empty() || budget == 0 {
            return given;
        }
        let share = (budget / open.len()).max(1);
        for index in open {
            let more = share.min(left[index] - given[index]).min(budget);
            given[index] += more;
            budget -= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(tokens: &[u32], used: u64) -> Slot {
        Slot { running: None, kept: tokens.to_vec(), used }
    }

    #[test]
    fn a_dialogue_goes_on_in_its_place() {
        let slots = [kept(&[1, 2, 3, 4], 1), kept(&[9, 9], 2), kept(&[], 0)];
        assert_eq!(place(&slots, &[1, 2, 3, 4, 5, 6]), Place::Here { slot: 0, reused: 4 });
        assert_eq!(place(&slots, &[1, 2, 3, 4]), Place::Here { slot: 0, reused: 3 });
    }

    #[test]
    fn a_shared_beginning_is_copied_and_stays() {
        let slots = [kept(&[1, 2, 3, 4, 5, 6, 7], 1), kept(&[], 0)];
        assert_eq!(place(&slots, &[1, 2, 8, 9]), Place::Copy { slot: 1, from: 0, reused: 2 });
    }

    #[test]
    fn the_least_recently_used_place_is_given_away() {
        let slots = [kept(&[1, 1, 1], 3), kept(&[2, 2, 2], 1), kept(&[3, 3, 3], 2)];
        assert_eq!(place(&slots, &[7, 8]), Place::Here { slot: 1, reused: 0 });
        assert_eq!(place(&[], &[7, 8]), Place::None);
    }

    proptest! {
        #[test]
        fn shares_use_the_budget_and_are_fair(left in prop::collection::vec(0usize..300, 0..9), budget in 0usize..400) {
            let given = shares(&left, budget);
            let total: usize = given.iter().sum();
            prop_assert_eq!(total, budget.min(left.iter().sum()));
            prop_assert!(given.iter().zip(&left).all(|(given, left)| given <= left));
            for (a, left) in given.iter().zip(&left) {
                // Whoever got less than another has nothing left.
                prop_assert!(a == left || given.iter().all(|b| b <= &(a + 1)), "{given:?}");
            }
        }
    }
}
