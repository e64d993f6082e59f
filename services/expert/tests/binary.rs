//! The binary: from NOT_SERVING to drained, and in one line why it does not start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{LOCALES, pack, typical};
use tonic::transport::Channel;
use wenzhen_proto::expert::v1::expert_service_client::ExpertServiceClient;
use wenzhen_service::testing::{lifecycle, refused};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wenzhen-expert");

#[tokio::test]
async fn is_not_ready_then_answers_then_drains() {
    let pack = pack();
    let request = typical(&pack, &pack.conditions[0], LOCALES[0].1);
    let call = async |channel: Channel| {
        let answer = ExpertServiceClient::new(channel).diagnose(request.clone()).await?;
        assert!(answer.get_ref().draft.is_some());
        Ok(answer.metadata().clone())
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm");
    lifecycle(PROGRAM, &[], &folder, call).await.unwrap();
}

#[tokio::test]
async fn a_wrong_flag_is_told_in_one_line() {
    for (code, named, arguments) in [
        (2, "--default-deadline-ms", ["--default-deadline-ms", "0"]),
        (1, "--pack nowhere", ["--pack=nowhere", "--listen=127.0.0.1:0"]),
    ] {
        let (ended, line) =
            refused(PROGRAM, &[&arguments[..], &["--admin-listen=127.0.0.1:0"]].concat()).await.unwrap();
        assert_eq!((ended, line.lines().count()), (Some(code), 1), "{line}");
        assert!(line.starts_with("wenzhen-expert: ") && line.contains(named), "{line}");
    }
}
