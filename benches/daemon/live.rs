//! The real program with real grading and no write limits: from a push to the decision and to the review.

use std::time::{Duration, Instant};

use sqlx::Row;

use crate::fake_github::state::ids::IssueRef;
use crate::sample::{Sample, ms};
use crate::world::{Serve, World};
use crate::{FORGE, row, seconds};

/// Pushes that are measured, each on a pull request of its own.
const PUSHES: usize = 60;

/// Time between two of them.
const PACE: Duration = Duration::from_millis(500);

/// A workspace with open pull requests, and the daemon on it.
pub struct Live {
    pub world: World,
    pub pulls: Vec<IssueRef>,
    pub serve: Serve,
}

impl Live {
    /// Opens them, starts, and waits until each has its first review. How long that took.
    pub async fn new(open: usize) -> (Self, Duration) {
        let world = World::new().await;
        world.write("gradus.yaml", &world.config("sweep: {recent: 1h, full: 2h}\n"));
        let pulls: Vec<IssueRef> = (0..open).map(|n| world.open(&format!("learner-{n}"), 3, "none")).collect();
        world.hub.latency(FORGE.as_millis() as u64);
        let began = Instant::now();
        let serve = world.serve(&["--first-sync"]);
        let live = Self { world, pulls, serve };
        live.answered(&live.pulls.iter().map(|at| (*at, 1)).collect::<Vec<_>>()).await;
        (live, began.elapsed())
    }

    /// Waits until each of these has so many reviews of ours.
    pub async fn answered(&self, wanted: &[(IssueRef, usize)]) {
        for (at, count) in wanted {
            while self.world.reviews(*at).len() < *count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// A push that makes it right, and the webhook that tells of it. When, on the clock of the fake.
    pub fn push(&self, at: IssueRef, team: &str) -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        self.world.push(at, 3, team);
        assert_eq!(self.world.deliver(&self.serve, at, &self.world.hook()), 202);
        now
    }

    /// When each pull request's newest review was submitted, and when it was decided, on clocks that are the same.
    async fn times(&self, at: IssueRef) -> (i64, i64) {
        let review = self.world.hub.reviews_by(at, self.world.app.bot).pop().unwrap();
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(self.world.path("data/gradus.db")).read_only(true);
        let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
        let found = sqlx::query("SELECT max(intent_at) FROM journal WHERE number = ?").bind(at.number as i64);
        (found.fetch_one(&mut database).await.unwrap().get(0), review.submitted_at.unwrap())
    }

    /// Resident memory of the daemon in MiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.serve.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// The head of the table.
pub fn head() {
    println!("{PUSHES} pushes, two a second, each told by a webhook; no write limits.\n");
    println!(
        "| open | all answered, empty store | push → decided p50 / p95 | push → review p50 / p95 | calls per verdict, writes | resident |\n\
         |---|---|---|---|---|---|"
    );
}

/// One row.
pub async fn run(open: usize) {
    let (live, first) = Live::new(open).await;
    live.world.at_rest(&live.serve).await;
    let (calls, writes) = (live.world.hub.calls().len(), live.world.writes().len());
    let mut pushes = Vec::new();
    for at in live.pulls.iter().take(PUSHES) {
        let began = Instant::now();
        pushes.push((*at, live.push(*at, "aurora")));
        tokio::time::sleep(PACE.saturating_sub(began.elapsed())).await;
    }
    live.answered(&pushes.iter().map(|(at, _)| (*at, 2)).collect::<Vec<_>>()).await;
    let (mut decided, mut posted) = (Vec::new(), Vec::new());
    for (at, pushed) in &pushes {
        let (intent, submitted) = live.times(*at).await;
        decided.push(Duration::from_millis((intent - pushed).max(0) as u64));
        posted.push(Duration::from_millis((submitted - pushed).max(0) as u64));
    }
    live.world.at_rest(&live.serve).await;
    let per = |now: usize, before: usize| format!("{:.1}", (now - before) as f64 / pushes.len() as f64);
    let both = |times: Vec<Duration>| {
        let times = Sample::from(times);
        format!("{} / {}", ms(times.percentile(50)), ms(times.percentile(95)))
    };
    row(&[
        open.to_string(),
        seconds(first),
        both(decided),
        both(posted),
        format!("{}, {}", per(live.world.hub.calls().len(), calls), per(live.world.writes().len(), writes)),
        format!("{} MiB", live.memory()),
    ]);
    live.serve.stop("TERM");
}
