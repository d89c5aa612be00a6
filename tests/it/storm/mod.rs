//! Seeded schedules of what goes wrong: the real reconcile, store, journal and GitHub dialect against the fake GitHub in
//! process, with a grader that judges by the commit's name and a clock that is moved.
//!
//! Each schedule has learners who push, push back, comment and close, at any moment; two daemons, with one store or with
//! two; webhooks that are lost, late and repeated; requests that time out before or after their effect, arrive late, fail,
//! break off or read what is old; processes that die in the middle of a request, or stand still there while everything
//! else goes on. When the weather has cleared, everything must be answered exactly once. `GRADUS_SEED=N` plays one again.
//!
//! Twenty of them are played again over HTTP with heads that are commits, and the real grader.

mod ground;
mod judge;
mod late;
mod learners;
mod line;
mod script;
mod weather;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use world::Played;

/// Schedules of a run unless `GRADUS_SCHEDULES` says otherwise.
const SCHEDULES: u64 = 1_000;

/// Schedules of a run that are played for real too.
const FOR_REAL: u64 = 20;

/// Most time for all of them (issue 4: within a minute); printed, since a shared machine may take longer.
const WITHIN: Duration = Duration::from_secs(60);

/// Failures that are told whole.
const TOLD: usize = 3;

/// Plays one seed on this thread: nothing in it waits, so more at once than there are cores would only stand in each
/// other's way. What does not hold, if anything.
fn play(seed: u64, ground: Played) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(runtime.spawn(weather::play(seed, ground))) {
        Ok(played) => played.map(|_| ()),
        Err(panic) => Err(panic.to_string()),
    }
}

/// What the operator of a run asks for in this variable.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Plays the seed that is asked for, or as many as there are.
fn play_all(ground: Played, schedules: u64) {
    if let Some(seed) = asked("GRADUS_SEED") {
        play(seed, ground).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        return;
    }
    let begin = Instant::now();
    let next = AtomicU64::new(0);
    let player = || {
        let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < schedules));
        seeds.filter_map(|seed| Some((seed, play(seed, ground).err()?))).collect::<Vec<(u64, String)>>()
    };
    let mut failed: Vec<(u64, String)> = std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let players: Vec<_> = (0..cores).map(|_| scope.spawn(player)).collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    println!("{schedules} schedules in {:.1?} (aim of a thousand in process: {WITHIN:?})", begin.elapsed());
    failed.sort();
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    let told: String = failed.iter().take(TOLD).map(|(seed, what)| format!("\n\nseed {seed}: {what}")).collect();
    assert!(failed.is_empty(), "play again with GRADUS_SEED=N: {seeds:?}{told}");
}

#[test]
fn schedules_of_faults_leave_one_review_per_verdict_and_lose_none() {
    play_all(Played::InProcess, asked("GRADUS_SCHEDULES").unwrap_or(SCHEDULES));
}

#[test]
fn schedules_of_faults_hold_over_http_with_real_commits_and_the_real_grader() {
    play_all(Played::ForReal, FOR_REAL);
}

#[tokio::test]
async fn a_seed_is_played_the_same_way_each_time() {
    for seed in [1, 2] {
        let (one, other) = (weather::play(seed, Played::InProcess).await, weather::play(seed, Played::InProcess).await);
        let calls = |played: Result<Vec<_>, String>| format!("{:#?}", played.unwrap());
        assert_eq!(calls(one), calls(other), "seed {seed}");
    }
}
