//! Everything that this process logs, kept for a test to search.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static KEPT: LazyLock<Kept> = LazyLock::new(|| {
    let kept = Kept::default();
    let writer = kept.clone();
    // All of our own lines and spans; of the libraries what the program itself lets through.
    let filter = EnvFilter::new("trace,h2=warn,hyper=warn,hyper_util=warn,tonic=warn,tower=warn");
    let spans = tracing_subscriber::fmt::format::FmtSpan::FULL;
    let lines = tracing_subscriber::fmt::layer().with_span_events(spans).with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    tracing::subscriber::set_global_default(subscriber).expect("the first subscriber of this process");
    kept
});

/// Begins to keep what is logged.
pub fn keep() {
    LazyLock::force(&KEPT);
}

/// Lines that hold a word.
pub fn lines_with(word: &str) -> Vec<String> {
    let kept = KEPT.0.lock();
    String::from_utf8_lossy(&kept).lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}
