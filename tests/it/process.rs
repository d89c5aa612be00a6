//! Processes that a test ends.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

/// How long one that was killed may still be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// One that ends at the latest with the test, also one that fails.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Waits until a process that was killed is gone, or is there only for whoever has to wait for it.
pub fn ended(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z')) {
            return;
        }
        assert!(Instant::now() < deadline, "{pid} does not end: {stat}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
