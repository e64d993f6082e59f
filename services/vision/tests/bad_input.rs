//! Files that lie, break off, swell or stall: a typed error with the limit, and a service that goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::draw::{self, jpeg_claiming, png_claiming};
use support::{Client, chunk, client, client_of, header, model, refusal, send, server};
use tokio_stream::{StreamExt as _, iter};
use tonic::Code;
use wenzhen_proto::clinical::v1::Pins;
use wenzhen_proto::vision::v1::classify_tongue_request::Part;
use wenzhen_proto::vision::v1::{ClassifyTongueRequest, ImageHeader, MediaType, Quality};
use wenzhen_vision::Limits;

use MediaType::{Jpeg, Png, Webp};

/// The service still reads a good picture.
async fn healthy(client: &mut Client) {
    let answer = send(client, Png, &draw::png(60, 50), 1000).await.unwrap();
    assert_eq!(answer.quality(), Quality::Ok);
}

#[tokio::test]
async fn files_that_lie_about_their_kind_or_size_are_refused_with_the_limit() {
    let mut client = client();
    let limits = Limits::default();
    let mut cut = draw::png(60, 50);
    cut.truncate(cut.len() / 2);
    for (what, media, file, reason, limit) in [
        ("a PNG as JPEG", Jpeg, draw::png(40, 40), "TYPE_MISMATCH", None),
        ("a JPEG as WebP", Webp, draw::jpeg(40, 40), "TYPE_MISMATCH", None),
        ("a WebP as PNG", Png, draw::webp(40, 40), "TYPE_MISMATCH", None),
        ("a GIF", Jpeg, b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), "TYPE_MISMATCH", None),
        (
            "a PDF with a JPEG in it",
            Jpeg,
            [b"%PDF-1.7 stream ".to_vec(), draw::jpeg(40, 40)].concat(),
            "TYPE_MISMATCH",
            None,
        ),
        ("three bytes", Jpeg, vec![0xFF, 0xD8, 0xFE], "DAMAGED_PICTURE", None),
        ("a half PNG", Png, cut, "DAMAGED_PICTURE", None),
        ("a JPEG that is a header only", Jpeg, draw::jpeg(40, 40)[..30].to_vec(), "DAMAGED_PICTURE", None),
        ("a WebP of noise", Webp, [&draw::webp(40, 40)[..20], &[7; 90]].concat(), "DAMAGED_PICTURE", None),
        ("30,000 x 30,000 as PNG", Png, png_claiming(30_000, 30_000), "SIDE_TOO_LONG", Some((16_384, 30_000))),
        ("30,000 x 30,000 as JPEG", Jpeg, jpeg_claiming(30_000, 30_000), "SIDE_TOO_LONG", Some((16_384, 30_000))),
        (
            "4 thousand million a side",
            Png,
            png_claiming(u32::MAX, u32::MAX),
            "SIDE_TOO_LONG",
            Some((16_384, u64::from(u32::MAX))),
        ),
        (
            "10,000 x 10,000",
            Png,
            png_claiming(10_000, 10_000),
            "TOO_MANY_PIXELS",
            Some((limits.max_pixels, 100_000_000)),
        ),
        ("no pixel", Png, png_claiming(0, 100), "DAMAGED_PICTURE", None),
        ("two frames as PNG", Png, draw::animated_png(), "UNSUPPORTED_PICTURE", None),
        ("two frames as WebP", Webp, draw::animated_webp(), "UNSUPPORTED_PICTURE", None),
    ] {
        let refused = send(&mut client, media, &file, 700).await.err().unwrap_or_else(|| panic!("{what} is read"));
        assert_eq!(refusal(&refused), (Code::InvalidArgument, reason.to_owned(), limit), "{what}");
    }
    healthy(&mut client).await;
}

#[tokio::test]
async fn streams_that_break_the_rules_are_refused_with_the_limit() {
    let mut client = client();
    let file = draw::png(60, 50);
    let (size, max) = (file.len() as u64, Limits::default().max_bytes);
    let lying = |pins: Option<Pins>, media: i32, size_bytes: u64| ClassifyTongueRequest {
        part: Some(Part::Header(ImageHeader { pins, media_type: media, size_bytes })),
    };
    let (pins, png) = (support::pins(), Png as i32);
    let unknown = Some(Pins { pack_digest: "0".repeat(64), ..Pins::default() });
    let whole = || header(Png, file.len());
    for (what, parts, reason, limit) in [
        ("nothing", vec![], "INVALID_ARGUMENT", None),
        ("no header", vec![chunk(&file)], "INVALID_ARGUMENT", None),
        ("an empty part", vec![ClassifyTongueRequest { part: None }], "INVALID_ARGUMENT", None),
        ("two headers", vec![whole(), whole()], "INVALID_ARGUMENT", None),
        ("an empty chunk", vec![whole(), chunk(&[])], "INVALID_ARGUMENT", None),
        ("no pins", vec![lying(None, png, size)], "INVALID_ARGUMENT", None),
        ("no type", vec![lying(pins.clone(), 0, size)], "INVALID_ARGUMENT", None),
        ("an unknown type", vec![lying(pins.clone(), 99, size)], "INVALID_ARGUMENT", None),
        ("no size", vec![lying(pins.clone(), png, 0)], "INVALID_ARGUMENT", None),
        ("too large", vec![lying(pins.clone(), png, max + 1)], "TOO_MANY_BYTES", Some((max, max + 1))),
        ("said to be endless", vec![lying(pins, png, u64::MAX)], "TOO_MANY_BYTES", Some((max, u64::MAX))),
        ("cut off", vec![whole(), chunk(&file[..50])], "SIZE_MISMATCH", Some((size, 50))),
        ("a header and no more", vec![whole()], "SIZE_MISMATCH", Some((size, 0))),
        ("a byte too many", vec![whole(), chunk(&file), chunk(&[0])], "SIZE_MISMATCH", Some((size, size + 1))),
        ("another pack", vec![lying(unknown, png, size)], "PACK_UNKNOWN", None),
    ] {
        let refused = client.classify_tongue(iter(parts)).await.err().unwrap_or_else(|| panic!("{what} is read"));
        let (_, said, numbers) = refusal(&refused);
        assert_eq!((said.as_str(), numbers), (reason, limit), "{what}");
    }
    healthy(&mut client).await;
}

