//! One comparison of everything with ten thousand open pull requests.

use std::time::Instant;

use crate::limits::Desk;
use crate::{FORGE, seconds};

/// Open pull requests.
const OPEN: usize = 10_000;

/// Prints a line.
pub async fn run() {
    let desk = Desk::new(OPEN);
    desk.hub.latency(FORGE.as_millis() as u64);
    let daemon = desk.daemon().await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let before = desk.hub.calls().len();
        let began = Instant::now();
        daemon.sweep(None).await.unwrap();
        told.push(format!("{} calls, {}", desk.hub.calls().len() - before, seconds(began.elapsed())));
    }
    println!(
        "\nA full sweep of {OPEN} pull requests: {} by an empty store; {} when nothing changed.",
        told[0], told[1]
    );
}
