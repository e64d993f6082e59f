//! The moments at which something is due, told when they come.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// So many beats, one every `pace` from now on. A thread of its own keeps the time: the runtime's timers are good to a
/// millisecond, which is the length of a turn. A beat that is late is told with the moment at which it was due, and
/// none is left out. The thread ends with the last beat, or when nobody listens any more.
///
/// # Errors
/// When no thread can be started.
pub fn metronome(pace: Duration, beats: usize) -> std::io::Result<mpsc::Receiver<Instant>> {
    let (sender, receiver) = mpsc::channel(beats.max(1));
    std::thread::Builder::new().name("metronome".into()).spawn(move || {
        let mut due = Instant::now();
        for _ in 0..beats {
            due += pace;
            #[allow(clippy::disallowed_methods, reason = "this thread does nothing but wait")]
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.blocking_send(due).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_beat_comes_and_none_before_its_time() {
        let (began, pace) = (Instant::now(), Duration::from_micros(300));
        let mut beats = metronome(pace, 20).unwrap();
        let mut heard = Vec::new();
        while let Some(due) = beats.recv().await {
            assert!(Instant::now() >= due);
            heard.push(due);
        }
        assert_eq!(heard.len(), 20);
        assert!(heard.first().is_some_and(|first| *first >= began + pace));
        assert!(heard.windows(2).all(|pair| pair[1] - pair[0] == pace));
    }
}
