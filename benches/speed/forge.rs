//! From a push to its review on the local forge, and fifty pushes at once beside the same pushes to bare git.

use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::sample::{Sample, ms};
use crate::world::{Clone, Up, World};

/// Learners, each with a fork and a clone.
const LEARNERS: usize = 50;

/// Pushes of the paced part: three per learner.
const PUSHES: usize = 150;

/// Time between two of them: five a second.
const PACE: Duration = Duration::from_millis(200);

/// Prints both parts.
pub fn run() {
    let world = World::new();
    let up = world.up();
    let clones: Vec<Clone> = (0..LEARNERS)
        .map(|n| {
            let learner = format!("learner-{n}");
            let clone = world.clone(&up, &learner, &learner);
            clone.branch("work");
            clone
        })
        .collect();
    println!("\n## From push to review ({LEARNERS} learners)\n");
    println!("| | p50 | p95 | max |\n|---|---|---|---|");
    let terminal = paced(&clones);
    row("whole `git push`, its output with the result included", terminal);
    let stored = world.sql(
        "SELECT CAST(min(r.created_at) - min(h.seen_at) AS TEXT) FROM local_reviews r
         JOIN heads h ON h.number = r.number AND h.head = r.head GROUP BY r.id",
    );
    let stored = stored.iter().map(|ms| Duration::from_millis(ms.parse().expect("a number"))).collect();
    row("ref update to review stored (aim: 150 ms, 400 ms)", stored);
    burst(&world, &up, &clones);
}

/// Pushes at a steady pace, whether or not the ones before are answered.
fn paced(clones: &[Clone]) -> Vec<Duration> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let pushes: Vec<_> = (0..PUSHES)
            .map(|n| {
                let clone = &clones[n % clones.len()];
                scope.spawn(move || {
                    std::thread::sleep((PACE * u32::try_from(n).expect("small")).saturating_sub(start.elapsed()));
                    clone.answer(if n < clones.len() { "2" } else { "3" }, &format!("team-{n}"));
                    clone.commit();
                    timed(|| drop(clone.git(&["push", "-q", "origin", "HEAD"])))
                })
            })
            .collect();
        pushes.into_iter().map(|push| push.join().expect("a push does not panic")).collect()
    })
}

/// The same commits pushed by everybody at once: to bare repositories on disk, to bare repositories over HTTP, to the forge.
fn burst(world: &World, up: &Up, clones: &[Clone]) {
    let backend = Backend::new(&world.path("served"));
    for (n, clone) in clones.iter().enumerate() {
        clone.branch("burst");
        clone.answer("3", "aurora");
        clone.commit();
        for kind in ["bare", "served"] {
            let bare = world.path(&format!("{kind}/{n}.git")).to_string_lossy().into_owned();
            clone.git(&["clone", "-q", "--bare", ".", &bare]);
            clone.git(&["-C", &bare, "branch", "-q", "-D", "burst"]);
            let address = if kind == "bare" { bare } else { format!("{}/{n}.git", backend.address) };
            clone.git(&["remote", "add", kind, &address]);
        }
    }
    let all = |remote: &str| {
        timed(|| {
            std::thread::scope(|scope| {
                for clone in clones {
                    scope.spawn(|| clone.git(&["push", "-q", remote, "HEAD:refs/heads/burst"]));
                }
            });
        })
    };
    let (bare, served, forge) = (all("bare"), all("served"), all("origin"));
    let answered = up.json("/api/v1/pulls").as_array().map_or(0, |pulls| {
        pulls.iter().filter(|pull| pull["branch"] == "burst" && pull["status"]["state"] == "success").count()
    });
    let times = |other: Duration| forge.as_secs_f64() / other.as_secs_f64();
    println!("\n| {LEARNERS} pushes at once | time | the forge takes |\n|---|---|---|");
    println!("| bare git on disk | {bare:.2?} | {:.1} times as long |", times(bare));
    println!("| bare git over HTTP, `git http-backend` | {served:.2?} | {:.1} times as long |", times(served));
    println!("| the forge, with {answered} reviews | {forge:.2?} | |");
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn row(what: &str, times: Vec<Duration>) {
    let times = Sample::from(times);
    let at = |percent| ms(times.percentile(percent));
    println!("| {what} | {} | {} | {} |", at(50), at(95), at(100));
}
