//! What a certificate says: until when it holds, and whose it is.

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Who a verified certificate speaks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Subject alternative names that are URIs, such as `spiffe://…`.
    pub uris: Vec<String>,
    /// Subject alternative names that are DNS names.
    pub dns: Vec<String>,
    /// Common name of the subject.
    pub common_name: Option<String>,
}

impl Identity {
    /// Reads a certificate; empty where it says nothing that is known here.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut identity = Self::default();
        let Ok((_, parsed)) = parse_x509_certificate(certificate) else { return identity };
        let common = parsed.subject().iter_common_name().next();
        identity.common_name = common.and_then(|name| name.as_str().ok()).map(str::to_owned);
        if let Ok(Some(names)) = parsed.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::URI(uri) => identity.uris.push((*uri).to_owned()),
                    GeneralName::DNSName(dns) => identity.dns.push((*dns).to_owned()),
                    _ => {}
                }
            }
        }
        identity
    }

    /// The most telling of the names: a URI, else a DNS name, else the common name.
    pub fn name(&self) -> Option<&str> {
        let names = self.uris.first().or(self.dns.first()).or(self.common_name.as_ref());
        names.map(String::as_str)
    }
}

/// The end of the validity, in seconds since 1970.
pub(super) fn expires(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}
