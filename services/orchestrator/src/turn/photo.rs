//! The turn of a photograph: looked at by the vision agent, then scored and decided as any other.

use std::sync::Arc;

use tokio_stream::iter;
use wenzhen_proto::clinical::v1::{Agent, Degradation, Observation, ObservationSource, Pins};
use wenzhen_proto::guidance::v1::Intent;
use wenzhen_proto::orchestrator::v1::event::Kind;
use wenzhen_proto::orchestrator::v1::{Decided, DecisionInputs, ImageReceived, PhotoReading, Stage as Progress};
use wenzhen_proto::vision::v1::classify_tongue_request::Part;
use wenzhen_proto::vision::v1::{ClassifyTongueRequest, ClassifyTongueResponse, ImageHeader, MediaType};
use wenzhen_service::Priority;

use super::{Ahead, Message, Runner, Scene, Updates, refuse_late, replayed, scoring};
use crate::agents::{call, degradation};
use crate::error::PhotoRefusal;
use crate::knowledge::from_locale;
use crate::sessions::Lock;
use crate::state::{Stage, State, Turn};
use crate::{Error, policy};

/// Bytes of one message to the vision agent.
const CHUNK: usize = 64 << 10;

/// A photograph that has come whole.
pub(crate) struct Photo {
    /// Its id and what its sender has seen, as of a message; the text is empty.
    pub message: Message,
    /// How it is coded.
    pub media: MediaType,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The file.
    pub file: Vec<u8>,
}

impl Runner {
    /// Runs the turn of a photograph to its end, as [`Runner::run`] does that of a message; gives what was read.
    pub(crate) async fn run_photo(
        &self,
        lock: Lock,
        state: Arc<State>,
        photo: Photo,
        out: &Updates,
    ) -> Result<PhotoReading, Error> {
        let knowledge = self.sessions.knowledge(&state)?.clone();
        let (agents, priority) = (&self.agents, Priority::Ongoing);
        let ahead = Arc::new(Ahead::after(self.sessions.scored(lock.id())));
        let scene = |number| Scene { knowledge: &knowledge, agents, number, priority, ahead };
        match state.turn_of(&photo.message.id).cloned() {
            Some(turn) if *turn.text_sha256 != photo.sha256 => Err(Error::MessageReused),
            Some(turn) => self.photo_again(&scene(turn.number), lock, &state, (&turn, photo), out).await,
            None => {
                refuse_late(&state, &photo.message)?;
                let scene = scene(state.next_turn());
                self.look(&scene, lock, &state, photo, out).await
            }
        }
    }

    /// From the picture to the reply. It goes on record once it has been looked at, with the decision: a file that is
    /// refused for what it is has changed nothing.
    async fn look(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        before: &Arc<State>,
        photo: Photo,
        out: &Updates,
    ) -> Result<PhotoReading, Error> {
        let received = Kind::ImageReceived(ImageReceived {
            message_id: photo.message.id.clone(),
            image_sha256: photo.sha256.to_vec(),
            media_type: photo.media as i32,
            size_bytes: photo.file.len() as u64,
        });
        let mut inputs = out.during(Progress::Looking, read(scene, before, photo)).await?;
        let state = self.sessions.preview(before, scene.number, received.clone())?;
        let repinned = scoring::advance(scene, &state, &mut inputs, out).await;
        let decision = policy::decide(scene.knowledge, &state, &inputs);
        let reading = inputs.photo.clone().unwrap_or_default();
        let decided = Decided { inputs: Some(inputs), decision: Some(decision) };
        let kinds = [received].into_iter().chain(repinned).collect();
        self.decide(scene, lock, (&state, before), (kinds, decided), out).await?;
        Ok(reading)
    }

    /// The same photograph again: what happened, or the reply that was not given any more.
    async fn photo_again(
        &self,
        scene: &Scene<'_>,
        lock: Lock,
        state: &Arc<State>,
        (turn, photo): (&Turn, Photo),
        out: &Updates,
    ) -> Result<PhotoReading, Error> {
        if turn.stage == Stage::Received {
            return self.look(scene, lock, state, photo, out).await;
        }
        let past = replayed::Past::read(&self.sessions, lock.id(), turn).await?;
        let decided = past.decided.ok_or(Error::NotFound)?;
        let reading = decided.inputs.as_ref().and_then(|inputs| inputs.photo.clone()).unwrap_or_default();
        match past.replied {
            Some(replied) => {
                drop(lock);
                replayed::tell(scene, state, (&decided, &replied), out).await;
            }
            None => self.answer(scene, lock, state, &decided, out).await?,
        }
        Ok(reading)
    }
}

/// What the picture tells. A file that is no picture is the sender's error; an agent that is away is done without.
async fn read(scene: &Scene<'_>, state: &State, photo: Photo) -> Result<DecisionInputs, Error> {
    let mut inputs = DecisionInputs {
        locale: from_locale(scene.knowledge.locale(state.locale)) as i32,
        intent: Intent::Report as i32,
        photo: Some(PhotoReading::default()),
        ..DecisionInputs::default()
    };
    match classify(scene, state.pins(), photo).await? {
        Ok(answer) => {
            let seen = observations(&answer, scene.number);
            inputs.observations.clone_from(&seen);
            inputs.photo = Some(PhotoReading {
                quality: answer.quality,
                seen,
                features: answer.features,
                constitutions: answer.constitutions,
                pins: answer.pins,
            });
        }
        Err(why) => inputs.degraded.push(why),
    }
    Ok(inputs)
}

async fn classify(
    scene: &Scene<'_>,
    pins: Pins,
    photo: Photo,
) -> Result<Result<ClassifyTongueResponse, Degradation>, Error> {
    let Some(mut vision) = scene.agents.vision.clone() else {
        return Ok(Err(degradation(Agent::Vision, "unavailable")));
    };
    let header = ImageHeader { pins: Some(pins), media_type: photo.media as i32, size_bytes: photo.file.len() as u64 };
    let part = |part| ClassifyTongueRequest { part: Some(part) };
    // Cut as it is sent, so that the file is in memory once.
    let pieces = (0..photo.file.len().div_ceil(CHUNK)).map(move |at| {
        let chunk = photo.file.get(at * CHUNK..((at + 1) * CHUNK).min(photo.file.len())).unwrap_or_default();
        part(Part::Chunk(chunk.to_vec()))
    });
    let parts = [part(Part::Header(header))].into_iter().chain(pieces);
    let mut refused = None;
    let asked = async {
        let answer = vision.classify_tongue(scene.request(iter(parts), scene.agents.budgets.look)).await;
        answer.inspect_err(|status| refused = PhotoRefusal::of(status))
    };
    let answer = call(Agent::Vision, scene.agents.budgets.look, asked).await;
    match refused {
        Some(refusal) => Err(Error::Photo(Box::new(refusal))),
        None => Ok(answer),
    }
}

/// The findings as observations, in the order in which they are told.
fn observations(answer: &ClassifyTongueResponse, turn: u32) -> Vec<Observation> {
    let observation = |finding: &wenzhen_proto::vision::v1::TongueFinding| Observation {
        finding_id: finding.finding_id.clone(),
        state: finding.state,
        probability: Some(finding.probability),
        source: ObservationSource::Image as i32,
        turn,
        ..Observation::default()
    };
    answer.findings.iter().filter(|finding| finding.probability > 0.0).map(observation).collect()
}
