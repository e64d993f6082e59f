//! Redis connections that come back: single server, Sentinel or Cluster, TLS, password, readiness.
