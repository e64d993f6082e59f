//! The binary: from NOT_SERVING to drained, and in one line why it does not start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use tonic::transport::Channel;
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::empathy::v1::empathy_service_client::EmpathyServiceClient;
use wenzhen_proto::empathy::v1::{AssessRequest, DescribeRequest};
use wenzhen_service::testing::{lifecycle, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-empathy");

#[tokio::test]
async fn is_not_ready_then_answers_then_drains() {
    let call = async |channel: Channel| {
        let mut client = EmpathyServiceClient::new(channel);
        let held = client.describe(DescribeRequest::default()).await?.into_inner().packs;
        let pins = Some(Pins { pack_digest: held[0].digest.clone(), ..Pins::default() });
        let request = AssessRequest { pins, text: "hello".to_owned(), ..AssessRequest::default() };
        Ok(client.assess(request).await?.metadata().clone())
    };
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    lifecycle(PROGRAM, &[], &pack, call).await.unwrap();
}

#[tokio::test]
async fn a_wrong_flag_is_told_in_one_line() {
    for (code, named, arguments) in [
        (2, "--max-waiting", ["--max-waiting", "many"]),
        (1, "--pack nowhere", ["--pack=nowhere", "--listen=127.0.0.1:0"]),
    ] {
        let (ended, line) =
            refused(PROGRAM, &[&arguments[..], &["--admin-listen=127.0.0.1:0"]].concat()).await.unwrap();
        assert_eq!((ended, line.lines().count()), (Some(code), 1), "{line}");
        assert!(line.starts_with("wenzhen-empathy: ") && line.contains(named), "{line}");
    }
}
