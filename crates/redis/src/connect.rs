//! Making connections.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult,
};

use crate::durability::Settler;
use crate::server::{Role, Server, config};
use crate::target::{Host, Kind};
use crate::wire::Wire;
use crate::{RedisError, Settings};

/// Commands that may wait to be written to a connection; more wait in their callers.
const PIPELINE: usize = 1024;
/// Bytes gathered before they are written.
const WRITE_BUFFER: usize = 64 * 1024;
/// Longest wait of a blocking read, for a cluster's connection, which knows no wait without end.
const LONG: Duration = Duration::from_secs(3600);

/// Whether to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Yes,
    No,
}

/// A fresh connection and what was found at its other end.
pub(crate) struct Connected {
    pub(crate) wire: Wire,
    pub(crate) settler: Option<Arc<Settler>>,
    pub(crate) servers: Vec<Server>,
    /// The server; on a cluster one of them.
    pub(crate) host: Host,
}

/// Connects to one server.
pub(crate) async fn server(settings: &Settings, host: &Host) -> Result<Connected, RedisError> {
    let connection = multiplexed(settings, host, Login::Yes, Some(settings.response_timeout)).await?;
    let mut wire = Wire::One(connection);
    let (servers, roles) = inspect(&mut wire).await?;
    let role = roles.into_iter().next().unwrap_or_default();
    if role.cluster {
        return Err(RedisError::misconfigured(format!("{host} belongs to a cluster; use redis+cluster://")));
    }
    if role.loading {
        return Err(RedisError::unavailable(format!("{host} is loading its data")));
    }
    if role.replica {
        return Err(RedisError::unavailable(format!("{host} is a replica and takes no writes")));
    }
    let settler = match settings.durability.plan(&servers, false)? {
        Some(wait) => {
            let limit = settings.durability.limit();
            // A write may stand behind another's wait.
            let longest = Some(settings.response_timeout + limit);
            Some(Arc::new(Settler::new(multiplexed(settings, host, Login::Yes, longest).await?, wait, limit)))
        }
        None => None,
    };
    Ok(Connected { wire, settler, servers, host: host.clone() })
}

/// Connects to a cluster through the first of its servers that answers.
pub(crate) async fn cluster(settings: &Settings, seeds: &[Host]) -> Result<Connected, RedisError> {
    let host = first_of_cluster(settings, seeds).await?;
    let mut wire = Wire::Cluster(cluster_connection(settings, seeds, settings.response_timeout).await?);
    let (servers, _) = inspect(&mut wire).await?;
    settings.durability.plan(&servers, true)?;
    Ok(Connected { wire, settler: None, servers, host })
}

/// A connection for one blocking reader, which waits as long as its commands do.
pub(crate) async fn blocking(settings: &Settings, host: &Host) -> Result<Wire, RedisError> {
    match &settings.target.kind {
        Kind::Cluster { seeds } => Ok(Wire::Cluster(cluster_connection(settings, seeds, LONG).await?)),
        _ => Ok(Wire::One(multiplexed(settings, host, Login::Yes, None).await?)),
    }
}

/// A connection for subscriptions.
pub(crate) async fn pubsub(settings: &Settings, host: &Host) -> Result<redis::aio::PubSub, RedisError> {
    let client = client(settings, host, Login::Yes)?;
    within(settings.connect_timeout, async { Ok(client.get_async_pubsub().await?) }).await
}

pub(crate) async fn multiplexed(
    settings: &Settings,
    host: &Host,
    login: Login,
    response_timeout: Option<Duration>,
) -> Result<MultiplexedConnection, RedisError> {
    let options = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(response_timeout)
        .set_pipeline_buffer_size(PIPELINE)
        .set_write_backpressure_boundary(WRITE_BUFFER);
    Ok(client(settings, host, login)?.get_multiplexed_async_connection_with_config(&options).await?)
}

async fn cluster_connection(
    settings: &Settings,
    seeds: &[Host],
    response_timeout: Duration,
) -> Result<redis::cluster_async::ClusterConnection, RedisError> {
    let nodes: RedisResult<Vec<_>> = seeds.iter().map(|seed| address(settings, seed).into_connection_info()).collect();
    let nodes = nodes?.into_iter().map(|node| node.set_tcp_settings(tcp()));
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(response_timeout)
        .tcp_settings(tcp())
        // Redirections and lost connections; never more than the response timeout in all.
        .retries(4)
        .min_retry_wait(5)
        .max_retry_wait(100);
    if let Some(password) = settings.password()? {
        builder = builder.password(password.expose());
    }
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(certificates) = settings.certificates()? {
        builder = builder.certs(certificates);
    }
    let client = builder.build()?;
    within(2 * settings.connect_timeout, async { Ok(client.get_async_connection().await?) }).await
}

