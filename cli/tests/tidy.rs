//! House rules that neither compiler nor linter knows, checked over the files of the repository.
//!
//! A rule that fails names every line that breaks it. What is mended is that line, not the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod terms;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use terms::Terms;
use tree::{File, assert_none, file, files, rust};

/// Most lines of a Rust file.
const MAX_LINES: usize = 600;

#[test]
fn no_crate_but_the_cli_depends_on_a_service() {
    let services: BTreeSet<String> = manifests("services/").map(|(_, manifest)| package(&manifest)).collect();
    assert!(services.len() >= 5, "only {} services found", services.len());
    let renamed = renamed(&file("Cargo.toml").text().unwrap().parse().unwrap());
    let mut offences = Vec::new();
    for (path, manifest) in manifests("services/").chain(manifests("crates/")).chain(manifests("proto/")) {
        let depends = dependencies(&manifest, &renamed);
        offences.extend(depends.intersection(&services).map(|service| format!("{path} depends on {service}")));
    }
    assert_none("what two services need lives in crates/; only the cli wires services", &offences);
}

#[test]
fn no_medical_term_is_in_a_rust_file() {
    let terms = Terms::of_pack("packs/tcm");
    let mut offences = Vec::new();
    for file in rust().filter(|file| !file.path.starts_with("packs/")) {
        let found = terms.find(file.text().unwrap_or_default());
        offences.extend(found.iter().map(|(line, term)| format!("{}:{line}: {term}", file.path)));
    }
    assert_none("medical knowledge is data of a pack, tests included", &offences);
}

#[test]
fn a_planted_medical_term_is_found() {
    let terms = Terms::of_pack("packs/tcm");
    let (han, latin) = terms.samples();
    let text = format!("// a line\nlet a = \"我{han}了\";\nfn {}_of() {{}}\n", latin.replace(' ', "_"));
    let lines: Vec<usize> = terms.find(&text).into_iter().map(|(line, _)| line).collect();
    assert!(lines.contains(&2) && lines.contains(&3), "{han} in line 2 and {latin} in line 3, found in {lines:?}");
    assert!(terms.find("// the policy asks, or gives a verdict").is_empty());
}

#[test]
fn the_folder_of_a_proto_is_its_package() {
    let mut offences = Vec::new();
    for file in protos() {
        let folder = file.path.strip_prefix("proto/").and_then(|path| path.rsplit_once('/')).map_or("", |(dir, _)| dir);
        let expected = format!("package {};", folder.replace('/', "."));
        if !file.lines().any(|(_, line)| line == expected) {
            offences.push(format!("{}: expected `{expected}`", file.path));
        }
        if !folder.rsplit('/').next().is_some_and(|version| version.starts_with('v')) {
            offences.push(format!("{}: the package does not end in a version", file.path));
        }
    }
    assert_none("a proto lies in the folder of its package", &offences);
}

#[test]
fn everything_in_a_proto_has_a_comment() {
    let mut offences = Vec::new();
    for file in protos() {
        let bare = without_comment(file.text().unwrap());
        offences.extend(bare.iter().map(|(line, text)| format!("{}:{line}: {text}", file.path)));
    }
    assert_none("a comment with unit, range and the meaning of unset stands above", &offences);
}

#[test]
fn a_bare_proto_field_is_found() {
    let proto = "// M.\nmessage M {\n  // Good.\n  int32 a = 1;\n  int32 b = 2;\n  // Good too,\n  // in two lines.\n  \
                 rpc R(A)\n    returns (B);\n  reserved 4;\n}\nenum E {\n  // Z.\n  E_UNSPECIFIED = 0;\n\n  E_ONE = 1;\n}\n";
    let lines: Vec<usize> = without_comment(proto).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [5, 12, 16]);
}

#[test]
fn the_environment_is_read_by_config_only() {
    let reads = [concat!("env::", "var("), concat!("env::", "vars(")];
    let elsewhere = rust().filter(|file| file.name() != "config.rs");
    assert_none("clap reads the environment once, into a config struct", &mentions(elsewhere, &reads));
}

#[test]
fn every_crate_says_what_it_is() {
    let mut offences = Vec::new();
    for manifest in files().iter().filter(|file| file.name() == "Cargo.toml" && file.path != "Cargo.toml") {
        let source = format!("{}/src/", manifest.path.trim_end_matches("/Cargo.toml"));
        let roots = rust().filter(|file| [format!("{source}lib.rs"), format!("{source}main.rs")].contains(&file.path));
        let (with, without): (Vec<_>, Vec<_>) = roots.partition(|file| file.text().unwrap().starts_with("//!"));
        if with.is_empty() && without.is_empty() {
            offences.push(format!("{source}: neither lib.rs nor main.rs"));
        }
        offences.extend(without.iter().map(|file| file.path.clone()));
    }
    assert_none("a crate opens with `//!`", &offences);
}

#[test]
fn no_rust_file_is_too_long() {
    let long = rust().map(|file| (file, file.lines().count())).filter(|(_, lines)| *lines > MAX_LINES);
    let offences: Vec<_> = long.map(|(file, lines)| format!("{}: {lines} lines", file.path)).collect();
    assert_none("a file holds one idea", &offences);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together from parts, or this file would break its own rule.
    let gaps = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("#[ig", "nore")];
    assert_none("what is not there is not merged, and every test runs", &mentions(rust(), &gaps));
}

