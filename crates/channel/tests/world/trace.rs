//! All that crossed the network of a simulated world, in order: two runs of a seed must agree in it. That an end was
//! dropped is not in it: what a process that dies drops first is left to chance, and nobody can tell.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;

/// What happened at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was made, or accepted.
    Opened,
    /// So many bytes were written, with this sum over them.
    Wrote(usize, u32),
    /// So many bytes were read; 0 at the end.
    Read(usize),
}

impl What {
    /// These bytes were written.
    pub fn wrote(bytes: &[u8]) -> Self {
        // FNV-1a: it tells two texts apart, more is not asked of it.
        let sum = bytes.iter().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        Self::Wrote(bytes.len(), sum)
    }
}

/// One line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, in simulated time.
    pub at: Duration,
    /// Whose end of the connection.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// What happened.
    pub what: What,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} to {}: {:?}", self.at, self.local, self.peer, self.what)
    }
}

/// The trace of a world.
#[derive(Default)]
pub struct Trace(Mutex<Vec<Step>>);

impl Trace {
    /// Writes a line.
    pub fn note(&self, local: SocketAddr, peer: SocketAddr, what: What) {
        // Nothing crosses a network whose world is over.
        if let Some(at) = turmoil::sim_elapsed() {
            self.0.lock().push(Step { at, local, peer, what });
        }
    }

    /// Takes all lines.
    pub fn take(&self) -> Vec<Step> {
        std::mem::take(&mut self.0.lock())
    }
}

/// Where two runs part; None when they do not.
pub fn parting(one: &[Step], other: &[Step]) -> Option<String> {
    let at = one.iter().zip(other).position(|(one, other)| one != other);
    let at = at.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))?;
    let around = |steps: &[Step]| -> String {
        steps.iter().skip(at.saturating_sub(2)).take(5).map(|step| format!("\n  {step}")).collect()
    };
    Some(format!("step {at} of {} and {}:{}\nor{}", one.len(), other.len(), around(one), around(other)))
}
