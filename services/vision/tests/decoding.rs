//! Whatever the bytes: no panic, no picture above the limits.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::draw;
use wenzhen_proto::vision::v1::MediaType;
use wenzhen_vision::decode::{WORKING_SIDE, decode};
use wenzhen_vision::{Error, Limits};

/// Limits that small files can exceed.
const TIGHT: Limits =
    Limits { max_bytes: 1 << 20, max_pixels: 40_000, max_side: 1000, max_decode_bytes: 2 << 20, max_chunks: 100 };

fn originals() -> Vec<(MediaType, Vec<u8>)> {
    vec![
        (MediaType::Jpeg, draw::jpeg(64, 48)),
        (MediaType::Jpeg, draw::turned_jpeg(48, 64, 5)),
        (MediaType::Png, draw::png(64, 48)),
        (MediaType::Png, draw::png16(32, 48)),
        (MediaType::Webp, draw::webp(64, 48)),
        (MediaType::Webp, draw::animated_webp()),
    ]
}

/// A picture within the limits, or an error that is no fault of ours.
fn holds(media: MediaType, file: &[u8]) -> Result<(), TestCaseError> {
    match decode(media, file, &TIGHT) {
        Ok(picture) => {
            prop_assert!(picture.width() * picture.height() <= 40_000);
            prop_assert!(picture.width().max(picture.height()) <= WORKING_SIDE.max(1000));
        }
        Err(Error::Limit { limit, got, .. }) => prop_assert!(got > limit),
        Err(Error::Type { .. } | Error::Unsupported(_) | Error::Damaged) => {}
        Err(other) => prop_assert!(false, "{other}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_and_cut_files_never_break_the_decoder(
        at in 0..6_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (media, mut file) = originals().swap_remove(at);
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        holds(media, &file)?;
    }

    #[test]
    fn bytes_behind_a_good_beginning_never_break_the_decoder(
        at in 0..6_usize,
        kept in 12..60_usize,
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (media, file) = originals().swap_remove(at);
        let file = [&file[..kept], &rest].concat();
        holds(media, &file)?;
    }
}

#[test]
fn the_originals_are_read() {
    for (media, file) in originals().into_iter().take(5) {
        assert!(decode(media, &file, &TIGHT).is_ok(), "{media:?}");
    }
}

#[test]
fn a_picture_means_the_same_in_every_coding() {
    let plain = decode(MediaType::Png, &draw::png(90, 70), &Limits::default()).unwrap();
    for (what, media, file, most) in [
        ("16 bits", MediaType::Png, draw::png16(90, 70), 1),
        ("WebP", MediaType::Webp, draw::webp(90, 70), 0),
        ("JPEG", MediaType::Jpeg, draw::jpeg(90, 70), 12),
    ] {
        let other = decode(media, &file, &Limits::default()).unwrap();
        assert_eq!((other.width(), other.height()), (90, 70), "{what}");
        let centre = |picture: &wenzhen_vision::picture::Picture| picture.pixels()[35 * 90 + 45];
        let far = centre(&plain).iter().zip(centre(&other)).map(|(a, b)| a.abs_diff(b)).max();
        assert!(far <= Some(most), "{what}: {far:?}");
    }
}
