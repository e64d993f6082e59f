//! The readable record of a consultation, as far as the caller may see it. Pure.

use std::fmt::Write as _;

use wenzhen_pack::Locale;
use wenzhen_pack::voice::ExportHeadings;
use wenzhen_proto::clinical::v1::{FindingState, Urgency};
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Consultation, Diagnosis, Event};

use crate::{Error, Knowledge};

/// Markdown of redacted events and the redacted consultation.
pub(crate) fn markdown(knowledge: &Knowledge, consultation: &Consultation, events: &[Event]) -> Result<String, Error> {
    let voice = knowledge.voice(consultation.locale())?;
    let locale = knowledge.locale(consultation.locale());
    let headings = &voice.export;
    let mut page = format!("# {}\n\n{}\n\n", headings.title, consultation.consultation_id);
    findings(&mut page, knowledge, consultation, (headings, locale));
    if let Some(diagnosis) = &consultation.diagnosis {
        self::diagnosis(&mut page, diagnosis, headings);
    }
    let _ = writeln!(page, "## {}\n", headings.dialogue);
    for event in events {
        match &event.kind {
            Some(Kind::MessageReceived(message)) => {
                let _ = writeln!(page, "**{}** {}\n", headings.patient, one_line(&message.text));
            }
            Some(Kind::ImageReceived(_)) => {
                let sent = knowledge.voice(consultation.locale())?.photo.as_ref().map_or("", |photo| &photo.sent);
                let _ = writeln!(page, "**{}** {sent}\n", headings.patient);
            }
            Some(Kind::Replied(replied)) => {
                let _ = writeln!(page, "**{}** {}\n", headings.system, one_line(&replied.text));
            }
            _ => {}
        }
    }
    let _ = writeln!(page, "---\n{}", headings.disclaimer);
    Ok(page)
}

fn findings(
    page: &mut String,
    knowledge: &Knowledge,
    consultation: &Consultation,
    (headings, locale): (&ExportHeadings, Locale),
) {
    let _ = writeln!(page, "## {}\n", headings.findings);
    for observation in &consultation.observations {
        let name = knowledge.finding_name(&observation.finding_id, locale);
        let _ = match observation.state() {
            FindingState::Denied => writeln!(page, "- {} {name}", headings.denied),
            FindingState::Unsure => writeln!(page, "- {name} ({})", headings.unsure),
            _ => writeln!(page, "- {name}"),
        };
    }
    let [routine, today, crisis, emergency] = &headings.urgency_names;
    let urgency = match consultation.urgency() {
        Urgency::Unspecified | Urgency::Routine => routine,
        Urgency::Today => today,
        Urgency::Crisis => crisis,
        Urgency::Emergency => emergency,
    };
    let _ = writeln!(page, "\n{}: {urgency}\n", headings.urgency);
}

fn diagnosis(page: &mut String, diagnosis: &Diagnosis, headings: &ExportHeadings) {
    let _ = writeln!(page, "## {}\n", headings.diagnosis);
    for condition in &diagnosis.differential {
        let _ = writeln!(page, "- {} {} ({:.0} %)", condition.disease, condition.pattern, condition.score * 100.0);
    }
    let _ = writeln!(page, "\n## {}\n", headings.plan);
    for line in [&diagnosis.principle, &diagnosis.formula].into_iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(page, "- {line}");
    }
    for herb in &diagnosis.herbs {
        // Without a dose it is still to be set, as for a child.
        let _ = match herb.dose_to_g > 0.0 {
            true => writeln!(page, "- {} {}-{} g", herb.name, herb.dose_from_g, herb.dose_to_g),
            false => writeln!(page, "- {}", herb.name),
        };
    }
    for line in diagnosis.cautions.iter().chain(&diagnosis.advice).chain(&diagnosis.diet) {
        let _ = writeln!(page, "- {line}");
    }
    let _ = writeln!(page, "- {}\n", diagnosis.referral);
}

/// Line feeds would end a Markdown paragraph; patients write them.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if line.ends_with(|c: char| c.is_ascii()) {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}
