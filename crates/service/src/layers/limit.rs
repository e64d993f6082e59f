//! Which permits a call needs: one of its method, where the method has a limit of its own, and one of the server.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Limits;
use super::admission::{Admission, Bounds, Entry, Permit, Priority, Shed, Waiting};
use super::deadline::Deadline;
use super::methods::Method;
use super::metrics::AdmissionMetrics;

/// The permits of a call that is handled.
#[derive(Debug, Default)]
pub(crate) struct Permits([Option<Permit>; 2]);

impl Permits {
    /// Whether there is one: probes have none.
    pub(super) fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }
}

/// The admissions of a server.
pub(crate) struct Limit {
    server: Admission,
    watches: Admission,
    methods: HashMap<usize, Admission>,
}

/// How a call goes on after it has arrived.
pub(super) enum Arrived {
    /// It may be handled.
    Admitted(Permits),
    /// It stands in line.
    Waits(Box<Entering>),
}

impl Limit {
    pub(super) fn new(limits: &Limits, metrics: &AdmissionMetrics) -> Self {
        let bounds = |permits, waiting| {
            let (wait, retry_after) = (limits.max_wait, limits.retry_after);
            Admission::new(Bounds { permits, waiting, wait, retry_after }, metrics.clone())
        };
        Self {
            server: bounds(limits.max_in_flight, limits.max_waiting),
            watches: bounds(limits.max_watches, 0),
            methods: limits.methods.iter().map(|own| (own.method.index, bounds(own.permits, own.permits))).collect(),
        }
    }

    /// Lets a call in, into the line, or not at all. Probes need no permit.
    pub(super) fn enter(
        &self,
        method: &'static Method,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<Arrived, Shed> {
        if method.infrastructure {
            return Ok(Arrived::Admitted(Permits::default()));
        }
        // A watch lies idle most of its long life: it must not take the place of work.
        let server = if method.watch { &self.watches } else { &self.server };
        let mut entering = Entering { method, priority, deadline, held: Permits::default(), waits: None, then: None };
        match self.methods.get(&method.index) {
            Some(own) => {
                entering.then = Some(server.clone());
                entering.begin(own)?;
            }
            None => entering.begin(server)?,
        }
        Ok(match entering.waits {
            Some(_) => Arrived::Waits(Box::new(entering)),
            None => Arrived::Admitted(entering.held),
        })
    }
}

/// A call on its way through one line or two.
pub(super) struct Entering {
    method: &'static Method,
    priority: Priority,
    deadline: Deadline,
    held: Permits,
    waits: Option<Waiting>,
    /// The admission to enter after this one.
    then: Option<Admission>,
}

impl Entering {
    /// Goes as far as there are permits.
    fn begin(&mut self, first: &Admission) -> Result<(), Shed> {
        match first.enter(&self.method.name, self.priority, Some(self.deadline))? {
            Entry::Waits(waiting) => self.waits = Some(waiting),
            Entry::Admitted(permit) => self.go_on(permit)?,
        }
        Ok(())
    }

    fn go_on(&mut self, permit: Permit) -> Result<(), Shed> {
        let Permits([first, second]) = &mut self.held;
        *if first.is_none() { first } else { second } = Some(permit);
        match self.then.take() {
            Some(next) => self.begin(&next),
            None => Ok(()),
        }
    }
}

impl Future for Entering {
    type Output = Result<Permits, Shed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(waiting) = self.waits.as_mut() {
            let permit = ready!(Pin::new(waiting).poll(context))?;
            self.waits = None;
            self.go_on(permit)?;
        }
        Poll::Ready(Ok(std::mem::take(&mut self.held)))
    }
}
