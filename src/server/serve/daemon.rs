//! Everything `gradus serve` runs: opened in order, changed with its configuration, ended in order.

mod forks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::argocd::{self, ArgocdError};
use super::connect::{Connect, ConnectError};
use super::courses::{self, CourseError};
use super::crowd::Crowd;
use super::data::{Company, Data, DataError, join};
use super::engine::{Engine, FirstSync, Ground};
use super::generator::{Compared, Generator};
use super::health::{Ask, Health};
use super::metrics::Metrics;
use super::plan::{Plan, Served, Works, WorkspaceId, address, fixed, plans};
use super::port::Port;
use super::scout::Found;
use crate::config::Loaded;
use crate::config::kinds::{Config, CourseConfig, GradebookConfig};
use crate::config::reload::{OwnedEnv, Pace, Reading, follow};
use crate::config::secret::Secret;
use crate::course::Course;
use crate::environment::address::Addresses;
use crate::environment::external::External;
use crate::environment::lender::Lender;
use crate::forge::Forge;
use crate::forge::dry_run::{DryRun, Tell};
use crate::forge::pull::Workspace;
use crate::gradebook::{Gradebook, InvalidOrigin, Origin};
use crate::reconcile::courses::{Courses, OpenCourse, OpenError};
use crate::reconcile::examine::Examiner;
use crate::reconcile::live::{Live, PATIENCE};
use crate::reconcile::policy::LivePolicy;
use crate::reconcile::pulse::Pulse;
use crate::reconcile::turns::{PULLS_PER_GRADING, PULLS_PER_GRADING_LIVE, Turns};
use crate::sandbox::{Sandbox, Unusable};
use crate::server::listen;
use crate::server::webhooks::{self, Bounds, Endpoint, Endpoints, Receiver};
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};

/// What to start.
pub struct Options {
    /// The file of the configuration.
    pub path: PathBuf,
    /// What it says.
    pub loaded: Loaded,
    /// Looks environment variables up.
    pub env: OwnedEnv,
    /// When to look whether the configuration changed.
    pub pace: Pace,
    /// Whether to begin with many pull requests.
    pub first_sync: FirstSync,
    /// Takes what would be written when nothing is to be.
    pub dry_run: Option<Tell>,
    /// Where learners' files are judged.
    pub sandbox: Sandbox,
}

