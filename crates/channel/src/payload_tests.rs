//! What is kept, and what is passed on as it comes.

use std::collections::VecDeque;

use super::*;
use futures::StreamExt;
use futures::future::poll_fn;

enum Step {
    Data(&'static [u8]),
    Pause,
    Trailers,
    Fail,
}

struct Script(VecDeque<Step>);

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(bytes)) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(bytes))))),
            Some(Step::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
            Some(Step::Fail) => Poll::Ready(Some(Err(Status::internal("cannot be encoded")))),
            Some(Step::Pause) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

fn gather(steps: impl IntoIterator<Item = Step>, limit: usize) -> Result<Payload, Status> {
    Payload::gather(Body::new(Script(steps.into_iter().collect())), limit)
}

/// The bytes of a body, and whether trailers came last.
async fn read(mut sent: Sent) -> (Vec<u8>, bool) {
    let (mut bytes, mut trailers) = (Vec::new(), false);
    let mut frames = futures::stream::poll_fn(move |context| Pin::new(&mut sent).poll_frame(context));
    while let Some(frame) = frames.next().await {
        match frame.unwrap().into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(_) => trailers = true,
        }
    }
    (bytes, trailers)
}

#[tokio::test]
async fn what_is_there_at_once_can_be_sent_again_and_again() {
    let mut payload = gather([Step::Data(b"ab"), Step::Data(b"cd")], 10).unwrap();
    assert!(payload.replayable());
    for _ in 0..3 {
        let sent = payload.body().unwrap();
        assert!(!sent.is_end_stream());
        assert_eq!(read(sent).await, (b"abcd".to_vec(), false));
    }
    let mut empty = Payload::gather(Body::empty(), 10).unwrap();
    assert!(empty.replayable() && empty.body().unwrap().is_end_stream());
}

#[tokio::test]
async fn streams_and_long_requests_are_sent_once_and_whole() {
    for steps in [
        vec![Step::Data(b"ab"), Step::Pause, Step::Data(b"cd")],
        vec![Step::Data(b"ab"), Step::Data(b"c"), Step::Data(b"d")],
        vec![Step::Pause, Step::Data(b"abcd")],
    ] {
        let mut payload = gather(steps, 2).unwrap();
        assert!(!payload.replayable());
        assert_eq!(read(payload.body().unwrap()).await, (b"abcd".to_vec(), false));
        assert!(payload.body().is_none());
    }
    let mut payload = gather([Step::Data(b"ab"), Step::Trailers], 10).unwrap();
    assert_eq!(read(payload.body().unwrap()).await, (b"ab".to_vec(), true));
}

#[tokio::test]
async fn what_was_not_sent_after_all_comes_back() {
    let mut payload = gather([Step::Data(b"ab"), Step::Pause, Step::Data(b"cd")], 10).unwrap();
    let sent = payload.body().unwrap();
    payload.restore(sent);
    assert_eq!(read(payload.body().unwrap()).await.0, b"abcd");
}

#[tokio::test]
async fn a_body_that_fails_is_not_sent() {
    let status = gather([Step::Data(b"ab"), Step::Fail], 10).unwrap_err();
    assert_eq!(status.message(), "cannot be encoded");
    // What fails later fails while it is sent.
    let mut sent = gather([Step::Pause, Step::Fail], 10).unwrap().body().unwrap();
    assert!(poll_fn(|context| Pin::new(&mut sent).poll_frame(context)).await.unwrap().is_err());
}
