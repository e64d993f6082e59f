//! No rewriting whatever gets a wrong fact past the guard.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod common;

use std::sync::OnceLock;

use common::{draft, pack, rows};
use proptest::prelude::*;
use wenzhen_facts::{Guard, GuardReport, Released};
use wenzhen_pack::Pack;
use wenzhen_proto::clinical::v1::{Draft, Fact, FactKind, Locale};

struct World {
    guard: Guard,
    /// Names of conditions, formulas and herbs in both languages.
    terms: Vec<String>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let pack = pack();
        World { guard: Guard::new(&pack).unwrap(), terms: terms(&pack) }
    })
}

fn terms(pack: &Pack) -> Vec<String> {
    let conditions = pack.conditions.iter().flat_map(|c| [&c.disease, &c.pattern, &c.formula]);
    let names = conditions.chain(pack.herbs.iter().map(|h| &h.names));
    let mut all: Vec<String> = names.flat_map(|n| n.iter().map(|(_, name)| name.clone())).collect();
    all.retain(|name| name.chars().count() >= if name.is_ascii() { 4 } else { 2 });
    all.sort_unstable();
    all.dedup();
    all
}

/// Runs a text, cut at the given character counts.
fn run(draft: &Draft, text: &str, cuts: &[usize]) -> (Vec<Released>, GuardReport) {
    let mut session = world().guard.session(draft);
    let mut out = Vec::new();
    let mut rest = text;
    for cut in cuts.iter().cycle().take(if cuts.is_empty() { 0 } else { text.len() }) {
        let at = rest.char_indices().nth(*cut).map_or(rest.len(), |(i, _)| i);
        let (head, tail) = rest.split_at(at);
        out.extend(session.push(head));
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    out.extend(session.push(rest));
    let (last, report) = session.finish();
    out.extend(last);
    (out, report)
}

/// Puts the words of facts, whole or in halves, where a fragment asks for them.
fn echoes(draft: &Draft, text: &str) -> String {
    let mut out = text.to_owned();
    for (i, fact) in draft.facts.iter().enumerate() {
        let middle = fact.text.char_indices().nth(fact.text.chars().count() / 2).map_or(0, |(at, _)| at);
        let (head, tail) = fact.text.split_at(middle);
        for (part, words) in [fact.text.as_str(), head, tail].into_iter().enumerate() {
            out = out.replace(&format!("\u{1}{i}{part}\u{2}"), words);
        }
    }
    out
}

fn check(draft: &Draft, text: &str, cuts: &[usize]) -> Result<(), TestCaseError> {
    let text = echoes(draft, text);
    let text = text.as_str();
    let (out, report) = run(draft, text, &[]);
    let (pieces, pieces_report) = run(draft, text, cuts);
    prop_assert_eq!(&out, &pieces);
    prop_assert_eq!(report, pieces_report);
    let shown: String = out.iter().map(|r| r.text.as_str()).collect();
    let mut own = shown.clone();
    for fact in &draft.facts {
        prop_assert_eq!(shown.matches(&fact.text).count(), 1, "{:?} in {:?}", &fact.text, &shown);
        own = own.replace(&fact.text, "\u{0}");
    }
    prop_assert!(!own.chars().any(char::is_numeric), "{}", own);
    let lower = own.to_lowercase();
    for term in &world().terms {
        let found = match term.is_ascii() {
            true => format!(" {lower} ").contains(&format!(" {} ", term.to_lowercase())),
            false => own.contains(term.as_str()),
        };
        prop_assert!(!found, "{} in {}", term, own);
    }
    let first_own = out.iter().position(|r| !r.replaced).unwrap_or(out.len());
    let before: String = out.iter().take(first_own).map(|r| r.text.as_str()).collect();
    for fact in draft.facts.iter().filter(|fact| fact.kind() == FactKind::Urgency) {
        prop_assert!(before.contains(&fact.text), "{:?} is not first in {:?}", &fact.text, &shown);
    }
    Ok(())
}

/// A draft made of numbered sentences around facts that do not contain each other.
fn any_draft() -> impl Strategy<Value = Draft> {
    let frames = prop::sample::select(vec![
        "目前看来是{}。",
        "您没有{}。",
        "说到这里，{}，请放在心上。",
        "{}",
        "\n另外{}；",
        "It looks like {}. ",
        "There is no {}. ",
        "Please remember: {}, and ask me. ",
    ]);
    prop::collection::vec((frames, 1..=11_i32), 0..7).prop_map(|rows| {
        let mut text = String::new();
        let mut facts = Vec::new();
        for (i, (frame, kind)) in rows.into_iter().enumerate() {
            text.push_str(&frame.replace("{}", &format!("{{{{f{}}}}}", i + 1)));
            let letter = ["甲", "乙", "丙", "丁", "戊", "己", "庚"][i];
            facts.push(Fact {
                id: format!("f{}", i + 1),
                kind,
                text: format!("事实{letter}与{}9", (b'a' + i as u8) as char),
                subject_id: String::new(),
                clinician_only: false,
            });
        }
        Draft { locale: Locale::Zh.into(), text, facts }
    })
}

fn fixed_draft() -> impl Strategy<Value = Draft> {
    prop::sample::select(vec!["zh", "zh_urgent", "zh_negated", "en", "en_urgent"]).prop_map(draft)
}

/// Pieces of which hostile and careless rewritings are made.
fn fragment() -> impl Strategy<Value = String> {
    let hostile: Vec<String> = rows("hostile.jsonl").iter().map(|row| row.as_str().unwrap().to_owned()).collect();
    let harmless = vec![
        "我在听",
        "您辛苦了",
        "别着急",
        "I am here",
        "Thank you",
        "然后",
        "，",
        "。",
        "！",
        "? ",
        ". ",
        "\n",
        "\n\n",
        " ",
        "”",
        "；",
    ];
    prop_oneof![
        4 => (1..9_u32).prop_map(|i| format!("{{{{f{i}}}}}")),
        4 => prop::sample::select(harmless).prop_map(str::to_owned),
        2 => prop::sample::select(hostile),
        2 => any::<prop::sample::Index>().prop_map(|i| i.get(&world().terms).clone()),
        2 => (0..7_usize, 0..3_u8).prop_map(|(fact, part)| format!("\u{1}{fact}{part}\u{2}")),
        1 => ".{0,12}",
        1 => "[一-龥]{0,6}",
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..24).prop_map(|parts| parts.concat())
}

/// The draft's own text with pieces dropped, doubled, swapped or followed by something else.
fn mutated(draft: &Draft, changes: &[(prop::sample::Index, u8, String)]) -> String {
    let mut parts: Vec<String> = draft.text.split_inclusive(['。', '，', '.', ',', '\n']).map(str::to_owned).collect();
    for (at, change, text) in changes {
        if parts.is_empty() {
            break;
        }
        let i = at.index(parts.len());
        match change % 4 {
            0 => drop(parts.remove(i)),
            1 => parts.insert(i, parts[i].clone()),
            2 => parts.swap(i, 0),
            _ => parts.insert(i, text.clone()),
        }
    }
    parts.concat()
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, String)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), fragment()), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_about_a_real_draft(
        draft in fixed_draft(), text in any_text(), cuts in prop::collection::vec(0..9_usize, 1..6),
    ) {
        check(&draft, &text, &cuts)?;
    }

    #[test]
    fn any_text_about_any_draft(
        draft in any_draft(), text in any_text(), cuts in prop::collection::vec(0..9_usize, 1..6),
    ) {
        check(&draft, &text, &cuts)?;
    }

    #[test]
    fn a_mutated_draft(
        draft in prop_oneof![fixed_draft(), any_draft()],
        changes in changes(),
        cuts in prop::collection::vec(0..9_usize, 1..6),
    ) {
        check(&draft, &mutated(&draft, &changes), &cuts)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_very_long_text(
        draft in fixed_draft(), part in fragment(), repeats in 1..900_usize, cuts in prop::collection::vec(1..3000_usize, 1..4),
    ) {
        check(&draft, &part.repeat(repeats), &cuts)?;
    }
}
