//! What a run shows while it goes on, on standard error: one block that refreshes itself in a terminal, else a line
//! now and then.

use std::io::Write;
use std::time::Duration;

use crate::record::Recent;
use crate::slo::Point;

/// How a run looks at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Time since its start, warm-up too.
    pub elapsed: Duration,
    /// Its whole time, warm-up too.
    pub whole: Duration,
    /// Calls, or consultations, in flight.
    pub in_flight: usize,
    /// Intended, good, shed, failed, since the warm-up.
    pub counts: [u64; 4],
    /// Since the last look.
    pub recent: Recent,
}

/// Where progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A block that refreshes itself.
    Block,
    /// Lines.
    Lines,
    /// Nowhere.
    Quiet,
}

/// Shows progress.
pub struct Progress {
    style: Style,
    title: String,
    out: Box<dyn Write + Send>,
    /// Lines that the block takes now.
    drawn: usize,
    last: Duration,
}

const BLOCK_EVERY: Duration = Duration::from_millis(250);
const LINES_EVERY: Duration = Duration::from_secs(5);
/// Cells of the bar.
const BAR: usize = 24;

impl Progress {
    /// Progress of something with a title, in a style.
    pub fn new(style: Style, title: impl Into<String>, out: Box<dyn Write + Send>) -> Self {
        Self { style, title: title.into(), out, drawn: 0, last: Duration::ZERO }
    }

    /// How often it wants to be shown.
    pub fn every(&self) -> Duration {
        if self.style == Style::Block { BLOCK_EVERY } else { LINES_EVERY }
    }

    /// What the run is called from now on; the last block is forgotten.
    pub fn begin(&mut self, title: impl Into<String>) {
        self.clear();
        self.title = title.into();
        self.last = Duration::ZERO;
    }

    /// Shows a moment.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let window = snapshot.elapsed.saturating_sub(self.last).as_secs_f64();
        if window <= 0.0 {
            return;
        }
        self.last = snapshot.elapsed;
        let rate = snapshot.recent.ok as f64 / window;
        let at = |q| snapshot.recent.latency.at(Point::Quantile(q)).map_or_else(|| "-".to_owned(), millis);
        let [_, ok, shed, failed] = snapshot.counts;
        let first = format!("{rate:.0}/s   p50 {}   p99 {}   in flight {}", at(0.5), at(0.99), snapshot.in_flight);
        let second = format!("good {ok}   shed {shed}   failed {failed}");
        let seconds = snapshot.elapsed.as_secs();
        match self.style {
            Style::Quiet => {}
            Style::Lines => {
                let line = format!("{seconds:>5} s   {first}   {second}\n");
                self.write(&line);
            }
            Style::Block => {
                let whole = snapshot.whole.as_secs_f64();
                let filled =
                    (snapshot.elapsed.as_secs_f64() / whole.max(1e-9) * BAR as f64).clamp(0.0, BAR as f64) as usize;
                let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled));
                let block = format!("{}\n  {bar} {seconds} s of {whole:.0} s\n  {first}\n  {second}\n", self.title);
                let wiped = self.wiped();
                self.write(&format!("{wiped}{block}"));
                self.drawn = 4;
            }
        }
    }

    /// Takes the block away.
    pub fn clear(&mut self) {
        let wiped = self.wiped();
        self.write(&wiped);
        self.drawn = 0;
    }

    /// Writes a line that stays.
    pub fn line(&mut self, text: &str) {
        if self.style != Style::Quiet {
            self.clear();
            self.write(&format!("{text}\n"));
        }
    }

    fn wiped(&self) -> String {
        // Up to the block's first line, then everything below is erased.
        if self.drawn == 0 { String::new() } else { format!("\x1b[{}A\x1b[J", self.drawn) }
    }

    fn write(&mut self, text: &str) {
        // Somebody who closes standard error wants no progress.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// Milliseconds with as many digits as a reader can use.
pub fn millis(ms: f64) -> String {
    match ms {
        ms if ms >= 1000.0 => format!("{:.2} s", ms / 1000.0),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(style: Style) -> String {
        let page = Page::default();
        let mut progress = Progress::new(style, "title", Box::new(page.clone()));
        for seconds in [1, 2] {
            let mut recent = Recent { ok: 50, ..Recent::default() };
            recent.latency.record(Duration::from_millis(12));
            progress.show(&Snapshot {
                elapsed: Duration::from_secs(seconds),
                whole: Duration::from_secs(10),
                in_flight: 3,
                counts: [100, 90, 7, 3],
                recent,
            });
        }
        progress.clear();
        progress.line("stays");
        String::from_utf8(page.0.lock().clone()).unwrap()
    }

    #[test]
    fn a_block_refreshes_itself_and_goes_away() {
        let text = shown(Style::Block);
        assert_eq!(text.matches("\x1b[4A\x1b[J").count(), 2, "drawn again once, taken away once: {text:?}");
        assert!(text.ends_with("stays\n") && text.contains("shed 7   failed 3"));
    }

    #[test]
    fn lines_have_no_control_characters() {
        let text = shown(Style::Lines);
        assert!(!text.contains('\x1b'));
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("50/s   p50 12.0 ms"), "{text}");
        assert_eq!(shown(Style::Quiet), "");
    }
}
