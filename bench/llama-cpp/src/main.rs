//! Measures llama.cpp on a GGUF file and prints the figures in the form of `wenzhen bench llm --json`.
//!
//! Usage: `llama-cpp-peer MODEL PROMPT GENERATE BATCH[,BATCH…] THREADS`. Tokens of prompts are made up, as the bench
//! of the product makes them up: only their number matters to the time.

use std::num::NonZeroU32;
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is measured.
struct Bench {
    prompt: i32,
    generate: i32,
    vocabulary: i32,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, prompt, generate, batches, threads] = args.as_slice() else {
        return Err("usage: llama-cpp-peer MODEL PROMPT GENERATE BATCH[,BATCH…] THREADS".into());
    };
    let batches: Vec<i32> = batches.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
    let threads: i32 = threads.parse()?;
    let mut backend = LlamaBackend::init()?;
    backend.void_logs();
    let model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default())?;
    let bench = Bench { prompt: prompt.parse()?, generate: generate.parse()?, vocabulary: model.n_vocab() };
    let most = batches.iter().copied().max().unwrap_or(1);
    let context = u32::try_from((bench.prompt + bench.generate + 8) * most)?;
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(context))
        .with_n_batch(512)
        .with_n_ubatch(512)
        .with_n_seq_max(u32::try_from(most)?)
        .with_n_threads(threads)
        .with_n_threads_batch(threads);
    let mut context = model.new_context(&backend, params)?;
    // The first pass touches every page of the weights.
    bench.fill(&mut context, 0)?;
    let runs = batches.iter().map(|&batch| bench.run(&mut context, batch)).collect::<Result<Vec<Value>>>()?;
    println!("{}", json!({ "engine": "llama.cpp", "model": path, "threads": threads, "prompt": bench.prompt,
        "generate": bench.generate, "runs": runs }));
    Ok(())
}

impl Bench {
    /// Reads the prompt of a sequence; gives the likeliest next token.
    fn fill(&self, context: &mut LlamaContext<'_>, sequence: i32) -> Result<LlamaToken> {
        let mut batch = LlamaBatch::new(512, 1);
        let mut next = LlamaToken(0);
        for from in (0..self.prompt).step_by(512) {
            batch.clear();
            let to = self.prompt.min(from + 512);
            for at in from..to {
                let token = 16 + (at * 7919 + sequence * 131) % (self.vocabulary - 16).min(100_000);
                batch.add(LlamaToken(token), at, &[sequence], at + 1 == self.prompt)?;
            }
            context.decode(&mut batch)?;
            if to == self.prompt {
                next = likeliest(context.get_logits_ith(batch.n_tokens() - 1));
            }
        }
        Ok(next)
    }

    fn run(&self, context: &mut LlamaContext<'_>, sequences: i32) -> Result<Value> {
        context.clear_kv_cache();
        let began = Instant::now();
        let mut current = (0..sequences).map(|sequence| self.fill(context, sequence)).collect::<Result<Vec<_>>>()?;
        let prefill = began.elapsed().as_secs_f64();
        let mut batch = LlamaBatch::new(usize::try_from(sequences)?, 1);
        let began = Instant::now();
        for step in 0..self.generate {
            batch.clear();
            for (sequence, token) in (0..).zip(&current) {
                batch.add(*token, self.prompt + step, &[sequence], true)?;
            }
            context.decode(&mut batch)?;
            for (row, token) in (0..).zip(&mut current) {
                *token = likeliest(context.get_logits_ith(row));
            }
        }
        let decode = began.elapsed().as_secs_f64();
        Ok(json!({ "batch": sequences,
            "prefill_tokens_per_second": f64::from(self.prompt * sequences) / prefill,
            "decode_tokens_per_second": f64::from(self.generate * sequences) / decode }))
    }
}

fn likeliest(logits: &[f32]) -> LlamaToken {
    let best = logits.iter().zip(0..).max_by(|a, b| a.0.total_cmp(b.0));
    LlamaToken(best.map_or(0, |(_, token)| token))
}
