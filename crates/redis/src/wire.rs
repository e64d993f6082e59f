//! One connection for commands, whatever the deployment.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Cmd, RedisResult, Value};

/// Shared by all who send: many commands are under way at once.
#[derive(Clone)]
pub(crate) enum Wire {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Wire {
    /// Sends a command to the server that holds its keys.
    pub(crate) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        let value = match self {
            Self::One(connection) => connection.req_packed_command(command).await?,
            Self::Cluster(connection) => connection.req_packed_command(command).await?,
        };
        value.extract_error()
    }

    /// Sends a command to every master; their answers.
    pub(crate) async fn each(&mut self, command: &Cmd) -> RedisResult<Vec<Value>> {
        let Self::Cluster(connection) = self else {
            return self.send(command).await.map(|value| vec![value]);
        };
        let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        match connection.route_command(command.clone(), masters).await? {
            Value::Map(answers) => answers.into_iter().map(|(_, value)| value.extract_error()).collect(),
            other => other.extract_error().map(|value| vec![value]),
        }
    }
}
