//! The chat of a person at a terminal.

use std::path::Path;

use anyhow::Context as _;
use tonic::{Code, Status};
use wenzhen_pack::Locale;
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;

use super::connect::{Connection, start_request};
use super::input::Input;
use super::remembered::{self, Remembered};
use super::render::Screen;
use super::ui::Ui;
use super::{clinician, locale, photo};
use crate::args::ChatArgs;
use crate::client::Session;
use crate::photo::Photo;

/// Runs a chat until the user leaves.
///
/// # Errors
/// When nothing can be started or connected to.
pub async fn run(args: ChatArgs) -> anyhow::Result<()> {
    let connection = Connection::open(&args).await?;
    let locale = locale(&args);
    let no_colour = args.environment.no_color.as_ref().is_some_and(|value| !value.is_empty());
    let mut screen = Screen::new(Ui::new(locale)?, no_colour);
    let input = Input::open()?;
    let intro = format!("{}  ·  {}", screen.ui.banner, screen.ui.intro);
    screen.aside(&intro);
    let mut chat = Chat::begin(args, &connection, locale, (&input, &mut screen)).await?;
    while let Some(line) = input.line("> ").await {
        let line = line.trim().to_owned();
        if line.is_empty() {
            continue;
        }
        if matches!(line.as_str(), "/quit" | "/exit" | "/q") {
            break;
        }
        if let Err(status) = chat.handle(&line, &mut screen).await {
            let line = format!("{}: {}", screen.ui.error, status.message());
            screen.line(&line);
        }
    }
    connection.close().await;
    Ok(())
}

struct Chat<'a> {
    args: ChatArgs,
    connection: &'a Connection,
    session: Session,
    locale: Locale,
    quick_answers: Vec<String>,
}

impl<'a> Chat<'a> {
    /// Goes on with the consultation that was left open, if the user wants to, or opens a new one.
    async fn begin(
        args: ChatArgs,
        connection: &'a Connection,
        locale: Locale,
        (input, screen): (&Input, &mut Screen),
    ) -> anyhow::Result<Self> {
        if let Some(left) = remembered::recall(&args) {
            let mut session = Session::resume(connection.channel.clone(), left.consultation_id, left.token)?;
            let open = session.get().await.ok().filter(|c| {
                let status = c.status();
                c.turns > 0 && status != api::ConsultationStatus::Ended
            });
            if let Some(consultation) = open {
                let answer = input.line(&screen.ui.resume.clone()).await.unwrap_or_default();
                if !answer.trim().to_lowercase().starts_with('n') {
                    let resumed = screen.ui.resumed.clone();
                    screen.aside(&resumed);
                    let question = consultation.question.unwrap_or_default();
                    screen.standing(&question);
                    let quick_answers = question.quick_answers;
                    return Ok(Self { args, connection, session, locale, quick_answers });
                }
            }
        }
        let session = open(&args, connection, locale, screen).await?;
        Ok(Self { args, connection, session, locale, quick_answers: Vec::new() })
    }

    async fn handle(&mut self, line: &str, screen: &mut Screen) -> Result<(), Status> {
        let Some(command) = line.strip_prefix('/') else { return self.say(line, screen).await };
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        match name {
            "help" | "h" | "?" => {
                let help = screen.ui.help.trim().to_owned();
                screen.line(&help);
            }
            "why" => self.why(screen).await?,
            "undo" => self.undo(screen).await?,
            "tongue" => self.tongue(rest.trim(), screen).await?,
            "plan" => self.plan(screen).await?,
            "export" => self.export(rest.trim(), screen).await?,
            "delete" if rest.trim() == "yes" => self.delete(screen).await?,
            "delete" => screen.line(&screen.ui.delete_confirm.clone()),
            "new" => self.renew(screen).await?,
            "clinician" => {
                let (channel, key) = (&self.connection.channel, self.connection.clinician_key.as_deref());
                clinician::run(channel, key, rest.trim(), screen).await?;
            }
            _ => screen.line(&screen.ui.unknown_command.clone()),
        }
        Ok(())
    }

    /// Sends words, or the quick answer of a number.
    async fn say(&mut self, line: &str, screen: &mut Screen) -> Result<(), Status> {
        match self.converse(line, screen).await {
            Err(status) if status.code() == Code::DataLoss => {
                // From here on the record that is left is the record.
                self.session.saw(None);
                screen.line(&screen.ui.record_lost.clone());
                Ok(())
            }
            said => said,
        }
    }

