//! Calling off a grading that nobody wants any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Seen by the one who works.
#[derive(Debug, Clone, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Whether to stop.
    pub fn yes(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Held by the one who waits: calls off when it is dropped, also when the waiting future is.
#[derive(Debug, Default)]
pub struct CancelOnDrop(Cancelled);

impl CancelOnDrop {
    /// For the one who works.
    pub fn watch(&self) -> Cancelled {
        self.0.clone()
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
