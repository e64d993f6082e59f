//! A vision agent that reads what a script has written into the picture, so that consultations with photographs need no
//! model: after the signature of a PNG stands the answer as JSON.

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tonic::{Request, Response, Status, Streaming};
use wenzhen::photo::Photo;
use wenzhen_proto::clinical::v1::{FindingState, PackInfo, Pins};
use wenzhen_proto::vision::v1 as vision;
use wenzhen_proto::vision::v1::classify_tongue_request::Part;
use wenzhen_proto::vision::v1::vision_service_server::{VisionService, VisionServiceServer};
use wenzhen_service::{Services, status};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a picture shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// ok, not_a_tongue, blurred, too_dark, too_bright, colour_cast, too_small, covered; `broken`: no picture at all.
    pub quality: String,
    /// Findings with their probability; below 0 it is one that is not there.
    #[serde(default)]
    pub findings: Vec<(String, f32)>,
}

impl Shown {
    /// The picture.
    pub fn photo(&self) -> Photo {
        Photo::new([SIGNATURE, &serde_json::to_vec(self).unwrap()].concat()).unwrap()
    }
}

/// The agent.
pub struct Scripted(String);

/// Its service, for a pack.
pub fn services(digest: &str) -> Services {
    Services::new().with(VisionServiceServer::new(Scripted(digest.to_owned())))
}

#[tonic::async_trait]
impl VisionService for Scripted {
    async fn classify_tongue(
        &self,
        request: Request<Streaming<vision::ClassifyTongueRequest>>,
    ) -> Result<Response<vision::ClassifyTongueResponse>, Status> {
        let parts: Vec<_> = request.into_inner().collect().await;
        let mut file = Vec::new();
        for part in parts {
            match part?.part {
                Some(Part::Header(header)) => assert_eq!(header.media_type(), vision::MediaType::Png),
                Some(Part::Chunk(chunk)) => file.extend(chunk),
                None => {}
            }
        }
        let shown: Shown = serde_json::from_slice(&file[SIGNATURE.len()..]).unwrap();
        if shown.quality == "broken" {
            let numbers = [("limit", "7"), ("got", "8")];
            return Err(status::with_reason(tonic::Code::InvalidArgument, "TOO_MANY_PIXELS", "too many", &numbers));
        }
        let quality = vision::Quality::from_str_name(&format!("QUALITY_{}", shown.quality.to_uppercase()));
        let finding = |(id, p): &(String, f32)| vision::TongueFinding {
            finding_id: id.clone(),
            state: if *p < 0.0 { FindingState::Denied } else { FindingState::Present } as i32,
            probability: p.abs(),
            feature: "scripted".to_owned(),
        };
        Ok(Response::new(vision::ClassifyTongueResponse {
            quality: quality.expect("a known verdict") as i32,
            findings: shown.findings.iter().map(finding).collect(),
            pins: Some(Pins { model_version: "scripted".to_owned(), ..Pins::default() }),
            ..vision::ClassifyTongueResponse::default()
        }))
    }

    async fn describe(
        &self,
        _: Request<vision::DescribeRequest>,
    ) -> Result<Response<vision::DescribeResponse>, Status> {
        let packs = vec![PackInfo { digest: self.0.clone(), ..PackInfo::default() }];
        Ok(Response::new(vision::DescribeResponse { packs, ..vision::DescribeResponse::default() }))
    }
}