    async fn converse(&mut self, line: &str, screen: &mut Screen) -> Result<(), Status> {
        let picked = line.parse::<usize>().ok().and_then(|n| self.quick_answers.get(n.checked_sub(1)?).cloned());
        let text = picked.unwrap_or_else(|| line.to_owned());
        let mut updates = self.session.send(&text).await?;
        while let Some(update) = updates.message().await? {
            match &update.update {
                Some(Update::Question(question)) => self.quick_answers.clone_from(&question.quick_answers),
                Some(Update::Diagnosis(_)) => self.quick_answers.clear(),
                Some(Update::Completed(completed)) => {
                    self.session.saw(Some(completed.version));
                    if completed.ended {
                        remembered::forget(&self.args);
                    }
                }
                _ => {}
            }
            screen.update(update);
        }
        self.follow_language(&text, screen);
        Ok(())
    }

    /// Sends a photograph.
    async fn tongue(&mut self, path: &str, screen: &mut Screen) -> Result<(), Status> {
        if path.is_empty() {
            screen.line(&screen.ui.photo_path.clone());
            return Ok(());
        }
        let photo = Photo::open(Path::new(path)).map_err(|e| Status::unknown(format!("{e:#}")))?;
        let told = self.session.attach(&photo).await?;
        for update in photo::updates(told) {
            match &update {
                Update::Question(question) => self.quick_answers.clone_from(&question.quick_answers),
                Update::Diagnosis(_) => self.quick_answers.clear(),
                Update::Completed(completed) => self.session.saw(Some(completed.version)),
                _ => {}
            }
            screen.update(api::SendMessageResponse { update: Some(update) });
        }
        Ok(())
    }

    /// The terminal's own words follow the language that the patient writes.
    fn follow_language(&mut self, text: &str, screen: &mut Screen) {
        let written = wenzhen_language::detect_locale(text).filter(|written| *written != self.locale);
        if let Some((written, ui)) = written.and_then(|w| Some((w, Ui::new(w).ok()?))) {
            self.locale = written;
            screen.ui = ui;
        }
    }

    async fn why(&mut self, screen: &mut Screen) -> Result<(), Status> {
        let consultation = self.session.get().await?;
        match consultation.question {
            Some(question) if !consultation.why_text.is_empty() => {
                screen.standing(&api::Question { text: consultation.why_text, ..question });
            }
            _ => screen.line(&screen.ui.no_question.clone()),
        }
        Ok(())
    }

    async fn undo(&mut self, screen: &mut Screen) -> Result<(), Status> {
        let consultation_id = self.session.consultation_id.clone();
        let request = self.session.authorised(api::UndoTurnRequest { consultation_id, expected_version: None });
        let undone = self.session.client().undo_turn(request).await?.into_inner();
        screen.line(&screen.ui.undone.clone());
        let question = undone.question.unwrap_or_default();
        if !question.text.is_empty() {
            screen.standing(&question);
        }
        self.quick_answers = question.quick_answers;
        Ok(())
    }

    async fn plan(&mut self, screen: &mut Screen) -> Result<(), Status> {
        match self.session.get().await?.diagnosis {
            Some(diagnosis) => screen.plan(&diagnosis),
            None => screen.line(&screen.ui.no_plan.clone()),
        }
        Ok(())
    }

    async fn export(&mut self, path: &str, screen: &mut Screen) -> Result<(), Status> {
        let consultation_id = self.session.consultation_id.clone();
        let request = self.session.authorised(api::ExportConsultationRequest { consultation_id });
        let markdown = self.session.client().export_consultation(request).await?.into_inner().markdown;
        if path.is_empty() {
            screen.line(&markdown);
            return Ok(());
        }
        std::fs::write(path, markdown).map_err(|e| Status::unknown(format!("{path}: {e}")))?;
        screen.line(&screen.ui.exported.replace("{path}", path));
        Ok(())
    }

    async fn delete(&mut self, screen: &mut Screen) -> Result<(), Status> {
        let consultation_id = self.session.consultation_id.clone();
        let request = self.session.authorised(api::DeleteConsultationRequest { consultation_id });
        self.session.client().delete_consultation(request).await?;
        remembered::forget(&self.args);
        screen.line(&screen.ui.deleted.clone());
        self.renew(screen).await
    }

    async fn renew(&mut self, screen: &mut Screen) -> Result<(), Status> {
        let opened = open(&self.args, self.connection, self.locale, screen).await;
        self.session = opened.map_err(|e| Status::unknown(format!("{e:#}")))?;
        self.quick_answers.clear();
        Ok(())
    }
}

async fn open(
    args: &ChatArgs,
    connection: &Connection,
    locale: Locale,
    screen: &mut Screen,
) -> anyhow::Result<Session> {
    let request = start_request(args, Some(locale))?;
    let opened = Session::start(connection.channel.clone(), request).await.context("no consultation could be opened");
    let (session, started) = opened?;
    screen.aside(&started.consent);
    screen.line("");
    screen.line(&started.opening);
    let left = Remembered { consultation_id: session.consultation_id.clone(), token: session.token.clone() };
    remembered::remember(args, &left);
    Ok(session)
}
