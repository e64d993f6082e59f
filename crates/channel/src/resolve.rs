//! From a name to all its addresses.

use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;

use crate::target::Authority;

/// Finds the addresses of a host. Tests and simulations bring their own.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses that the host has now, with its port.
    ///
    /// # Errors
    /// When the name cannot be looked up; the channel then keeps the addresses that it knows.
    fn resolve(&self, authority: &Authority) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver: a headless service's name has the addresses of all its ready pods.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dns;

impl Resolve for Dns {
    fn resolve(&self, authority: &Authority) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let (host, port) = (authority.host().to_owned(), authority.port());
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[tokio::test]
    async fn addresses_need_no_name_server() {
        let target: Target = "http://127.0.0.3:7000,http://[::1]:7001".parse().unwrap();
        let mut found = Vec::new();
        for authority in target.authorities() {
            found.extend(Dns.resolve(authority).await.unwrap());
        }
        let expected: Vec<SocketAddr> = vec!["127.0.0.3:7000".parse().unwrap(), "[::1]:7001".parse().unwrap()];
        assert_eq!(found, expected);
    }
}
