//! When a gradebook is exchanged with its repository: some seconds after something was written, every now and then for
//! what others wrote, and at the end. Grading never waits for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::exchange::{Exchange, ExchangeError, Exchanged};
use super::origin::Origin;
use crate::store::time::{Clock, SystemClock, Time};

/// How long entries are collected for one commit.
const BATCH: Duration = Duration::from_secs(3);

/// Time between two looks for what others wrote: a quarantine is in force everywhere after this.
const LOOK: Duration = Duration::from_secs(15);

/// First wait after a failure; doubles up to [`MAX_BACKOFF`].
const BACKOFF: Duration = Duration::from_secs(5);

/// Longest wait after failures in a row.
const MAX_BACKOFF: Duration = Duration::from_secs(300);

/// How long an end waits for the last exchange. What is not there by then is there after the next start.
const DRAIN: Duration = Duration::from_secs(10);

/// What waits to be shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Lines and decisions on this disk that are not known to be in the repository.
    pub waiting: usize,
    /// Since when something waits.
    pub since: Option<Time>,
    /// The last exchange that went well, in this process.
    pub exchanged: Option<Time>,
    /// Why the last one did not.
    pub error: Option<String>,
}

/// A gradebook's way to its repository.
#[derive(Debug)]
pub(super) struct Sharing {
    exchange: Arc<Exchange>,
    written: Notify,
    state: Mutex<Backlog>,
}

impl Sharing {
    pub fn new(dir: PathBuf, origin: Origin) -> Self {
        Self { exchange: Arc::new(Exchange::new(dir, origin)), written: Notify::new(), state: Mutex::default() }
    }

    /// Something was written.
    pub fn tell(&self) {
        self.state().since.get_or_insert_with(|| SystemClock.now());
        self.written.notify_one();
    }

    /// Exchanges now.
    pub fn run(&self) -> Result<Exchanged, ExchangeError> {
        let begun = SystemClock.now();
        let result = self.exchange.run();
        let mut state = self.state();
        match &result {
            Ok(_) => {
                state.exchanged = Some(SystemClock.now());
                state.error = None;
                // What was written meanwhile may not be with it.
                state.since = state.since.filter(|since| *since >= begun);
            }
            Err(error) => state.error = Some(error.to_string()),
        }
        result
    }

    /// What waits.
    pub fn backlog(&self) -> Result<Backlog, ExchangeError> {
        let waiting = self.exchange.waiting()?;
        Ok(Backlog { waiting, ..self.state().clone() })
    }

    /// Exchanges until `stop` says so, and a last time then.
    pub async fn keep(self: &Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut failures = 0;
        while !*stop.borrow_and_update() {
            let wait = match failures {
                0 => LOOK,
                failures => BACKOFF.saturating_mul(1 << (failures - 1).min(8)).min(MAX_BACKOFF),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => break,
                // News does not shorten the wait after a failure.
                () = self.written.notified(), if failures == 0 => {
                    tokio::select! {
                        () = tokio::time::sleep(BATCH) => {}
                        _ = stop.changed() => break,
                    }
                }
            }
            failures = match self.in_background().await {
                Ok(_) => 0,
                Err(error) => {
                    tracing::warn!(%error, failures = failures + 1, "grading goes on, the gradebook is pushed later");
                    failures + 1
                }
            };
        }
        match tokio::time::timeout(DRAIN, self.in_background()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the gradebook is pushed after the next start"),
            Err(_) => tracing::warn!("the gradebook's repository does not answer: pushed after the next start"),
        }
    }

    async fn in_background(self: &Arc<Self>) -> Result<Exchanged, ExchangeError> {
        let sharing = self.clone();
        let work = tokio::task::spawn_blocking(move || sharing.run());
        work.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Backlog> {
        // Plain values, each set in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
