//! Prompts: read, checked to the placeholder, and part of the pack's identity.

mod tiny;

use std::path::Path;

use wenzhen_pack::{Locale, Pack, PackFiles};

/// The small pack with the flagship's prompts.
fn files() -> PackFiles {
    let mut files = tiny::files();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    let flagship = PackFiles::from_dir(&folder).unwrap_or_else(|errors| panic!("{errors}"));
    for (path, content) in flagship.iter().filter(|(path, _)| path.starts_with("prompts/")) {
        files.insert(path, content);
    }
    files
}

fn errors(files: &PackFiles) -> Vec<String> {
    match Pack::load(files) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_pack_without_prompts_loads_and_one_with_them_knows_their_version() {
    assert!(Pack::load(&tiny::files()).is_ok_and(|pack| pack.prompts.is_none()));
    let pack = Pack::load(&files()).unwrap_or_else(|errors| panic!("{errors}"));
    let prompts = pack.prompts.expect("prompts");
    assert_eq!(prompts.version.len(), 12);
    let tasks = Locale::ALL.map(|locale| prompts.tasks(locale).expect("a language").clone());
    assert_ne!(tasks[0].ask, tasks[1].ask);
    let mut other = files();
    tiny::swap(&mut other, "prompts/en/ask.toml", "One sentence", "A sentence");
    let changed = Pack::load(&other).unwrap_or_else(|errors| panic!("{errors}"));
    assert_ne!(changed.prompts.expect("prompts").version, prompts.version);
    assert_ne!(changed.digest, pack.digest);
}

#[test]
fn every_mistake_in_a_prompt_is_told_with_its_place() {
    let broken = |edit: &dyn Fn(&mut PackFiles)| {
        let mut files = files();
        edit(&mut files);
        errors(&files)
    };
    let missing = broken(&|files| assert!(files.remove("prompts/zh/assess.toml")));
    assert_eq!(missing, ["prompts/zh/assess.toml: expected this file, found no such file"]);
    let unknown = broken(&|files| tiny::swap(files, "prompts/en/interpret.toml", "{candidates}", "{candidate}"));
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    assert!(
        unknown[0].starts_with("prompts/en/interpret.toml:") && unknown[0].contains("found {candidate}"),
        "{unknown:?}"
    );
    assert!(unknown[1].contains("user: expected {candidates} once, found 0 of it"), "{unknown:?}");
    let in_system = broken(&|files| tiny::swap(files, "prompts/en/ask.toml", "You word", "{text} word"));
    assert!(in_system[0].contains("system: expected no placeholder, found {text}"), "{in_system:?}");
    let stranger = broken(&|files| files.insert("prompts/en/interpet.toml", "system = 'a'\nuser = 'b'"));
    assert!(stranger[0].contains("a file that nothing reads"), "{stranger:?}");
    let typo = broken(&|files| tiny::swap(files, "prompts/zh/review.toml", "user =", "usr ="));
    assert!(typo[0].starts_with("prompts/zh/review.toml"), "{typo:?}");
}
