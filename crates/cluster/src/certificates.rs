//! Certificates of a cluster: authorities, and folders that are exchanged as a whole, as Kubernetes does with secrets.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// Names of every certificate: where the services of a cluster on one machine are.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }
}

/// The folder of one service: its certificate, its key, and the authorities that it trusts.
pub struct Folder {
    folder: TempDir,
    name: &'static str,
    version: u32,
}

impl Folder {
    /// A folder with a certificate that `signer` has signed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(name: &'static str, signer: &Authority, trusted: &[&Authority]) -> anyhow::Result<Self> {
        let mut folder = Self { folder: tempfile::tempdir()?, name, version: 0 };
        folder.exchange(signer, trusted)?;
        Ok(folder)
    }

    /// A new key and certificate, and other authorities, all at the same moment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn exchange(&mut self, signer: &Authority, trusted: &[&Authority]) -> anyhow::Result<()> {
        let mut params = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        params.distinguished_name.push(DnType::CommonName, self.name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &signer.0)?;
        self.version += 1;
        let version = self.folder.path().join(self.version.to_string());
        fs::create_dir(&version)?;
        let authorities: String = trusted.iter().map(|authority| authority.0.pem()).collect();
        for (file, text) in [("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem()), ("ca.pem", authorities)]
        {
            fs::write(version.join(file), text)?;
        }
        let (link, next) = (self.folder.path().join("current"), self.folder.path().join("next"));
        std::os::unix::fs::symlink(&version, &next)?;
        fs::rename(&next, &link).with_context(|| format!("cannot exchange {}", link.display()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("current").join(name)
    }

    /// The flags of a service that uses it, and that lets nobody in without a certificate.
    pub fn flags(&self) -> Vec<String> {
        let flag = |flag: &str, file: &Path| format!("--{flag}={}", file.display());
        vec![
            flag("tls-cert", &self.file("cert.pem")),
            flag("tls-key", &self.file("key.pem")),
            flag("tls-ca", &self.file("ca.pem")),
            "--tls-client-auth=required".to_owned(),
        ]
    }

    /// What a client uses who has it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn client(&self) -> anyhow::Result<ClientTlsConfig> {
        let read = |name: &str| fs::read(self.file(name));
        let identity = Identity::from_pem(read("cert.pem")?, read("key.pem")?);
        let authority = Certificate::from_pem(read("ca.pem")?);
        Ok(ClientTlsConfig::new().ca_certificate(authority).identity(identity).domain_name("localhost"))
    }
}
