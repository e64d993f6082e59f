//! Checks the `openai` engine against a real server: `openai_check URL MODEL [KEY_FILE [object-schema]]`. Whatever the model says will do;
//! how it comes is looked at. Waits a minute for the server to be there.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use wenzhen_llm::openai::{JsonForm, OpenAi, Settings};
use wenzhen_llm::{Engine as _, Error, Event, Finish, Message, Outcome, Request};

/// How long the server is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(model)) = (args.next(), args.next()) else {
        say("openai_check URL MODEL [KEY_FILE [object-schema]]");
        return ExitCode::from(2);
    };
    let key_file = args.next().map(Into::into);
    let json =
        if args.next().as_deref() == Some("object-schema") { JsonForm::ObjectSchema } else { JsonForm::JsonSchema };
    let settings = Settings { key_file, json, ..Settings::new(vec![url], model) };
    let engine = match OpenAi::start(settings, Handle::current()) {
        Ok(engine) => engine,
        Err(error) => {
            say(&error.to_string());
            return ExitCode::from(2);
        }
    };
    match all(&engine).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            say(&format!("FAILED: {wrong}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}

fn request(words: &str, max_tokens: u32) -> Request {
    Request::new(vec![Message::system("Answer."), Message::user(words)], max_tokens)
}

async fn all(engine: &OpenAi) -> Result<(), String> {
    up(engine).await?;
    let (text, end) = whole(engine, request("One, two, three", 24)).await?;
    require((1..=24).contains(&end.generated_tokens), "tokens are counted")?;
    // Some servers stream no counts: what they sent is counted then, and nothing is known of the prompt.
    let prompt = if end.prompt_tokens > 0 { end.prompt_tokens.to_string() } else { "an unknown number".to_owned() };
    say(&format!("ok: a stream of {} bytes, {} tokens after a prompt of {prompt}", text.len(), end.generated_tokens));
    require(whole(engine, request("One, two, three", 24)).await?.0 == text, "the same request gives the same text")?;
    say("ok: greedy text is the same again");
    let schema = json!({
        "type": "object",
        "properties": {"state": {"enum": ["present", "denied"]}, "sure": {"type": "boolean"}},
        "required": ["state", "sure"],
        "additionalProperties": false,
    });
    let (text, _) = whole(engine, Request { schema: Some(Arc::new(schema)), ..request("Fill the form.", 200) }).await?;
    let form: Value = serde_json::from_str(&text).map_err(|_| "the server does not hold to a schema".to_owned())?;
    require(form["sure"].is_boolean() && form["state"].is_string(), "the form is filled")?;
    say("ok: JSON is held to its schema");
    dropped(engine).await?;
    let long = engine.submit(request(&"many words ".repeat(3000), 24)).map_err(|e| e.to_string())?.whole().await.1;
    // Some servers begin a stream and break it off without a word.
    let told = match long.outcome {
        Outcome::Failed(Error::ContextOverflow { .. }) => "is told apart",
        Outcome::Failed(Error::Unavailable(_)) => "fails (this server does not say why)",
        other => return Err(format!("too long: {other:?}")),
    };
    say(&format!("ok: a prompt that is too long {told}"));
    let late = Request { deadline: Some(Instant::now() + Duration::from_millis(5)), ..request("One", 1000) };
    let late = engine.submit(late).map_err(|e| e.to_string())?.whole().await.1;
    require(late.outcome == Outcome::Failed(Error::Deadline), &format!("a deadline: {:?}", late.outcome))?;
    say("ok: a deadline ends it");
    let statistics = engine.statistics();
    require((statistics.running, statistics.waiting) == (0, 0), "nothing is left behind")?;
    say("all is well");
    Ok(())
}

async fn up(engine: &OpenAi) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let end = engine.submit(request("Are you there?", 1)).map_err(|e| e.to_string())?.whole().await.1;
        match end.outcome {
            Outcome::Finished(_) => return Ok(()),
            other if began.elapsed() > PATIENCE => return Err(format!("the server is not there: {other:?}")),
            _ => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

async fn whole(engine: &OpenAi, request: Request) -> Result<(String, wenzhen_llm::Usage), String> {
    let (text, end) = engine.submit(request).map_err(|e| e.to_string())?.whole().await;
    match end.outcome {
        Outcome::Finished(Finish::Stop | Finish::Length) => Ok((text, end.usage)),
        other => Err(format!("a generation ended as {other:?}")),
    }
}

/// A generation that is dropped leaves room for another one.
async fn dropped(engine: &OpenAi) -> Result<(), String> {
    let mut generation = engine.submit(request("Count without an end", 300)).map_err(|e| e.to_string())?;
    let first = generation.next().await;
    require(matches!(first, Some(Event::Text(_))), "a text comes first")?;
    drop(generation);
    whole(engine, request("One", 4)).await?;
    say("ok: a dropped generation gives way");
    Ok(())
}

fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
