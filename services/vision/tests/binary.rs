//! The binary: from NOT_SERVING to drained, and in one line why it does not start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use tonic::transport::Channel;
use wenzhen_proto::vision::v1::DescribeRequest;
use wenzhen_proto::vision::v1::vision_service_client::VisionServiceClient;
use wenzhen_service::testing::{lifecycle, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-vision");

#[tokio::test]
async fn is_not_ready_then_answers_then_drains() {
    let call = async |channel: Channel| {
        let answer = VisionServiceClient::new(channel).describe(DescribeRequest {}).await?;
        assert!(!answer.get_ref().model_version.is_empty() && !answer.get_ref().packs.is_empty());
        Ok(answer.metadata().clone())
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    lifecycle(PROGRAM, &[], &folder, call).await.unwrap();
}

#[tokio::test]
async fn a_wrong_flag_is_told_in_one_line() {
    for (code, named, argument) in
        [(2, "--default-deadline-ms", "--default-deadline-ms=0"), (1, "--model", "--model=nowhere")]
    {
        let arguments = [argument, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
        let (ended, line) = refused(PROGRAM, &arguments).await.unwrap();
        assert_eq!((ended, line.lines().count()), (Some(code), 1), "{line}");
        assert!(line.starts_with("wenzhen-vision: ") && line.contains(named), "{line}");
    }
}
