//! The stream of one generation.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::{End, Error, Event, Outcome, Usage};

/// The items of a generation: texts, then exactly one end, then nothing. Dropping it cancels.
#[derive(Debug)]
pub struct Generation {
    events: mpsc::Receiver<Event>,
    ended: bool,
}

impl Generation {
    /// A generation, and where its engine puts the events; `capacity` events wait for the reader.
    ///
    /// An engine whose one thread serves many generations must never wait for one reader: it gives a capacity of
    /// `max_tokens + 1`, so that nothing it can make fails to fit.
    #[must_use]
    pub fn channel(capacity: usize) -> (mpsc::Sender<Event>, Self) {
        let (sender, events) = mpsc::channel(capacity.max(1));
        (sender, Self { events, ended: false })
    }

    /// Reads it to the end: the whole text, and how it ended.
    pub async fn whole(mut self) -> (String, End) {
        let mut text = String::new();
        while let Some(event) = self.next().await {
            match event {
                Event::Text(piece) => text.push_str(&piece),
                Event::End(end) => return (text, end),
            }
        }
        (text, lost())
    }
}

/// What stands for the end of an engine that went away without one.
fn lost() -> End {
    End { outcome: Outcome::Failed(Error::Unavailable("it ended without an end")), usage: Usage::default() }
}

impl Stream for Generation {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.events.poll_recv(context).map(|event| {
            let event = event.unwrap_or_else(|| Event::End(lost()));
            self.ended = matches!(event, Event::End(_));
            Some(event)
        })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::End(end) => end.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finish;

    #[tokio::test]
    async fn nothing_comes_after_the_end() {
        let (sender, mut generation) = Generation::channel(4);
        let end = End { outcome: Outcome::Finished(Finish::Stop), usage: Usage::default() };
        for event in [Event::Text("a".into()), Event::End(end.clone()), Event::Text("b".into())] {
            sender.send(event).await.unwrap();
        }
        let events: Vec<Event> = generation.by_ref().collect().await;
        assert_eq!(events, [Event::Text("a".into()), Event::End(end)]);
        assert!(generation.next().await.is_none());
    }

    #[tokio::test]
    async fn an_engine_that_vanishes_still_ends() {
        let (sender, generation) = Generation::channel(4);
        sender.send(Event::Text("half".into())).await.unwrap();
        drop(sender);
        let (text, end) = generation.whole().await;
        assert_eq!(text, "half");
        assert!(matches!(end.outcome, Outcome::Failed(Error::Unavailable(_))));
    }

    #[test]
    fn debug_shows_no_words() {
        assert_eq!(format!("{:?}", Event::Text("secret".into())), "Text(6 bytes)");
    }
}
