//! How fast a language model is on this machine.

use std::io::Write as _;

use wenzhen_llm::candle::Form;
use wenzhen_llm::candle::measure::{Plan, Report, measure};

use crate::args::BenchLlmArgs;

/// Measures a model and prints what was found.
///
/// # Errors
/// The model cannot be loaded, or fails.
pub async fn llm(args: BenchLlmArgs) -> anyhow::Result<()> {
    let plan = Plan {
        prompt: args.prompt,
        generate: args.generate,
        batches: args.batch,
        form: if args.eight_bits { Form::Q8 } else { Form::Stored },
        shared: args.shared_prefix,
    };
    let report = measure(&args.model, &plan).await?;
    let mut out = std::io::stdout().lock();
    // A reader who has seen enough closes the pipe; that is no failure of the measurement.
    let _ = if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)
    } else {
        write!(out, "{}", table(&report))
    };
    Ok(())
}

fn table(report: &Report) -> String {
    let gigabytes = |bytes: f64| bytes / 1e9;
    let mut text = format!(
        "{} threads, prompt {}, generate {}; loaded in {:.1} s, {:.0} MiB resident\n\
         one pass reads {:.2} GB of weights, the memory gives {:.1} GB/s\n\n\
         batch   prefill tok/s   decode tok/s   per thread   thread ms/token   of the memory bound\n",
        report.threads,
        report.prompt,
        report.generate,
        report.load_seconds,
        report.resident_mib.unwrap_or(0.0),
        gigabytes(report.bytes_per_pass as f64),
        gigabytes(report.memory_bytes_per_second),
    );
    for run in &report.runs {
        text.push_str(&format!(
            "{:>5} {:>15.1} {:>14.1} {:>12.1} {:>17.2} {:>20.0}%\n",
            run.batch,
            run.prefill_tokens_per_second,
            run.decode_tokens_per_second,
            run.decode_tokens_per_second_per_thread,
            run.thread_ms_per_token,
            run.share_of_memory_bound * 100.0,
        ));
    }
    if let Some(shared) = &report.shared {
        text.push_str(&format!(
            "\neight consultations of {} tokens that begin the same way, mean time to the first token:\n\
             {:.0} ms without reuse, {:.0} ms when they come first ({:.0}%), {:.0} ms when others came before ({:.0}%)\n",
            shared.prompt_tokens,
            shared.without_reuse_ms,
            shared.cold_ms,
            shared.cold_share * 100.0,
            shared.warm_ms,
            shared.warm_share * 100.0,
        ));
    }
    text
}
