//! The stream of updates to whoever sent the message.

use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tonic::Status;
use wenzhen_proto::orchestrator::v1::send_message_response::Update;
use wenzhen_proto::orchestrator::v1::{Progress, SendMessageResponse, Stage, TextDelta, UrgencyRaised};

use super::response;

/// A stage that is over sooner is not worth a line.
const WORTH_TELLING: Duration = Duration::from_millis(150);

/// Sends updates; sending to a listener who left does nothing.
pub(crate) struct Updates {
    sender: mpsc::Sender<Result<SendMessageResponse, Status>>,
    /// Red flags already shown in this turn.
    shown: Mutex<Vec<String>>,
    /// Stages that were told.
    told: Mutex<Vec<Stage>>,
    /// What must not be seen before something is on record; `None` while everything may.
    held: Mutex<Option<Vec<Update>>>,
}

impl Updates {
    pub(crate) fn new(sender: mpsc::Sender<Result<SendMessageResponse, Status>>) -> Self {
        Self { sender, shown: Mutex::default(), told: Mutex::default(), held: Mutex::default() }
    }

    /// Nobody listens.
    pub(super) fn unheard() -> Self {
        Self::new(mpsc::channel(1).0)
    }

    /// From now on nothing is seen before [`Self::let_go`] is called.
    pub(crate) fn hold(&self) {
        self.held.lock().get_or_insert_default();
    }

    /// Sends what was held, in order. What comes meanwhile waits for its turn.
    pub(crate) async fn let_go(&self) {
        loop {
            let held = match &mut *self.held.lock() {
                Some(held) if !held.is_empty() => std::mem::take(held),
                open => {
                    *open = None;
                    return;
                }
            };
            for update in held {
                self.deliver(update).await;
            }
        }
    }

    pub(crate) async fn send(&self, update: Update) {
        if let Some(held) = &mut *self.held.lock() {
            held.push(update);
            return;
        }
        self.deliver(update).await;
    }

    async fn deliver(&self, update: Update) {
        // The turn is recorded whether or not somebody still listens.
        let _ = self.sender.send(Ok(response(update))).await;
    }

    pub(crate) async fn fail(&self, status: Status) {
        let _ = self.sender.send(Err(status)).await;
    }

    pub(crate) async fn text(&self, text: &str) {
        self.send(Update::Text(TextDelta { text: text.to_owned() })).await;
    }

    /// Shows red flags, each once in a turn.
    pub(crate) async fn urgency(&self, raised: Option<UrgencyRaised>) {
        let Some(mut raised) = raised else { return };
        {
            let mut shown = self.shown.lock();
            raised.red_flags.retain(|flag| !shown.contains(&flag.id));
            shown.extend(raised.red_flags.iter().map(|flag| flag.id.clone()));
        }
        if !raised.red_flags.is_empty() {
            self.send(Update::Urgency(raised)).await;
        }
    }

    async fn progress(&self, stage: Stage) {
        {
            let mut told = self.told.lock();
            if told.contains(&stage) {
                return;
            }
            told.push(stage);
        }
        self.send(Update::Progress(Progress { stage: stage as i32 })).await;
    }

    /// Waits for a stage and says so when it takes long, once in a turn.
    pub(crate) async fn during<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        match tokio::time::timeout(WORTH_TELLING, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                self.progress(stage).await;
                work.await
            }
        }
    }
}
