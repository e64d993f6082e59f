//! Why a process ends before its time: an exit code and one line.

use std::error::Error;

use crate::tls::TlsError;

/// The exit code where the configuration is wrong in itself.
const CONFIGURATION: u8 = 2;
/// The exit code of everything else.
const SURROUNDINGS: u8 = 1;

/// Why the process ends; any error becomes one with `?`.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    line: String,
}

impl Failure {
    /// The configuration contradicts itself or asks for what cannot be.
    pub fn configuration(line: impl Into<String>) -> Self {
        Self { code: CONFIGURATION, line: one_line(&line.into()) }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// What happened, without a line break.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Says which flag led to this.
    pub(super) fn of(flag: impl std::fmt::Display, error: &(dyn Error + 'static)) -> Self {
        Self { code: SURROUNDINGS, line: format!("{flag}: {}", chain(error)) }
    }
}

// No error of its own, or this would clash with `From<T> for T`.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let contradiction = error.downcast_ref::<TlsError>().is_some_and(TlsError::is_contradiction);
        let code = if contradiction { CONFIGURATION } else { SURROUNDINGS };
        Self { code, line: chain(&*error) }
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors say themselves what their cause says.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    one_line(&text)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_causes_and_a_code() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = TlsError::Unreadable { flag: "--tls-cert", path: "certificate.pem".into(), source: missing };
        let failure = Failure::from(error);
        assert_eq!((failure.code(), failure.line()), (1, "--tls-cert certificate.pem: entity not found"));
        let failure = Failure::from(TlsError::NoCa);
        assert_eq!((failure.code(), failure.line()), (2, "calling over TLS needs --tls-ca"));
        assert_eq!(Failure::from("first\n  second\n").line(), "first second");
    }
}
