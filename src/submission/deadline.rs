//! Until when a blocking call may go on. Reading is cancelled by time only; callers wrap it in `spawn_blocking`.

use std::time::{Duration, Instant};

/// Until when a blocking call may go on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deadline(Option<Instant>);

/// The deadline has passed: nobody's files are at fault, try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reading the repository took too long")]
pub struct Expired;

impl Deadline {
    /// No deadline.
    pub fn none() -> Self {
        Self(None)
    }

    /// This long from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now().checked_add(duration))
    }

    /// An error once it has passed.
    pub fn check(self) -> Result<(), Expired> {
        if self.0.is_some_and(|end| Instant::now() >= end) { Err(Expired) } else { Ok(()) }
    }
}
