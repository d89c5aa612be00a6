//! Everything `gradus up` runs: opened in order, run until told to stop, ended in order.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::environments::{Environments, EnvironmentsError};
use super::{App, Shared, listen, router};
use crate::course::id::Learner;
use crate::forge::Forge;
use crate::forge::local::LocalForge;
use crate::forge::local::data::{DataDir, DataError};
use crate::forge::local::fork::{Fork, ForkError};
use crate::forge::local::git::{Git, NoGit};
use crate::gradebook::Gradebook;
use crate::reconcile::courses::{Courses, OpenCourse, OpenError};
use crate::reconcile::examine::{Examiner, Pages};
use crate::reconcile::policy::{LivePolicy, Policy};
use crate::reconcile::pulse::Pulse;
use crate::reconcile::run::Reconciler;
use crate::reconcile::turns::{PULLS_PER_GRADING, Turns};
use crate::sandbox::Sandbox;
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};

/// Time between two sweeps. Each costs one look into every fork; what it finds are pushes after which we ended
/// too early.
const SWEEP: Duration = Duration::from_secs(30);

/// The same after a sweep that failed: its trouble, a full disk for one, may be over soon.
const SWEEP_AGAIN: Duration = Duration::from_secs(5);

/// How long a stop waits for requests and gradings that are under way.
const DRAIN: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Debug)]
pub struct Config {
    /// Course directories, in the order of the pages.
    pub courses: Vec<PathBuf>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// Who sits at this machine.
    pub learner: Learner,
    /// Who decides on waivers, extensions and overrides.
    pub instructor: Option<Learner>,
    /// Where learners' files are judged.
    pub sandbox: Sandbox,
    /// Whether there will be environments.
    pub live: Environing,
    /// How long a push waits for its reviews.
    pub patience: Duration,
}

/// Whether there will be environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environing {
    /// Tasks are judged by their files.
    No,
    /// They come while it serves.
    Later,
}

