//! How fast a model is on this machine: reading prompts, going on in batches, against what its memory could give.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::decoder::{Decoder, Row};
use super::error::LoadError;
use super::kernels::memory::Buffer;
use super::kernels::pool;
use super::open::Room;
use super::sampler::likeliest;
use super::{Candle, Form, Options};
use crate::{Engine, Message, Request};

/// Rows of a prompt in one pass.
const CHUNK: usize = 512;
/// Bytes that are read to measure the memory: far more than any cache holds.
const READ: usize = 512 << 20;
/// Consultations that share it.
const TOGETHER: usize = 8;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Tokens of each prompt.
    pub prompt: usize,
    /// Tokens that each sequence goes on by.
    pub generate: usize,
    /// Sequences at once, one measurement each.
    pub batches: Vec<usize>,
    /// In which form weights are kept.
    pub form: Form,
    /// Tokens of the beginning that consultations share, about, to measure what reusing it saves; 0 for not to.
    pub shared: usize,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// This engine.
    pub engine: &'static str,
    /// Threads that compute.
    pub threads: usize,
    /// Tokens of each prompt.
    pub prompt: usize,
    /// Tokens that each sequence went on by.
    pub generate: usize,
    /// Seconds to load the model.
    pub load_seconds: f64,
    /// Bytes of weights that one pass reads.
    pub bytes_per_pass: usize,
    /// Bytes that all threads read from memory in a second.
    pub memory_bytes_per_second: f64,
    /// Memory of this process after loading, in MiB.
    pub resident_mib: Option<f64>,
    /// One for each batch.
    pub runs: Vec<Run>,
    /// What reusing a shared beginning saves.
    pub shared: Option<Shared>,
}

/// One batch.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Sequences at once.
    pub batch: usize,
    /// Tokens of prompts read in a second.
    pub prefill_tokens_per_second: f64,
    /// Tokens that all sequences together went on by in a second.
    pub decode_tokens_per_second: f64,
    /// The same for each thread.
    pub decode_tokens_per_second_per_thread: f64,
    /// Processor time for a token, in milliseconds.
    pub thread_ms_per_token: f64,
    /// Bytes of weights read in a second, as a share of what the memory gives.
    pub share_of_memory_bound: f64,
}

/// Times to the first token of eight consultations that begin the same way and come together, in milliseconds, mean.
#[derive(Debug, Clone, Serialize)]
pub struct Shared {
    /// Tokens of each prompt.
    pub prompt_tokens: u32,
    /// Nothing is reused.
    pub without_reuse_ms: f64,
    /// They come first: one computes the beginning, the others wait for it.
    pub cold_ms: f64,
    /// The beginning was computed for others before.
    pub warm_ms: f64,
    /// `cold_ms` as a share of `without_reuse_ms`.
    pub cold_share: f64,
    /// `warm_ms` as a share of `without_reuse_ms`.
    pub warm_share: f64,
}

/// Measures.
///
/// # Errors
/// The model cannot be loaded, or a pass fails.
pub async fn measure(path: &Path, plan: &Plan) -> Result<Report, LoadError> {
    let most = plan.batches.iter().copied().max().unwrap_or(1);
    let began = Instant::now();
    let room = Room { slots: most, context: plan.prompt + plan.generate + 1, form: plan.form };
    let mut decoder = Decoder::open(path, room)?;
    let load_seconds = began.elapsed().as_secs_f64();
    let memory = memory_bytes_per_second();
    // The first pass touches every page.
    let mut bench = Bench { decoder: &mut decoder, plan, memory };
    bench.read(0)?;
    let runs = plan.batches.iter().map(|batch| bench.run(*batch)).collect::<Result<_, _>>()?;
    let resident_mib = resident_mib();
    let bytes_per_pass = decoder.bytes_per_pass();
    drop(decoder);
    let shared = if plan.shared > 0 { Some(shared(path, plan.form, plan.shared).await?) } else { None };
    Ok(Report {
        engine: "wenzhen",
        threads: pool::threads(),
        prompt: plan.prompt,
        generate: plan.generate,
        load_seconds,
        bytes_per_pass,
        memory_bytes_per_second: memory,
        resident_mib,
        runs,
        shared,
    })
}

struct Bench<'a> {
    decoder: &'a mut Decoder,
    plan: &'a Plan,
    memory: f64,
}

