//! Who stands in line for a permit: permits and places as plain data, without a clock or a task.
//!
//! Tickets leave in the order of their priority, and in the order of their arrival within one. A share of the line is
//! kept for what matters more: a new consultation is turned away before one that is under way, and that before an
//! urgent one. Whoever finds its share full takes the place of the last in line of a lower priority.

use std::collections::BTreeMap;

/// How much a call matters, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A red flag is lit.
    Urgent,
    /// A consultation that is under way.
    Ongoing,
    /// A consultation that has not begun.
    New,
}

impl Priority {
    /// All of them, the highest first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Ongoing, Self::New];

    /// Percentage of the line that calls of this priority and below may fill.
    const fn share(self) -> usize {
        match self {
            Self::Urgent => 100,
            Self::Ongoing => 95,
            Self::New => 80,
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// A place in line; lower places leave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    priority: Priority,
    arrival: u64,
}

/// How an arrival ended that found no permit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival<T> {
    /// It stands in line; the ticket of whoever lost its place for it, where one did.
    Stands(Place, Option<T>),
    /// There is no place for it.
    Full,
}

/// Permits that are free, and tickets that wait for one.
#[derive(Debug)]
pub(super) struct Line<T> {
    free: usize,
    capacity: usize,
    waiting: BTreeMap<Place, T>,
    counts: [usize; 3],
    arrivals: u64,
}

impl<T> Line<T> {
    pub(super) fn new(permits: usize, capacity: usize) -> Self {
        Self { free: permits, capacity, waiting: BTreeMap::new(), counts: [0; 3], arrivals: 0 }
    }

    /// Takes a free permit. While somebody waits, none is free.
    pub(super) fn take(&mut self) -> bool {
        match self.free.checked_sub(1) {
            Some(left) => {
                self.free = left;
                true
            }
            None => false,
        }
    }

    /// Gives a permit back: to the ticket that is returned, which now holds it, or to nobody.
    pub(super) fn give_back(&mut self) -> Option<T> {
        match self.waiting.pop_first() {
            Some((place, ticket)) => {
                self.counts[place.priority.index()] -= 1;
                Some(ticket)
            }
            None => {
                self.free += 1;
                None
            }
        }
    }

    /// Puts a ticket in line, where its priority still finds a place.
    pub(super) fn stand(&mut self, priority: Priority, ticket: T) -> Arrival<T> {
        let room = (self.capacity * priority.share()).div_ceil(100);
        let mut displaced = None;
        if self.waiting.len() >= room {
            match self.last_below(priority) {
                Some(place) => displaced = self.leave(place),
                None => return Arrival::Full,
            }
        }
        self.arrivals += 1;
        let place = Place { priority, arrival: self.arrivals };
        self.counts[priority.index()] += 1;
        self.waiting.insert(place, ticket);
        Arrival::Stands(place, displaced)
    }

    /// Leaves the line; nothing when the place was given a permit or lost before.
    pub(super) fn leave(&mut self, place: Place) -> Option<T> {
        let ticket = self.waiting.remove(&place)?;
        self.counts[place.priority.index()] -= 1;
        Some(ticket)
    }

    /// How many would be served before an arrival of this priority.
    pub(super) fn ahead(&self, priority: Priority) -> usize {
        self.counts[..=priority.index()].iter().sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn last_below(&self, priority: Priority) -> Option<Place> {
        self.waiting.last_key_value().map(|(place, _)| *place).filter(|place| place.priority > priority)
    }
}

#[cfg(test)]
mod tests {
    use super::Priority::{New, Ongoing, Urgent};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_priority_has_its_share_of_the_line() {
        for (priority, share) in [(New, 16), (Ongoing, 19), (Urgent, 20)] {
            let mut line = Line::new(0, 20);
            let stood = (0..40).filter(|n| matches!(line.stand(priority, *n), Arrival::Stands(_, None))).count();
            assert_eq!(stood, share, "{priority:?}");
        }
        let mut none = Line::new(0, 0);
        assert_eq!(none.stand(Urgent, 1), Arrival::Full);
    }