/// A server that knows a healthy cluster. Asking one alone first tells a wrong password from an absent server.
async fn first_of_cluster(settings: &Settings, seeds: &[Host]) -> Result<Host, RedisError> {
    let mut last = RedisError::unavailable("no server is named");
    for seed in seeds {
        match ask_cluster(settings, seed).await {
            Ok(()) => return Ok(seed.clone()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask_cluster(settings: &Settings, seed: &Host) -> Result<(), RedisError> {
    let connection = multiplexed(settings, seed, Login::Yes, Some(settings.response_timeout)).await?;
    let mut wire = Wire::One(connection);
    healthy(&mut wire).await.map_err(|error| match RedisError::from(error) {
        RedisError::Rejected { .. } => RedisError::misconfigured(format!("{seed} belongs to no cluster; use redis://")),
        other => other,
    })?
}

/// Whether a server of a cluster finds the cluster in order.
pub(crate) async fn healthy(wire: &mut Wire) -> RedisResult<Result<(), RedisError>> {
    let info: String = redis::from_redis_value(wire.send(redis::cmd("CLUSTER").arg("INFO")).await?)?;
    let sound = info.lines().any(|line| line.trim() == "cluster_state:ok");
    Ok(if sound { Ok(()) } else { Err(RedisError::unavailable("the cluster is down")) })
}

/// What kind of servers they are. Only that they answer is needed; the rest may be forbidden.
async fn inspect(wire: &mut Wire) -> Result<(Vec<Server>, Vec<Role>), RedisError> {
    wire.send(&redis::cmd("PING")).await?;
    let texts = |values: Vec<redis::Value>| -> Vec<String> {
        values.into_iter().map(|value| redis::from_redis_value(value).unwrap_or_default()).collect()
    };
    let infos = optional(wire.each(&redis::cmd("INFO")).await)?.map(texts).unwrap_or_default();
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET");
    let mut configs = Vec::new();
    for name in ["maxmemory-policy", "appendonly", "appendfsync"] {
        let answers = optional(wire.each(ask.clone().arg(name)).await)?.unwrap_or_default();
        for (at, answer) in answers.into_iter().enumerate() {
            if configs.len() <= at {
                configs.push(std::collections::HashMap::new());
            }
            configs[at].extend(config(answer));
        }
    }
    let count = infos.len().max(configs.len()).max(1);
    let nothing = std::collections::HashMap::new();
    let server = |at| Server::read(infos.get(at).map(String::as_str), configs.get(at).unwrap_or(&nothing));
    Ok(((0..count).map(server).collect(), infos.iter().map(|info| Role::read(info)).collect()))
}

/// `None` for what the server refuses to tell; an error for a server that is away.
fn optional<T>(answer: RedisResult<T>) -> Result<Option<T>, RedisError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code().is_some_and(|code| code != "NOAUTH") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn client(settings: &Settings, host: &Host, login: Login) -> Result<Client, RedisError> {
    // A sentinel knows no databases and its login may be another one.
    let redis = match login {
        Login::Yes => login_info(settings)?,
        Login::No => RedisConnectionInfo::default(),
    };
    let info: ConnectionInfo = address(settings, host).into_connection_info()?;
    let info = info.set_redis_settings(redis).set_tcp_settings(tcp());
    Ok(match settings.certificates()? {
        Some(certificates) => Client::build_with_tls(info, certificates)?,
        None => Client::open(info)?,
    })
}

fn login_info(settings: &Settings) -> Result<RedisConnectionInfo, RedisError> {
    let database = match &settings.target.kind {
        Kind::Single { database, .. } | Kind::Sentinel { database, .. } => *database,
        Kind::Cluster { .. } => 0,
    };
    let mut info = RedisConnectionInfo::default().set_db(database);
    if let Some(password) = settings.password()? {
        info = info.set_password(password.expose());
    }
    if let Some(username) = &settings.username {
        info = info.set_username(username);
    }
    Ok(info)
}

fn address(settings: &Settings, host: &Host) -> ConnectionAddr {
    let (name, port) = (host.name.clone(), host.port);
    match settings.target.tls {
        true => ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None },
        false => ConnectionAddr::Tcp(name, port),
    }
}

/// Small commands leave at once.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

async fn within<T>(limit: Duration, attempt: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(RedisError::unavailable("no connection in time")))
}
