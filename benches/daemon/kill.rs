//! A daemon that is killed with two hundred verdicts under way.

use std::time::{Duration, Instant};

use crate::live::Live;
use crate::seconds;

/// Heads that nobody answered yet when it is killed.
const IN_FLIGHT: usize = 200;

/// Prints a line.
pub async fn run() {
    let (mut live, _) = Live::new(IN_FLIGHT).await;
    live.world.at_rest(&live.serve).await;
    for at in &live.pulls {
        live.push(*at, "aurora");
    }
    let answered = live.pulls.iter().filter(|at| live.world.reviews(**at).len() == 2).count();
    let again = Instant::now();
    live.serve = {
        let serve = live.serve;
        serve.stop("KILL");
        live.world.serve(&[])
    };
    live.answered(&live.pulls.iter().map(|at| (*at, 2)).collect::<Vec<_>>()).await;
    let took = again.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let twice = live.pulls.iter().filter(|at| live.world.reviews(**at).len() != 2).count();
    println!(
        "\nKilled (SIGKILL) with {} of {IN_FLIGHT} heads unanswered and started again: all answered {} later, {twice} of them not exactly \
         once.",
        IN_FLIGHT - answered,
        seconds(took)
    );
    live.serve.stop("TERM");
}