    #[test]
    fn what_matters_more_displaces_the_last_of_what_matters_least() {
        let mut line = Line::new(0, 2);
        assert!(matches!(line.stand(New, 1), Arrival::Stands(_, None)));
        assert!(matches!(line.stand(New, 2), Arrival::Stands(_, None)));
        assert_eq!(line.stand(New, 3), Arrival::Full);
        assert!(matches!(line.stand(Ongoing, 4), Arrival::Stands(_, Some(2))));
        assert!(matches!(line.stand(Urgent, 5), Arrival::Stands(_, Some(1))));
        assert!(matches!(line.stand(Urgent, 6), Arrival::Stands(_, Some(4))));
        assert_eq!(line.stand(Urgent, 7), Arrival::Full);
        assert_eq!((line.give_back(), line.give_back(), line.give_back()), (Some(5), Some(6), None));
    }

    /// One thing that happens to a line; numbers pick among those who are concerned.
    #[derive(Clone, Debug)]
    enum Step {
        Arrive(Priority),
        Finish,
        Leave(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => prop_oneof![Just(Urgent), Just(Ongoing), Just(New)].prop_map(Step::Arrive),
            3 => Just(Step::Finish),
            1 => any::<usize>().prop_map(Step::Leave),
        ];
        prop::collection::vec(step, 1..200)
    }

    /// What a line ought to do, said in the plainest way.
    #[derive(Default)]
    struct Model {
        held: usize,
        waiting: Vec<(Priority, u64, Place)>,
    }

    impl Model {
        /// The number of the one who must be served next.
        fn next(&self) -> Option<usize> {
            let order = |at: &usize| (self.waiting[*at].0, self.waiting[*at].1);
            (0..self.waiting.len()).min_by_key(order)
        }

        fn remove(&mut self, number: u64) {
            let at = self.waiting.iter().position(|(_, other, _)| *other == number).expect("known");
            self.waiting.remove(at);
        }
    }

    proptest! {
        #[test]
        fn never_more_permits_than_the_limit_and_always_in_order(
            permits in 0_usize..5, capacity in 0_usize..8, steps in steps(),
        ) {
            let (mut line, mut model) = (Line::new(permits, capacity), Model::default());
            for (number, step) in (0_u64..).zip(steps) {
                match step {
                    Step::Arrive(_) if line.take() => model.held += 1,
                    Step::Arrive(priority) => {
                        prop_assert_eq!(model.held, permits, "nobody waits while a permit is free");
                        if let Arrival::Stands(place, displaced) = line.stand(priority, number) {
                            if let Some(lost) = displaced {
                                let last = model.waiting.iter().map(|(priority, number, _)| (*priority, *number)).max();
                                prop_assert_eq!(last.map(|(_, number)| number), Some(lost), "the last one goes");
                                prop_assert!(last.is_some_and(|(lower, _)| lower > priority));
                                model.remove(lost);
                            }
                            model.waiting.push((priority, number, place));
                        }
                    }
                    Step::Finish if model.held > 0 => match (line.give_back(), model.next()) {
                        (Some(served), Some(next)) => prop_assert_eq!(served, model.waiting.remove(next).1),
                        (served, next) => {
                            prop_assert!(served.is_none() && next.is_none());
                            model.held -= 1;
                        }
                    },
                    Step::Leave(at) if !model.waiting.is_empty() => {
                        let (_, number, place) = model.waiting.remove(at % model.waiting.len());
                        prop_assert_eq!(line.leave(place), Some(number));
                        prop_assert_eq!(line.leave(place), None, "once only");
                    }
                    Step::Finish | Step::Leave(_) => {}
                }
                prop_assert!(model.held <= permits);
                prop_assert!(model.waiting.len() <= capacity);
                prop_assert_eq!(line.is_empty(), model.waiting.is_empty());
                let ahead = model.waiting.iter().filter(|(priority, _, _)| *priority <= Ongoing).count();
                prop_assert_eq!(line.ahead(Ongoing), ahead);
            }
        }
    }
}
