//! The stream of a picture: a header, then exactly as many bytes as it says.

use futures::{Stream, StreamExt};
use tonic::Status;
use wenzhen_proto::vision::v1::classify_tongue_request::Part;
use wenzhen_proto::vision::v1::{ClassifyTongueRequest, ImageHeader, MediaType};

use crate::decode::{LONGEST_MARK, begins_as};
use crate::error::{Error, Excess};
use crate::limits::Limits;

/// What is made room for before the first byte: a header may lie.
const FIRST_ROOM: usize = 256 << 10;

/// The first message, checked.
///
/// # Errors
/// When it is no header, or its fields are not as they must be.
pub async fn header(
    stream: &mut (impl Stream<Item = Result<ClassifyTongueRequest, Status>> + Unpin),
    limits: &Limits,
) -> Result<ImageHeader, Error> {
    let first = stream.next().await.ok_or(Error::Invalid("header", "the first message"))?;
    let Some(Part::Header(header)) = first.map_err(broken)?.part else {
        return Err(Error::Invalid("header", "the first message"));
    };
    let digest = header.pins.as_ref().map_or("", |pins| pins.pack_digest.as_str());
    if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(Error::Invalid("header.pins.pack_digest", "64 hexadecimal digits in lower case"));
    }
    if matches!(MediaType::try_from(header.media_type), Err(_) | Ok(MediaType::Unspecified)) {
        return Err(Error::Invalid("header.media_type", "JPEG, PNG or WebP"));
    }
    if header.size_bytes == 0 {
        return Err(Error::Invalid("header.size_bytes", "1 or more"));
    }
    if header.size_bytes > limits.max_bytes {
        let (limit, got) = (limits.max_bytes, header.size_bytes);
        return Err(Error::Limit { what: Excess::Bytes, limit, got, unit: "bytes" });
    }
    Ok(header)
}

/// The chunks, to the declared size. Whatever is wrong is told as soon as it can be seen.
///
/// # Errors
/// When they do not come to that size, are too many, or begin like another type.
pub async fn file(
    stream: &mut (impl Stream<Item = Result<ClassifyTongueRequest, Status>> + Unpin),
    header: &ImageHeader,
    limits: &Limits,
) -> Result<Vec<u8>, Error> {
    let declared = usize::try_from(header.size_bytes).map_err(|_| Error::Internal)?;
    let mut file = Vec::with_capacity(declared.min(FIRST_ROOM));
    let (mut chunks, mut told) = (0_u32, false);
    while let Some(next) = stream.next().await {
        let Some(Part::Chunk(chunk)) = next.map_err(broken)?.part else {
            return Err(Error::Invalid("part", "a chunk after the header"));
        };
        chunks += 1;
        if chunks > limits.max_chunks {
            let (limit, got) = (u64::from(limits.max_chunks), u64::from(chunks));
            return Err(Error::Limit { what: Excess::Chunks, limit, got, unit: "chunks" });
        }
        if chunk.is_empty() {
            return Err(Error::Invalid("chunk", "at least one byte"));
        }
        if file.len() + chunk.len() > declared {
            return Err(Error::Size { declared: header.size_bytes, got: (file.len() + chunk.len()) as u64 });
        }
        file.extend_from_slice(&chunk);
        if !told && file.len() >= LONGEST_MARK {
            begins_as(header.media_type(), &file)?;
            told = true;
        }
    }
    if file.len() < declared {
        return Err(Error::Size { declared: header.size_bytes, got: file.len() as u64 });
    }
    Ok(file)
}

fn broken(status: Status) -> Error {
    Error::Stream(Box::new(status))
}
