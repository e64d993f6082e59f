//! A small pack loads; every way to break it is reported with its place.

mod tiny;

use tiny::{files, pack};
use wenzhen_pack::{Pack, PackError, PackErrors, PackFiles};

const FINDINGS: &str = "findings.jsonl";
const AMBIGUITIES: &str = "ambiguities.jsonl";
const CONDITIONS: &str = "conditions.jsonl";
const HERBS: &str = "herbs.jsonl";
const SAFETY: &str = "safety.toml";
const MANIFEST: &str = "pack.toml";
const TONGUE: &str = "tongue.toml";
const KNOWLEDGE: &str = "knowledge/machine.md";

/// One change of a file.
enum Edit {
    Remove(&'static str),
    /// Adds a file, or replaces its whole content.
    Write(&'static str, &'static [u8]),
    /// Replaces the first occurrence, which must be there.
    Swap(&'static str, &'static str, &'static str),
    /// Adds a line at the end.
    Add(&'static str, &'static str),
}
use Edit::{Add, Remove, Swap, Write};

/// File, line, field, and a part of "expected X, found Y".
type Place = (&'static str, Option<usize>, &'static str, &'static str);

fn apply(files: &mut PackFiles, edit: &Edit) {
    match *edit {
        Remove(path) => assert!(files.remove(path), "{path}"),
        Write(path, content) => files.insert(path, content),
        Swap(path, from, to) => tiny::swap(files, path, from, to),
        Add(path, line) => files.insert(path, format!("{}{line}\n", tiny::text(files, path))),
    }
}

/// Breaks the pack and wants exactly the mistakes in `places`, by file and line; says what differs.
fn check(edits: &[Edit], places: &[Place]) -> Option<String> {
    let mut files = files();
    edits.iter().for_each(|edit| apply(&mut files, edit));
    let Err(PackErrors(errors)) = Pack::load(&files) else { return Some(format!("it loads, wanted {places:#?}")) };
    let fits = |error: &PackError, (file, line, field, part): &Place| {
        let says = format!("expected {}, found {}", error.expected, error.found);
        let whole = error.to_string();
        (error.file.as_str(), error.line, error.field.as_str()) == (*file, *line, *field)
            && says.contains(part)
            && whole.starts_with(file)
            && whole.ends_with(&says)
    };
    let same = errors.len() == places.len() && errors.iter().zip(places).all(|(error, place)| fits(error, place));
    (!same)
        .then(|| format!("got {:#?}\nwanted {places:#?}", errors.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// One test per group of rows; each row: edits, and the mistakes wanted.
macro_rules! table {
    ($name:ident: $([$($edit:expr),+] => $($place:expr),+;)+) => {
        #[test]
        fn $name() {
            let failures: Vec<String> = [$(check(&[$($edit),+], &[$($place),+])),+].into_iter().flatten().collect();
            assert!(failures.is_empty(), "{}", failures.join("\n"));
        }
    };
}

#[test]
fn the_pack_itself_loads() {
    let pack = pack();
    assert_eq!((pack.findings.len(), pack.conditions.len(), pack.herbs.len()), (11, 3, 4));
    assert_eq!((pack.safety.cues.len(), pack.safety.red_flags.len(), pack.passages.len()), (3, 2, 4));
    assert!(pack.voices.is_empty());
    // A Chinese passage joins its lines without a space, an English one with it.
    assert_eq!(pack.passages[0].text, "水越硬，水垢越快。");
    assert_eq!(pack.passages[1].text, "The harder the water, the faster the scale.");
    assert!(pack.passages[2].conditions.is_empty());
}

table! { unreadable_files:
    [Remove(MANIFEST)] => (MANIFEST, None, "", "found no such file");
    [Remove(FINDINGS)] => (FINDINGS, None, "", "found no such file");
    [Remove(CONDITIONS)] => (CONDITIONS, None, "", "found no such file");
    [Write(FINDINGS, b"{}\n\xff\xfe")] => (FINDINGS, Some(2), "", "UTF-8");
    [Write(KNOWLEDGE, b"\xc3\x28")] => (KNOWLEDGE, Some(1), "", "UTF-8");
    [Write(SAFETY, b"[cue.smoke\n")] => (SAFETY, Some(1), "", "found");
    [Write("saftey.toml", b"")] => ("saftey.toml", None, "", "a file that nothing reads");
    // A voice is whole and in every locale, or there is none.
    [Write("voice/fr/expert.toml", b"")] => ("voice/en/empathy.toml", None, "", "no such file"),
        ("voice/en/expert.toml", None, "", "no such file"), ("voice/en/guidance.toml", None, "", "no such file"),
        ("voice/en/orchestrator.toml", None, "", "no such file"),
        ("voice/fr/expert.toml", None, "", "a file that nothing reads"), ("voice/zh/empathy.toml", None, "", "no such file"),
        ("voice/zh/expert.toml", None, "", "no such file"), ("voice/zh/guidance.toml", None, "", "no such file"),
        ("voice/zh/orchestrator.toml", None, "", "no such file");
}

table! { malformed_rows:
    [Add(HERBS, r#"{"id":"truncated","names":{"zh":"#)] => (HERBS, Some(5), "names", "found EOF");
    [Add(HERBS, r#"{"id":"x"} {"id":"y"}"#)] => (HERBS, Some(5), "", "expected field `names`");
    [Swap(HERBS, r#""cautions":null}"#, r#""cautions":null} {"id":"y"}"#)] => (HERBS, Some(1), "", "one object a line");
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":0.1,"colour":"red"}"#)]
        => (FINDINGS, Some(1), "colour", "found unknown field `colour`");
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":"often"}"#)]
        => (FINDINGS, Some(1), "base_rate", "expected f64, found invalid type: string");
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":NaN}"#)] => (FINDINGS, Some(1), "base_rate", "expected value, found something else");
    [Swap(FINDINGS, r#""kind":"symptom""#, r#""kind":"omen""#)] => (FINDINGS, Some(1), "kind", "unknown variant `omen`");
    [Swap(FINDINGS, r#""names":{"zh":"漏水""#, r#""names":{"cn":"漏水""#)]
        => (FINDINGS, Some(1), "names", "expected `zh` or `en`, found unknown variant `cn`");
    [Swap(FINDINGS, r#""names":{"zh":"漏水","en""#, r#""names":{"zh":"漏水","zh""#)]
        => (FINDINGS, Some(1), "names", "expected each locale once, found `zh` a second time");
    [Swap(FINDINGS, r#""id":"leak","#, "")] => (FINDINGS, Some(1), "", "expected field `id`, found nothing");
    [Swap(SAFETY, "level = \"emergency\"", "level = \"panic\"")] => (SAFETY, Some(21), "red_flag[0].level", "`emergency`");
    [Swap(SAFETY, "en = [\"sparks\"]", "eng = [\"sparks\"]")] => (SAFETY, Some(13), "cue.sparks.eng", "unknown field `eng`");
    [Swap(MANIFEST, "max_rounds = 5", "max_rounds = \"five\"")] => (MANIFEST, Some(8), "dialogue.max_rounds", "expected u32");
}

table! { manifest:
    [Swap(MANIFEST, "id = \"tiny\"", "id = \"Tiny\"")] => (MANIFEST, Some(1), "id", "found `Tiny`");
    [Swap(MANIFEST, "0.1.0", "1.0")] => (MANIFEST, Some(2), "version", "found `1.0`");
    [Swap(MANIFEST, "[\"zh\", \"en\"]", "[\"zh\", \"en\", \"zh\"]")] => (MANIFEST, Some(4), "locales", "each locale once");
    [Swap(MANIFEST, "chief = 0.8", "chief = nan")] => (MANIFEST, Some(17), "grades", "chief > common"),
        (MANIFEST, Some(18), "grades.chief", "found NaN");
    [Swap(MANIFEST, "chief = 0.8", "chief = 0.4")] => (MANIFEST, Some(17), "grades", "found 0.4 / 0.5 / 0.2");
    [Swap(MANIFEST, "abstain_posterior = 0.40", "abstain_posterior = 0.90")]
        => (MANIFEST, Some(12), "dialogue.abstain_posterior", "found 0.9 > 0.85");
    [Swap(MANIFEST, "findings_per_question = 2", "findings_per_question = 4")]
        => (MANIFEST, Some(9), "dialogue.findings_per_question", "expected 1 to 3, found 4");
}

table! { findings:
    [Write(FINDINGS, b""), Write(AMBIGUITIES, b""), Write(CONDITIONS, b""), Write(SAFETY, b""), Remove(KNOWLEDGE)]
        => (CONDITIONS, None, "", "at least one row"), (FINDINGS, None, "", "at least one row");
    [Swap(FINDINGS, r#""id":"too_hot""#, r#""id":"TooHot""#), Swap(CONDITIONS, "too_hot", "TooHot")]
        => (FINDINGS, Some(9), "id", "found `TooHot`");
    [Swap(FINDINGS, r#""id":"beans_gone""#, r#""id":"old_hose""#), Swap(FINDINGS, r#""implies":["beans_gone"]"#, r#""implies":[]"#)]
        => (FINDINGS, Some(11), "id", "found `old_hose` a second time");
    [Swap(FINDINGS, r#","en":"leak"}"#, "}")] => (FINDINGS, Some(1), "names.en", "found nothing");
    [Swap(FINDINGS, r#""zh":"漏水""#, r#""zh":" ""#)] => (FINDINGS, Some(1), "names.zh", "found an empty one");
    [Swap(FINDINGS, r#","en":["it drips","puddle under it"]"#, "")] => (FINDINGS, Some(1), "sayings.en", "found nothing");
    [Swap(FINDINGS, r#""it drips""#, r#""""#)] => (FINDINGS, Some(1), "sayings", "found an empty one");
    [Swap(FINDINGS, r#""wet underneath""#, r#""It drips""#)]
        => (FINDINGS, Some(2), "sayings", "found `It drips`, also of `leak`");
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":0}"#)] => (FINDINGS, Some(1), "base_rate", "between 0 and 1, found 0");
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":1}"#)] => (FINDINGS, Some(1), "base_rate", "between 0 and 1, found 1");
    [Swap(FINDINGS, r#""age_min":5"#, r#""age_min":5,"age_max":4"#)]
        => (FINDINGS, Some(11), "age_min", "found 5 > 4");
    [Swap(FINDINGS, r#""observable":["patient"]"#, r#""observable":[]"#)] => (FINDINGS, Some(1), "observable", "found none");
    [Swap(FINDINGS, r#""parent":"leak","axis""#, r#""axis""#)] => (FINDINGS, Some(2), "axis", "found no parent");
    [Swap(FINDINGS, r#""parent":"noise""#, r#""parent":"nose""#)]
        => (FINDINGS, Some(7), "parent", "an id that findings.jsonl defines, found `nose`");
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":0.1,"parent":"leak_bottom"}"#)]
        => (FINDINGS, Some(1), "parent", "found `leak` above itself"), (FINDINGS, Some(2), "parent", "found `leak_bottom` above itself");
    [Swap(FINDINGS, r#""implies":["beans_gone"]"#, r#""implies":["grinding"]"#)] => (FINDINGS, Some(7), "implies", "`grinding` itself");
    [Swap(FINDINGS, r#""implies":["beans_gone"]"#, r#""excludes":["noise"]"#)] => (FINDINGS, Some(7), "excludes", "found `noise`");
    [Swap(FINDINGS, r#""implies":["beans_gone"]"#, r#""implies":["beans_gon"]"#)] => (FINDINGS, Some(7), "implies[0]", "`beans_gon`");
    [Swap(FINDINGS, r#""excludes":["weak_coffee"]"#, r#""excludes":["weak"]"#)] => (FINDINGS, Some(5), "excludes[0]", "`weak`");
    [Swap(FINDINGS, r#""units":["度","°C"]"#, r#""units":[]"#)] => (FINDINGS, Some(9), "measure.units", "at least one unit");
    [Swap(FINDINGS, r#""present_from":96.0"#, r#""present_from":120"#)]
        => (FINDINGS, Some(9), "measure.present_from", "between 60 and 110, which are plausible, found 120");
    [Swap(FINDINGS, "[60.0,110.0]", "[110.0,60.0]")] => (FINDINGS, Some(9), "measure.plausible", "found [110, 60]");
}

table! { ambiguities:
    [Swap(AMBIGUITIES, r#"["weak_coffee","bitter_coffee"]"#, r#"["weak_coffee"]"#)]
        => (AMBIGUITIES, Some(1), "candidates", "two to four different findings, found 1");
    [Swap(AMBIGUITIES, r#""bitter_coffee""#, r#""weak_coffee""#)] => (AMBIGUITIES, Some(1), "candidates", "one of them twice");
    [Swap(AMBIGUITIES, r#""bitter_coffee""#, r#""sour_coffee""#)] => (AMBIGUITIES, Some(1), "candidates[1]", "`sour_coffee`");
    [Swap(AMBIGUITIES, r#""id":"tastes_bad""#, r#""id":"leak""#)] => (AMBIGUITIES, Some(1), "id", "`leak`, also a finding");
    [Swap(AMBIGUITIES, r#""tastes bad""#, r#""watery""#)] => (AMBIGUITIES, Some(1), "sayings", "`watery`, also of `weak_coffee`");
    [Swap(AMBIGUITIES, r#","en":["tastes bad"]"#, "")] => (AMBIGUITIES, Some(1), "sayings.en", "found nothing");
}

table! { conditions:
    [Swap(CONDITIONS, r#""id":"worn_seal""#, r#""id":"scaled""#)] => (CONDITIONS, Some(2), "id", "`scaled` a second time");
    [Swap(CONDITIONS, r#""prior":0.5"#, r#""prior":0"#)] => (CONDITIONS, Some(2), "prior", "a positive number, found 0");
    [Swap(CONDITIONS, r#","en":"remove the scale""#, "")] => (CONDITIONS, Some(1), "principle.en", "found nothing");
    [Swap(CONDITIONS, r#"["Rinse twice."]"#, r#"["Rinse twice.",""]"#)] => (CONDITIONS, Some(1), "advice.en", "an empty one");
    [Swap(CONDITIONS, r#""age_min":2"#, r#""age_min":9,"age_max":8"#)]
        => (CONDITIONS, Some(2), "age_min", "found 9 > 8");
    [Swap(CONDITIONS, r#""finding":"crust""#, r#""finding":"crumb""#)] => (CONDITIONS, Some(1), "findings[0].finding", "`crumb`");
    [Swap(CONDITIONS, r#""p":0.3"#, r#""p":0.3,"grade":"common""#)] => (CONDITIONS, Some(1), "findings[5].grade", "found both");
    [Swap(CONDITIONS, r#","p":0.3"#, "")] => (CONDITIONS, Some(1), "findings[5].grade", "found neither");
    [Swap(CONDITIONS, r#""p":0.3"#, r#""p":1"#)] => (CONDITIONS, Some(1), "findings[5].p", "found 1");
    [Swap(CONDITIONS, r#""finding":"crust""#, r#""finding":"noise""#)]
        => (CONDITIONS, Some(1), "findings[2].finding", "found a second edge to `noise`");
    [Swap(CONDITIONS, r#""finding":"weak_coffee","grade":"chief""#, r#""finding":"leak_spout","grade":"chief""#)]
        => (CONDITIONS, Some(3), "findings[0].expect", "found `leak_spout` below `leak`");
    [Swap(CONDITIONS, r#""age_min":2"#, r#""age_max":4"#)] => (CONDITIONS, Some(2), "findings[2].finding", "found `old_hose`");
    [Swap(CONDITIONS, r#"[{"finding":"weak_coffee","grade":"chief"},{"finding":"grinding","grade":"occasional"},{"finding":"noise","grade":"occasional"},{"finding":"leak","grade":"common","expect":"denied"}]"#, "[]")]
        => (CONDITIONS, Some(3), "findings", "at least one finding");
}

table! { plans:
    [Swap(HERBS, "[10,30]", "[30,10]")] => (HERBS, Some(1), "dose_g", "in order, found [30, 10]");
    [Swap(CONDITIONS, "[10,20]", "[0,20]")] => (CONDITIONS, Some(1), "herbs[0].dose_g", "positive and in order, found [0, 20]");
    [Swap(CONDITIONS, "[10,20]", "[10,40]")]
        => (CONDITIONS, Some(1), "herbs[0].dose_g", "within [10, 30], the herb's own range, found [10, 40] of `citric`");
    [Swap(CONDITIONS, r#""herb":"soda""#, r#""herb":"sode""#), Swap(CONDITIONS, r#""remove":["soda"]"#, r#""remove":[]"#)]
        => (CONDITIONS, Some(1), "herbs[1].herb", "an id that herbs.jsonl defines, found `sode`");
    [Swap(CONDITIONS, r#""herb":"soda","dose_g":[5,10]"#, r#""herb":"citric","dose_g":[10,10]"#), Swap(CONDITIONS, r#""remove":["soda"]"#, r#""remove":[]"#)]
        => (CONDITIONS, Some(1), "herbs[1].herb", "each herb once");
    [Swap(CONDITIONS, r#""citric","dose_g":[10,20]"#, r#""vinegar","dose_g":[50,60]"#), Swap(CONDITIONS, r#""herb":"soda","dose_g":[5,10]"#, r#""herb":"bleach","dose_g":[1,2]"#), Swap(CONDITIONS, r#""remove":["soda"]"#, r#""remove":[]"#)]
        => (CONDITIONS, Some(1), "herbs", "found `bleach` with `vinegar`");
    [Swap(CONDITIONS, r#""when":"noise""#, r#""when":"nose""#)] => (CONDITIONS, Some(1), "modifications[0].when", "`nose`");
    [Swap(CONDITIONS, r#""add":["vinegar"]"#, r#""add":["wine"]"#)] => (CONDITIONS, Some(1), "modifications[0].add", "`wine`");
    [Swap(CONDITIONS, r#""remove":["soda"]"#, r#""remove":["bleach"]"#)] => (CONDITIONS, Some(1), "modifications[0].remove", "`bleach`");
    [Swap(HERBS, r#""en":"smells""#, r#""en":"""#)] => (HERBS, Some(3), "cautions.en", "an empty one");
}

table! { safety:
    [Swap(SAFETY, "b = \"vinegar\"", "b = \"wine\"")] => (SAFETY, Some(4), "incompatible[0].b", "found `wine`");
    [Swap(SAFETY, "b = \"vinegar\"", "b = \"bleach\"")] => (SAFETY, Some(2), "incompatible[0]", "two different herbs");
    [Swap(SAFETY, "when = [[\"smoke\"]]", "when = [[]]")] => (SAFETY, Some(22), "red_flag[0].when[0]", "found an empty row");
    [Swap(SAFETY, "when = [[\"smoke\"]]", "when = []")] => (SAFETY, Some(22), "red_flag[0].when", "found an empty list");
    [Swap(SAFETY, "when = [[\"smoke\"]]", "when = [[\"smoke\", \"smok\"]]")]
        => (SAFETY, Some(22), "red_flag[0].when[0][1]", "defines as [cue.NAME], found `smok`");
    [Swap(SAFETY, "@age_under_3_years", "@age_under_3_year")]
        => (SAFETY, Some(30), "red_flag[1].when[1][1]", "@age_under_3_years, @age_over_60");
    [Swap(SAFETY, "id = \"shock\"", "id = \"fire\"")] => (SAFETY, Some(26), "red_flag[1].id", "`fire` a second time");
    [Swap(SAFETY, ", en = \"Pull the plug now.\"", "")] => (SAFETY, Some(23), "red_flag[0].message.en", "found nothing");
    [Swap(SAFETY, "findings = [\"leak\"]", "findings = [\"leek\"]")] => (SAFETY, Some(17), "cue.water_out.findings[0]", "`leek`");
    [Swap(SAFETY, "findings = [\"leak\"]", "past = false")] => (SAFETY, Some(16), "cue.water_out", "phrases or findings, found neither");
    [Swap(SAFETY, "en = [\"smoke\"]", "en = []")] => (SAFETY, Some(9), "cue.smoke.en", "found none");
    [Swap(SAFETY, "\"冒…烟\"", "\"…\"")] => (SAFETY, Some(8), "cue.smoke.zh", "found an empty one");
}

/// A table that is right once the crust counts as seen on a tongue.
const SEEN: &[u8] = b"[ask]\ngain_bits = 0.1\n\n[feature.lime]\nnone = { denied = [\"crust\"] }\nmuch = { present = [\"crust\"] }\n\n[[constitution]]\nid = \"hard\"\nnames = { zh = \"\xe7\xa1\xac\", en = \"hard\" }\nbias = 0.5\nsigns = [{ feature = \"lime\", class = \"much\", weight = 1.0 }]\n";
const CRUST: Edit = Swap(FINDINGS, r#""id":"crust","kind":"sign""#, r#""id":"crust","kind":"tongue""#);

#[test]
fn a_table_of_the_tongue_is_resolved_and_part_of_the_digest() {
    let mut files = files();
    let before = pack().digest;
    [CRUST, Write(TONGUE, SEEN)].iter().for_each(|edit| apply(&mut files, edit));
    let loaded = Pack::load(&files).unwrap_or_else(|errors| panic!("{errors}"));
    let table = loaded.tongue.as_ref().unwrap();
    let crust = loaded.finding("crust").unwrap();
    assert_eq!((table.features["lime"]["none"].denied.as_slice(), table.shows(crust)), (&[crust][..], true));
    assert_eq!(table.constitutions[0].signs[0].weight, 1.0);
    tiny::swap(&mut files, TONGUE, "weight = 1.0", "weight = 2.0");
    let other = Pack::load(&files).unwrap_or_else(|errors| panic!("{errors}")).digest;
    assert!(other != loaded.digest && loaded.digest != before);
}

table! { tongue:
    [Write(TONGUE, SEEN)] => (TONGUE, Some(5), "feature.lime.none.denied", "kind `tongue`"),
        (TONGUE, Some(6), "feature.lime.much.present", "kind `tongue` that `image` can observe, found `crust`");
    [CRUST, Write(TONGUE, SEEN), Swap(TONGUE, "present = [\"crust\"]", "present = [\"crumb\"]")]
        => (TONGUE, Some(6), "feature.lime.much.present[0]", "findings.jsonl defines, found `crumb`");
    [CRUST, Write(TONGUE, SEEN), Swap(TONGUE, "0.1", "0.0")] => (TONGUE, Some(2), "ask.gain_bits", "above 0, at most 10, found 0");
    [CRUST, Write(TONGUE, SEEN), Swap(TONGUE, "denied = [\"crust\"]", "denied = [\"crust\"], present = [\"crust\"]")]
        => (TONGUE, Some(5), "feature.lime.none.denied", "not in `present`, found `crust`");
    [CRUST, Write(TONGUE, SEEN), Swap(TONGUE, "class = \"much\"", "class = \"more\"")]
        => (TONGUE, Some(12), "constitution[0].signs[0]", "[feature] defines, found `lime.more`");
    [CRUST, Write(TONGUE, SEEN), Swap(TONGUE, "bias = 0.5", "bias = 50")]
        => (TONGUE, Some(11), "constitution[0].bias", "nats from -10 to 10, found 50");
    [CRUST, Write(TONGUE, SEEN), Swap(TONGUE, "gain_bits", "gain_bit")] => (TONGUE, Some(2), "ask.gain_bit", "unknown field");
}

table! { passages:
    [Swap(KNOWLEDGE, "## scale.en | scaled | Manual", "## scale.en | Manual")] => (KNOWLEDGE, Some(8), "heading", "`## id | condition");
    [Swap(KNOWLEDGE, "## care.zh |", "##care.zh |")] => (KNOWLEDGE, Some(13), "heading", "found `##care.zh");
    [Swap(KNOWLEDGE, "## care.en", "## care.eng")] => (KNOWLEDGE, Some(13), "id", "found no `care.en`"),
        (KNOWLEDGE, Some(17), "id", "of the form name.zh or name.en, found `care.eng`");
    [Swap(KNOWLEDGE, "## care.zh", "## scale.zh"), Swap(KNOWLEDGE, "## care.en", "## scale.en")]
        => (KNOWLEDGE, Some(13), "id", "`scale.zh` a second time"), (KNOWLEDGE, Some(17), "id", "`scale.en` a second time");
    [Swap(KNOWLEDGE, "| scaled |", "| scaled, rusty |")] => (KNOWLEDGE, Some(3), "conditions", "an id that conditions.jsonl defines, found `rusty`");
    [Swap(KNOWLEDGE, "Clean it once a week.", "")] => (KNOWLEDGE, Some(17), "text", "a text below the heading");
}

table! { several_at_once:
    [Swap(FINDINGS, r#""base_rate":0.1}"#, r#""base_rate":7}"#), Swap(HERBS, "[1,2]", "[2,1]"),
     Swap(CONDITIONS, r#""prior":0.8"#, r#""prior":-1"#), Swap(SAFETY, "[[\"smoke\"]]", "[[\"fog\"]]"),
     Swap(MANIFEST, "retention_days = 30", "retention_days = 0"), Swap(KNOWLEDGE, "| scaled |", "| scale |")]
        => (CONDITIONS, Some(3), "prior", "found -1"), (FINDINGS, Some(1), "base_rate", "found 7"),
           (HERBS, Some(4), "dose_g", "found [2, 1]"), (KNOWLEDGE, Some(3), "conditions", "`scale`"),
           (MANIFEST, Some(24), "release.retention_days", "found 0"), (SAFETY, Some(22), "red_flag[0].when[0][0]", "`fog`");
    // Two rows that cannot be read, in two files; references wait until they can be.
    [Add(FINDINGS, "{"), Add(HERBS, "]"), Swap(CONDITIONS, r#""finding":"crust""#, r#""finding":"crumb""#)]
        => (FINDINGS, Some(12), "", "EOF"), (HERBS, Some(5), "", "found");
}
