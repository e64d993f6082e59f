//! Line editing, on a thread of its own: it waits for keys, the rest of the process does not.

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::sync::{mpsc, oneshot};

type Request = (String, oneshot::Sender<Option<String>>);

/// Asks the user for lines.
pub struct Input(mpsc::Sender<Request>);

impl Input {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    pub fn open() -> anyhow::Result<Self> {
        let mut editor = DefaultEditor::new()?;
        let (sender, mut requests) = mpsc::channel::<Request>(1);
        std::thread::Builder::new().name("input".into()).spawn(move || {
            while let Some((prompt, answer)) = requests.blocking_recv() {
                // The history stays in memory: words of a patient are not written to a file.
                let line = match editor.readline(&prompt) {
                    Ok(line) => {
                        let _ = editor.add_history_entry(&line);
                        Some(line)
                    }
                    Err(ReadlineError::Interrupted) => Some(String::new()),
                    Err(_) => None,
                };
                if answer.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// The next line; `None` at the end of input.
    pub async fn line(&self, prompt: &str) -> Option<String> {
        let (sender, answer) = oneshot::channel();
        self.0.send((prompt.to_owned(), sender)).await.ok()?;
        answer.await.ok()?
    }
}
