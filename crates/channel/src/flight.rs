//! One request on the wire, and what became of it.

use std::error::Error;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::{Code, Status};

use crate::connection::Sender;
use crate::payload::Sent;

/// Why there is no answer that settles the call.
pub enum Failure {
    /// It never left: the connection had ended. Here is its body.
    Unsent(Sent),
    /// The server says that it has not begun.
    Refused,
    /// The connection broke after it was sent.
    Broken,
    /// The server ended the stream for another reason, or the request's body failed.
    Reset(Status),
    /// It was answered UNAVAILABLE or RESOURCE_EXHAUSTED, and nothing else.
    Turned(Response<Incoming>, Code),
}

/// Sends a request; `slot` comes back with the outcome.
pub async fn fly(
    slot: usize,
    mut sender: Sender,
    request: Request<Sent>,
) -> (usize, Result<Response<Incoming>, Failure>) {
    let outcome = match sender.try_send_request(request).await {
        Ok(response) => match final_code(&response) {
            Some(code @ (Code::Unavailable | Code::ResourceExhausted)) => Err(Failure::Turned(response, code)),
            _ => Ok(response),
        },
        Err(mut error) => Err(match error.take_message() {
            Some(request) => Failure::Unsent(request.into_body()),
            None => broken(error.into_error()),
        }),
    };
    (slot, outcome)
}

/// The code of a response that is nothing but a status: in its headers, or in place of gRPC altogether.
pub fn final_code(response: &Response<Incoming>) -> Option<Code> {
    if let Some(code) = response.headers().get(Status::GRPC_STATUS) {
        return Some(Code::from_bytes(code.as_bytes()));
    }
    match response.status() {
        StatusCode::OK => None,
        // As the gRPC specification maps the answers of proxies.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Some(Code::Unavailable),
        _ => Some(Code::Unknown),
    }
}

/// A stream that broke while its response was read.
pub fn broken_stream(error: hyper::Error) -> Status {
    match broken(error) {
        Failure::Reset(status) => status,
        _ => Status::unavailable("the connection to the endpoint broke"),
    }
}

fn broken(error: hyper::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            // A GOAWAY ends only streams that the server has not begun; the others go on.
            let refused = error.is_remote()
                && (error.is_go_away() || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM));
            if refused {
                return Failure::Refused;
            }
            if !error.is_reset() {
                return Failure::Broken;
            }
            break;
        }
        cause = error.source();
    }
    if cause.is_none() && !error.is_user() {
        return Failure::Broken;
    }
    Failure::Reset(Status::from_error(Box::new(error)))
}
