//! Bytes as they come from a client: read as a file of the type that they begin as, fitted to the segmenter's square.
//! No panic, no picture above the limits; what a decoder allocates is bounded by libFuzzer's own limits (`run`).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wenzhen_proto::vision::v1::MediaType;
use wenzhen_vision::decode::{WORKING_SIDE, begins_as, decode};
use wenzhen_vision::resize::{Window, resize};
use wenzhen_vision::{Error, Limits};

/// Limits that small files can exceed.
const LIMITS: Limits =
    Limits { max_bytes: 1 << 20, max_pixels: 250_000, max_side: 2_000, max_decode_bytes: 8 << 20, max_chunks: 1 };

/// Side of the square that the networks see.
const SQUARE: usize = 128;

fuzz_target!(|file: &[u8]| {
    let types = [MediaType::Jpeg, MediaType::Png, MediaType::Webp];
    let Some(media) = types.into_iter().find(|media| begins_as(*media, file).is_ok()) else { return };
    match decode(media, file, &LIMITS) {
        Ok(picture) => {
            let (width, height) = (picture.width(), picture.height());
            assert!(width * height <= 250_000 && width.max(height) <= 2_000.max(WORKING_SIDE));
            assert_eq!(picture.pixels().len(), width * height);
            let square = resize(&picture, Window { x: -1, y: -1, width: width + 2, height: height + 2 }, (SQUARE, SQUARE), 127);
            assert_eq!(square.len(), SQUARE * SQUARE * 3);
        }
        Err(Error::Limit { limit, got, .. }) => assert!(got > limit),
        Err(Error::Unsupported(_) | Error::Damaged) => {}
        Err(other) => panic!("{other}"),
    }
});
