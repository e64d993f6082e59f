//! The binary: from NOT_SERVING to drained, and in one line why it does not start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use tonic::transport::Channel;
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::kg::v1::kg_service_client::KgServiceClient;
use wenzhen_proto::kg::v1::{AdvanceRequest, Case, DescribeRequest};
use wenzhen_service::testing::{lifecycle, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-kg");

#[tokio::test]
async fn is_not_ready_then_answers_then_drains() {
    let call = async |channel: Channel| {
        let mut client = KgServiceClient::new(channel);
        let held = client.describe(DescribeRequest::default()).await?.into_inner().packs;
        let pins = Some(Pins { pack_digest: held[0].digest.clone(), ..Pins::default() });
        let case = Some(Case { pins, ..Case::default() });
        let answer = client.advance(AdvanceRequest { case, ..AdvanceRequest::default() }).await?;
        Ok(answer.metadata().clone())
    };
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    lifecycle(PROGRAM, &["--memory"], &pack, call).await.unwrap();
}

#[tokio::test]
async fn a_wrong_flag_is_told_in_one_line() {
    let free = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    for (code, named, arguments) in [
        (2, "--weights", ["--memory", "--weights=w.redb"]),
        (1, "--pack nowhere", ["--memory", "--pack=nowhere"]),
        (1, "--admin-keys-file", ["--memory", "--admin-keys-file=nowhere"]),
    ] {
        let (ended, line) = refused(PROGRAM, &[&arguments[..], &free].concat()).await.unwrap();
        assert_eq!((ended, line.lines().count()), (Some(code), 1), "{line}");
        assert!(line.starts_with("wenzhen-kg: ") && line.contains(named), "{line}");
    }
}
