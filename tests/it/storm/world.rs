//! A workspace on the fake GitHub, learners, and daemons that come and go.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gradus::forge::budget::WritePolicy;
use gradus::forge::github::auth::{App, AppKey};
use gradus::forge::github::{Access, GITHUB_COM, GitHub, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::pull::{PullKey, PullNumber, Workspace};
use gradus::forge::seal::Seal;
use gradus::gradebook::Gradebook;
use gradus::reconcile::examine::Examiner;
use gradus::reconcile::policy::{LivePolicy, Policy};
use gradus::reconcile::pulse::Pulse;
use gradus::reconcile::run::Reconciler;
use gradus::reconcile::sweep::Extent;
use gradus::sandbox::{Sandbox, Strictness};
use gradus::store::Store;
use gradus::store::time::{Clock as _, ManualClock, Time};

use super::ground::Ground;
use super::learners::Learners;
use super::line::{Fate, Line, Turn};
use super::script::{Blind, Judge, Objects, Script};
use crate::fake_github::Clock;
use crate::fake_github::faults::Dice;
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::key::PEM;
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};
use crate::fake_github::state::repo::Role;

/// 2026-11-24T08:00:00Z.
pub const BEGIN: Time = Time(1_795_507_200_000);

const KEY: &str = "the-key-of-the-operator-of-acme";

/// Looks of one daemon until it is stopped.
const LOOKS: usize = 20;

/// How far back a sweep goes behind the one before.
pub const OVERLAP: Duration = Duration::from_secs(60);

/// Every App of the fake has the same; reading it takes long.
static APP_KEY: LazyLock<AppKey> = LazyLock::new(|| AppKey::from_pem(PEM).expect("a key"));

pub type Daemon = Reconciler<Blind<GitHub>, Judge>;

/// What outlives a daemon: its store and its gradebook.
pub struct Disk {
    pub store: Store,
    dir: PathBuf,
}

/// What is the same for a whole schedule.
struct Setup {
    app: bool,
    /// Writes that wait for each other, or follow at once.
    writes: WritePolicy,
    /// How far GitHub's clock is ahead, in milliseconds.
    skew: i64,
    disks: usize,
    ground: Played,
}

/// On what a schedule is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// Heads that are names, in process, judged by a script.
    InProcess,
    /// Commits, over HTTP, judged by the real grader.
    ForReal,
}

/// Who the daemons are.
enum Account {
    App(AppHandle),
    Token(String),
}

pub struct World {
    pub hub: Hub,
    pub clock: Arc<ManualClock>,
    pub me: UserId,
    pub repo: RepoId,
    /// Two daemons share a disk, or have one each.
    pub disks: Vec<Arc<Disk>>,
    account: Account,
    writes: WritePolicy,
    pub ground: Option<Arc<Ground>>,
    _dir: tempfile::TempDir,
    learners: Mutex<Learners>,
    /// What goes on instead of what is drawn while a process stands still.
    meanwhile: Mutex<Option<Meanwhile>>,
}

