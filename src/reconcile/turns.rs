//! Gradings take turns, since they need processors; everything else of a pull request mostly waits, for the forge or for an
//! environment, and is done for many at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pull requests that are looked after at once, for each grading at once. A verdict takes some twenty calls one after the
/// other, which is ten times as long as its grading takes on a forge that answers within 50 ms.
pub const PULLS_PER_GRADING: usize = 8;

/// The same where verdicts wait for environments, which takes seconds and no processor of ours.
pub const PULLS_PER_GRADING_LIVE: usize = 32;

/// So many gradings at once. A clone hands out the same turns.
#[derive(Debug, Clone)]
pub struct Turns {
    permits: Arc<Semaphore>,
    at_once: usize,
}

/// A turn, until it is dropped.
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many at once, at least one.
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(at_once)), at_once }
    }

    /// How many.
    pub fn at_once(&self) -> usize {
        self.at_once
    }

    /// Waits for a turn.
    pub async fn take(&self) -> Turn {
        // Never closed.
        Turn { _permit: self.permits.clone().acquire_owned().await.ok() }
    }
}
