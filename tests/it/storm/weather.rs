//! One schedule: what happens is drawn from its seed, what must hold in the end is always the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gradus::forge::budget::WritePolicy;
use gradus::forge::github::auth::{App, AppKey};
use gradus::forge::github::{Access, GITHUB_COM, GitHub, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::pull::Workspace;
use gradus::forge::seal::Seal;
use gradus::gradebook::Gradebook;
use gradus::reconcile::policy::{LivePolicy, Policy};
use gradus::reconcile::pulse::Pulse;
use gradus::reconcile::run::Reconciler;
use gradus::store::Store;
use gradus::store::time::{Clock as _, ManualClock, Time};

use super::crash::{Fuse, Fused, Last};
use super::script::{Blind, Script, score};
use crate::fake_github::Clock;
use crate::fake_github::faults::{self, Dice, Fault};
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};

/// 2026-11-24T08:00:00Z.
const BEGIN: Time = Time(1_795_507_200_000);

/// How long a request is waited for, in real time: in process an answer that comes at all comes at once.
const HANGS: Duration = Duration::from_millis(25);

/// Things that happen before the weather clears.
const EVENTS: u64 = 10;

/// Requests after which nothing goes wrong any more.
const STORMY: u64 = 150;

/// Most looks until everything is at rest.
const PATIENCE: usize = 400;

struct Weather {
    dice: Dice,
    hub: Hub,
    clock: Arc<ManualClock>,
    app: AppHandle,
    ada: UserId,
    repo: RepoId,
    dir: tempfile::TempDir,
    /// Every head that a pull request had.
    heads: BTreeMap<u64, Vec<String>>,
    commands: BTreeMap<u64, usize>,
    /// Two daemons share a store, or have one each.
    stores: Vec<&'static str>,
}

type Daemon = Reconciler<Blind<GitHub>, Script>;

/// Plays the schedule of a seed. What does not hold, if anything.
pub async fn play(seed: u64) -> Result<(), String> {
    let mut weather = Weather::new(seed);
    weather.hub.schedule(faults::seeded(seed, 12, faults::all(), STORMY));
    for _ in 0..EVENTS {
        weather.something_happens();
        let store = weather.stores[weather.dice.below(weather.stores.len() as u64) as usize];
        let fuse = match weather.dice.percent(35) {
            true => {
                let last = if weather.dice.percent(50) { Last::Arrives } else { Last::IsLost };
                Fuse::after(weather.dice.below(40) as i64, last)
            }
            false => Fuse::never(),
        };
        weather.work_for_a_while(store, fuse).await;
        let pause = [1, 10, 60, 600][weather.dice.below(4) as usize];
        weather.clock.advance(Duration::from_secs(pause));
    }
    weather.clear_up().await?;
    weather.judge()
}

