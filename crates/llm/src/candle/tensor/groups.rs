//! Which rows of a pass look at keys and values together. Pure bookkeeping: no tensors.

use std::ops::Range;

use crate::candle::decoder::Row;

/// Rows of one slot that look together, at most: what they see grows with them, and the memory for their scores.
pub(crate) const PIECE: usize = 128;

/// Rows that look together: consecutive ones of one slot, or one row of each of some slots that lie close.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The first slot.
    pub(crate) slot: usize,
    /// For this slot and those after it, their rows; all have the same number of them. None for a slot that has no row,
    /// but lies between others.
    pub(crate) members: Vec<Option<Range<usize>>>,
    /// Positions that must be read: one more than the last that any row sees.
    pub(crate) length: usize,
}

impl Group {
    /// Rows of each member.
    pub(crate) fn count(&self) -> usize {
        self.members.iter().flatten().next().map_or(0, Range::len)
    }

    /// The rows in order of members; for a slot without any, those of another.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let any = self.members.iter().flatten().next();
        self.members.iter().filter_map(move |member| member.as_ref().or(any).cloned()).flatten()
    }
}

/// Every row in exactly one group.
pub(crate) fn groups(rows: &[Row]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut singles: Vec<usize> = Vec::new();
    let mut from = 0;
    while from < rows.len() {
        let first = rows[from];
        let follows = |(index, row): &(usize, &Row)| {
            row.slot == first.slot && row.position == first.position + index && *index < PIECE
        };
        let count = rows[from..].iter().enumerate().take_while(follows).count();
        let taken = |single: &usize| rows[*single].slot == first.slot;
        if count == 1 && !singles.iter().any(taken) {
            singles.push(from);
        } else {
            let length = first.position + count;
            groups.push(Group { slot: first.slot, members: vec![Some(from..from + count)], length });
        }
        from += count;
    }
    singles.sort_unstable_by_key(|single| rows[*single].slot);
    groups.extend(bands(rows, &singles));
    groups
}

/// Single rows, by slot: together as long as at least half of the slots between have one.
fn bands(rows: &[Row], singles: &[usize]) -> Vec<Group> {
    let mut bands: Vec<Group> = Vec::new();
    let mut filled = 0;
    for single in singles {
        let row = rows[*single];
        let length = row.position + 1;
        match bands.last_mut() {
            Some(band) if row.slot - band.slot < 2 * (filled + 1) => {
                band.members.resize(row.slot - band.slot, None);
                band.members.push(Some(*single..*single + 1));
                band.length = band.length.max(length);
                filled += 1;
            }
            _ => {
                bands.push(Group { slot: row.slot, members: vec![Some(*single..*single + 1)], length });
                filled = 1;
            }
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(slot: usize, positions: Range<usize>) -> impl Iterator<Item = Row> {
        positions.map(move |position| Row { slot, position, token: 0, logits: false })
    }

    #[test]
    fn texts_that_go_on_look_together_and_prompts_in_pieces() {
        let rows: Vec<Row> =
            run(4, 9..10).chain(run(2, 700..701)).chain(run(9, 3..4)).chain(run(1, 100..300)).collect();
        let found = groups(&rows);
        let piece = |rows, length| Group { slot: 1, members: vec![Some(rows)], length };
        let band = Group { slot: 2, members: vec![Some(1..2), None, Some(0..1)], length: 701 };
        let far = Group { slot: 9, members: vec![Some(2..3)], length: 4 };
        assert_eq!(found, [piece(3..131, 228), piece(131..203, 300), band, far]);
        assert_eq!(found[2].rows().collect::<Vec<_>>(), [1, 1, 0]);
        assert_eq!((found[0].count(), found[2].count()), (128, 1));
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_group_and_sees_its_positions(
            runs in prop::collection::vec((0usize..12, 0usize..500, 1usize..300), 0..12),
        ) {
            let rows: Vec<Row> = runs.iter().flat_map(|(slot, from, count)| run(*slot, *from..from + count)).collect();
            let mut seen = vec![0; rows.len()];
            for group in groups(&rows) {
                prop_assert!(group.members.len() == 1 || group.count() == 1);
                prop_assert!(group.count() >= 1 && group.count() <= PIECE);
                prop_assert_eq!(group.rows().count(), group.members.len() * group.count());
                prop_assert!(group.members.iter().flatten().count() * 2 >= group.members.len());
                for (offset, member) in group.members.iter().enumerate() {
                    for row in member.clone().into_iter().flatten() {
                        prop_assert_eq!(rows[row].slot, group.slot + offset);
                        prop_assert!(rows[row].position < group.length);
                        seen[row] += 1;
                    }
                }
            }
            prop_assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
        }
    }
}
