//! `/clinician`: see what waits, sign, reject, take over, lower the urgency.

use tonic::Status;
use tonic::transport::Channel;
use wenzhen_proto::clinical::v1::Urgency;
use wenzhen_proto::orchestrator::v1 as api;

use super::render::Screen;
use crate::client::Session;

/// Runs one clinician command; without one, lists what waits.
pub async fn run(channel: &Channel, key: Option<&str>, command: &str, screen: &mut Screen) -> Result<(), Status> {
    let Some(key) = key else {
        screen.line(&screen.ui.clinician_no_key.clone());
        return Ok(());
    };
    let session = Session::resume(channel.clone(), String::new(), key.to_owned());
    let mut session = session.map_err(|e| Status::invalid_argument(e.to_string()))?;
    let request = session.authorised(api::ListPendingRequest { page_size: 0 });
    let pending = session.client().list_pending(request).await?.into_inner().pending;
    let mut words = command.splitn(3, char::is_whitespace);
    let (verb, number, text) = (words.next().unwrap_or(""), words.next(), words.next().unwrap_or("").trim());
    if verb.is_empty() {
        return list(&mut session, &pending, screen).await;
    }
    let at = number.and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
    let Some(row) = at.and_then(|at| pending.get(at)) else {
        screen.line(&screen.ui.bad_number.clone());
        return Ok(());
    };
    act(&mut session, verb, (&row.consultation_id, text), screen).await
}

async fn list(session: &mut Session, pending: &[api::Pending], screen: &mut Screen) -> Result<(), Status> {
    if pending.is_empty() {
        screen.line(&screen.ui.nothing_pending.clone());
        return Ok(());
    }
    for (i, row) in pending.iter().enumerate() {
        let reason = match row.reason() {
            api::PendingReason::HandedOver => &screen.ui.pending_handed_over,
            api::PendingReason::Urgent => &screen.ui.pending_urgent,
            _ => &screen.ui.pending_plan,
        };
        let short: String = row.consultation_id.chars().take(8).collect();
        let line = format!("{}. {short}  {reason}  {}", i + 1, row.condition);
        screen.line(&line);
        session.consultation_id.clone_from(&row.consultation_id);
        if let Some(diagnosis) = session.get().await?.diagnosis {
            screen.plan(&diagnosis);
        }
    }
    screen.aside(&screen.ui.clinician_help.clone());
    Ok(())
}

async fn act(session: &mut Session, verb: &str, (id, text): (&str, &str), screen: &mut Screen) -> Result<(), Status> {
    let (consultation_id, text) = (id.to_owned(), text.to_owned());
    match verb {
        "sign" => {
            let request =
                session.authorised(api::SignPlanRequest { consultation_id, note: text, ..Default::default() });
            session.client().sign_plan(request).await?;
        }
        "reject" => {
            let request =
                session.authorised(api::RejectPlanRequest { consultation_id, reason: text, ..Default::default() });
            session.client().reject_plan(request).await?;
        }
        "take" => {
            let request = session.authorised(api::TakeOverRequest { consultation_id, note: text });
            session.client().take_over(request).await?;
        }
        "lower" => {
            let urgency = Urgency::Routine as i32;
            let request = session.authorised(api::SetUrgencyRequest { consultation_id, urgency, reason: text });
            session.client().set_urgency(request).await?;
        }
        _ => {
            screen.line(&screen.ui.clinician_help.clone());
            return Ok(());
        }
    }
    screen.line(&screen.ui.clinician_done.clone());
    Ok(())
}