#[test]
fn no_path_of_a_machine_is_in_a_file() {
    // Built from parts, for the same reason.
    let roots = ["root", "home", "work", "tmp", "Users"].map(|name| format!("/{name}/"));
    let mut offences = Vec::new();
    for file in files() {
        for (number, line) in file.lines() {
            if roots.iter().any(|root| holds_path(line, root)) {
                offences.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none("a path of one machine means nothing on another", &offences);
}

#[test]
fn every_file_of_a_pack_is_text() {
    let packs: Vec<&File> = files().iter().filter(|file| file.path.starts_with("packs/")).collect();
    assert!(packs.len() >= 10, "only {} files under packs/", packs.len());
    let broken = packs.iter().filter(|file| file.text().is_none_or(|text| text.starts_with('\u{feff}')));
    let offences: Vec<_> = broken.map(|file| file.path.clone()).collect();
    assert_none("a pack is UTF-8 without a byte order mark", &offences);
}

#[test]
fn decisions_are_pure() {
    let modules = ["policy", "recorder", "state", "replay", "view"];
    let pure = |path: &str| {
        modules.iter().any(|module| {
            let module = format!("services/orchestrator/src/{module}");
            path == format!("{module}.rs") || path.starts_with(&format!("{module}/"))
        }) || ["services/kg/src/strategy/", "crates/facts/src/", "crates/language/src/"]
            .iter()
            .any(|at| path.starts_with(at))
    };
    for module in modules {
        let rest = format!("services/orchestrator/src/{module}");
        let found = rust().any(|file| file.path.strip_prefix(&rest).is_some_and(|rest| rest.starts_with(['.', '/'])));
        assert!(found, "{rest} is gone: mend the rule that names it");
    }
    let impure = [
        "tokio::",
        "std::time::SystemTime",
        "SystemTime::now",
        "Instant::now",
        "rand::random",
        "rand::rng",
        "thread_rng",
        "std::fs",
        "std::net",
        "std::{fs",
        "std::{net",
    ];
    assert_none(
        "no clock, no I/O, no randomness but a seed",
        &mentions(rust().filter(|file| pure(&file.path)), &impure),
    );
}

/// Lines that hold one of the needles outside a comment.
fn mentions<'a>(files: impl Iterator<Item = &'a File>, needles: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut looked = 0;
    for file in files {
        looked += 1;
        for (number, line) in file.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if needles.iter().any(|needle| line.contains(needle)) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert!(looked > 0, "no file to look at");
    found
}

/// Whether the line holds a path from that root: `a/tmp/b` is none, since it starts in the middle.
fn holds_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/*}$)".contains(c))
    })
}

fn protos() -> Vec<&'static File> {
    let protos: Vec<_> = files().iter().filter(|file| file.path.ends_with(".proto")).collect();
    assert!(protos.len() >= 7, "only {} protos found", protos.len());
    protos
}

/// Declarations without a comment in the line above; a declaration may run over several lines.
fn without_comment(proto: &str) -> Vec<(usize, &str)> {
    const EXEMPT: [&str; 7] = ["}", "syntax ", "package ", "import ", "option ", "reserved ", "extensions "];
    let mut bare = Vec::new();
    let (mut starts, mut commented) = (true, false);
    for (index, line) in proto.lines().enumerate() {
        let line = line.trim();
        let comment = line.starts_with("//");
        if !comment && !line.is_empty() {
            if starts && !commented && !EXEMPT.iter().any(|exempt| line.starts_with(exempt)) {
                bare.push((index + 1, line));
            }
            let code = line.split("//").next().unwrap_or_default().trim_end();
            starts = code.ends_with([';', '{', '}']);
        }
        commented = comment;
    }
    bare
}

/// The manifests of the crates below a folder.
fn manifests(folder: &str) -> impl Iterator<Item = (&'static str, toml::Table)> {
    let found = files().iter().filter(move |file| file.path.starts_with(folder) && file.name() == "Cargo.toml");
    found.map(|file| (file.path.as_str(), file.text().unwrap().parse().unwrap()))
}

fn package(manifest: &toml::Table) -> String {
    manifest["package"]["name"].as_str().unwrap().to_owned()
}

/// Names under which the workspace gives a crate that is called otherwise.
fn renamed(workspace: &toml::Table) -> BTreeMap<String, String> {
    let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
    let rename =
        |(name, value): (&String, &toml::Value)| Some((name.clone(), value.get("package")?.as_str()?.to_owned()));
    dependencies.iter().filter_map(rename).collect()
}

/// The crates that a manifest depends on in any way: of tests, of builds and of one platform too.
fn dependencies(manifest: &toml::Table, renamed: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(table.iter().map(|(name, value)| {
                    let package = value.get("package").and_then(toml::Value::as_str);
                    package.map_or_else(|| renamed.get(name).unwrap_or(name).clone(), str::to_owned)
                }));
            }
            "target" => {
                let platforms = table.values().filter_map(toml::Value::as_table);
                found.extend(platforms.flat_map(|platform| dependencies(platform, renamed)));
            }
            _ => {}
        }
    }
    found
}
