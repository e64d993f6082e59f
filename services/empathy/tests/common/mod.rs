//! The pack that the tests share, and a client over an in-process connection.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tonic::transport::Channel;
use wenzhen_empathy::EmpathyServer;
use wenzhen_pack::voice::EmpathyVoice;
use wenzhen_pack::{Locale, Pack};
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::empathy::v1::empathy_service_client::EmpathyServiceClient;
use wenzhen_proto::empathy::v1::empathy_service_server::EmpathyServiceServer;

pub fn pack_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/tcm")
}

/// The flagship pack.
pub fn pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    PACK.get_or_init(|| Arc::new(Pack::load_dir(&pack_dir()).unwrap_or_else(|errors| panic!("{errors}")))).clone()
}

/// The empathy voice of the flagship pack.
pub fn voice(locale: Locale) -> EmpathyVoice {
    let path = pack_dir().join(format!("voice/{locale}/empathy.toml"));
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{e}"))
}

pub fn rows(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn pins() -> Option<Pins> {
    Some(Pins { pack_digest: pack().digest.to_string(), ..Pins::default() })
}

/// A client of a server over the flagship pack.
pub fn client() -> EmpathyServiceClient<Channel> {
    let server = EmpathyServer::new(vec![pack()]).unwrap();
    let (channel, _running) =
        wenzhen_service::in_process(tonic::service::Routes::new(EmpathyServiceServer::new(server)));
    EmpathyServiceClient::new(channel)
}
