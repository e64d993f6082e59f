//! Who calls, and how often: a patient with the token of one consultation, a clinician with a key, and whoever may open
//! consultations.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tonic::metadata::MetadataMap;
use wenzhen_service::Keys;
use wenzhen_service::keys::bearer;
use wenzhen_service::rate::{Rate, Rates};

use crate::Error;
use crate::store::ConsultationId;

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The holder of the consultation's token.
    Patient,
    /// A clinician, by the name of the key.
    Clinician(String),
}

impl Caller {
    /// Whether clinicians' parts may be shown.
    pub fn is_clinician(&self) -> bool {
        matches!(self, Self::Clinician(_))
    }
}

/// Who may do what, and how often. The default: no clinicians, anybody may open a consultation, no bounds.
#[derive(Debug, Clone, Default)]
pub struct AccessRules {
    /// Keys of clinicians.
    pub clinicians: Keys,
    /// Keys of those who may open consultations; `None`: everybody may. Keys of which none is left let nobody.
    pub openers: Option<Keys>,
    /// Consultations opened by the holder of one key.
    pub start_rate: Option<Rate>,
    /// Messages in one consultation.
    pub message_rate: Option<Rate>,
    /// Calls of one clinician.
    pub clinician_rate: Option<Rate>,
}

/// Decides who may.
#[derive(Debug)]
pub(crate) struct Access {
    clinicians: Keys,
    openers: Option<Keys>,
    starts: Rates<String>,
    messages: Rates<ConsultationId>,
    calls: Rates<String>,
}

impl Access {
    pub(crate) fn new(rules: AccessRules) -> Self {
        let AccessRules { clinicians, openers, start_rate, message_rate, clinician_rate } = rules;
        let (starts, messages, calls) = (Rates::new(start_rate), Rates::new(message_rate), Rates::new(clinician_rate));
        Self { clinicians, openers, starts, messages, calls }
    }

    /// Lets somebody open a consultation.
    ///
    /// # Errors
    /// [`Error::NoToken`] or [`Error::OpenerOnly`] without the right key, [`Error::TooOften`].
    pub(crate) fn open(&self, metadata: &MetadataMap) -> Result<(), Error> {
        let Some(openers) = &self.openers else { return Ok(()) };
        bearer(metadata).ok_or(Error::NoToken)?;
        let name = openers.name_of(metadata).ok_or(Error::OpenerOnly)?;
        self.starts.take(name).map_err(Error::TooOften)
    }

    /// Counts a message of a consultation.
    ///
    /// # Errors
    /// [`Error::TooOften`].
    pub(crate) fn message(&self, id: ConsultationId) -> Result<(), Error> {
        self.messages.take(id).map_err(Error::TooOften)
    }

    /// The clinician who calls.
    ///
    /// # Errors
    /// [`Error::NoToken`] without a token, [`Error::ClinicianOnly`] with any other than a clinician's,
    /// [`Error::TooOften`].
    pub(crate) fn clinician(&self, metadata: &MetadataMap) -> Result<Caller, Error> {
        bearer(metadata).ok_or(Error::NoToken)?;
        let name = self.clinicians.name_of(metadata).ok_or(Error::ClinicianOnly)?;
        self.calls.take(name.clone()).map_err(Error::TooOften)?;
        Ok(Caller::Clinician(name))
    }

    /// Who calls about the consultation whose token has this hash.
    ///
    /// # Errors
    /// [`Error::NoToken`] without a token, [`Error::WrongToken`] with one that opens something else.
    pub(crate) fn caller(&self, metadata: &MetadataMap, token_sha256: &[u8]) -> Result<Caller, Error> {
        let token = bearer(metadata).ok_or(Error::NoToken)?;
        if opens(token, token_sha256) {
            return Ok(Caller::Patient);
        }
        self.clinician(metadata).map_err(|error| if error == Error::ClinicianOnly { Error::WrongToken } else { error })
    }
}

/// Whether a token is the one with this hash.
pub(crate) fn opens(token: &str, token_sha256: &[u8]) -> bool {
    sha256(token.as_bytes()).as_slice().ct_eq(token_sha256).into()
}

/// A fresh token, 256 random bits as hexadecimal digits.
pub fn new_token() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
