//! `wenzhen chat --json`: one message a line in, one protobuf-JSON object a line out.
//!
//! The first line is the `StartConsultationResponse`, every other one a `SendMessageResponse` (or the
//! response of a command such as `/undo` or `/tongue PATH`). A refused call is `{"error": {"code", "message"}}`. The
//! input is not echoed; the chat ends with its input.

use std::io::Write as _;
use std::path::Path;

use prost::Message;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tonic::Status;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;

use super::connect::{Connection, start_request};
use super::json_form;
use crate::args::ChatArgs;
use crate::client::Session;
use crate::photo::Photo;

const PACKAGE: &str = "wenzhen.orchestrator.v1";

/// Runs a script from standard input.
///
/// # Errors
/// When nothing can be started; a refused message is an output line.
pub async fn run(args: ChatArgs) -> anyhow::Result<()> {
    let connection = Connection::open(&args).await?;
    let locale = args.lang.map(Into::into);
    let (mut session, started) = Session::start(connection.channel.clone(), start_request(&args, locale)?).await?;
    print("StartConsultationResponse", &started)?;
    let mut lines = BufReader::new(tokio::io::stdin()).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        // Bytes that are no UTF-8 cannot be put into a message; they are shown as such.
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if line.is_empty() {
            continue;
        }
        if let Err(status) = speak(&mut session, &line).await? {
            refused(&status)?;
        }
    }
    connection.close().await;
    Ok(())
}

async fn speak(session: &mut Session, line: &str) -> anyhow::Result<Result<(), Status>> {
    let consultation_id = session.consultation_id.clone();
    match line.trim() {
        "/undo" => {
            let request = session.authorised(api::UndoTurnRequest { consultation_id, expected_version: None });
            answer("UndoTurnResponse", session.client().undo_turn(request).await)
        }
        "/export" => {
            let request = session.authorised(api::ExportConsultationRequest { consultation_id });
            answer("ExportConsultationResponse", session.client().export_consultation(request).await)
        }
        "/why" => {
            let request = session.authorised(api::GetConsultationRequest { consultation_id });
            answer("GetConsultationResponse", session.client().get_consultation(request).await)
        }
        command if command.starts_with("/tongue ") => {
            let photo = match Photo::open(Path::new(command.trim_start_matches("/tongue ").trim())) {
                Ok(photo) => photo,
                Err(error) => return Ok(Err(Status::invalid_argument(format!("{error:#}")))),
            };
            let told = session.attach(&photo).await;
            if let Some(completed) = told.as_ref().ok().and_then(|told| told.completed.as_ref()) {
                session.saw(Some(completed.version));
            }
            answer("AttachTongueImageResponse", told.map(tonic::Response::new))
        }
        text => {
            let mut updates = match session.send(text).await {
                Ok(updates) => updates,
                Err(status) => return Ok(Err(status)),
            };
            loop {
                match updates.message().await {
                    Ok(Some(update)) => {
                        if let Some(Update::Completed(completed)) = &update.update {
                            session.saw(Some(completed.version));
                        }
                        print("SendMessageResponse", &update)?;
                    }
                    Ok(None) => return Ok(Ok(())),
                    Err(status) => return Ok(Err(status)),
                }
            }
        }
    }
}

fn answer<T: Message>(name: &str, answer: Result<tonic::Response<T>, Status>) -> anyhow::Result<Result<(), Status>> {
    match answer {
        Ok(response) => print(name, response.get_ref()).map(Ok),
        Err(status) => Ok(Err(status)),
    }
}

fn print(name: &str, message: &impl Message) -> anyhow::Result<()> {
    put(&json_form::line(&format!("{PACKAGE}.{name}"), message)?)
}

fn refused(status: &Status) -> anyhow::Result<()> {
    let error = serde_json::json!({ "code": format!("{:?}", status.code()), "message": status.message() });
    put(&serde_json::json!({ "error": error }).to_string())
}

fn put(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
