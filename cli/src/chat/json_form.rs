//! Messages in their protobuf JSON form.

use std::sync::LazyLock;

use anyhow::Context as _;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

static POOL: LazyLock<Result<DescriptorPool, String>> =
    LazyLock::new(|| DescriptorPool::decode(wenzhen_proto::DESCRIPTORS).map_err(|e| e.to_string()));

/// One line of JSON; `name` is the message's full name.
///
/// # Errors
/// When no such message is known or the bytes are of another.
pub fn line(name: &str, message: &impl Message) -> anyhow::Result<String> {
    let pool = POOL.as_ref().map_err(|e| anyhow::anyhow!("descriptors: {e}"))?;
    let descriptor = pool.get_message_by_name(name).with_context(|| format!("no message {name}"))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    Ok(serde_json::to_string(&dynamic)?)
}
