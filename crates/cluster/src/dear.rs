//! A call that is dear to answer and cheap to send: a text as long as guidance takes one. What it costs to send a call
//! would otherwise hide what is measured, where client and agent share their cores.

use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::guidance::v1::InterpretRequest;

use crate::patients::Words;

/// Bytes of the text; the agent takes 8,192.
const TEXT: usize = 8_000;

/// The request, pinned to the embedded pack.
///
/// # Errors
/// Never: pack and words are embedded.
pub fn request() -> anyhow::Result<InterpretRequest> {
    let pack_digest = wenzhen_bundle::embedded()?.digest.to_string();
    let pins = Some(Pins { pack_digest, ..Pins::default() });
    Ok(InterpretRequest { pins, text: text(&Words::load()?), ..InterpretRequest::default() })
}

/// What patients say, over and over.
fn text(words: &Words) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = words.of(number, number % 3);
        if next.is_empty() || text.len() + next.len() >= TEXT {
            break;
        }
        text.push_str(next);
        text.push('\n');
    }
    text
}
