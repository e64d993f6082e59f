//! The engine in this process passes the conformance kit, for each family, and refuses what it should.

#![cfg(feature = "candle")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use wenzhen_llm::candle::random::{self, Shape, Store};
use wenzhen_llm::candle::{Candle, Form, LoadError, Options};
use wenzhen_llm::conformance::{Subject, check};
use wenzhen_llm::{Engine, Error, Finish, Message, Outcome, Request, Sampling};

fn options() -> Options {
    Options { slots: 3, waiting: 2, context: 2048, ..Options::default() }
}

fn written(shape: Shape, store: Store) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = random::write(shape, store, 5, folder.path()).unwrap();
    (folder, path)
}

fn open(path: &Path) -> Candle {
    Candle::open(path, &options()).unwrap()
}

fn request(text: &str, max_tokens: u32) -> Request {
    Request::new(vec![Message::system("You go on."), Message::user(text)], max_tokens)
}

async fn conforms(shape: Shape, store: Store) {
    let (_folder, path) = written(shape, store);
    check(|| async { Subject { engine: Arc::new(open(&path)), running: 3, waiting: 2 } }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qwen2_from_a_folder_keeps_the_contract() {
    conforms(Shape::TinyQwen2, Store::Folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qwen3_from_eight_bits_keeps_the_contract() {
    conforms(Shape::TinyQwen3, Store::GgufQ8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn llama_from_a_folder_keeps_the_contract() {
    conforms(Shape::TinyLlama, Store::Folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_computed_is_used_again_and_changes_nothing() {
    let (_folder, path) = written(Shape::TinyQwen3, Store::Folder);
    let engine = open(&path);
    let fresh = Candle::open(&path, &Options { reuse: false, ..options() }).unwrap();
    let long = "a rule to keep to. ".repeat(30);
    for text in ["first", "second", "first and more"] {
        let request = || Request::new(vec![Message::system(long.clone()), Message::user(text)], 12);
        let (reused, end) = engine.submit(request()).unwrap().whole().await;
        let (computed, _) = fresh.submit(request()).unwrap().whole().await;
        assert_eq!(reused, computed, "{text}");
        let expected = text != "first";
        assert_eq!(end.usage.reused_tokens > 300, expected, "{text}: {} reused", end.usage.reused_tokens);
    }
    assert_eq!(fresh.statistics().reused_tokens, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_together_shares_a_beginning() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let engine = open(&path);
    let long = "a rule to keep to. ".repeat(60);
    let requests =
        ["x", "y", "z"].map(|text| Request::new(vec![Message::system(long.clone()), Message::user(text)], 4));
    let together = requests.map(|request| engine.submit(request).unwrap());
    let mut reused = Vec::new();
    for generation in together {
        reused.push(generation.whole().await.1.usage.reused_tokens);
    }
    reused.sort_unstable();
    assert_eq!(reused[0], 0, "somebody computes it");
    assert!(reused[1] > 900 && reused[2] > 900, "the others wait for it: {reused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_held_to_its_schema() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::GgufQ8);
    let engine = open(&path);
    let schema = json!({
        "type": "object",
        "properties": { "kind": { "enum": ["one", "two", "三"] }, "count": { "type": "integer", "maximum": 99, "minimum": 0 },
                        "sure": { "type": "boolean" } },
        "required": ["kind", "count", "sure"],
        "additionalProperties": false,
    });
    for seed in 0..8 {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let request = Request { schema: Some(Arc::new(schema.clone())), sampling, ..request("go", 200) };
        let (text, end) = engine.submit(request).unwrap().whole().await;
        assert_eq!(end.outcome, Outcome::Finished(Finish::Stop), "{text}");
        let value: Value = serde_json::from_str(&text).expect(&text);
        assert!(["one", "two", "三"].contains(&value["kind"].as_str().unwrap()), "{text}");
        assert!((0..=99).contains(&value["count"].as_i64().unwrap()) && value["sure"].is_boolean(), "{text}");
    }
}

/// A text of a list of small objects: much of it is forced, or stood before.
fn list() -> Value {
    let item = json!({
        "type": "object",
        "properties": { "word": { "enum": ["a house on the hill", "a house by the sea"] }, "present": { "type": "boolean" } },
        "required": ["word", "present"],
        "additionalProperties": false,
    });
    json!({ "type": "array", "items": item, "minItems": 4, "maxItems": 4 })
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_spare_passes_and_change_no_text() {
    for (shape, store) in [(Shape::TinyQwen2, Store::Folder), (Shape::TinyQwen3, Store::GgufQ8)] {
        let (_folder, path) = written(shape, store);
        let (guessing, plain) = (open(&path), Candle::open(&path, &Options { guess: false, ..options() }).unwrap());
        let repeated = "one, two, one, two, one, two, one";
        let mut requests = Vec::new();
        for seed in 0..4 {
            let warm = Sampling { temperature: 0.7, top_p: 0.9, repetition_penalty: 1.1, seed, ..Sampling::default() };
            let sampling = if seed == 0 { Sampling::default() } else { warm };
            requests.push(Request { sampling, ..request(repeated, 60) });
            requests.push(Request { sampling, stop: vec!["e".into()], ..request(repeated, 60) });
            requests.push(Request { sampling, schema: Some(Arc::new(list())), ..request(repeated, 200) });
        }
        let mut passes = [0, 0];
        for request in requests {
            let mut ends = Vec::new();
            for (engine, passes) in [&guessing, &plain].into_iter().zip(&mut passes) {
                let (text, end) = engine.submit(request.clone()).unwrap().whole().await;
                *passes = engine.statistics().steps;
                ends.push((text, end.outcome, end.usage.generated_tokens));
            }
            assert_eq!(ends[0], ends[1], "{request:?}");
        }
        let made = guessing.statistics();
        assert!(made.held_tokens > 0 && made.held_tokens <= made.guessed_tokens, "{made:?}");
        assert_eq!(passes[1] - passes[0], made.held_tokens, "each guess that held spared a pass: {made:?}");
        assert_eq!(plain.statistics().guessed_tokens, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_beside_others_changes_no_text_of_theirs() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let alone = Candle::open(&path, &Options { guess: false, ..options() }).unwrap();
    let engine = open(&path);
    let requests = ["a b a b a b", "c c c c c", "one, two, one, two"].map(|text| request(text, 40));
    let together = requests.clone().map(|request| engine.submit(request).unwrap());
    for (generation, request) in together.into_iter().zip(requests) {
        let (text, _) = alone.submit(request).unwrap().whole().await;
        assert_eq!(generation.whole().await.0, text);
    }
    assert!(engine.statistics().held_tokens > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_schema_fails_alone() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let engine = open(&path);
    let impossible = [
        json!({ "type": "string", "minLength": 5, "maxLength": 2 }),
        json!(false),
        json!({ "type": "no such type" }),
        json!({ "$ref": "#/nowhere" }),
    ];
    for schema in impossible {
        let result = engine.submit(Request { schema: Some(Arc::new(schema.clone())), ..request("go", 8) });
        assert!(matches!(result.as_ref().err(), Some(Error::Schema(_))), "{schema}: {:?}", result.err());
    }
    let (text, _) = engine.submit(request("go", 8)).unwrap().whole().await;
    assert!(!text.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialogue_too_long_is_refused_whole() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let engine = Candle::open(&path, &Options { context: 256, ..options() }).unwrap();
    assert_eq!(engine.model().context_tokens, 256);
    match engine.submit(request(&"word ".repeat(200), 8)).err() {
        Some(Error::ContextOverflow { tokens, limit: 256 }) => assert!(tokens > 900, "{tokens}"),
        other => panic!("{other:?}"),
    }
    let (_, end) = engine.submit(request(&"x".repeat(150), 800)).unwrap().whole().await;
    assert_eq!(end.outcome, Outcome::Finished(Finish::Length));
    assert_eq!(end.usage.prompt_tokens + end.usage.generated_tokens, 256, "the context is filled, not more");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_whole_characters() {
    let (_folder, path) = written(Shape::TinyLlama, Store::Folder);
    let engine = open(&path);
    for seed in 0..4 {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let (text, end) = engine.submit(Request { sampling, ..request("说", 200) }).unwrap().whole().await;
        assert!(matches!(end.outcome, Outcome::Finished(_)) && !text.is_empty());
    }
}

#[test]
fn a_cut_file_is_refused() {
    for store in [Store::Folder, Store::GgufQ8] {
        let (_folder, path) = written(Shape::TinyQwen2, store);
        let file = if path.is_file() { path.clone() } else { path.join("model.safetensors") };
        let whole = std::fs::read(&file).unwrap();
        for length in [0, 3, 100, whole.len() / 2, whole.len() - 40] {
            std::fs::write(&file, &whole[..length]).unwrap();
            let error = Candle::open(&path, &options()).err().unwrap_or_else(|| panic!("{length} bytes were served"));
            assert!(matches!(error, LoadError::Damaged { .. } | LoadError::File { .. }), "{length}: {error}");
        }
    }
}

/// Changes a JSON file of a random model and says how loading it fails.
fn spoilt(name: &str, spoil: impl FnOnce(&mut Value)) -> LoadError {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let file = path.join(name);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    spoil(&mut json);
    std::fs::write(&file, serde_json::to_vec(&json).unwrap()).unwrap();
    Candle::open(&path, &options()).err().expect("it was served")
}

#[test]
fn a_wrong_model_is_refused() {
    let error = spoilt("config.json", |json| json["model_type"] = json!("mamba"));
    assert!(matches!(error, LoadError::Unsupported(ref what) if what.contains("mamba")), "{error}");
    let error = spoilt("config.json", |json| json["hidden_size"] = json!(128));
    assert!(matches!(error, LoadError::Shape { .. }), "{error}");
    let error = spoilt("config.json", |json| json["num_hidden_layers"] = json!(3));
    assert!(matches!(error, LoadError::Missing(ref name) if name.contains("layers.2")), "{error}");
    let error = spoilt("config.json", |json| json["num_hidden_layers"] = json!(1));
    assert!(matches!(error, LoadError::Unsupported(ref what) if what.contains("layers.1")), "{error}");
    let error = spoilt("config.json", |json| json["rope_scaling"] = json!({ "type": "longrope" }));
    assert!(matches!(error, LoadError::Unsupported(ref what) if what.contains("longrope")), "{error}");
}

#[test]
fn a_tokenizer_that_does_not_match_is_refused() {
    let grown = |json: &mut Value| json["model"]["vocab"]["zz"] = json!(5000);
    let error = spoilt("tokenizer.json", grown);
    assert!(matches!(error, LoadError::Tokenizer(_)), "{error}");
    let error = spoilt("config.json", |json| json["vocab_size"] = json!(100));
    assert!(matches!(error, LoadError::Tokenizer(_)), "{error}");
    let error = spoilt("tokenizer.json", |json| json["decoder"] = Value::Null);
    assert!(matches!(error, LoadError::Tokenizer(_)), "{error}");
}

#[test]
fn a_missing_template_is_refused() {
    let error = spoilt("tokenizer_config.json", |json| *json = json!({}));
    assert!(matches!(error, LoadError::Template(_)), "{error}");
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let file = path.join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    // bf16 NaN over the last matrix.
    bytes[length - 4000..].fill(0xFF);
    std::fs::write(&file, bytes).unwrap();
    for form in [Form::Stored, Form::Q8] {
        let error = Candle::open(&path, &Options { form, ..options() }).err().expect("it was served");
        assert!(matches!(error, LoadError::NotANumber), "{error}");
    }
}

#[test]
fn more_than_the_memory_is_refused() {
    let (_folder, path) = written(Shape::TinyQwen2, Store::Folder);
    let error = Candle::open(&path, &Options { slots: 200_000_000, ..options() }).err().expect("it was served");
    assert!(matches!(error, LoadError::Memory { .. }), "{error}");
}
