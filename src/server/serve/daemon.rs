//! Everything `gradus serve` runs: opened in order, ended in order. What changes with the configuration in between is
//! the supervisor's.

mod book;
mod copies;
mod forks;
mod supervisor;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::book::BookToken;
use self::supervisor::Supervisor;
use super::argocd::{self, ArgocdError};
use super::connect::{Connect, ConnectError};
use super::courses::CourseError;
use super::data::{Company, Data, DataError, join};
use super::engine::{FirstSync, Ground};
use super::generator::{Compared, Generator};
use super::health::Health;
use super::metrics::Metrics;
use super::scout::Found;
use crate::config::Loaded;
use crate::config::reload::{OwnedEnv, Pace, follow};
use crate::environment::external::External;
use crate::forge::dry_run::Tell;
use crate::gradebook::{Gradebook, InvalidOrigin};
use crate::reconcile::courses::OpenError;
use crate::reconcile::turns::Turns;
use crate::sandbox::{Sandbox, Unusable};
use crate::server::listen;
use crate::server::webhooks::{self, Bounds, Receiver};
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
                (store, book::gradebook(config, &data, &book_token)?, None, Some(joined))
            }
            Some(_) => {
                let (store, gradebook, copies) = copies::copied(config, &data).await?;
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
