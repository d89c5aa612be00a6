//! Many repositories that share what a forge lets us ask: the more there are, the less often each is swept.
//!
//! GitHub answers 5,000 requests an hour to one identity. Sweeps take at most half of them, so that the other half is left
//! for grading and posting: one look every 1.5 s on average, all forks together. A look that finds nothing new is answered
//! by 304 and free, so this is the worst case. What a webhook tells of waits for no sweep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Between two looks, all repositories together: 2,400 an hour.
const BETWEEN: Duration = Duration::from_millis(1_500);

/// Between the starts of two repositories that are found at once.
const START: Duration = Duration::from_millis(250);

/// Longest wait after a failed look: a fork into which nobody let us is asked about for as long as it is there.
const PATIENCE: Duration = Duration::from_secs(600);

/// One of many.
#[derive(Debug, Clone)]
pub struct Crowd {
    size: Arc<AtomicUsize>,
    /// How many were found before it, at the same time.
    place: u32,
}

impl Crowd {
    /// Among so many, which may change; so many of them were found before it at the same time.
    pub fn new(size: Arc<AtomicUsize>, place: usize) -> Self {
        Self { size, place: u32::try_from(place).unwrap_or(u32::MAX) }
    }

    /// Between two looks at what changed lately, when this is configured.
    pub fn recent(&self, configured: Duration) -> Duration {
        let size = u32::try_from(self.size.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        configured.max(BETWEEN.saturating_mul(size))
    }

    /// Before the first look.
    pub fn delay(&self) -> Duration {
        START.saturating_mul(self.place)
    }

    /// Longest wait after a failed look.
    pub fn patience(&self, configured: Duration) -> Duration {
        self.recent(configured).max(PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn sweeps_of_many_repositories_take_half_of_what_github_answers_in_an_hour() {
        for size in [1, 10, 40, 41, 300, 3_000] {
            let crowd = Crowd::new(Arc::new(AtomicUsize::new(size)), 0);
            let each = crowd.recent(MINUTE);
            assert!(each >= MINUTE);
            let an_hour = 3_600.0 / each.as_secs_f64() * size as f64;
            assert!(an_hour <= 2_500.0, "{size} repositories: {an_hour}");
        }
        let few = Crowd::new(Arc::new(AtomicUsize::new(40)), 0);
        assert_eq!(few.recent(MINUTE), MINUTE, "as configured while that is slow enough");
    }

    #[test]
    fn repositories_that_are_found_at_once_begin_one_after_the_other() {
        let size = Arc::new(AtomicUsize::new(300));
        let delays: Vec<_> = (0..300).map(|place| Crowd::new(size.clone(), place).delay()).collect();
        assert_eq!(delays[0], Duration::ZERO);
        assert!(delays.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(delays[299] < MINUTE + MINUTE);
    }
}
