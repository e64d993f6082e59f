//! A photograph of the tongue from a file: its type by its first bytes, its parts for the stream.

use std::path::Path;

use anyhow::{Context as _, bail};
use wenzhen_proto::orchestrator::v1 as api;
use wenzhen_proto::orchestrator::v1::attach_tongue_image_request::Part;
use wenzhen_proto::vision::v1::MediaType;

/// Bytes of one part.
const CHUNK: usize = 64 << 10;
/// A file that is longer is not read: no server takes it.
const MAX_BYTES: u64 = 16 << 20;

/// A photograph.
#[derive(Clone)]
pub struct Photo {
    /// How it is coded.
    pub media: MediaType,
    /// The file.
    pub file: Vec<u8>,
}

impl Photo {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is neither JPEG, PNG nor WebP.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let length = std::fs::metadata(path).with_context(|| path.display().to_string())?.len();
        if length > MAX_BYTES {
            bail!("{}: {length} bytes, at most {MAX_BYTES} are taken", path.display());
        }
        let file = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::new(file).with_context(|| path.display().to_string())
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When it is neither JPEG, PNG nor WebP.
    pub fn new(file: Vec<u8>) -> anyhow::Result<Self> {
        let media = match file.as_slice() {
            [0xFF, 0xD8, ..] => MediaType::Jpeg,
            [0x89, b'P', b'N', b'G', ..] => MediaType::Png,
            [b'R', b'I', b'F', b'F', ..] => MediaType::Webp,
            _ => bail!("neither JPEG, PNG nor WebP"),
        };
        Ok(Self { media, file })
    }

    /// The parts of a call.
    pub fn parts(&self, header: api::AttachTongueImageHeader) -> Vec<api::AttachTongueImageRequest> {
        let header = api::AttachTongueImageHeader {
            media_type: self.media as i32,
            size_bytes: self.file.len() as u64,
            ..header
        };
        let part = |part| api::AttachTongueImageRequest { part: Some(part) };
        let chunks = self.file.chunks(CHUNK).map(|chunk| part(Part::Chunk(chunk.to_vec())));
        [part(Part::Header(header))].into_iter().chain(chunks).collect()
    }
}
