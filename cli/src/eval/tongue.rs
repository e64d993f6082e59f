//! `wenzhen eval tongue`: the model on photographs that it may never have seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use wenzhen_vision::card::{HeadCard, Role};
use wenzhen_vision::engine::Reading;
use wenzhen_vision::picture::Picture;
use wenzhen_vision::{Engine, Limits, decode, model};

use super::figures::{Case, HeadFigures, of_head, share};
use crate::args::EvalTongueArgs;
use crate::photo::Photo;

/// Pictures read together.
const TOGETHER: usize = 8;

#[derive(Deserialize)]
struct Columns {
    columns: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    /// Pictures of tongues.
    pictures: usize,
    /// Pictures that could not be decoded.
    broken: usize,
    /// Real tongues that were refused, as a share, and by verdict.
    refused: f64,
    verdicts: BTreeMap<String, usize>,
    heads: BTreeMap<String, HeadFigures>,
    /// Pictures of anything else, and the share of them that was refused.
    others: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    others_refused: Option<f64>,
}

/// Reads labelled photographs, and pictures of anything else, and tells how good the model is.
///
/// # Errors
/// When there is no model, or the data cannot be read.
pub fn tongue(args: &EvalTongueArgs) -> anyhow::Result<()> {
    let engine = match &args.model {
        Some(folder) => model::from_folder(folder)?,
        None => model::embedded()?.context("this build has no model: name one with --model")?,
    };
    let labels = Labels::read(&args.data.join("labels.tsv"))?;
    let mut report = Report {
        model: engine.card().model_version(),
        pictures: 0,
        broken: 0,
        refused: 0.0,
        verdicts: BTreeMap::new(),
        heads: BTreeMap::new(),
        others: 0,
        others_refused: None,
    };
    let mut cases: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    let files = labels.rows.keys().filter_map(|id| pictures(&args.data.join("raw"), id)).collect::<Vec<_>>();
    each(&engine, &files, |path, reading| {
        report.pictures += 1;
        let Some(reading) = reading else {
            report.broken += 1;
            return;
        };
        let verdict = reading.quality.as_str_name().trim_start_matches("QUALITY_").to_lowercase();
        *report.verdicts.entry(verdict).or_default() += 1;
        labels.enter(&engine, (path, &reading), &mut cases);
    });
    let read = report.verdicts.get("ok").copied().unwrap_or_default();
    report.refused = 1.0 - share(read, report.pictures);
    for head in engine.card().heads.iter().filter(|head| head.role == Role::Feature) {
        if let Some(cases) = cases.get(&head.name) {
            report.heads.insert(head.name.clone(), of_head(&labels.classes(head), cases, !head.enabled));
        }
    }
    if let Some(folder) = &args.others {
        let (mut refused, mut looked) = (0, 0);
        each(&engine, &all_files(folder)?, |_, reading| {
            looked += 1;
            refused += usize::from(reading.is_none_or(|reading| reading.heads.is_empty()));
        });
        (report.others, report.others_refused) = (looked, Some(share(refused, looked)));
    }
    print(&report, args.json)
}

#[allow(clippy::print_stdout, reason = "a report for whoever asked for it")]
fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    println!(
        "{}: {} pictures, {:.1} % refused {:?}",
        report.model,
        report.pictures,
        report.refused * 100.0,
        report.verdicts
    );
    for (name, head) in &report.heads {
        let off = if head.switched_off { " (switched off)" } else { "" };
        println!(
            "{name}{off}: {} pictures, macro AUC {:.3}, accuracy {:.3}, coverage at 90 % precision {:.3}, sensitivity {:.3?}",
            head.pictures, head.macro_auc, head.accuracy, head.coverage_at_90_precision, head.sensitivity
        );
    }
    if let Some(refused) = report.others_refused {
        println!("{} other pictures, {:.1} % refused", report.others, refused * 100.0);
    }
    Ok(())
}

/// The labels: id of a picture to head to class.
struct Labels {
    rows: BTreeMap<String, BTreeMap<String, String>>,
}

impl Labels {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let columns: Columns = toml::from_str(include_str!("../../data/eval_tongue.toml"))?;
        let mut lines = text.lines();
        let heads: Vec<Option<&String>> =
            lines.next().unwrap_or_default().split('\t').skip(1).map(|column| columns.columns.get(column)).collect();
        if heads.iter().all(Option::is_none) {
            bail!("{}: no column is any of {:?}", path.display(), columns.columns.keys());
        }
        let row = |line: &str| {
            let mut cells = line.split('\t');
            let id = cells.next()?.to_owned();
            let labelled = heads.iter().zip(cells).filter(|(_, class)| *class != "NA");
            Some((id, labelled.filter_map(|(head, class)| Some(((*head)?.clone(), class.to_owned()))).collect()))
        };
        Ok(Self { rows: lines.filter_map(row).collect() })
    }

    /// The classes of a head that some picture is labelled with, in the model's order.
    fn classes(&self, head: &HeadCard) -> Vec<String> {
        let used = |class: &&String| self.rows.values().any(|row| row.get(&head.name) == Some(class));
        head.classes.iter().filter(used).cloned().collect()
    }

    /// Enters a reading for each head that is labelled; probabilities are those among the classes that are labelled.
    fn enter(&self, engine: &Engine, (path, reading): (&Path, &Reading), cases: &mut BTreeMap<String, Vec<Case>>) {
        let id = path.file_stem().unwrap_or_default().to_string_lossy();
        let Some(row) = self.rows.get(id.as_ref()) else { return };
        for (head, probabilities) in engine.card().heads.iter().zip(&reading.heads) {
            let classes = self.classes(head);
            let Some(right) = row.get(&head.name).and_then(|class| classes.iter().position(|c| c == class)) else {
                continue;
            };
            let of = |class: &String| {
                let at = head.classes.iter().position(|c| c == class)?;
                probabilities.get(at).copied().map(f64::from)
            };
            let among: Vec<f64> = classes.iter().map(|class| of(class).unwrap_or(0.0)).collect();
            let sum = among.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            let probabilities = among.iter().map(|p| p / sum).collect();
            cases.entry(head.name.clone()).or_default().push(Case { probabilities, right });
        }
    }
}

/// Reads files a few at a time; `None` for one that cannot be decoded.
fn each(engine: &Engine, files: &[PathBuf], mut told: impl FnMut(&Path, Option<Reading>)) {
    for paths in files.chunks(TOGETHER) {
        let decoded: Vec<Option<Picture>> = paths.iter().map(|path| open(path)).collect();
        let mut readings = engine.read(&decoded.iter().flatten().collect::<Vec<_>>()).into_iter();
        for (path, picture) in paths.iter().zip(&decoded) {
            told(path, picture.as_ref().and_then(|_| readings.next()));
        }
    }
}

fn open(path: &Path) -> Option<Picture> {
    let photo = Photo::open(path).ok()?;
    decode::decode(photo.media, &photo.file, &Limits::default()).ok()
}

/// The picture of an id, whatever its ending.
fn pictures(folder: &Path, id: &str) -> Option<PathBuf> {
    ["jpg", "jpeg", "png", "webp"].map(|ending| folder.join(format!("{id}.{ending}"))).into_iter().find(|p| p.is_file())
}

fn all_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_file()).collect();
    files.sort();
    Ok(files)
}
