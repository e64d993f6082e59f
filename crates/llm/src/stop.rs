//! Stop strings over a text that comes in pieces.

/// Lets a text through up to the first stop string, holding back only what may be the beginning of one.
#[derive(Clone)]
pub struct Stops {
    stops: Vec<String>,
    held: String,
    stopped: bool,
}

impl Stops {
    /// For these stop strings; empty ones are left out.
    #[must_use]
    pub fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new(), stopped: false }
    }

    /// Takes the next piece, gives what may go out. Nothing goes out any more once a stop string was there.
    pub fn push(&mut self, piece: &str) -> String {
        if self.stopped {
            return String::new();
        }
        self.held.push_str(piece);
        if let Some(at) = first(&self.stops, &self.held) {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let kept = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        std::mem::replace(&mut self.held, rest)
    }

    /// Whether a stop string was there.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// What was held back, when no more comes.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Where the stop string that is complete first begins, so that it does not matter in which pieces a text came.
fn first(stops: &[String], text: &str) -> Option<usize> {
    let found = stops.iter().filter_map(|stop| text.find(stop.as_str()).map(|at| (at + stop.len(), at)));
    found.min().map(|(_, at)| at)
}

/// Bytes at the end of the text that are a proper beginning of the stop string.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    (1..=longest).rev().find(|&length| stop.is_char_boundary(length) && text.ends_with(&stop[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stop_across_pieces_is_found() {
        let mut stops = Stops::new(&["结束".into(), "END".into()]);
        assert_eq!(stops.push("abcE"), "abc");
        assert_eq!(stops.push("N"), "");
        assert_eq!(stops.push("x结"), "ENx");
        assert_eq!(stops.push("束more"), "");
        assert!(stops.stopped());
        assert_eq!(stops.push("nothing"), "");
    }

    #[test]
    fn what_was_held_comes_at_the_end() {
        let mut stops = Stops::new(&["END".into()]);
        assert_eq!(stops.push("abcEN"), "abc");
        assert_eq!(stops.rest(), "EN");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab中]{0,24}", cuts in prop::collection::vec(0usize..24, 0..6),
                                stops in prop::collection::vec("[ab中]{1,3}", 0..3)) {
            let whole = first(&stops, &text).map_or(text.as_str(), |at| &text[..at]);
            let mut scanner = Stops::new(&stops);
            let mut out = String::new();
            let characters: Vec<char> = text.chars().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(characters.len())).collect();
            cuts.sort_unstable();
            cuts.push(characters.len());
            let mut from = 0;
            for cut in cuts {
                out.push_str(&scanner.push(&characters[from..cut].iter().collect::<String>()));
                from = cut;
            }
            out.push_str(&scanner.rest());
            prop_assert_eq!(out, whole);
        }
    }
}
