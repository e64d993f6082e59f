//! The digest stands for the content: the same content always, nothing else ever.

mod tiny;

use std::collections::BTreeMap;

use proptest::prelude::*;
use wenzhen_pack::{Digest, Pack, PackFiles};

/// A few small files.
fn contents() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    proptest::collection::btree_map("[a-c]{1,3}", proptest::collection::vec(any::<u8>(), 0..6), 1..5)
}

fn digest(files: &BTreeMap<String, Vec<u8>>) -> Digest {
    Digest::of(&files.iter().map(|(path, content)| (path.clone(), content.clone())).collect())
}

proptest! {
    #[test]
    fn the_order_of_insertion_does_not_count(files in contents(), turn in any::<prop::sample::Index>()) {
        let mut turned: Vec<_> = files.clone().into_iter().collect();
        turned.rotate_left(turn.index(files.len()));
        prop_assert_eq!(Digest::of(&turned.into_iter().collect::<PackFiles>()), digest(&files));
    }

    #[test]
    fn different_files_have_different_digests(a in contents(), b in contents()) {
        prop_assert_eq!(digest(&a) == digest(&b), a == b);
    }

    #[test]
    fn every_byte_counts(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0u32..8) {
        let mut files = tiny::files();
        let before = Digest::of(&files);
        let paths: Vec<String> = files.iter().map(|(path, _)| path.to_owned()).collect();
        let path = which.get(&paths);
        let mut content = files.get(path).unwrap_or_default().to_vec();
        let at = at.index(content.len());
        content[at] ^= 1 << bit;
        files.insert(path.clone(), content);
        prop_assert_ne!(Digest::of(&files), before);
    }
}

#[test]
fn names_and_borders_of_files_count() {
    let of = |files: &[(&str, &str)]| Digest::of(&files.iter().copied().collect::<PackFiles>());
    let all = [
        of(&[]),
        of(&[("a", "")]),
        of(&[("b", "")]),
        of(&[("a", "b")]),
        of(&[("ab", "")]),
        of(&[("a", ""), ("b", "")]),
        of(&[("a", "x"), ("b", "")]),
        of(&[("a", ""), ("b", "x")]),
    ];
    for (i, a) in all.iter().enumerate() {
        assert!(all.iter().skip(i + 1).all(|b| a != b), "{i}");
    }
}

#[test]
fn test_data_does_not_count() {
    let mut files = tiny::files();
    let before = Digest::of(&files);
    files.insert("tests/dialogue.toml", "any");
    assert_eq!(Digest::of(&files), before);
    files.insert("testset.md", "any");
    assert_ne!(Digest::of(&files), before);
}

#[test]
fn a_pack_carries_the_digest_of_its_files() {
    let (files, pack) = (tiny::files(), tiny::pack());
    assert_eq!(pack.digest, Digest::of(&files));
    let text = pack.digest.to_string();
    assert!(text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()), "{text}");
    assert_eq!(pack.digest.short(), text[..12]);
    let edited = tiny::changed(&[("knowledge/machine.md", "Notes", "notes")]);
    assert_ne!(Pack::load(&edited).map(|pack| pack.digest), Ok(pack.digest));
}