#[tokio::test]
async fn what_is_strange_but_whole_is_read() {
    let mut client = client();
    for (what, media, file, size) in [
        ("16 bits with transparency", Png, draw::png16(60, 50), (60, 50)),
        ("a JPEG", Jpeg, draw::jpeg(60, 50), (60, 50)),
        ("a JPEG on its side", Jpeg, draw::turned_jpeg(60, 50, 6), (50, 60)),
        ("a WebP", Webp, draw::webp(60, 50), (60, 50)),
        // Phones put films behind a picture; what follows is never looked at.
        (
            "a JPEG with an archive behind",
            Jpeg,
            [draw::jpeg(60, 50), b"PK\x03\x04 anything".to_vec()].concat(),
            (60, 50),
        ),
        ("a large one, made smaller", Jpeg, draw::jpeg(2000, 300), (2000, 300)),
        ("a large PNG, made smaller", Png, draw::png(2000, 300), (2000, 300)),
    ] {
        let answer =
            send(&mut client, media, &file, 4096).await.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
        let measured = answer.measured.unwrap();
        assert_eq!((measured.width, measured.height), size, "{what}");
        assert_eq!(answer.quality(), Quality::Ok, "{what}");
    }
    // A picture of one pixel is a picture, but not one of a tongue.
    let answer = send(&mut client, Png, &draw::png(1, 1), 10).await.unwrap();
    assert_eq!((answer.quality(), answer.features.len()), (Quality::TooSmall, 0));
}

#[tokio::test]
async fn ten_thousand_tiny_chunks_are_read_and_too_many_are_not() {
    let file = draw::png(400, 300);
    let mut client = client();
    let long = [file.clone(), vec![0; 10_000_usize.saturating_sub(file.len())]].concat();
    assert!(long.len() >= 10_000);
    assert_eq!(send(&mut client, Png, &long, 1).await.unwrap().quality(), Quality::Ok);
    let few = Limits { max_chunks: 100, ..Limits::default() };
    let mut client = client_of(server(Some(model::engine()), few), wenzhen_service::Limits::default());
    let refused = send(&mut client, Png, &file, 2).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::InvalidArgument, "TOO_MANY_CHUNKS".to_owned(), Some((100, 101))));
    healthy(&mut client).await;
}

#[tokio::test]
async fn memory_for_decoding_is_bounded() {
    let little = Limits { max_decode_bytes: 100_000, ..Limits::default() };
    let mut client = client_of(server(Some(model::engine()), little), wenzhen_service::Limits::default());
    for (media, file) in [(Png, draw::png(300, 300)), (Webp, draw::webp(300, 300)), (Jpeg, draw::jpeg(300, 300))] {
        let refused = send(&mut client, media, &file, 4096).await.unwrap_err();
        let (_, reason, numbers) = refusal(&refused);
        assert_eq!((reason.as_str(), numbers.unwrap().0), ("TOO_MUCH_MEMORY", 100_000), "{media:?}");
    }
    healthy(&mut client).await;
}

#[tokio::test]
async fn a_client_that_stalls_is_cut_off() {
    let hasty = wenzhen_service::Limits { request_timeout: Duration::from_millis(50), ..Default::default() };
    let mut client = client_of(server(Some(model::engine()), Limits::default()), hasty);
    let file = draw::png(60, 50);
    let begun = iter(vec![header(Png, file.len()), chunk(&file[..50])]);
    let refused = client.classify_tongue(begun.chain(tokio_stream::pending())).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused:?}");
    healthy(&mut client).await;
}

#[tokio::test]
async fn without_a_model_every_picture_is_refused_and_no_pack_is_offered() {
    let mut client = client_of(server(None, Limits::default()), wenzhen_service::Limits::default());
    let refused = send(&mut client, Png, &draw::png(60, 50), 1000).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::FailedPrecondition, "NO_MODEL".to_owned(), None));
    let said = client.describe(wenzhen_proto::vision::v1::DescribeRequest {}).await.unwrap().into_inner();
    assert!(said.packs.is_empty() && said.model_version.is_empty() && said.max_bytes == Limits::default().max_bytes);
}
