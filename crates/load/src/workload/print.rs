//! Requests in their JSON form, for other tools.

use prost_reflect::{DescriptorPool, DynamicMessage};

use super::{Corpus, Materials};
use crate::agent::{Agent, Method};
use crate::error::LoadError;
use crate::settings::Settings;

/// Requests of the one method that is wanted, one JSON object each. For the orchestrator these open consultations:
/// everything else needs the token that such a call gives.
///
/// # Errors
/// [`LoadError::Usage`] when several methods are wanted at once; when the pack lacks what requests are made from.
pub fn requests(settings: &Settings, materials: &Materials, count: usize) -> Result<Vec<String>, LoadError> {
    let agent = settings.agent;
    if agent == Agent::Orchestrator {
        return Ok((0..count)
            .map(|at| if at % 2 == 0 { "{\"locale\":\"LOCALE_ZH\"}" } else { "{\"locale\":\"LOCALE_EN\"}" }.to_owned())
            .collect());
    }
    let wanted: Vec<(usize, &Method)> = agent
        .methods()
        .iter()
        .enumerate()
        .filter(|(at, _)| settings.weights.get(*at).is_some_and(|w| *w > 0))
        .collect();
    let [(at, method)] = wanted.as_slice() else {
        let names: Vec<_> = wanted.iter().map(|(_, method)| method.name).collect();
        let text = format!("--print-requests prints one method: choose with --method one of {}", names.join(", "));
        return Err(LoadError::Usage(text));
    };
    if method.takes_stream {
        let text = format!("--print-requests prints requests of one message, and {} takes many", method.name);
        return Err(LoadError::Usage(text));
    }
    let corpus = Corpus::new(agent, materials, &settings.weights, (settings.seed, count))?;
    let broken = |_| LoadError::Workload("its requests have no JSON form");
    let pool = DescriptorPool::decode(wenzhen_proto::DESCRIPTORS).map_err(|_| LoadError::Workload("no descriptors"))?;
    let descriptor = pool.get_message_by_name(method.request).ok_or(LoadError::Workload("no descriptor"))?;
    let line = |bytes: &bytes::Bytes| {
        let message = DynamicMessage::decode(descriptor.clone(), bytes.clone()).map_err(broken)?;
        serde_json::to_string(&message).map_err(|_| LoadError::Workload("its requests have no JSON form"))
    };
    corpus.of(*at).iter().map(line).collect()
}
