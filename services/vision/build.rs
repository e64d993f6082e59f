//! Embeds the model of `models/tongue`, where there is one: a build without it is a vision service without a model.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the service needs of the folder.
const FILES: [&str; 2] = ["model.json", "tongue.safetensors"];

#[allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tongue");
    println!("cargo::rerun-if-changed={}", folder.display());
    let files = FILES.map(|name| folder.join(name));
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let [card, weights] = &files;
    let model = if files.iter().all(|file| file.is_file()) {
        format!("Some((include_bytes!({:?}), include_bytes!({:?})))", card.canonicalize()?, weights.canonicalize()?)
    } else {
        "None".to_owned()
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("embedded.rs"), format!("const EMBEDDED: Option<(&[u8], &[u8])> = {model};\n"))?;
    Ok(())
}
