//! Every golden consultation of the pack, through the whole system over gRPC.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use futures::StreamExt as _;
use support::check::check;
use support::script;

/// Consultations held at once.
const AT_ONCE: usize = 8;
/// Fewer consultations than these were lost.
const AT_LEAST: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn every_golden_consultation_goes_as_it_should() {
    let scripts = script::all();
    let system = support::system().await;
    let checked = futures::stream::iter(&scripts).map(|script| check(&system.channel, script));
    let checked: Vec<_> = checked.buffered(AT_ONCE).collect().await;
    system.stop().await;
    if std::env::var_os("GOLDEN").is_some() {
        // Whoever picks a consultation wants to read it (with `--nocapture`).
        checked.iter().flat_map(|checked| &checked.dialogue).for_each(|turn| println!("{turn}"));
    }
    let wrong: Vec<String> = checked.into_iter().flat_map(|checked| checked.wrong).collect();
    let failed: BTreeSet<&str> = wrong.iter().filter_map(|line| line.split(" / ").next()).collect();
    assert!(wrong.is_empty(), "{} of {} failed:\n{}", failed.len(), scripts.len(), wrong.join("\n"));
}

#[test]
fn there_are_enough_of_them() {
    if std::env::var_os("GOLDEN").is_none() {
        assert!(script::all().len() >= AT_LEAST);
    }
}
