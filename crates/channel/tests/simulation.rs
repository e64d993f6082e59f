//! Whatever a network and three replicas do: every call ends once and in time, is not made too often, and all is well
//! again when they are. `cargo run -p wenzhen-channel --example simulate -- --seeds N` runs more seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

/// Two hundred worlds, in four parts that run side by side.
fn worlds(seeds: std::ops::Range<u64>) {
    let broken: Vec<String> =
        seeds.filter_map(|seed| world::run(seed).outcome.err().map(|why| format!("seed {seed}: {why}"))).collect();
    assert!(broken.is_empty(), "{} worlds broke:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn the_invariants_hold_in_the_first_fifty_worlds() {
    worlds(0..50);
}

#[test]
fn the_invariants_hold_in_the_second_fifty_worlds() {
    worlds(50..100);
}

#[test]
fn the_invariants_hold_in_the_third_fifty_worlds() {
    worlds(100..150);
}

#[test]
fn the_invariants_hold_in_the_last_fifty_worlds() {
    worlds(150..200);
}