impl Weather {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let read = clock.clone();
        let hub = Hub::new(Clock::new(move || read.now().0));
        hub.keep_past(60_000);
        let owner = hub.organization("acme");
        let ada = hub.user("ada");
        let repo = hub.repository(owner, "cnpe");
        let app = hub.app("gradus", owner);
        hub.install(&app, &[repo]);
        let mut dice = Dice::new(seed ^ 0x5707_1a5e);
        let stores = if dice.percent(50) { vec!["a", "a"] } else { vec!["a", "b"] };
        Self {
            dice,
            hub,
            clock,
            app,
            ada,
            repo,
            dir: tempfile::tempdir().expect("a directory"),
            heads: BTreeMap::new(),
            commands: BTreeMap::new(),
            stores,
        }
    }

    fn sha(&mut self) -> String {
        (0..40).map(|_| char::from_digit(self.dice.below(16) as u32, 16).expect("a digit")).collect()
    }

    fn at(&self, number: u64) -> IssueRef {
        IssueRef { repo: self.repo, number }
    }

    fn something_happens(&mut self) {
        let sha = self.sha();
        let numbers: Vec<u64> = self.heads.keys().copied().collect();
        let which = self.dice.below(100);
        if numbers.is_empty() || (which < 20 && numbers.len() < 3) {
            let at = self.hub.open_pull(self.repo, self.ada, &format!("work-{}", numbers.len()), &sha);
            self.heads.insert(at.number, vec![sha]);
            return;
        }
        let number = numbers[self.dice.below(numbers.len() as u64) as usize];
        let at = self.at(number);
        let open = self.hub.pull(at).head_sha.len() == 40 && self.is_open(at);
        match which {
            20..55 if open => {
                self.hub.push(at, &sha);
                self.heads.entry(number).or_default().push(sha);
            }
            55..65 if open => {
                self.hub.force_push(at, &sha);
                self.heads.entry(number).or_default().push(sha);
            }
            65..72 if open => {
                let before = &self.heads[&number];
                let back = before[self.dice.below(before.len() as u64) as usize].clone();
                if back != self.hub.pull(at).head_sha {
                    self.hub.force_push(at, &back);
                    self.heads.entry(number).or_default().push(back);
                }
            }
            72..85 => {
                self.hub.comment(at, self.ada, "/progress");
                *self.commands.entry(number).or_default() += 1;
            }
            85..92 if open => self.hub.close(at),
            85..92 => self.hub.reopen(at),
            _ => {}
        }
    }

    fn is_open(&self, at: IssueRef) -> bool {
        self.hub.issue(at).open
    }

    async fn daemon(&self, name: &str, fuse: Fuse) -> Daemon {
        let store = Store::open(&self.dir.path().join(format!("{name}.db"))).await.expect("a store");
        // A daemon that starts alone on its store knows that nobody holds anything.
        store.break_leases().await.expect("a store");
        let limits = Limits { head: HANGS, body: HANGS, ..Limits::default() };
        let key = AppKey::from_pem(self.app.pem).expect("a key");
        let settings = Settings {
            api: Base::parse(GITHUB_COM, Plain::Loopback).expect("an address"),
            workspace: Workspace("github.com/acme/cnpe".to_owned()),
            repository: "acme/cnpe".parse().expect("a name"),
            course: "cnpe".parse().expect("an id"),
            writes: WritePolicy::GITHUB,
            status_page: None,
            mirror: self.dir.path().join("mirror"),
        };
        let transport = Transport::over(Fused { inner: self.hub.service(), fuse }, limits);
        let tools = Tools {
            fetches: transport.clone(),
            transport,
            seal: Seal::with_keys("the-key-of-the-operator-of-acme").expect("a key"),
            store: store.clone(),
            clock: self.clock.clone(),
        };
        let access = Access::App(App { id: self.app.id.to_string(), key, installation: None });
        let forge = GitHub::new(settings, access, tools).expect("a dialect");
        let books = self.dir.path().join(format!("{name}-books"));
        std::fs::create_dir_all(&books).expect("a directory");
        let policy = LivePolicy::new(Policy::forge("https://github.com/acme/cnpe.git".to_owned()));
        let gradebook = Arc::new(Gradebook::new(books));
        Reconciler::new(Blind(forge), Script, store, gradebook, policy, self.clock.clone(), Pulse::default())
    }

    /// A daemon sweeps and works until it is idle or dies.
    async fn work_for_a_while(&self, name: &str, fuse: Fuse) {
        let blown = fuse.blown.clone();
        let daemon = self.daemon(name, fuse).await;
        let work = async {
            // What goes wrong here is what the storm is about; what comes of it is judged in the end.
            let _ = daemon.sweep(None).await;
            for _ in 0..20 {
                if !matches!(daemon.work_one().await, Ok(true)) {
                    break;
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = blown.notified() => {}
        }
    }

    /// Nothing goes wrong any more: both daemons work, side by side, until nothing is left to do.
    async fn clear_up(&mut self) -> Result<(), String> {
        self.hub.schedule(Box::new(|_| None));
        // What was begun on a closed pull request is nobody's to see, and goes when it is open again.
        for number in self.heads.keys().copied().collect::<Vec<_>>() {
            if !self.is_open(self.at(number)) {
                self.hub.reopen(self.at(number));
            }
        }
        let mut daemons = Vec::new();
        let mut names = self.stores.clone();
        names.dedup();
        for name in &names {
            daemons.push(self.daemon(name, Fuse::never()).await);
        }
        let (mut quiet, mut pushed) = (0, false);
        for _ in 0..PATIENCE {
            let mut busy = false;
            for daemon in &daemons {
                let found = daemon.sweep(None).await.map_or(1, |found| found);
                busy |= found > 0;
                for _ in 0..50 {
                    match daemon.work_one().await {
                        Ok(true) => busy = true,
                        Ok(false) => break,
                        Err(_) => {
                            busy = true;
                            break;
                        }
                    }
                }
            }
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet == 3 && pushed {
                return Ok(());
            }
            if quiet == 3 {
                // What a request left that arrived after its process had died, nobody sees; the next review clears it.
                for number in self.heads.keys().copied().collect::<Vec<_>>() {
                    let sha = self.sha();
                    self.hub.push(self.at(number), &sha);
                    self.heads.entry(number).or_default().push(sha);
                }
                (quiet, pushed) = (0, true);
            }
            self.clock.advance(Duration::from_secs(120));
        }
        let calls = self.hub.calls();
        let last: Vec<String> = calls.iter().rev().take(30).map(|call| format!("{call:?}")).collect();
        Err(format!("it never comes to rest; the last requests, newest first:\n{}", last.join("\n")))
    }

    /// A write of this kind was given up and arrived after those that followed: nothing of ours looks at a status again at
    /// rest (docs/forges.md). Reviews are held to their promise whatever happens.
    fn came_late(&self, operation: &str) -> bool {
        let late = |call: &crate::fake_github::hub::Record| {
            call.asked.operation == operation && matches!(call.fault, Some(Fault::TimeoutThenEffect(_)))
        };
        self.hub.calls().iter().any(late)
    }

    /// What must hold at rest.
    fn judge(&self) -> Result<(), String> {
        for (number, heads) in &self.heads {
            let at = self.at(*number);
            let reviews = self.hub.reviews_by(at, self.app.bot);
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            for review in &reviews {
                *seen.entry(review.commit_id.as_str()).or_default() += 1;
                if !heads.contains(&review.commit_id) {
                    return Err(format!("#{number}: a review of a commit that nobody pushed: {review:#?}"));
                }
            }
            if let Some((head, times)) = seen.iter().find(|(_, times)| **times > 1) {
                return Err(format!("#{number}: {times} reviews of {head}: {reviews:#?}"));
            }
            if !self.hub.pending_reviews(at).is_empty() {
                return Err(format!("#{number}: a review is left pending"));
            }
            let head = self.hub.pull(at).head_sha;
            if self.is_open(at) {
                if !seen.contains_key(head.as_str()) {
                    return Err(format!("#{number}: the head {head} was never answered: {reviews:#?}"));
                }
                let wanted = if score(&head.parse().expect("a commit")).min(4) == 4 { "success" } else { "failure" };
                let status = self.hub.statuses(self.repo, &head);
                if !self.came_late("repos/create-commit-status") && !status.iter().any(|status| status.state == wanted)
                {
                    return Err(format!("#{number}: the status of {head} is not {wanted}: {status:#?}"));
                }
            }
            let answers = self.hub.comments(at).iter().filter(|comment| comment.user == self.app.bot).count();
            let asked = self.commands.get(number).copied().unwrap_or(0);
            // GitHub has no fence for comments: of two daemons that read what is old each may answer (docs/forges.md).
            if answers < asked {
                return Err(format!("#{number}: {asked} commands and {answers} answers"));
            }
        }
        self.hub.finish();
        Ok(())
    }
}
