//! Whatever is written: no panic, spans on character boundaries, time in proportion to length.

mod common;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use wenzhen_language::{Interpretation, Interpreter, Utterance, normalise};
use wenzhen_pack::FindingIx;

fn interpreter() -> &'static Interpreter {
    static INTERPRETER: OnceLock<Interpreter> = OnceLock::new();
    INTERPRETER.get_or_init(|| Interpreter::new(common::pack()).unwrap_or_else(|e| unreachable!("{e}")))
}

fn interpret(text: &str, asked: &[FindingIx], clarifying: Option<usize>) -> Interpretation {
    interpreter().interpret(&Utterance { text, asked, clarifying, ..Utterance::default() })
}

/// Texts from the pieces that the interpreter knows, where scopes and answers meet by chance.
fn pieces() -> impl Strategy<Value = String> {
    let golden = include_str!("../../../packs/tcm/tests/utterances.jsonl");
    let texts: Vec<String> = golden
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<serde_json::Value>(line).ok()?.get("text")?.as_str().map(str::to_owned)
        })
        .collect();
    let piece = (proptest::sample::select(texts), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let cut = piece.prop_map(|(text, a, b)| {
        let chars: Vec<char> = text.chars().collect();
        let (a, b) = (a.index(chars.len() + 1), b.index(chars.len() + 1));
        chars.get(a.min(b)..a.max(b)).unwrap_or(&[]).iter().collect::<String>()
    });
    prop::collection::vec(cut, 0..8).prop_map(|parts| parts.concat())
}

fn holds(text: &str, asked: &[FindingIx], clarifying: Option<usize>) {
    let found = interpret(text, asked, clarifying);
    let spans = found.observations.iter().map(|o| &o.span).chain(found.ambiguous.iter().map(|a| &a.span));
    for span in spans {
        assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
    }
    let mut seen = std::collections::HashSet::new();
    assert!(found.observations.iter().all(|o| seen.insert(o.finding)), "a finding twice in {text:?}");
    assert_eq!(found, interpret(text, asked, clarifying), "not repeatable: {text:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_unicode_is_read(text in "\\PC{0,60}|.{0,60}", asked in prop::collection::vec(0_usize..200, 0..4)) {
        let asked: Vec<FindingIx> = asked.into_iter().map(FindingIx::new).collect();
        holds(&text, &asked, None);
        let folded = normalise(&text);
        for (i, _) in folded.text.char_indices() {
            let span = folded.span(i..folded.text.len());
            prop_assert!(text.get(span).is_some());
        }
    }

    #[test]
    fn shuffled_pieces_are_read(text in pieces(), asked in prop::collection::vec(0_usize..500, 0..4), c in 0_usize..60) {
        let asked: Vec<FindingIx> = asked.into_iter().map(FindingIx::new).collect();
        holds(&text, &asked, (c < 20).then_some(c));
    }
}

/// Long texts of the kinds that make careless passes quadratic.
#[test]
fn long_texts_take_time_in_proportion() {
    let asked: Vec<FindingIx> = (0..3).map(FindingIx::new).collect();
    for piece in include_str!("data/repeated.txt").lines() {
        let short = piece.repeat(3_000 / piece.len());
        let long = piece.repeat(30_000 / piece.len());
        let time = |text: &str| {
            let begin = Instant::now();
            let found = interpret(text, &asked, None);
            assert!(found.observations.len() < 500);
            begin.elapsed()
        };
        // The best of three: other tests share the machine.
        let best = |text: &str| (0..3).map(|_| time(text)).min().unwrap_or_default();
        let (one, ten) = (best(&short), best(&long));
        assert!(ten < one * 30 + Duration::from_millis(150), "{piece:?}: {one:?} for 3 kB, {ten:?} for 30 kB");
    }
}
