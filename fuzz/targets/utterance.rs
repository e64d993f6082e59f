//! Whatever a patient writes, with whatever was asked before: no panic, spans on character boundaries, each finding
//! once, the same again.
#![no_main]

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use wenzhen_language::{Interpreter, Utterance};
use wenzhen_pack::{FindingIx, Pack};

static INTERPRETER: LazyLock<Interpreter> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packs/tcm");
    let pack = Pack::load_dir(&folder).unwrap_or_else(|errors| panic!("{errors}"));
    Interpreter::new(Arc::new(pack)).unwrap_or_else(|error| panic!("{error}"))
});

fuzz_target!(init: { LazyLock::force(&INTERPRETER); }, |input: (Vec<u16>, Option<u8>, &str)| {
    let (asked, clarifying, text) = input;
    let asked: Vec<FindingIx> = asked.into_iter().take(3).map(|at| FindingIx::new(usize::from(at))).collect();
    let utterance = Utterance { text, asked: &asked, clarifying: clarifying.map(usize::from), ..Utterance::default() };
    let found = INTERPRETER.interpret(&utterance);
    let spans = found.observations.iter().map(|seen| &seen.span).chain(found.ambiguous.iter().map(|said| &said.span));
    for span in spans {
        assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
    }
    let mut seen = HashSet::new();
    assert!(found.observations.iter().all(|observation| seen.insert(observation.finding)), "a finding twice: {text:?}");
    assert_eq!(found, INTERPRETER.interpret(&utterance), "not repeatable: {text:?}");
});
