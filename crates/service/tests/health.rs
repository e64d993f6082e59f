//! The health service follows readiness; reflection answers in both versions.

mod support;

use futures::StreamExt;
use support::{Running, Unary};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use wenzhen_service::{Limits, Services};

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn starts_not_serving_and_flips_with_its_dependencies() {
    let server = Running::start(Services::new().with(Unary::echo()), Limits::default()).await;
    let mut client = HealthClient::new(server.channel().await);
    for name in ["", "wenzhen.kg.v1.KgService"] {
        assert_eq!(client.check(named(name)).await.unwrap().into_inner().status(), NotServing);
    }
    assert_eq!(client.check(named("wenzhen.none.v1.NoService")).await.unwrap_err().code(), Code::NotFound);

    let mut watch = client.watch(named("")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), NotServing);
    let pack = server.readiness.dependency("pack");
    pack.up();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving);
    assert_eq!(client.check(named("")).await.unwrap().into_inner().status(), Serving);
    pack.down("digest differs");
    assert_eq!(watch.message().await.unwrap().unwrap().status(), NotServing);
    pack.up();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), Serving);

    server.shutdown.cancel();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), NotServing, "a drain is announced");
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable, "and holds up nothing");
    server.stop().await;
}

#[tokio::test]
async fn reflection_lists_our_services() {
    let server = Running::start(Services::new().with(Unary::echo()), Limits::default()).await;
    let mut client = ServerReflectionClient::new(server.channel().await);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut replies = client.server_reflection_info(tokio_stream::once(list)).await.unwrap().into_inner();
    let reply = replies.next().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = reply else { panic!("{reply:?}") };
    assert!(services.service.iter().any(|service| service.name == "wenzhen.kg.v1.KgService"));
    server.stop().await;
}
