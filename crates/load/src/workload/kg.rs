//! Requests to the knowledge graph: cases that grow, two answers a round.

use bytes::Bytes;
use prost::Message as _;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use wenzhen_proto::kg::v1::{AdvanceRequest, Case as CaseMessage};

use super::{Case, Materials};
use crate::error::LoadError;

/// Rounds of a case at most.
const ROUNDS: usize = 8;
/// Findings asked in a round.
const A_ROUND: usize = 2;

/// As many requests as are wanted: each case from its first round to the one in which it ends.
pub fn advances(materials: &Materials, random: &mut ChaCha8Rng, size: usize) -> Result<Vec<Bytes>, LoadError> {
    let pack = &materials.pack;
    let mut requests = Vec::with_capacity(size);
    while requests.len() < size {
        let case =
            Case::sample(pack, random).ok_or(LoadError::Workload("no condition has a finding that can be told"))?;
        let rounds = random.random_range(1..=ROUNDS);
        let seed = random.random();
        for round in 0..=rounds {
            let asked = (round * A_ROUND).min(case.questions.len());
            let ids = case.questions.iter().take(asked);
            let request = AdvanceRequest {
                case: Some(CaseMessage {
                    pins: materials.pins(),
                    observations: case.observations(pack, asked),
                    asked_finding_ids: ids.filter_map(|f| pack.findings.get(f.at())).map(|f| f.id.clone()).collect(),
                    round: u32::try_from(round).unwrap_or_default(),
                    seed,
                    patient: (round > 0).then(|| case.person.clone()),
                    ..CaseMessage::default()
                }),
                ..AdvanceRequest::default()
            };
            requests.push(request.encode_to_vec().into());
        }
    }
    requests.truncate(size);
    Ok(requests)
}