type Meanwhile = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl World {
    /// The world of a seed.
    pub async fn new(seed: u64, ground: Played) -> Arc<Self> {
        let mut dice = Dice::new(seed ^ 0x5707_1a5e);
        let setup = Setup {
            // An App asks three times more when it starts, for which it signs: one in eight is enough.
            app: dice.percent(12),
            writes: if dice.percent(25) { WritePolicy::GITHUB } else { WritePolicy::OFF },
            skew: [0, 0, 20_000, -20_000][dice.below(4) as usize],
            disks: 1 + usize::from(dice.percent(50)),
            ground,
        };
        Self::with(setup, dice).await
    }

    /// A world of which nothing is drawn.
    pub async fn plain(disks: usize) -> Arc<Self> {
        let setup = Setup { app: false, writes: WritePolicy::OFF, skew: 0, disks, ground: Played::InProcess };
        Self::with(setup, Dice::new(7)).await
    }

    async fn with(setup: Setup, dice: Dice) -> Arc<Self> {
        let clock = Arc::new(ManualClock::at(BEGIN));
        let read = clock.clone();
        let hub = Hub::new(Clock::new(move || read.now().0));
        hub.skew(setup.skew);
        let owner = hub.organization("acme");
        let repo = hub.repository(owner, "cnpe");
        let (account, me) = if setup.app {
            let app = hub.app("gradus", owner);
            hub.install(&app, &[repo]);
            let bot = app.bot;
            (Account::App(app), bot)
        } else {
            let bot = hub.user("gradus-bot");
            hub.set_role(repo, bot, Role::Write);
            (Account::Token(hub.personal_token(bot)), bot)
        };
        // In memory where there is such a place: nothing here has to outlive the machine.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.expect("a directory");
        let mut disks = Vec::new();
        for name in 0..setup.disks {
            disks.push(disk(dir.path().join(name.to_string())).await);
        }
        let ground = match setup.ground {
            Played::InProcess => None,
            Played::ForReal => Some(Ground::new(dir.path(), &hub, repo).await),
        };
        let learners = Mutex::new(Learners::new(dice, hub.clone(), clock.clone(), repo, ground.clone()));
        // Everybody is there in every past that a read may show.
        hub.keep_past(60_000);
        Arc::new(Self {
            hub,
            clock,
            me,
            repo,
            disks,
            account,
            writes: setup.writes,
            ground,
            _dir: dir,
            learners,
            meanwhile: Mutex::default(),
        })
    }

    pub fn learners(&self) -> MutexGuard<'_, Learners> {
        self.learners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn at(&self, number: u64) -> IssueRef {
        IssueRef { repo: self.repo, number }
    }

    pub fn seal(&self) -> Seal {
        Seal::with_keys(KEY).expect("a key")
    }

    pub fn key(&self, number: u64) -> PullKey {
        PullKey { workspace: self.workspace(), number: PullNumber(number as i64) }
    }

    pub fn workspace(&self) -> Workspace {
        Workspace("github.com/acme/cnpe".to_owned())
    }

    /// A daemon's process.
    pub fn daemon(self: &Arc<Self>, disk: &Arc<Disk>, line: Line) -> Daemon {
        let settings = Settings {
            api: Base::parse(self.ground.as_ref().map_or(GITHUB_COM, |ground| &ground.base), Plain::Loopback)
                .expect("an address"),
            workspace: self.workspace(),
            repository: "acme/cnpe".parse().expect("a name"),
            course: if self.ground.is_some() { "tiny" } else { "cnpe" }.parse().expect("an id"),
            writes: self.writes,
            status_page: None,
            mirror: disk.dir.join("mirror"),
        };
        let transport = Transport::over(line, Limits::default());
        let tools = Tools {
            fetches: transport.clone(),
            transport,
            seal: self.seal(),
            store: disk.store.clone(),
            clock: self.clock.clone(),
        };
        let access = match &self.account {
            Account::App(app) => Access::App(App { id: app.id.to_string(), key: APP_KEY.clone(), installation: None }),
            Account::Token(token) => Access::Token(token.clone()),
        };
        let forge = GitHub::new(settings, access, tools).expect("a dialect");
        let policy = LivePolicy::new(Policy::forge("https://github.com/acme/cnpe.git".to_owned()));
        let gradebook = Arc::new(Gradebook::new(disk.dir.join("books")));
        let (judge, objects) = match &self.ground {
            None => (Judge::Script(Script), Objects::None),
            Some(ground) => {
                let courses = Arc::new(BTreeMap::from([(ground.course.course.id.clone(), ground.course.clone())]));
                let sandbox = Sandbox::child(env!("CARGO_BIN_EXE_gradus"), Strictness::Required);
                let examiner = Examiner::new(courses, sandbox, disk.store.clone(), None, policy.clone());
                (Judge::Real(Box::new(examiner)), Objects::Fetched)
            }
        };
        Reconciler::new(
            Blind(forge, objects),
            judge,
            disk.store.clone(),
            gradebook,
            policy,
            self.clock.clone(),
            Pulse::default(),
        )
    }

    /// A daemon hears webhooks, sweeps or does both, as is drawn.
    pub async fn works(self: Arc<Self>, disk: Arc<Disk>, fate: Option<Fate>) {
        let sweep = {
            let dice = &mut self.learners().dice;
            let extent = if dice.percent(50) { Extent::Recent } else { Extent::Full };
            dice.percent(60).then_some(extent)
        };
        self.deliver(&disk).await;
        self.looks(disk, sweep, fate).await;
    }

    /// A daemon starts, sweeps when it is to, and works until it is idle, stopped or dead.
    pub async fn looks(self: &Arc<Self>, disk: Arc<Disk>, sweep: Option<Extent>, fate: Option<Fate>) {
        let line = Line::new(self, &disk, fate);
        let dead = line.dead.clone();
        let daemon = self.daemon(&disk, line);
        let work = async {
            // What goes wrong here is what the storm is about; what comes of it is judged in the end.
            if let Some(extent) = sweep {
                let _ = daemon.catch_up(extent, OVERLAP).await;
            }
            for _ in 0..LOOKS {
                if !matches!(daemon.work_one().await, Ok(true)) {
                    break;
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = dead.notified() => {}
        }
    }

    /// Webhooks that arrive at this daemon.
    async fn deliver(&self, disk: &Disk) {
        let arriving = self.learners().arriving();
        for (number, hint) in arriving {
            let key = self.key(number);
            let lane = self.hub.issue(self.at(number)).author.0.to_string();
            disk.store.enqueue(&key, &lane, hint, self.clock.now()).await.expect("a store");
        }
    }

    /// Says what goes on while the next process stands still.
    pub fn meanwhile(&self, what: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(what));
    }

    /// While a process stands still, the rest of the world does not: learners act, time passes, daemons work.
    pub fn goes_on(self: Arc<Self>, stalled: Arc<Disk>) -> Meanwhile {
        if let Some(meanwhile) = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return meanwhile;
        }
        Box::pin(async move {
            let (act, pause, fate, other) = {
                let mut learners = self.learners();
                let dice = &mut learners.dice;
                let pause = [1, 30, 100, 400][dice.below(4) as usize];
                let (dies, at) = (dice.percent(25), dice.below(30) + 1);
                let fate = dies.then_some(Fate { at, turn: Turn::DiesAfter });
                (dice.percent(60), pause, fate, dice.percent(60))
            };
            if act {
                self.learners().somebody_acts();
            }
            self.clock.advance(Duration::from_secs(pause));
            let disk = match other {
                true => self.disks[self.disks.len() - 1].clone(),
                false => stalled,
            };
            self.works(disk, fate).await;
        })
    }
}

async fn disk(dir: PathBuf) -> Arc<Disk> {
    std::fs::create_dir_all(dir.join("books")).expect("a directory");
    let store = Store::open(&dir.join("gradus.db")).await.expect("a store");
    Arc::new(Disk { store, dir })
}
