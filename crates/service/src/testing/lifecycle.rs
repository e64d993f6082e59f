//! What every service promises from its start to its end.

use std::io;
use std::path::Path;

use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{Binary, SlowPack, admin, channel};
use crate::status;

/// Starts a service over a pack that does not load yet, and holds it to this: both ports answer, it says that it is not
/// ready and that it lives, and refuses `call` as UNAVAILABLE; once the pack is there it is ready and answers `call`,
/// under its name; SIGTERM makes it say NOT_SERVING, and end with 0 and without a complaint.
///
/// # Errors
/// When it cannot be started or spoken to.
///
/// # Panics
/// When it breaks a promise.
pub async fn lifecycle<C>(program: &str, more: &[&str], pack: &Path, call: C) -> io::Result<()>
where
    C: AsyncFn(Channel) -> Result<tonic::metadata::MetadataMap, Status>,
{
    let pack = SlowPack::of(pack).await?;
    let folder = pack.folder();
    let own = ["--pack", folder.to_str().unwrap_or_default(), "--instance", "the-first"];
    let mut process = Binary::service(program, &[&own, more].concat(), &[])?;
    let admin_port = process.address("admin port").await?;
    let channel = channel(process.address("serving").await?)?;

    let mut health = HealthClient::new(channel.clone()).watch(HealthCheckRequest::default()).await;
    let watch = health.as_mut().map_err(|status| io::Error::other(status.clone()))?.get_mut();
    assert_eq!(next(watch).await?, ServingStatus::NotServing);
    assert!(admin(admin_port, "/livez").await?.contains("200"), "it lives");
    assert!(admin(admin_port, "/readyz").await?.contains("503"), "it is not ready");
    let early = call(channel.clone()).await.err();
    let early = early.map(|status| (status.code(), status::reason(&status)));
    assert_eq!(early, Some((Code::Unavailable, Some("STARTING".to_owned()))));

    pack.finish().await?;
    assert_eq!(next(watch).await?, ServingStatus::Serving);
    assert!(admin(admin_port, "/readyz").await?.contains("200"), "it is ready");
    let answered = call(channel.clone()).await.map_err(io::Error::other)?;
    assert_eq!(answered.get("wenzhen-instance").and_then(|name| name.to_str().ok()), Some("the-first"));

    process.terminate().await?;
    assert_eq!(next(watch).await?, ServingStatus::NotServing, "the end is announced");
    let ended = process.ended().await?;
    assert!(ended.status.success() && ended.lines.is_empty(), "{ended:?}");
    Ok(())
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> io::Result<ServingStatus> {
    let change = watch.message().await.map_err(io::Error::other)?;
    change.map(|change| change.status()).ok_or_else(|| io::Error::other("the watch ended"))
}