/// It does not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// About the data directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// About the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// About Git.
    #[error(transparent)]
    Git(#[from] NoGit),
    /// About a course.
    #[error(transparent)]
    Course(#[from] OpenError),
    /// Two courses of one name.
    #[error("two courses are named `{0}`: their directories must have different names")]
    SameName(String),
    /// About environments.
    #[error(transparent)]
    Environments(#[from] EnvironmentsError),
    /// About a fork.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}: {source}; if another `gradus up` runs, stop it, or take a free port with \
         `--listen 127.0.0.1:0`"
    )]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Opened, not yet serving.
pub struct Daemon {
    app: App,
    listener: TcpListener,
    reconciler: Arc<Reconciler<LocalForge, Examiner>>,
    environments: Option<Environments>,
    stop: watch::Sender<bool>,
}

impl Daemon {
    /// Opens everything: data directory, database, courses (published), forks (following it), address.
    pub async fn open(config: Config) -> Result<Self, DaemonError> {
        let data = Arc::new(DataDir::open(&config.data)?);
        let git = Git::find()?;
        let store = Store::open(&data.database()).await?;
        // Ours alone: whoever held these is gone.
        store.break_leases().await?;

        let failed = |source| DaemonError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = format!("http://{}", listener.local_addr().map_err(failed)?);
        let clock = Arc::new(SystemClock);
        let (order, courses) = open_courses(&config, &data, &address, clock.now().0 / 1000)?;
        let ids: BTreeSet<_> = courses.keys().cloned().collect();
        for (learner, course) in data.forks()?.iter().filter(|(_, course)| ids.contains(course)) {
            if let Err(error) = (Fork { data: &data, learner, course }).follow() {
                // One broken fork must not keep the others waiting.
                tracing::error!(%error, "a fork does not follow the workspace");
            }
        }

        let forge = LocalForge::new(data.clone(), store.clone(), clock.clone(), ids).with_instructor(config.instructor);
        let gradebook = Arc::new(Gradebook::new(data.gradebook()));
        let courses = Arc::new(courses);
        let pages = Pages { address: address.clone() };
        let policy = LivePolicy::new(Policy::local());
        let environments = match config.live {
            Environing::No => None,
            Environing::Later => Some(Environments::new(store.clone(), forge.workspace().clone(), address.clone())?),
        };
        let examiner = Examiner::new(courses.clone(), config.sandbox, store.clone(), Some(pages), policy.clone())
            .in_turn(Turns::new(processors()))
            .looking_at(environments.as_ref().map(Environments::slot));
        let pulse = Pulse::default();
        let reconciler =
            Reconciler::new(forge.clone(), examiner, store.clone(), gradebook.clone(), policy, clock, pulse.clone());
        let (stop, stopping) = watch::channel(false);
        let app = App::new(Shared {
            forge,
            git,
            store,
            gradebook,
            pulse,
            learner: config.learner,
            address,
            order,
            courses,
            patience: config.patience,
            stopping,
        });
        Ok(Self { app, listener, reconciler: Arc::new(reconciler), environments, stop })
    }

    /// What handlers see.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// What begins environments.
    pub fn environments(&self) -> Option<&Environments> {
        self.environments.as_ref()
    }

    /// Serves until `until` is ready; then lets what is under way come to its end, for a while.
    pub async fn serve(self, until: impl Future<Output = ()> + Send + 'static) {
        let Self { app, listener, reconciler, environments, stop } = self;
        let mut tasks = JoinSet::new();
        // Those that wait for an environment leave processors to the others.
        let workers = if environments.is_some() { processors() * PULLS_PER_GRADING } else { processors() };
        for _ in 0..workers {
            let (reconciler, stopping) = (reconciler.clone(), app.stopping.clone());
            tasks.spawn(async move { reconciler.work(stopping).await });
        }
        tasks.spawn(sweep(app.clone(), reconciler.clone(), environments.clone()));

        let mut stopping = app.stopping.clone();
        let ending = async move {
            // An error means that the sender is gone: also an end.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let asked = environments.map(|environments| environments.routes()).unwrap_or_default();
        let mut server = tokio::spawn(listen::serve(listener, router(app.clone()).merge(asked), listen::HEAD, ending));
        until.await;
        stop.send_replace(true);
        let drained = tokio::time::timeout(DRAIN, async {
            // Cancelled or panicked: told on standard error already.
            let _ = (&mut server).await;
            while tasks.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!("stopping with requests under way");
        }
        server.abort();
        tasks.shutdown().await;
        app.store.close().await;
    }
}

/// Gradings at once.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

/// Courses in the order given, and by id.
fn open_courses(
    config: &Config,
    data: &DataDir,
    address: &str,
    now: i64,
) -> Result<(Vec<crate::course::id::CourseId>, Courses), DaemonError> {
    let (mut order, mut courses) = (Vec::new(), Courses::new());
    for dir in &config.courses {
        let course = open_course(dir, data, address, &config.learner, now)?;
        let id = course.course.id.clone();
        if courses.insert(id.clone(), Arc::new(course)).is_some() {
            return Err(DaemonError::SameName(id.to_string()));
        }
        order.push(id);
    }
    Ok((order, courses))
}

fn open_course(
    dir: &Path,
    data: &DataDir,
    address: &str,
    learner: &Learner,
    now: i64,
) -> Result<OpenCourse, OpenError> {
    let clone = |course: &crate::course::id::CourseId| format!("{address}/git/{learner}/{course}.git");
    OpenCourse::open(dir, |course| data.upstream(course), clone, now)
}

/// Finds what hints have missed, at the start and every now and then.
async fn sweep(app: App, reconciler: Arc<Reconciler<LocalForge, Examiner>>, environments: Option<Environments>) {
    let mut stopping = app.stopping.clone();
    loop {
        let mut pause = SWEEP;
        match app.forge.sweep().await {
            Ok(recorded) => app.announce(&recorded),
            Err(error) => {
                tracing::error!(%error, "cannot compare refs with pull requests");
                pause = SWEEP_AGAIN;
            }
        }
        match (reconciler.sweep(None).await, &environments) {
            (Ok(_), Some(environments)) => environments.swept(),
            (Ok(_), None) => {}
            (Err(error), _) => {
                tracing::error!(%error, "cannot look for unanswered heads");
                pause = SWEEP_AGAIN;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
