//! The flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::TlsError;

/// Transport security. The files are read again while the process runs.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// Certificate chain of this service, PEM; with it the gRPC port speaks TLS only
    #[arg(long, env = "WENZHEN_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, env = "WENZHEN_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// CAs, PEM: those who call us and those whom we call over https are trusted when one of these has signed
    #[arg(long, env = "WENZHEN_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Whether those who call must show a certificate of the CA [default: none]
    #[arg(long, env = "WENZHEN_TLS_CLIENT_AUTH", value_name = "WHEN", value_enum, requires = "tls_cert")]
    pub tls_client_auth: Option<ClientAuth>,
}

/// What is asked of those who call.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate is asked for.
    #[default]
    None,
    /// A certificate is checked where one is shown.
    Optional,
    /// Nobody without a certificate gets through.
    Required,
}

impl TlsArgs {
    /// Whether TLS is wanted at all. Checks again what clap has checked, for those who fill this in by hand.
    pub(super) fn any(&self) -> Result<bool, TlsError> {
        let needs = |flag, needs| Err(TlsError::Needs { flag, needs });
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return needs("--tls-cert", "--tls-key"),
            (None, Some(_)) => return needs("--tls-key", "--tls-cert"),
            _ => {}
        }
        if self.client_auth() != ClientAuth::None {
            if self.tls_cert.is_none() {
                return needs("--tls-client-auth", "--tls-cert and --tls-key");
            }
            if self.tls_ca.is_none() {
                return needs("--tls-client-auth", "--tls-ca");
            }
        }
        Ok(self.tls_cert.is_some() || self.tls_ca.is_some())
    }

    pub(super) fn client_auth(&self) -> ClientAuth {
        self.tls_client_auth.unwrap_or_default()
    }
}
