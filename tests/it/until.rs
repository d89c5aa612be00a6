//! Waiting for what has to come, and saying what did not: a loop without an end would hold up all other tests.

use std::time::{Duration, Instant};

/// How long something is waited for that takes seconds; this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(240);

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
