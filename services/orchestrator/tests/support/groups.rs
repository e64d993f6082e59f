//! Several servers together: a cluster, a master with a replica and sentinels.

use super::server::{Server, free_port};
use super::until;

/// Three masters of a cluster, which share the slots.
pub struct Cluster(pub Vec<Server>);

impl Cluster {
    pub async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in 0..3 {
            let bus = free_port().to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "500"];
            servers.push((Server::with(&arguments).await, bus));
        }
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (number, ((server, _), (from, to))) in servers.iter().zip(ranges).enumerate() {
            let () = server.ask(&["CLUSTER", "ADDSLOTSRANGE", from, to]).await;
            let () = server.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
        }
        let first = &servers[0].0;
        for (server, bus) in &servers[1..] {
            let () = first.ask(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string(), bus]).await;
        }
        for (server, _) in &servers {
            until("all know the whole cluster", async || {
                let info: String = server.ask(&["CLUSTER", "INFO"]).await;
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
            .await;
        }
        Self(servers.into_iter().map(|(server, _)| server).collect())
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.0.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

/// A master, a replica, and sentinels that call the master `main`.
pub struct Watched {
    pub master: Server,
    pub replica: Server,
    pub sentinels: Vec<Server>,
}

impl Watched {
    pub async fn start(sentinels: usize, arguments: &[&str]) -> Self {
        let master = Server::with(arguments).await;
        let replica = replica_of(&master, arguments).await;
        let quorum = sentinels / 2 + 1;
        let mut group = Self { master, replica, sentinels: Vec::new() };
        for _ in 0..sentinels {
            let sentinel = sentinel(group.master.port, quorum).await;
            group.sentinels.push(sentinel);
        }
        for sentinel in &group.sentinels {
            until("the sentinels know everybody", async || {
                let known: Vec<String> = sentinel.ask(&["SENTINEL", "MASTER", "main"]).await;
                let field = |name: &str| known.iter().position(|word| word == name).map(|at| known[at + 1].clone());
                let others = Some((sentinels - 1).to_string());
                field("num-slaves").as_deref() == Some("1") && field("num-other-sentinels") == others
            })
            .await;
        }
        group
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis+sentinel://{}/main", hosts.join(","))
    }
}

/// A replica that has caught up.
pub async fn replica_of(master: &Server, arguments: &[&str]) -> Server {
    let port = master.port.to_string();
    let replica = Server::with(&[arguments, &["--replicaof", "127.0.0.1", &port]].concat()).await;
    until("the replica has caught up", async || {
        let info: String = master.ask(&["INFO", "replication"]).await;
        info.contains("state=online")
    })
    .await;
    replica
}

async fn sentinel(master: u16, quorum: usize) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    let lines = [
        format!("sentinel monitor main 127.0.0.1 {master} {quorum}"),
        "sentinel down-after-milliseconds main 300".into(),
        "sentinel failover-timeout main 3000".into(),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    Server::inside(folder, &[file.to_str().unwrap(), "--sentinel"]).await
}