impl Bench<'_> {
    /// A made-up token: only how many there are matters to the time.
    fn token(&self, slot: usize, position: usize) -> u32 {
        let among = (self.decoder.config().vocabulary - 16).min(100_000);
        u32::try_from(16 + (position * 7919 + slot * 131) % among).unwrap_or(0)
    }

    /// Reads the prompt of one sequence; gives the likeliest next token.
    fn read(&mut self, slot: usize) -> Result<u32, LoadError> {
        let last = self.plan.prompt.max(1);
        let mut next = 0;
        for from in (0..last).step_by(CHUNK) {
            let row =
                |position| Row { slot, position, token: self.token(slot, position), logits: position + 1 == last };
            let rows: Vec<Row> = (from..last.min(from + CHUNK)).map(row).collect();
            next = self.decoder.forward(&rows)?.next().map_or(next, first);
        }
        Ok(next)
    }

    fn run(&mut self, batch: usize) -> Result<Run, LoadError> {
        let prompt = self.plan.prompt.max(1);
        let began = Instant::now();
        let mut next = (0..batch).map(|slot| self.read(slot)).collect::<Result<Vec<u32>, _>>()?;
        let prefill = began.elapsed().as_secs_f64();
        let began = Instant::now();
        for step in 0..self.plan.generate {
            let row = |(slot, token): (usize, &u32)| Row { slot, position: prompt + step, token: *token, logits: true };
            let rows: Vec<Row> = next.iter().enumerate().map(row).collect();
            next = self.decoder.forward(&rows)?.map(first).collect();
        }
        let decode = began.elapsed().as_secs_f64();
        let (threads, steps) = (pool::threads() as f64, self.plan.generate as f64);
        let made = steps * batch as f64;
        Ok(Run {
            batch,
            prefill_tokens_per_second: (prompt * batch) as f64 / prefill,
            decode_tokens_per_second: made / decode,
            decode_tokens_per_second_per_thread: made / decode / threads,
            thread_ms_per_token: decode * 1000.0 * threads / made,
            share_of_memory_bound: self.decoder.bytes_per_pass() as f64 * steps / decode / self.memory,
        })
    }
}

fn first(logits: &[f32]) -> u32 {
    likeliest(logits).map_or(0, |(token, _)| token)
}

/// What all threads together read from memory, the best of three times.
fn memory_bytes_per_second() -> f64 {
    let Some(mut buffer) = Buffer::<u64>::zeroed(READ / 8) else { return f64::INFINITY };
    buffer.fill(1);
    let mut best = Duration::MAX;
    let piece = 1 << 16;
    for _ in 0..3 {
        let began = Instant::now();
        pool::ranges(buffer.len() / piece, |range| {
            let words = &buffer[range.start * piece..range.end * piece];
            // Eight sums side by side keep the loads coming.
            let mut sums = [0u64; 8];
            for eight in words.chunks_exact(8) {
                for (sum, word) in sums.iter_mut().zip(eight) {
                    *sum = sum.wrapping_add(*word);
                }
            }
            std::hint::black_box(sums);
        });
        best = best.min(began.elapsed());
    }
    READ as f64 / best.as_secs_f64()
}

/// Memory that this process holds.
fn resident_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? / 1024.0)
}

async fn shared(path: &Path, form: Form, tokens: usize) -> Result<Shared, LoadError> {
    let options = Options { slots: TOGETHER, context: 2 * tokens + 256, form, ..Options::default() };
    let plain = Candle::open(path, &Options { reuse: false, ..options.clone() })?;
    let text = beginning(&plain, tokens).await;
    let (without_reuse_ms, prompt_tokens) = together(&plain, &text, "a").await;
    plain.close();
    drop(plain);
    let engine = Candle::open(path, &options)?;
    let (cold_ms, _) = together(&engine, &text, "b").await;
    let (warm_ms, _) = together(&engine, &text, "c").await;
    engine.close();
    let (cold_share, warm_share) = (cold_ms / without_reuse_ms, warm_ms / without_reuse_ms);
    Ok(Shared { prompt_tokens, without_reuse_ms, cold_ms, warm_ms, cold_share, warm_share })
}

/// A text of about so many tokens.
async fn beginning(engine: &Candle, wanted: usize) -> String {
    const SENTENCE: &str = "Say only what follows from what was observed. ";
    let tokens = |request: Request| async {
        match engine.submit(request) {
            Ok(generation) => generation.whole().await.1.usage.prompt_tokens,
            Err(_) => 0,
        }
    };
    let (one, nine) = (
        tokens(Request::new(vec![Message::system(SENTENCE)], 1)).await,
        tokens(Request::new(vec![Message::system(SENTENCE.repeat(9))], 1)).await,
    );
    let each = (nine.saturating_sub(one) / 8).max(1) as usize;
    SENTENCE.repeat(wanted.div_ceil(each))
}

/// Mean time to the first token of all, and the tokens of a prompt.
async fn together(engine: &Candle, text: &str, word: &str) -> (f64, u32) {
    let request = |index: usize| {
        let said = format!("{index}{word}: what should I ask next?");
        Request::new(vec![Message::system(text), Message::user(said)], 1)
    };
    let all: Vec<_> = (0..TOGETHER).filter_map(|index| engine.submit(request(index)).ok()).collect();
    let (mut total, mut tokens, count) = (Duration::ZERO, 0, all.len().max(1));
    for generation in all {
        let usage = generation.whole().await.1.usage;
        total += usage.to_first_token.unwrap_or(usage.total);
        tokens = usage.prompt_tokens;
    }
    (total.as_secs_f64() * 1000.0 / count as f64, tokens)
}
