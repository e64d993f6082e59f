//! `wenzhen bench vision`: the networks and the way of a large photograph to its verdict.

use std::hint::black_box;
use std::io::Cursor;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use serde::Serialize;
use wenzhen_proto::vision::v1::MediaType;
use wenzhen_vision::net::{Planes, ResNet18};
use wenzhen_vision::{Limits, decode, model};

use crate::args::BenchVisionArgs;

/// Width of the paper's ResNet-18, and the side of its pictures.
const PAPER: (usize, usize) = (64, 224);
/// A photograph of 12 megapixels.
const LARGE: (usize, usize) = (4000, 3000);

/// What came of it; medians, in milliseconds.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// A ResNet-18 of the paper's width, one picture of 224 x 224.
    resnet18_batch_1_ms: f64,
    /// The same, eight pictures at once.
    resnet18_batch_8_ms: f64,
    /// A 12-megapixel JPEG of this many bytes.
    large_jpeg_bytes: usize,
    /// Decoding it.
    large_jpeg_decode_ms: f64,
    /// Decoding it, finding the tongue and judging the picture; needs a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    large_jpeg_verdict_ms: Option<f64>,
    /// From the file to the features, one picture; needs a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    large_jpeg_read_ms: Option<f64>,
}

/// Measures on all cores.
///
/// # Errors
/// When the built-in model cannot be used.
pub fn vision(args: &BenchVisionArgs) -> anyhow::Result<()> {
    let (width, side) = PAPER;
    let trunk = ResNet18::seeded(width);
    let batch = |count: usize| {
        let data = (0..count * 3 * side * side).map(|at| (at % 255) as f32 / 127.0 - 1.0).collect();
        Planes { count, channels: 3, height: side, width: side, data }
    };
    let (one, eight) = (batch(1), batch(8));
    let file = large()?;
    let open = || decode::decode(MediaType::Jpeg, &file, &Limits::default());
    let mut report = Report {
        resnet18_batch_1_ms: median(args.runs, || drop(black_box(trunk.forward(&one)))),
        resnet18_batch_8_ms: median(args.runs, || drop(black_box(trunk.forward(&eight)))),
        large_jpeg_bytes: file.len(),
        large_jpeg_decode_ms: median(args.runs, || drop(black_box(open()))),
        ..Report::default()
    };
    if let Some(engine) = model::embedded()? {
        let look = || Some(engine.read(&[&open().ok()?]).first()?.judge_ms);
        let judged: Vec<f32> = (0..args.runs).filter_map(|_| look()).collect();
        let judge = f64::from(judged.iter().sum::<f32>()) / judged.len().max(1) as f64;
        report.large_jpeg_verdict_ms = Some(report.large_jpeg_decode_ms + judge);
        report.large_jpeg_read_ms = Some(median(args.runs, || _ = black_box(look())));
    }
    print(&report, args.json)
}

#[allow(clippy::print_stdout, reason = "a report for whoever asked for it")]
fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(report)? } else { format!("{report:#?}") };
    println!("{text}");
    Ok(())
}

/// The middle one of so many runs, after two that do not count.
fn median(runs: usize, mut run: impl FnMut()) -> f64 {
    (0..2).for_each(|_| run());
    let mut times: Vec<f64> = (0..runs.max(1))
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Something red before something grey, with the noise of a camera, as a file.
fn large() -> anyhow::Result<Vec<u8>> {
    let (width, height) = LARGE;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x as f32 / width as f32 - 0.5, y as f32 / height as f32 - 0.5);
            let base: [u8; 3] = if dx.hypot(dy) < 0.3 { [188, 110, 112] } else { [120, 115, 110] };
            let noise = u8::try_from((x * 7919 + y * 104_729) % 13).unwrap_or_default();
            pixels.extend(base.map(|value| value + noise));
        }
    }
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(Cursor::new(&mut file), 90);
    encoder.write_image(&pixels, u32::try_from(width)?, u32::try_from(height)?, ExtendedColorType::Rgb8)?;
    Ok(file)
}
