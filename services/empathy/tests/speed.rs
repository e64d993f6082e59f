//! How long an assessment takes. Run on an optimised build: `cargo test --release -- --ignored speed`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use std::time::Instant;

use common::voice;
use wenzhen_empathy::Assessor;
use wenzhen_pack::Locale;

#[test]
#[ignore = "a timing, meant for an optimised build"]
fn speed_of_assessment() {
    let assessor = Assessor::new(&voice(Locale::Zh)).unwrap();
    let text = "医生我真的很担心，这两天一直想着这件事，是不是得了什么大病啊？";
    let rounds = 20_000_u32;
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..rounds {
        sum += assessor.assess(std::hint::black_box(text), None).intensity;
    }
    let each = start.elapsed() / rounds;
    println!("{each:?} per message of {} characters ({sum})", text.chars().count());
    assert!(each.as_micros() <= 15, "{each:?}");
}
