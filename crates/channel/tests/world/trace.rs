//! All that crossed the network of a simulated world, in order: two runs of a seed must agree in it. That an end was
//! dropped is not in it: the other end notices.

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

/// Begins a world where every other began: the order in which tokio drops the tasks of a process that dies hangs on
/// their ids, which go on from world to world, by their remainder for some power of two.
pub fn begin_tasks_anew() {
    const SHARDS: u64 = 64;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let last = || runtime.spawn(async {}).id().to_string().parse::<u64>().unwrap();
    while !(last() + 1).is_multiple_of(SHARDS) {}
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
