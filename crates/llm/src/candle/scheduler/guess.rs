//! Guesses at what a text goes on with. A pass reads all weights whether it computes one row or a few, so the tokens
//! that likely come next are computed beside the last one, and drawn one after the other as far as the guess holds
//! (speculative decoding by Leviathan et al. 2023, with guesses looked up in the text as in prompt lookup decoding). What
//! is drawn never depends on a guess: each token is drawn from its own logits by its own random number.
//!
//! Pure: no decoder, no clock.

/// Rows of texts in a pass up to which guesses are added: beyond, another row costs nearly as much as it saves.
pub(crate) const WIDE: usize = 8;
/// Most tokens that must agree for what followed them earlier to be guessed again, and least.
const ALIKE: (usize, usize) = (4, 2);
/// Longest pause, in tokens, after guesses that did not hold.
const PAUSE: u32 = 64;

/// How well guesses about one text have held so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Tokens of the next guess.
    length: usize,
    /// Tokens to be drawn before the next guess.
    pause: u32,
    /// The pause after the next guess that does not hold.
    next_pause: u32,
}

impl Default for Trust {
    fn default() -> Self {
        Self { length: 3, pause: 0, next_pause: 1 }
    }
}

impl Trust {
    /// Tokens to guess now.
    pub(crate) fn length(&self) -> usize {
        if self.pause > 0 { 0 } else { self.length }
    }

    /// Learns that so many tokens were guessed, and so many of them drawn.
    pub(crate) fn told(&mut self, guessed: usize, held: usize) {
        if guessed == 0 {
            self.pause = self.pause.saturating_sub(1);
        } else if held == 0 {
            *self = Self { length: 1, pause: self.next_pause, next_pause: (self.next_pause * 2).min(PAUSE) };
        } else {
            let length = if held == guessed { self.length * 2 } else { held };
            *self = Self { length: length.clamp(1, WIDE), pause: 0, next_pause: 1 };
        }
    }
}

/// What followed the last few tokens where they stood before, at most `most` tokens: after the longest agreement, the
/// latest of equals.
pub(crate) fn looked_up(tokens: &[u32], most: usize) -> &[u32] {
    let mut best = (0, tokens.len());
    for from in (1..tokens.len()).rev() {
        let alike = tokens[..from].iter().rev().zip(tokens.iter().rev()).take(ALIKE.0).take_while(|(a, b)| a == b);
        let alike = alike.count();
        if alike > best.0 {
            best = (alike, from);
            if alike == ALIKE.0 {
                break;
            }
        }
    }
    if best.0 < ALIKE.1 { &[] } else { &tokens[best.1..tokens.len().min(best.1 + most)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_followed_before_is_guessed_again() {
        let tokens = [1, 2, 3, 4, 5, 9, 1, 2, 3];
        assert_eq!(looked_up(&tokens, 3), [4, 5, 9]);
        assert_eq!(looked_up(&tokens, 1), [4]);
        assert!(looked_up(&tokens, 0).is_empty());
        assert!(looked_up(&[7, 3, 8, 3], 3).is_empty(), "one token alone tells nothing");
        // The longer agreement wins over the later one.
        assert_eq!(looked_up(&[0, 1, 2, 5, 1, 2, 6, 0, 1, 2], 1), [5]);
        assert_eq!(looked_up(&[1, 2, 5, 1, 2, 6, 1, 2], 1), [6], "of equals the latest");
        assert_eq!(looked_up(&[4, 4, 4, 4, 4, 4], 3), [4], "no more than there is");
        assert!(looked_up(&[], 3).is_empty());
    }

    #[test]
    fn what_holds_is_guessed_further_and_what_does_not_less() {
        let mut trust = Trust::default();
        trust.told(3, 3);
        assert_eq!(trust.length(), 6);
        trust.told(6, 2);
        assert_eq!(trust.length(), 2);
        let mut passes = 0;
        for _ in 0..1000 {
            let length = trust.length();
            passes += usize::from(length > 0);
            trust.told(length, 0);
        }
        assert!(passes < 25, "{passes} of a thousand passes were guessed for nothing");
        while trust.length() == 0 {
            trust.told(0, 0);
        }
        trust.told(1, 1);
        assert_eq!(trust.length(), 2);
    }

    proptest! {
        #[test]
        fn a_guess_stands_in_the_text_after_the_same_tokens(
            tokens in prop::collection::vec(0u32..4, 0..60), most in 0usize..9,
        ) {
            let guess = looked_up(&tokens, most);
            prop_assert!(guess.len() <= most);
            if !guess.is_empty() {
                let end = &tokens[tokens.len() - ALIKE.1..];
                let whole = [end, guess].concat();
                prop_assert!(tokens.windows(whole.len()).any(|window| window == whole));
            }
        }
    }
}
