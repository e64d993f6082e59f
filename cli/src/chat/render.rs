//! What updates look like in a terminal.

use std::io::{IsTerminal as _, Write as _, stdout};

use unicode_width::UnicodeWidthStr as _;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_proto::orchestrator::v1::{Diagnosis, PlanStatus, Question, SendMessageResponse, UrgencyRaised};

use super::ui::Ui;
use super::wrap::Wrapper;

/// Writes to standard output, with colour where a person looks at it.
pub struct Screen {
    pub ui: Ui,
    colour: bool,
    /// A progress line stands and is to be wiped.
    thinking: bool,
    wrapper: Wrapper,
    /// Messages that the banner of this turn has shown: the reply need not repeat them.
    shown: Vec<String>,
}

/// Columns where the terminal does not tell.
const WIDTH: usize = 100;
/// The field of the person that stands for a photograph, as in the contract.
const TONGUE_PHOTO: &str = "tongue_photo";

impl Screen {
    /// A screen. `NO_COLOR` (any value but the empty one) and a redirected output take the colour away.
    pub fn new(ui: Ui, no_colour: bool) -> Self {
        let colour = stdout().is_terminal() && !no_colour;
        Self { ui, colour, thinking: false, wrapper: Wrapper::new(width()), shown: Vec::new() }
    }

    /// Writes text, broken at words to the width of the terminal.
    fn prose(&mut self, text: &str) {
        let wrapped = self.wrapper.feed(text);
        self.write(&wrapped);
    }

    /// Writes text as it is.
    pub fn write(&mut self, text: &str) {
        self.wipe();
        let mut out = stdout().lock();
        // A closed output ends the chat at the next prompt.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes a line, broken at words.
    pub fn line(&mut self, text: &str) {
        let wrapped = Wrapper::new(width()).feed(text);
        self.write(&format!("{wrapped}\n"));
    }

    /// Writes a dim line.
    pub fn aside(&mut self, text: &str) {
        let wrapped = Wrapper::new(width()).feed(text);
        let text = self.paint("2", &wrapped);
        self.write(&format!("{text}\n"));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.thinking) {
            let _ = stdout().lock().write_all(b"\r\x1b[2K");
        }
    }

    /// Shows one update of a turn.
    pub fn update(&mut self, update: SendMessageResponse) {
        match update.update {
            Some(Update::Progress(progress)) => self.think(progress.stage),
            Some(Update::Urgency(urgency)) => self.urgency(&urgency),
            Some(Update::Text(delta)) => {
                let text = self.shown.iter().fold(delta.text, |text, message| text.replace(message.as_str(), ""));
                self.prose(&text);
            }
            Some(Update::Question(question)) => self.question(&question),
            Some(Update::Diagnosis(diagnosis)) => self.diagnosis(&diagnosis),
            Some(Update::Completed(completed)) => {
                self.write("\n");
                self.wrapper = Wrapper::new(width());
                self.shown.clear();
                if completed.ended {
                    let ended = self.ui.ended.clone();
                    self.aside(&ended);
                }
            }
            None => {}
        }
    }

    fn think(&mut self, stage: i32) {
        // Without a terminal a progress line could not be wiped again.
        if !self.colour {
            return;
        }
        let at = usize::try_from(stage - 1).unwrap_or(0);
        let text = self.ui.thinking.get(at).cloned().unwrap_or_default();
        let text = self.paint("2", &text);
        self.write(&text);
        self.thinking = true;
    }

    /// A banner that cannot be missed, with and without colour.
    fn urgency(&mut self, raised: &UrgencyRaised) {
        let (code, title) = match raised.urgency() {
            Urgency::Emergency => ("1;97;41", &self.ui.emergency),
            Urgency::Crisis => ("1;97;45", &self.ui.crisis),
            _ => ("1;30;43", &self.ui.today),
        };
        let rule = "!".repeat(width().min(64));
        let mut lines = vec![rule.clone(), format!("!!!  {title}  !!!")];
        lines.extend(raised.red_flags.iter().map(|flag| Wrapper::new(width()).feed(&flag.message)));
        lines.push(rule);
        self.shown.extend(raised.red_flags.iter().map(|flag| flag.message.clone()));
        for line in lines.iter().flat_map(|line| line.lines()) {
            let line = self.paint(code, line);
            self.write(&format!("{line}\n"));
        }
    }

    /// The quick answers of a question, after its text.
    fn question(&mut self, question: &Question) {
        let mut line = String::from(" ");
        for (i, answer) in question.quick_answers.iter().enumerate() {
            let answer = format!(" [{}] {answer}", i + 1);
            if line.width() + answer.width() > width() {
                let full = self.paint("2", &line);
                self.write(&format!("\n{full}"));
                line = String::from(" ");
            }
            line.push_str(&answer);
        }
        if !question.quick_answers.is_empty() {
            let hint = format!(" {}", self.ui.quick);
            let gap = if line.width() + hint.width() > width() { "\n " } else { "" };
            let last = self.paint("2", &format!("{line}{gap}{hint}"));
            self.write(&format!("\n{last}"));
        }
        if question.context_field == TONGUE_PHOTO {
            let hint = self.paint("2", &format!("  {}", self.ui.photo));
            self.write(&format!("\n{hint}"));
        }
    }

    /// A question that stands, in full.
    pub fn standing(&mut self, question: &Question) {
        self.prose(&question.text);
        self.question(question);
        self.write("\n");
        self.wrapper = Wrapper::new(width());
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis) {
        if diagnosis.plan_status() == PlanStatus::Waiting && diagnosis.formula.is_empty() {
            let waiting = format!("\n{}", self.ui.plan_waiting);
            let waiting = self.paint("2", &waiting);
            self.write(&waiting);
        }
    }

    /// The clinician's part of a plan, as far as it was sent.
    pub fn plan(&mut self, diagnosis: &Diagnosis) {
        let ui = self.ui.clone();
        match diagnosis.plan_status() {
            PlanStatus::Waiting if diagnosis.formula.is_empty() => return self.aside(&ui.plan_waiting),
            PlanStatus::Rejected => return self.line(&ui.plan_rejected.replace("{reason}", &diagnosis.clinician_note)),
            PlanStatus::Signed => self.line(&ui.plan_signed),
            PlanStatus::Waiting | PlanStatus::Unspecified => {}
        }
        for (name, value) in [(&ui.principle, &diagnosis.principle), (&ui.formula, &diagnosis.formula)] {
            if !value.is_empty() {
                self.line(&format!("  {name}: {value}"));
            }
        }
        if !diagnosis.herbs.is_empty() {
            self.line(&format!("  {} ({}):", ui.herbs, ui.per_day));
        }
        for herb in &diagnosis.herbs {
            // Without a dose it is still to be set, as for a child.
            let dose =
                if herb.dose_to_g > 0.0 { format!("{}-{}", herb.dose_from_g, herb.dose_to_g) } else { String::new() };
            self.line(format!("    {}  {dose}", herb.name).trim_end());
        }
        for caution in &diagnosis.cautions {
            self.line(&format!("  {}: {caution}", ui.cautions));
        }
        if !diagnosis.clinician_note.is_empty() {
            self.line(&format!("  {}", diagnosis.clinician_note));
        }
    }
}

/// Columns of the terminal.
fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).max(20))
}
