//! With GitHub's write limits, on a clock that is moved: nothing here takes real time, and the forge and the grader take none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gradus::forge::budget::WritePolicy;
use gradus::forge::github::auth::{App, AppKey};
use gradus::forge::github::{Access, GITHUB_COM, GitHub, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::pull::{PullKey, PullNumber, Workspace};
use gradus::forge::seal::Seal;
use gradus::gradebook::Gradebook;
use gradus::reconcile::policy::{LivePolicy, Policy};
use gradus::reconcile::pulse::Pulse;
use gradus::reconcile::run::Reconciler;
use gradus::store::Store;
use gradus::store::queue::Hint;
use gradus::store::time::{Clock as _, ManualClock, Time};

use crate::fake_github::Clock;
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::state::ids::{IssueRef, RepoId};
use crate::sample::Sample;
use crate::script::{Blind, Objects, Script};

/// 2026-11-24T08:00:00Z.
const BEGIN: Time = Time(1_795_507_200_000);

/// Pushes within the minute.
const PUSHES: usize = 40;

/// Pull requests that are graded again.
const REGRADED: usize = 400;

/// A GitHub in process with open pull requests.
pub struct Desk {
    pub hub: Hub,
    clock: Arc<ManualClock>,
    app: AppHandle,
    repo: RepoId,
    pulls: Vec<IssueRef>,
    dir: tempfile::TempDir,
}

impl Desk {
    /// With so many open pull requests, one for each learner.
    pub fn new(open: usize) -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let read = clock.clone();
        let hub = Hub::new(Clock::new(move || read.now().0));
        let owner = hub.organization("acme");
        let repo = hub.repository(owner, "cnpe");
        let app = hub.app("gradus", owner);
        hub.install(&app, &[repo]);
        let mut desk = Self { hub, clock, app, repo, pulls: Vec::new(), dir: tempfile::tempdir().unwrap() };
        for n in 0..open {
            let user = desk.hub.user(&format!("learner-{n}"));
            desk.pulls.push(desk.hub.open_pull(desk.repo, user, "work", &sha(n, 1)));
        }
        desk
    }

    /// A daemon on the one store.
    pub async fn daemon(&self) -> Reconciler<Blind<GitHub>, Script> {
        let store = self.store().await;
        let settings = Settings {
            api: Base::parse(GITHUB_COM, Plain::Loopback).unwrap(),
            workspace: workspace(),
            repository: "acme/cnpe".parse().unwrap(),
            course: "cnpe".parse().unwrap(),
            writes: WritePolicy::GITHUB,
            status_page: None,
            mirror: self.dir.path().join("mirror"),
        };
        let transport = Transport::over(self.hub.service(), Limits::default());
        let tools = Tools {
            fetches: transport.clone(),
            transport,
            seal: Seal::with_keys("the-key-of-the-operator-of-acme").unwrap(),
            store: store.clone(),
            clock: self.clock.clone(),
        };
        let key = AppKey::from_pem(self.app.pem).unwrap();
        let access = Access::App(App { id: self.app.id.to_string(), key, installation: None });
        let forge = GitHub::new(settings, access, tools).unwrap();
        let books = self.dir.path().join("books");
        std::fs::create_dir_all(&books).unwrap();
        let policy = LivePolicy::new(Policy::forge("https://github.com/acme/cnpe.git".to_owned()));
        let (book, clock) = (Arc::new(Gradebook::new(books)), self.clock.clone());
        Reconciler::new(Blind(forge, Objects::None), Script, store, book, policy, clock, Pulse::default())
    }

    async fn store(&self) -> Store {
        Store::open(&self.dir.path().join("gradus.db")).await.unwrap()
    }

    /// Works until each pull request has so many reviews; `meanwhile` is asked between two looks. How long that took on the clock.
    async fn drain(&self, reviews: usize, mut meanwhile: impl AsyncFnMut()) -> Duration {
        let (daemon, began) = (self.daemon().await, self.clock.now());
        while self.pulls.iter().any(|at| self.hub.reviews_by(*at, self.app.bot).len() < reviews) {
            meanwhile().await;
            while daemon.work_one().await.unwrap() {
                meanwhile().await;
            }
            self.clock.advance(Duration::from_millis(250));
        }
        self.clock.now().since(began)
    }

    /// A push that a webhook tells of. When.
    async fn push(&self, store: &Store, n: usize, round: usize) -> Time {
        let at = self.pulls[n];
        self.hub.push(at, &sha(n, round));
        let key = PullKey { workspace: workspace(), number: PullNumber(at.number as i64) };
        store.enqueue(&key, &format!("learner-{n}"), Hint::NewHead, self.clock.now()).await.unwrap();
        self.clock.now()
    }

    /// From each push to the newest review of its pull request.
    fn waits(&self, pushed: &BTreeMap<usize, Time>) -> Sample {
        let wait = |(n, pushed): (&usize, &Time)| {
            let review = self.hub.reviews_by(self.pulls[*n], self.app.bot).pop().unwrap();
            Time(review.submitted_at.unwrap()).since(*pushed)
        };
        Sample::from(pushed.iter().map(wait).collect::<Vec<_>>())
    }
}

fn workspace() -> Workspace {
    Workspace("github.com/acme/cnpe".to_owned())
}

/// Not passed, and another one for each pull request and round.
fn sha(n: usize, round: usize) -> String {
    format!("1{n:019x}{round:020x}")
}

/// Prints two lines.
pub async fn run() {
    let seconds = |wait: Duration| format!("{} s", wait.as_secs());
    let desk = Desk::new(PUSHES);
    desk.daemon().await.sweep(None).await.unwrap();
    desk.drain(1, async || {}).await;
    // The budget of the hour is whole again.
    desk.clock.advance(Duration::from_secs(7_200));
    let (store, mut pushed, began) = (desk.store().await, BTreeMap::new(), desk.clock.now());
    desk.drain(2, async || {
        let due = (desk.clock.now().since(began).as_millis() as usize * PUSHES / 60_000 + 1).min(PUSHES);
        for n in pushed.len()..due {
            pushed.insert(n, desk.push(&store, n, 2).await);
        }
    })
    .await;
    let waits = desk.waits(&pushed);
    println!(
        "\nGitHub's write limits, {PUSHES} pushes in a minute: review after {} (p50), {} (p95), {} at most.",
        seconds(waits.percentile(50)),
        seconds(waits.percentile(95)),
        seconds(waits.percentile(100))
    );

    let desk = Desk::new(REGRADED);
    desk.daemon().await.sweep(None).await.unwrap();
    let (store, mut pushed, began) = (desk.store().await, BTreeMap::new(), desk.clock.now());
    let took = desk
        .drain(1, async || {
            // Somebody pushes every five minutes, from the end of the queue.
            let due = (desk.clock.now().since(began).as_secs() / 300) as usize;
            if pushed.len() < due.min(20) {
                let n = REGRADED - 1 - pushed.len();
                pushed.insert(n, desk.push(&store, n, 2).await);
            }
        })
        .await;
    let waits = desk.waits(&pushed);
    println!(
        "\nGitHub's write limits, {REGRADED} verdicts from the backlog: all posted after {:.1} h; of {} pushes meanwhile each is answered \
         after {} (p50), {} at most.",
        took.as_secs_f64() / 3_600.0,
        pushed.len(),
        seconds(waits.percentile(50)),
        seconds(waits.percentile(100))
    );
}
