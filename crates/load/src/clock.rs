//! The thread that keeps the time. Timers of the runtime are good to a millisecond, which is as long as a call takes;
//! a thread of its own wakes within about a tenth of that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Waiting with nothing due: long enough to cost nothing.
const IDLE: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Command {
    /// Wake somebody.
    Wake(Instant, oneshot::Sender<()>),
    /// No arrival from this time on.
    Stop(Instant),
}

/// Wakes tasks at exact times; cheap to clone. The clock runs until the last one is gone.
#[derive(Debug, Clone)]
pub struct Sleeper {
    commands: Arc<SyncSender<Command>>,
}

/// A sleeper that does not keep the clock running, for what the clock itself holds.
#[derive(Debug, Clone)]
pub struct Weakly(Weak<SyncSender<Command>>);

impl Weakly {
    /// The sleeper, while there is one.
    pub fn upgrade(&self) -> Option<Sleeper> {
        self.0.upgrade().map(|commands| Sleeper { commands })
    }
}

impl Sleeper {
    /// Waits until a time.
    pub async fn until(&self, at: Instant) {
        if at <= Instant::now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let told = self.commands.try_send(Command::Wake(at, wake));
        // A full queue, or a clock that has ended: the runtime's timer is late by a millisecond, but it comes.
        if told.is_err() || woken.await.is_err() {
            tokio::time::sleep_until(at.into()).await;
        }
    }

    /// The same without keeping the clock running.
    pub fn weakly(&self) -> Weakly {
        Weakly(Arc::downgrade(&self.commands))
    }

    /// Ends the arrivals that are not due yet; sleepers are woken all the same.
    pub fn stop(&self) {
        // The queue has room for everybody who may sleep, and this beside them.
        let _ = self.commands.try_send(Command::Stop(Instant::now()));
    }
}

/// A clock that is not running yet.
#[derive(Debug)]
pub struct Clock(Receiver<Command>);

/// A clock, and a sleeper on it; as many as `sleepers` may wait at once.
pub fn clock(sleepers: usize) -> (Sleeper, Clock) {
    let (commands, receiver) = sync_channel(sleepers + 8);
    (Sleeper { commands: Arc::new(commands) }, Clock(receiver))
}

impl Clock {
    /// Runs it on a thread of its own: it calls `arrive` with the number and the time of every arrival, counted from
    /// `origin`, until they or [`Sleeper::stop`] end them. `arrive` must not block.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        self,
        origin: Instant,
        arrivals: impl Iterator<Item = Duration> + Send + 'static,
        arrive: impl FnMut(u64, Duration) + Send + 'static,
    ) -> std::io::Result<()> {
        let running = Running { origin, receiver: self.0, arrive, sleeping: BinaryHeap::new(), count: 0, until: None };
        std::thread::Builder::new().name("load-clock".into()).spawn(move || running.run(arrivals))?;
        Ok(())
    }
}

struct Running<A> {
    origin: Instant,
    receiver: Receiver<Command>,
    arrive: A,
    sleeping: BinaryHeap<Reverse<Timer>>,
    count: u64,
    until: Option<Instant>,
}

impl<A: FnMut(u64, Duration)> Running<A> {
    fn run(mut self, mut arrivals: impl Iterator<Item = Duration>) {
        let mut next = arrivals.next();
        loop {
            let now = Instant::now();
            while let Some(due) = next.filter(|due| self.origin + *due <= now) {
                // What was due before a stop arrives, however late this thread is: it must be counted.
                if self.until.is_some_and(|until| self.origin + due >= until) {
                    next = None;
                    break;
                }
                (self.arrive)(self.count, due);
                self.count += 1;
                next = arrivals.next();
            }
            while let Some(Reverse(timer)) = self.sleeping.peek() {
                if timer.at > now {
                    break;
                }
                if let Some(Reverse(timer)) = self.sleeping.pop() {
                    // Whoever sleeps no longer need not be woken.
                    let _ = timer.wake.send(());
                }
            }
            let first = self.sleeping.peek().map(|Reverse(timer)| timer.at);
            let due = [next.map(|due| self.origin + due), first].into_iter().flatten().min();
            let wait = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            match self.receiver.recv_timeout(wait) {
                Ok(Command::Wake(at, wake)) => self.sleeping.push(Reverse(Timer { at, wake })),
                Ok(Command::Stop(at)) => self.until = Some(at),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is left who could sleep or stop, so nobody waits for an arrival either.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

struct Timer {
    at: Instant,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn arrivals_and_sleepers_come_in_time_and_order() {
        let (told, mut heard) = tokio::sync::mpsc::channel(100);
        let origin = Instant::now();
        let times = [0u64, 5, 5, 20].map(Duration::from_millis);
        let (sleeper, clock) = clock(8);
        let arrive = move |number, due| {
            let _ = told.try_send((number, due, origin.elapsed()));
        };
        clock.start(origin, times.into_iter(), arrive).unwrap();
        let later = sleeper.clone();
        let woken = tokio::spawn(async move {
            later.until(origin + Duration::from_millis(10)).await;
            origin.elapsed()
        });
        let mut numbers = Vec::new();
        for _ in 0..4 {
            let (number, due, at) = heard.recv().await.unwrap();
            assert!(at >= due, "nothing comes before its time");
            numbers.push(number);
        }
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert!(woken.await.unwrap() >= Duration::from_millis(10));
        drop(sleeper);
        assert!(heard.recv().await.is_none(), "the thread ends with its last sleeper");
    }

    #[tokio::test]
    async fn a_stop_ends_the_arrivals_but_not_the_sleep() {
        let (told, mut heard) = tokio::sync::mpsc::channel(100_000);
        let origin = Instant::now();
        let forever = (0u64..).map(Duration::from_millis);
        let arrive = move |number, _| {
            let _ = told.try_send(number);
        };
        let (sleeper, clock) = clock(8);
        clock.start(origin, forever, arrive).unwrap();
        heard.recv().await.unwrap();
        sleeper.stop();
        sleeper.until(Instant::now() + Duration::from_millis(20)).await;
        while heard.try_recv().is_ok() {}
        sleeper.until(Instant::now() + Duration::from_millis(20)).await;
        assert!(heard.try_recv().is_err(), "no arrival after the stop");
    }
}
