//! Gates, locales and localised values.

use proptest::prelude::*;
use wenzhen_pack::{Gate, Locale, Localized, Sex};

fn sexes() -> impl Strategy<Value = Option<Sex>> {
    prop_oneof![Just(None), Just(Some(Sex::Female)), Just(Some(Sex::Male))]
}

fn gates() -> impl Strategy<Value = Gate> {
    let age = || proptest::option::of(0u32..8);
    (sexes(), age(), age()).prop_map(|(sex, age_min, age_max)| Gate { sex, age_min, age_max })
}

proptest! {
    #[test]
    fn two_gates_meet_exactly_when_somebody_passes_both(a in gates(), b in gates()) {
        let everybody = [Sex::Female, Sex::Male].into_iter().flat_map(|sex| (0..9).map(move |age| (Some(sex), Some(age))));
        let somebody = everybody.clone().any(|(sex, age)| a.admits(sex, age) && b.admits(sex, age));
        prop_assert_eq!(a.meets(&b), somebody);
        prop_assert_eq!(b.meets(&a), somebody);
    }

    #[test]
    fn what_is_not_known_shuts_no_gate(gate in gates(), sex in sexes(), age in 0u32..9) {
        prop_assert!(gate.admits(None, None));
        // Knowing more can only shut a gate.
        prop_assert!(!gate.admits(sex, Some(age)) || (gate.admits(sex, None) && gate.admits(None, Some(age))));
    }
}

#[test]
fn gates_include_their_ages() {
    let gate = Gate { sex: Some(Sex::Female), age_min: Some(12), age_max: Some(55) };
    for (sex, age, admitted) in [
        (Some(Sex::Female), Some(12), true),
        (Some(Sex::Female), Some(55), true),
        (Some(Sex::Female), Some(11), false),
        (Some(Sex::Female), Some(56), false),
        (Some(Sex::Male), Some(30), false),
        (Some(Sex::Male), None, false),
        (None, Some(30), true),
        (None, Some(60), false),
    ] {
        assert_eq!(gate.admits(sex, age), admitted, "{sex:?} {age:?}");
    }
    assert!(Gate::default().admits(Some(Sex::Male), Some(130)));
}

#[test]
fn localised_values_fall_back_to_another_locale() {
    let both: Localized<String> = Localized([(Locale::Zh, "水".to_owned()), (Locale::En, "water".to_owned())].into());
    assert_eq!((both.text(Locale::Zh), both.text(Locale::En)), ("水", "water"));
    let one: Localized<String> = Localized([(Locale::En, "water".to_owned())].into());
    assert_eq!(one.text(Locale::Zh), "water");
    assert_eq!(Localized::<String>::default().text(Locale::Zh), "");
    let lists: Localized<Vec<String>> = Localized([(Locale::Zh, vec!["水".to_owned()])].into());
    assert_eq!(lists.list(Locale::En), ["水"]);
    assert!(Localized::<Vec<String>>::default().list(Locale::En).is_empty());
    assert_eq!(both.iter().map(|(locale, _)| locale).collect::<Vec<_>>(), Locale::ALL);
}

#[test]
fn tags_name_locales() {
    for (tag, locale) in [
        ("zh", Some(Locale::Zh)),
        ("zh-CN", Some(Locale::Zh)),
        ("ZH_hans", Some(Locale::Zh)),
        ("en_US.UTF-8", Some(Locale::En)),
        ("fr", None),
        ("english", None),
        ("", None),
    ] {
        assert_eq!(Locale::from_tag(tag), locale, "{tag}");
    }
    for locale in Locale::ALL {
        assert_eq!(Locale::from_tag(locale.tag()), Some(locale));
    }
}
