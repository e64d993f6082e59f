//! What is sent: typed requests made from a pack, encoded once, picked by a seed.
//!
//! Making a request takes longer than sending one, so that all are made before the run; how many is [`Corpus::len`].

mod case;
mod empathy;
mod expert;
mod guidance;
mod kg;
mod patient;
pub mod print;
mod vision;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1 as clinical;
use wenzhen_proto::{empathy::v1 as ep, expert::v1 as ex, guidance::v1 as gd, kg::v1 as kgp, vision::v1 as vi};

use crate::agent::Agent;
use crate::error::LoadError;
pub use case::Case;
pub use patient::answer;
pub use words::{Samples, Words, felt, told};

/// What workloads are made from.
#[derive(Debug, Clone)]
pub struct Materials {
    /// The pack.
    pub pack: Arc<Pack>,
    /// Texts of its tests.
    pub samples: Samples,
    /// Words around the pack's own.
    pub words: Words,
}

impl Materials {
    /// From a pack, and the texts of its tests.
    ///
    /// # Errors
    /// Never for a released program.
    pub fn new(pack: Arc<Pack>, samples: Samples) -> Result<Self, LoadError> {
        Ok(Self { pack, samples, words: Words::load()? })
    }

    fn pins(&self) -> Option<clinical::Pins> {
        Some(clinical::Pins { pack_digest: self.pack.digest.to_string(), ..clinical::Pins::default() })
    }

    /// A language of the pack.
    pub(crate) fn locale<R: rand::Rng>(&self, random: &mut R) -> Locale {
        use rand::seq::IndexedRandom as _;
        let locales = &self.pack.manifest.locales;
        locales.choose(random).copied().unwrap_or_else(|| self.pack.manifest.default_locale())
    }
}

/// Encoded requests of an agent's methods.
#[derive(Debug, Clone)]
pub struct Corpus {
    requests: Vec<Vec<Bytes>>,
    weights: Vec<u32>,
    seed: u64,
}

impl Corpus {
    /// Makes `size` requests of each method whose weight is not 0. The same pack, seed and size make the same requests.
    ///
    /// # Errors
    /// When the pack has nothing that a patient could say or be asked.
    pub fn new(
        agent: Agent,
        materials: &Materials,
        weights: &[u32],
        (seed, size): (u64, usize),
    ) -> Result<Self, LoadError> {
        let mut requests = Vec::with_capacity(weights.len());
        for (at, weight) in weights.iter().enumerate() {
            let name = agent.methods().get(at).map_or("", |method| method.name);
            // A stream of its own for each method: another mix of methods sends the same requests of each.
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(at as u64);
            requests.push(match weight {
                0 => Vec::new(),
                _ => make(agent, name, materials, &mut random, size)?,
            });
        }
        Ok(Self { requests, weights: weights.to_vec(), seed })
    }

    /// The method and the request of an arrival: the same for the same seed and number.
    pub fn pick(&self, number: u64) -> (usize, Bytes) {
        let total: u64 = self.weights.iter().map(|weight| u64::from(*weight)).sum();
        let hash = scatter(self.seed ^ scatter(number));
        let mut left = hash % total.max(1);
        let mut method = 0;
        for (at, weight) in self.weights.iter().enumerate() {
            if left < u64::from(*weight) {
                method = at;
                break;
            }
            left -= u64::from(*weight);
        }
        let requests = self.requests.get(method).map_or(&[] as &[Bytes], Vec::as_slice);
        let at = usize::try_from((hash >> 32) % (requests.len() as u64).max(1)).unwrap_or_default();
        (method, requests.get(at).cloned().unwrap_or_default())
    }

    /// The requests of one method.
    pub fn of(&self, method: usize) -> &[Bytes] {
        self.requests.get(method).map_or(&[], Vec::as_slice)
    }

    /// Requests in all.
    pub fn len(&self) -> usize {
        self.requests.iter().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Spreads a number over 64 bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
pub(crate) fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn make(
    agent: Agent,
    method: &str,
    materials: &Materials,
    random: &mut ChaCha8Rng,
    size: usize,
) -> Result<Vec<Bytes>, LoadError> {
    let encode = |message: &dyn Fn(&mut ChaCha8Rng) -> Result<Bytes, LoadError>, random: &mut ChaCha8Rng| {
        (0..size).map(|_| message(random)).collect()
    };
    match (agent, method) {
        (Agent::Kg, _) => kg::advances(materials, random, size),
        (Agent::Guidance, "Ask") => encode(&|r| guidance::ask(materials, r).map(bytes), random),
        (Agent::Guidance, _) => encode(&|r| guidance::interpret(materials, r).map(bytes), random),
        (Agent::Expert, _) => encode(&|r| expert::diagnose(materials, r).map(bytes), random),
        (Agent::Empathy, "Modulate") => encode(&|r| empathy::modulate(materials, r).map(bytes), random),
        (Agent::Empathy, _) => encode(&|r| empathy::assess(materials, r).map(bytes), random),
        // Pictures are large, and one tells as much as another.
        (Agent::Vision, _) => (0..size.min(vision::PICTURES)).map(|_| vision::classify(materials, random)).collect(),
        // Consultations are held, not prepared.
        (Agent::Orchestrator, _) => Ok(Vec::new()),
    }
}

fn bytes(message: impl Message) -> Bytes {
    message.encode_to_vec().into()
}

/// The language as messages write it.
pub(crate) const fn locale_message(locale: Locale) -> clinical::Locale {
    match locale {
        Locale::Zh => clinical::Locale::Zh,
        Locale::En => clinical::Locale::En,
    }
}

/// Whether an answer holds what it must: `items` came, `last` was the last of them. A server that answers quickly with
/// nothing must not look good.
pub fn holds(agent: Agent, method: usize, items: u32, last: &[u8]) -> bool {
    let name = agent.methods().get(method).map_or("", |method| method.name);
    match (agent, name) {
        (Agent::Kg, _) => kgp::AdvanceResponse::decode(last).is_ok_and(|r| r.recommendation != 0 && items == 1),
        (Agent::Guidance, "Ask") => gd::AskResponse::decode(last).is_ok_and(|r| !r.text.is_empty() && items == 1),
        (Agent::Guidance, _) => gd::InterpretResponse::decode(last).is_ok_and(|r| r.intent != 0 && items == 1),
        (Agent::Expert, _) => {
            let good = |r: ex::DiagnoseResponse| !r.differential.is_empty() && r.draft.is_some() && items == 1;
            ex::DiagnoseResponse::decode(last).is_ok_and(good)
        }
        (Agent::Empathy, "Modulate") => ep::ModulateResponse::decode(last)
            .is_ok_and(|r| matches!(r.piece, Some(ep::modulate_response::Piece::Done(_))) && items > 1),
        (Agent::Empathy, _) => ep::AssessResponse::decode(last).is_ok_and(|r| r.assessment.is_some() && items == 1),
        (Agent::Vision, _) => vi::ClassifyTongueResponse::decode(last).is_ok_and(|r| r.quality != 0 && items == 1),
        // A consultation reads its own answers.
        (Agent::Orchestrator, _) => true,
    }
}
