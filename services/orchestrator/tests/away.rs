//! Danger is told even where nothing can be kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod fickle;
mod past;

use std::sync::Arc;

use agents::Fakes;
use fickle::{Fickle, Patient, Told, orchestrator};
use past::KNOWLEDGE;
use tonic::Code;
use wenzhen_pack::{CueRef, Locale};

/// Words that raise a red flag by themselves, and what is to be said to that.
fn danger() -> (String, String) {
    let safety = &KNOWLEDGE.pack.safety;
    let alone = safety.red_flags.iter().find_map(|flag| {
        let cue = flag.when.iter().find_map(|row| if let [CueRef::Cue(cue)] = row[..] { Some(cue) } else { None })?;
        let words = safety.cues[cue].phrases.0.get(&Locale::Zh)?.iter().find(|words| !words.contains('…'))?;
        Some((words.clone(), flag.message.text(Locale::Zh).to_owned()))
    });
    alone.expect("a red flag of one cue")
}

fn refused(told: &Told) -> Code {
    assert!(told.completed.is_none(), "{told:?}");
    told.failed.as_ref().expect("it fails").code()
}

#[tokio::test]
async fn danger_is_told_while_the_store_is_away() {
    let (words, message) = danger();
    for shared in [false, true] {
        let store = Arc::new(Fickle::new(shared));
        let fakes = Fakes::start(&KNOWLEDGE.digest);
        let here = orchestrator(store.clone(), &fakes);
        let mut patient = Patient::start(&here).await;
        // One that knows the consultation, and one that was only just started.
        let elsewhere = patient.goes_to(&orchestrator(store.clone(), &fakes));
        for mut patient in [patient.clone(), elsewhere] {
            store.be_away(true);
            let told = patient.say("m1", &words).await;
            assert_eq!(refused(&told), Code::Unavailable, "{told:?}");
            assert!(told.flags.contains(&message), "shared: {shared}: {told:?}");
            let plain = patient.say("m2", "hm").await;
            assert_eq!((refused(&plain), plain.flags.len()), (Code::Unavailable, 0), "{plain:?}");
        }
        store.be_away(false);
        let told = patient.say("m1", &words).await;
        assert!(told.completed.is_some(), "it was not acknowledged, and can be sent again: {told:?}");
        assert_eq!(told.flags.iter().filter(|flag| **flag == message).count(), 1);
    }
}

#[tokio::test]
async fn nobody_is_told_anything_without_a_token() {
    let store = Arc::new(Fickle::default());
    let orchestrator = orchestrator(store.clone(), &Fakes::start(&KNOWLEDGE.digest));
    store.be_away(true);
    let told = Patient::at(&orchestrator, &"0".repeat(32), "").say("m1", &danger().0).await;
    assert!(told.failed.is_some() && told.flags.is_empty(), "{told:?}");
}
