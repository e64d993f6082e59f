//! Whatever a network, a store, two orchestrators and their agents do: what was acknowledged is on record once, nothing is
//! answered after its deadline, what was done without is said, and all is well again when they are.
//! `cargo run -p wenzhen-orchestrator --example simulate_turns -- --seeds N` runs more seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

fn worlds(seeds: std::ops::Range<u64>) {
    let broken: Vec<String> =
        seeds.filter_map(|seed| world::run(seed).outcome.err().map(|why| format!("seed {seed}: {why}"))).collect();
    assert!(broken.is_empty(), "{} worlds broke:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn the_invariants_hold_in_the_first_worlds() {
    worlds(0..30);
}

#[test]
fn the_invariants_hold_in_the_next_worlds() {
    worlds(30..60);
}
