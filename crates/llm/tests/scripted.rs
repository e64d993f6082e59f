//! The scripted engine passes the conformance kit.

use std::sync::Arc;

use wenzhen_llm::conformance::{Subject, check};
use wenzhen_llm::{Request, Script, Scripted};

/// A long text that depends on the request.
fn answer(request: &Request) -> Script {
    let last = request.messages.last().map_or("", |message| &message.content);
    let mut state = last.bytes().fold(request.sampling.seed, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
    let mut text = String::new();
    for _ in 0..20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.extend(char::from_digit(10 + (state >> 33) as u32 % 26, 36));
    }
    Script::Say(text)
}

#[tokio::test]
async fn the_scripted_engine_keeps_the_contract() {
    check(|| async { Subject { engine: Arc::new(Scripted::with_room(3, 2, answer)), running: 3, waiting: 2 } }).await;
}