/// It does not start, or cannot take over a changed configuration.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// About the data directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// About the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be graded here.
    #[error(
        "{0}; this daemon grades other people's work only behind a sandbox: run it on a Linux with Landlock and seccomp"
    )]
    Sandbox(#[from] Unusable),
    /// About a course.
    #[error(transparent)]
    Course(#[from] CourseError),
    /// A course cannot be published for its workspace.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// About a forge.
    #[error("the workspace `{repository}` on `{forge}`: {source}")]
    Connect {
        /// The forge's name.
        forge: String,
        /// Which repository.
        repository: String,
        /// Why.
        source: ConnectError,
    },
    /// About the cluster of Argo CD, or of learners' environments.
    #[error(transparent)]
    Argocd(#[from] ArgocdError),
    /// About the gradebook's repository.
    #[error(transparent)]
    Gradebook(#[from] InvalidOrigin),
    /// The gradebook's directory, or the copies of a dry run.
    #[error("cannot use {}: {source}", path.display())]
    Dir {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; stop what listens there, or name another address as `listen`")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Lists of forks that wait to be taken over.
const FOUND: usize = 16;

/// Opened, not yet serving.
pub struct Daemon<C> {
    listener: TcpListener,
    address: SocketAddr,
    supervisor: Supervisor<C>,
    gradebook: Arc<Gradebook>,
    options: Follow,
    /// What is found of learners' forks.
    forks: mpsc::Receiver<Found>,
    /// Copies of a dry run.
    _copies: Option<tempfile::TempDir>,
    /// Tells other daemons on the store that we are there.
    _joined: Option<std::fs::File>,
}

/// What following the configuration needs.
struct Follow {
    path: PathBuf,
    loaded: Arc<Loaded>,
    env: OwnedEnv,
    pace: Pace,
}

impl<C: Connect> Daemon<C> {
    /// Opens everything: data directory, database, gradebook, courses, address. Asks no forge yet.
    pub async fn open(options: Options, connect: C) -> Result<Self, ServeError> {
        let Options { path, loaded, env, pace, first_sync, dry_run, sandbox } = options;
        let config = &loaded.config;
        let checked = sandbox.clone();
        blocking(move || checked.check()).await?;
        let data = Arc::new(Data::open(&config.data)?);
        let book_token = BookToken::of(&loaded);
        let (store, gradebook, copies, joined) = match dry_run {
            None => {
                let store = Store::open(&config.database()).await?;
                let (joined, company) = join(&config.database())?;
                if company == Company::Alone {
                    store.break_leases().await?;
                }
                (store, gradebook(config, &data, &book_token)?, None, Some(joined))
            }
            Some(_) => {
                let (store, gradebook, copies) = copied(config, &data).await?;
                (store, gradebook, Some(copies), None)
            }
        };
        let gradebook = Arc::new(gradebook);
        let failed = |source| ServeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::default());
        let bounds = Bounds {
            bytes: config.limits.webhook_bytes,
            at_once: config.limits.webhooks_at_once,
            time: config.limits.request_time.0,
        };
        let receiver = Receiver::new(store.clone(), clock.clone(), metrics.clone(), bounds);
        let health = Health::new(store.clone(), clock.clone(), metrics.clone(), gradebook.clone());
        let compared: Compared = {
            let health = health.clone();
            Arc::new(move || health.compared())
        };
        let generator = Generator::new(store.clone(), compared.clone());
        // A dry run changes no cluster.
        let lender = match &config.argocd {
            Some(argocd) if dry_run.is_none() => argocd::lender(argocd, &config.data, clock.clone()).await?,
            _ => None,
        };
        if let Some(lender) = lender.clone() {
            health.lends(Arc::new(move || lender.external().map(External::unusable).unwrap_or_default()));
        }
        let ground = Ground {
            store,
            gradebook: gradebook.clone(),
            clock,
            metrics,
            workers: 1,
            sweep: config.sweep,
            // A dry run writes nothing: there is nothing to be asked for.
            first_sync: if dry_run.is_some() { FirstSync::Meant } else { first_sync },
            crowd: None,
        };
        let (found, forks) = mpsc::channel(FOUND);
        let loaded = Arc::new(loaded);
        let mut supervisor = Supervisor {
            connect,
            data,
            ground,
            sandbox,
            dry_run,
            receiver,
            generator,
            lender,
            compared,
            health,
            book_token,
            begun: loaded.clone(),
            loaded: loaded.clone(),
            found,
            homes: BTreeMap::new(),
            crowd: Arc::default(),
            pulses: BTreeMap::new(),
            courses: Vec::new(),
            running: BTreeMap::new(),
            leaving: JoinSet::new(),
            turns: Turns::new(1),
        };
        supervisor.apply(&loaded).await?;
        let options = Follow { path, loaded, env, pace };
        Ok(Self { listener, address, supervisor, gradebook, options, forks, _copies: copies, _joined: joined })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `until` is ready; then lets what is under way come to its end, for a while.
    pub async fn serve(self, until: impl Future<Output = ()> + Send) {
        let Self { listener, mut supervisor, gradebook, options, mut forks, _copies, _joined, .. } = self;
        let limits = options.loaded.config.limits;
        let (stop, stopping) = watch::channel(false);
        let router = router(&supervisor);
        let server = {
            let mut stopping = stopping.clone();
            let ending = async move { listen::stopped(&mut stopping).await };
            tokio::spawn(listen::serve(listener, router, limits.request_time.0, ending))
        };
        let sharing = {
            let (gradebook, stopping) = (gradebook.clone(), stopping.clone());
            tokio::spawn(async move { gradebook.share(stopping).await })
        };
        let tending = supervisor.lender.clone().map(|lender| {
            let (store, compared) = (supervisor.ground.store.clone(), supervisor.compared.clone());
            tokio::spawn(argocd::tend(lender, store, compared, stopping.clone()))
        });
        let Follow { path, loaded, env, pace } = options;
        let mut reading = follow(path, loaded, env, pace);
        tokio::pin!(until);
        let mut followed = true;
        loop {
            tokio::select! {
                () = &mut until => break,
                // The supervisor holds a sender: there is always another one.
                Some(found) = forks.recv() => supervisor.found(found),
                changed = reading.changed(), if followed => {
                    if changed.is_err() {
                        // Nobody follows the files any more: the last good ones stay in force.
                        followed = false;
                        continue;
                    }
                    let now = reading.borrow_and_update().clone();
                    // May wait for a course to be fetched; nothing is changed before that.
                    tokio::select! {
                        () = supervisor.take(&now) => {}
                        () = &mut until => break,
                    }
                }
            }
        }
        drop(reading);
        tracing::info!("stopping");
        supervisor.health.stopping();
        stop.send_replace(true);
        let store = supervisor.ground.store.clone();
        supervisor.end(limits.drain.0).await;
        for task in [server, sharing].into_iter().chain(tending) {
            let abort = task.abort_handle();
            if tokio::time::timeout(limits.drain.0, task).await.is_err() {
                abort.abort();
            }
        }
        store.close().await;
    }
}

/// Health and metrics, and webhooks at whatever addresses they have now.
fn router<C>(supervisor: &Supervisor<C>) -> Router {
    let generator = supervisor.generator.clone().routes();
    let webhooks = Router::new().fallback(webhooks::receive).with_state(supervisor.receiver.clone());
    supervisor.health.clone().routes().merge(generator).merge(webhooks)
}

/// The gradebook's token: may be replaced while the gradebook uses it.
#[derive(Clone)]
struct BookToken(Arc<Mutex<Option<Secret>>>);

impl BookToken {
    fn of(loaded: &Loaded) -> Self {
        let token = Self(Arc::default());
        token.set(loaded);
        token
    }

    fn set(&self, loaded: &Loaded) {
        let source = match &loaded.config.gradebook {
            GradebookConfig::Git(git) => git.token.as_ref(),
            GradebookConfig::Local | GradebookConfig::Dir(_) => None,
        };
        let secret = source.and_then(|source| loaded.secrets.get(source)).cloned();
        // Replaced in one step: a panic elsewhere leaves it whole.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|secret| secret.expose().to_owned())
    }
}

fn gradebook(config: &Config, data: &Data, token: &BookToken) -> Result<Gradebook, ServeError> {
    Ok(match &config.gradebook {
        GradebookConfig::Local => Gradebook::without_decisions(data.gradebook()),
        GradebookConfig::Dir(dir) => {
            make(dir)?;
            Gradebook::new(dir.clone())
        }
        GradebookConfig::Git(git) => {
            let token = token.clone();
            let give: crate::gradebook::Token = Arc::new(move || token.get());
            Gradebook::shared(data.gradebook(), Origin::new(&git.address, &git.branch, Some(give))?)
        }
    })
}

fn make(dir: &Path) -> Result<(), ServeError> {
    std::fs::create_dir_all(dir).map_err(|source| ServeError::Dir { path: dir.to_owned(), source })
}

/// Copies of store and gradebook: a dry run changes neither.
async fn copied(config: &Config, data: &Data) -> Result<(Store, Gradebook, tempfile::TempDir), ServeError> {
    let failed = |source| ServeError::Dir { path: std::env::temp_dir(), source };
    let copies = tempfile::tempdir().map_err(failed)?;
    let path = copies.path().join("gradus.db");
    if config.database().is_file() {
        let store = Store::open(&config.database()).await?;
        store.copy_to(&path).await?;
        store.close().await;
    }
    let store = Store::open(&path).await?;
    // What is paused is what would be written: here that is the question.
    store.resume().await?;
    let from = match &config.gradebook {
        GradebookConfig::Dir(dir) => dir.clone(),
        GradebookConfig::Local | GradebookConfig::Git(_) => data.gradebook(),
    };
    let book = copies.path().join("gradebook");
    copy(&from, &book).map_err(|source| ServeError::Dir { path: from, source })?;
    Ok((store, Gradebook::new(book), copies))
}

/// Copies files and directories of them; what begins with a dot is no part of a gradebook.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let entries = match std::fs::read_dir(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Starts, changes and ends what runs for each workspace.
struct Supervisor<C> {
    connect: C,
    data: Arc<Data>,
    ground: Ground,
    sandbox: Sandbox,
    dry_run: Option<Tell>,
    receiver: Receiver,
    generator: Generator,
    lender: Option<Arc<Lender>>,
    compared: Compared,
    health: Health,
    book_token: BookToken,
    /// What was in force at the start: some of it stays.
    begun: Arc<Loaded>,
    /// What is in force.
    loaded: Arc<Loaded>,
    /// Takes what is found of learners' forks.
    found: mpsc::Sender<Found>,
    /// Workspaces whose learners' forks are served.
    homes: BTreeMap<WorkspaceId, forks::Home>,
    /// How many forks are served.
    crowd: Arc<AtomicUsize>,
    /// One for each workspace, whatever its workers are replaced by.
    pulses: BTreeMap<Workspace, Pulse>,
    courses: Vec<LoadedCourse>,
    running: BTreeMap<WorkspaceId, Running>,
    /// Engines that were replaced and finish what they began.
    leaving: JoinSet<()>,
    /// Of all workspaces together.
    turns: Turns,
}

struct Running {
    works: Works,
    /// The workspace that it is a fork of.
    of: Option<WorkspaceId>,
    courses: Arc<Courses>,
    policy: LivePolicy,
    engine: Arc<Engine>,
}

/// A course with what it was loaded by.
struct LoadedCourse {
    config: CourseConfig,
    token: Option<Secret>,
    course: Course,
}

/// Ready to be started.
struct Prepared<F> {
    id: WorkspaceId,
    plan: Plan,
    forge: F,
    courses: Arc<Courses>,
}

/// What it is started on.
enum Grounds<F> {
    /// A workspace of the configuration.
    Configured,
    /// A learner's fork of one.
    Fork {
        of: WorkspaceId,
        /// A port to the workspace.
        upstream: F,
        crowd: Crowd,
    },
}

impl<C: Connect> Supervisor<C> {
    /// Takes over a reading of the configuration, or says why not and stays as it is.
    async fn take(&mut self, reading: &Reading) {
        let applied = match &reading.broken {
            Some(why) => Err(why.to_string()),
            None => self.apply(&reading.loaded).await.map_err(|error| error.to_string()),
        };
        self.health.config_is(applied.is_ok());
        match applied {
            Ok(()) => {
                for warning in &reading.loaded.warnings {
                    tracing::warn!("{warning}");
                }
                let waiting = fixed(&self.begun.config, &reading.loaded.config);
                if !waiting.is_empty() {
                    tracing::warn!(fields = waiting.join(", "), "changed, which takes effect at the next start");
                }
                self.health.waits_for_start(waiting);
                tracing::info!(workspaces = self.running.len(), "the configuration is in force");
            }
            Err(why) => {
                tracing::error!("the changed configuration cannot be used, the last good one stays in force: {why}")
            }
        }
    }

    /// Prepares everything that is new first: when something of it cannot be, nothing has changed.
    async fn apply(&mut self, loaded: &Arc<Loaded>) -> Result<(), ServeError> {
        let processors = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let plans = plans(loaded, processors);
        let mut prepared = Vec::new();
        let mut courses = Vec::new();
        for (id, plan) in &plans {
            let course = self.course(&plan.works, &mut courses).await?;
            if self.running.get(id).is_none_or(|running| running.works != plan.works) {
                prepared.push(self.prepare(id, plan, course)?);
            }
        }
        self.courses = courses;
        // Forks go with their workspace.
        let stays = |id: &WorkspaceId, running: &Running| match &running.of {
            None => plans.contains_key(id),
            Some(of) => plans.get(of).is_some_and(|plan| plan.forks == Served::Yes),
        };
        let gone = self.running.iter().filter(|(id, running)| !stays(id, running));
        for id in gone.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.leave(&id);
        }
        self.homes.retain(|id, _| plans.contains_key(id));
        for (id, plan) in &plans {
            let new = prepared.iter().find(|prepared| prepared.id == *id);
            self.house(id, plan, new);
            if let Some(running) = self.running.get(id) {
                running.policy.set(plan.policy.clone());
            }
        }
        for prepared in prepared {
            self.leave(&prepared.id);
            self.start(prepared, Grounds::Configured);
        }
        for id in self.homes.keys().cloned().collect::<Vec<_>>() {
            self.settle(&id);
        }
        self.book_token.set(loaded);
        let token = loaded.config.argocd.as_ref().and_then(|argocd| loaded.secrets.get(&argocd.token));
        self.generator.replace(token.cloned());
        if let Some(addresses) = self.lender.as_ref().and_then(|lender| lender.addresses()) {
            addresses.replace(Addresses::of(loaded));
        }
        self.loaded = loaded.clone();
        self.show();
        Ok(())
    }

    /// Tells those outside what is served now.
    fn show(&self) {
        let forks = self.running.values().filter(|running| running.of.is_some()).count();
        self.crowd.store(forks, Ordering::Relaxed);
        self.receiver.replace(self.endpoints(&self.loaded));
        let configured = self.running.values().filter(|running| running.of.is_none());
        let conditions = configured.map(|running| {
            let engine = running.engine.clone();
            let ask: Ask = Arc::new(move || engine.condition());
            (running.engine.workspace().clone(), ask)
        });
        self.health.serves(conditions.collect(), self.fleets());
    }

    /// The course of a workspace, loaded once for all that are graded with it. Kept while its configuration is the same.
    async fn course(&self, works: &Works, loaded: &mut Vec<LoadedCourse>) -> Result<Course, ServeError> {
        let same = |known: &&LoadedCourse| known.config == works.course && known.token == works.course_token;
        if let Some(known) = loaded.iter().find(same) {
            return Ok(known.course.clone());
        }
        let course = match self.courses.iter().find(same) {
            Some(known) => known.course.clone(),
            None => {
                let (config, token, data) = (works.course.clone(), works.course_token.clone(), self.data.clone());
                blocking(move || courses::load(&config, token.as_ref(), &data)).await?
            }
        };
        loaded.push(LoadedCourse {
            config: works.course.clone(),
            token: works.course_token.clone(),
            course: course.clone(),
        });
        Ok(course)
    }

    fn prepare(&self, id: &WorkspaceId, plan: &Plan, course: Course) -> Result<Prepared<C::Forge>, ServeError> {
        let failed = |source| ServeError::Connect { forge: id.0.to_string(), repository: id.1.to_string(), source };
        let course = OpenCourse::on_forge(course, &address(&plan.works.forge, &plan.works.repository))?;
        let courses = Courses::from([(course.course.id.clone(), Arc::new(course))]);
        let forge = self.port(plan).map_err(failed)?;
        Ok(Prepared { id: id.clone(), plan: plan.clone(), forge, courses: Arc::new(courses) })
    }

    fn start(&mut self, prepared: Prepared<C::Forge>, grounds: Grounds<C::Forge>) {
        let Prepared { id, plan, forge, courses } = prepared;
        let Ground { store, clock, metrics, .. } = self.ground.clone();
        let workspace = forge.workspace().clone();
        for course in courses.values().map(|course| &course.course) {
            tracing::info!(%workspace, repository = %id.1, course = %course.id, revision = %course.revision, "serving");
        }
        let policy = LivePolicy::new(plan.policy);
        let examiner = Examiner::new(courses.clone(), self.sandbox.clone(), store.clone(), None, policy.clone());
        let pulse = self.pulses.entry(workspace.clone()).or_default().clone();
        if self.turns.at_once() != plan.works.workers {
            self.turns = Turns::new(plan.works.workers);
        }
        let address = address(&plan.works.forge, &plan.works.repository);
        let patience = self.begun.config.argocd.as_ref().map_or(PATIENCE, |argocd| argocd.patience.0);
        let live = self.lender.clone().map(|lender| {
            let repository = Arc::new(move |_: &_| address.clone());
            let counted = (metrics.clone(), workspace.clone());
            let tell = Arc::new(move |ending, wait| counted.0.environed(&counted.1, ending, wait));
            Live::new(lender, store.clone(), clock.clone(), workspace, repository, patience).telling(tell)
        });
        let pulls = if live.is_some() { PULLS_PER_GRADING_LIVE } else { PULLS_PER_GRADING };
        let examiner = examiner.in_turn(self.turns.clone()).looking_at(live.map(Live::at_once));
        let (of, upstream, workers, crowd) = match grounds {
            Grounds::Configured => (None, None, plan.works.workers.saturating_mul(pulls), None),
            // One learner's.
            Grounds::Fork { of, upstream, crowd } => (Some(of), Some(upstream), 1, Some(crowd)),
        };
        let ground = Ground { workers, sweep: plan.works.sweep, crowd, ..self.ground.clone() };
        let engine = match &self.dry_run {
            None => {
                let port = Port::new(forge, store, clock, metrics);
                let port = upstream.into_iter().fold(port, |port, upstream| port.in_fork(upstream, id.1.clone()));
                Engine::start(port, examiner, policy.clone(), pulse, ground)
            }
            Some(tell) => {
                let dry = |forge| DryRun::new(forge, tell.clone());
                let port = Port::new(dry(forge), store, clock, metrics);
                let port = upstream.into_iter().fold(port, |port, upstream| port.in_fork(dry(upstream), id.1.clone()));
                Engine::start(port, examiner, policy.clone(), pulse, ground)
            }
        };
        self.running.insert(id, Running { works: plan.works, of, courses, policy, engine: Arc::new(engine) });
    }

    /// Ends what runs for a workspace, without waiting for it.
    fn leave(&mut self, id: &WorkspaceId) {
        while self.leaving.try_join_next().is_some() {}
        if let Some(running) = self.running.remove(id) {
            tracing::info!(workspace = %running.engine.workspace(), "ending");
            running.engine.stop();
            if running.of.is_some() {
                // There may be many of them over time.
                self.pulses.remove(running.engine.workspace());
            }
            let within = self.begun.config.limits.drain.0;
            self.leaving.spawn(async move { running.engine.stopped(within).await });
        }
    }

    fn endpoints(&self, loaded: &Loaded) -> Endpoints {
        let forges = loaded.config.forges.iter().filter_map(|forge| {
            let webhook = forge.webhook.as_ref()?;
            let secrets = webhook.secrets.iter().filter_map(|source| loaded.secrets.get(source)).cloned().collect();
            let here = self.running.iter().filter(|((name, _), _)| *name == forge.name);
            let workspaces = here.filter_map(|((_, repository), running)| {
                let workspace = running.engine.workspace();
                Some((repository.clone(), (workspace.clone(), self.pulses.get(workspace)?.clone())))
            });
            let endpoint = Endpoint {
                forge: forge.name.clone(),
                reader: self.connect.reader(forge.kind),
                secrets,
                workspaces: workspaces.collect(),
                strangers: self.strangers(&forge.name),
            };
            Some((forge.webhook_path()?, endpoint))
        });
        forges.collect()
    }

    /// Ends everything.
    async fn end(mut self, within: std::time::Duration) {
        self.homes.clear();
        for running in self.running.values() {
            running.engine.stop();
        }
        for (_, running) in std::mem::take(&mut self.running) {
            self.leaving.spawn(async move { running.engine.stopped(within).await });
        }
        while self.leaving.join_next().await.is_some() {}
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
