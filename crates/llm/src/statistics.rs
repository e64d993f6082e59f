//! What an engine is doing: gauges and counters for a service's metrics.

/// Gauges of this moment, and counters since the engine started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Requests in the queue.
    pub waiting: u32,
    /// Generations that hold a slot.
    pub running: u32,
    /// Generations that have ended, however they did.
    pub ended: u64,
    /// Tokens of prompts read, reused ones included.
    pub prompt_tokens: u64,
    /// Tokens of prompts that had been computed before.
    pub reused_tokens: u64,
    /// Tokens drawn.
    pub generated_tokens: u64,
    /// Tokens that were computed before they were drawn, since they were likely.
    pub guessed_tokens: u64,
    /// Those of them that were drawn: each spared a pass.
    pub held_tokens: u64,
    /// Passes over the weights; a remote engine cannot see them and leaves 0.
    pub steps: u64,
    /// Rows (tokens of prompts and texts) in those passes: `rows / steps` is the mean batch.
    pub rows: u64,
}
