//! The `wenzhen` command as scripts use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::words::words;

fn wenzhen(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wenzhen"))
        .args(arguments)
        .env_remove("LANG")
        .env_remove("LC_ALL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A scripted chat in memory; its lines of output.
fn chat(arguments: &[&str], lines: &[&str]) -> Vec<Value> {
    let all = [&["chat", "--json", "--memory"], arguments].concat();
    let output = wenzhen(&all, lines.join("\n").as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "nothing but the output");
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

/// The ends of the turns.
fn completed(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter_map(|line| line.get("completed")).collect()
}

#[test]
fn a_script_gets_its_answers_and_no_echo() {
    let complaint = &words().messages.complaint;
    let lines = chat(&["--lang", "zh"], &[complaint, "", &words().zh.person]);
    let started = &lines[0];
    for key in ["consultationId", "token", "consent", "opening", "pins"] {
        assert!(started.get(key).is_some(), "no {key} in {started}");
    }
    assert_eq!(completed(&lines).len(), 2, "an empty line is no message; the chat ends with its input");
    assert!(lines.iter().all(|line| !line.to_string().contains(complaint.as_str())), "the input is not echoed");
    assert!(lines.iter().any(|line| line.get("question").is_some()));
    assert!(lines.last().unwrap().get("completed").is_some(), "the end of the turn is its last line");
    let streamed: String = lines.iter().filter_map(|line| line["text"]["text"].as_str()).collect();
    let whole: String = completed(&lines).iter().filter_map(|end| end["text"].as_str()).collect();
    assert_eq!(streamed, whole);
}

#[test]
fn the_language_of_the_first_words_can_be_chosen() {
    for (lang, voice) in [("zh", wenzhen_pack::Locale::Zh), ("en", wenzhen_pack::Locale::En)] {
        let lines = chat(&["--lang", lang], &[]);
        let opening = &support::pack().voice(voice).unwrap().orchestrator.opening;
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["opening"], **opening);
    }
}

#[test]
fn what_is_known_beforehand_is_not_asked() {
    let known = ["--patient", "age=34,sex=f,pregnant=no,allergy=penicillin"];
    let lines = chat(&known, &[&words().messages.complaint, "/export"]);
    let export = lines.last().unwrap();
    let patient = &export["consultation"]["patient"];
    assert_eq!((patient["ageMonths"].as_u64(), patient["sex"].as_str()), (Some(408), Some("SEX_FEMALE")));
    assert_eq!((patient["pregnant"].as_bool(), &patient["allergies"][0]), (Some(false), &Value::from("penicillin")));
    let asks_context = |line: &Value| line["question"]["contextField"].as_str().is_some_and(|f| !f.is_empty());
    assert!(!lines.iter().any(asks_context), "{lines:#?}");
}

#[test]
fn commands_of_a_script_work() {
    let complaint = &words().messages.complaint;
    let lines = chat(&[], &["/undo", complaint, "/why", "/undo", "/export"]);
    assert_eq!(lines[1]["error"]["code"], "FailedPrecondition", "{}", lines[1]);
    let undone = lines.iter().find(|line| line.get("turn").is_some()).expect("an answer to /undo");
    assert_eq!(undone["turn"], 1);
    let export = lines.last().unwrap();
    assert!(export["markdown"].as_str().unwrap().contains(complaint.as_str()), "the record has the words");
    assert!(export["consultation"]["observations"].as_array().is_none_or(Vec::is_empty), "the turn was taken back");
}

#[test]
fn bytes_that_are_no_text_and_refused_lines_do_not_end_a_script() {
    let long = "x".repeat(9000);
    let input =
        [b"\xff\xfe\xc3\x28\n".as_slice(), long.as_bytes(), b"\n", words().messages.complaint.as_bytes()].concat();
    let output = wenzhen(&["chat", "--json", "--memory"], &input);
    assert!(output.status.success());
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors: Vec<&Value> = lines.iter().filter_map(|line| line.get("error")).collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["code"], "InvalidArgument");
    assert_eq!(completed(&lines).len(), 2, "the line that is no text, and the complaint");
}

#[test]
fn what_cannot_be_understood_is_said_clearly() {
    let rows: [(&[&str], i32, &str); 9] = [
        (&["--nonsense"], 2, "--nonsense"),
        (&["chat", "--lang", "fr"], 2, "zh"),
        (&["chat", "--json", "--memory", "--patient", "age=old"], 1, "age"),
        (&["chat", "--json", "--memory", "--patient", "height=3"], 1, "none of age"),
        (&["chat", "--json", "--memory", "--strategy", "guess"], 1, "strategy"),
        (&["chat", "--json", "--memory", "--store", "x"], 2, "--store"),
        (&["chat", "--json", "--connect", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
        (&["chat", "--json", "--memory", "--pack", "/nonexistent-pack"], 1, "/nonexistent-pack"),
        (&["serve", "--memory", "--clinician", "no-colon"], 1, "NAME:KEY"),
    ];
    for (arguments, code, says) in rows {
        let output = wenzhen(arguments, b"");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{arguments:?}: {said}");
    }
}

#[test]
fn pack_check_reports_the_embedded_pack() {
    let output = wenzhen(&["pack", "check"], b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let manifest = &support::pack().manifest;
    let head = format!("{} {} (", manifest.id, manifest.version);
    assert!(text(&output.stdout).contains(&head), "{}", text(&output.stdout));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

#[test]
fn pack_check_names_file_and_line_of_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("pack");
    copy(&support::folder("../packs/tcm"), &pack);
    let path = pack.to_str().unwrap();
    assert!(wenzhen(&["pack", "check", path], b"").status.success());
    let findings = fs::read_to_string(pack.join("findings.jsonl")).unwrap();
    let mut lines: Vec<&str> = findings.lines().collect();
    lines[2] = "{not json";
    fs::write(pack.join("findings.jsonl"), lines.join("\n")).unwrap();
    let output = wenzhen(&["pack", "check", path], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("findings.jsonl:3"), "{}", text(&output.stderr));
    fs::write(pack.join("findings.jsonl"), findings).unwrap();
    fs::write(pack.join("pack.toml"), "id = 3\n").unwrap();
    let output = wenzhen(&["pack", "check", path], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("pack.toml:1"), "{}", text(&output.stderr));
    let output = wenzhen(&["pack", "check", folder.path().join("nothing").to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing"), "{}", text(&output.stderr));
}
