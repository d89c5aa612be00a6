//! One go in a job: opens everything, works, leaves nothing behind but what stands on the forge.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::environment::Job;
use super::event::Ground;
use crate::course::id::TaskId;
use crate::forge::ErrorClass;
use crate::forge::budget::WritePolicy;
use crate::forge::github::{Access, GitHub, InvalidToken, Settings, Tools};
use crate::forge::http::client::NoCertificates;
use crate::forge::http::{Limits, Transport};
use crate::forge::pull::{PullNumber, Workspace};
use crate::gradebook::Gradebook;
use crate::reconcile::courses::{Courses, OpenCourse, OpenError};
use crate::reconcile::examine::Examiner;
use crate::reconcile::once::{Outcome, Wanted};
use crate::reconcile::policy::{LivePolicy, Policy};
use crate::reconcile::pulse::Pulse;
use crate::reconcile::run::{ReconcileError, Reconciler};
use crate::sandbox::{Sandbox, Unusable};
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};
use crate::submission::limits::MAX_FETCH_BYTES;

/// What is to be done.
#[derive(Debug)]
pub struct Order {
    /// Directory of the course, or of a checkout of the published workspace.
    pub course: PathBuf,
    /// Which pull request; none for all recent ones.
    pub pull: Option<PullNumber>,
    /// Whose repository this is.
    pub ground: Ground,
    /// How far back all recent ones reach.
    pub since: Duration,
    /// After this time nothing more is begun.
    pub within: Duration,
    /// Where others' work is judged.
    pub sandbox: Sandbox,
}

/// It cannot be done, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// This machine has no sandbox.
    #[error("others' work is graded only in a sandbox: {0}")]
    Sandbox(#[from] Unusable),
    /// About the course.
    #[error(transparent)]
    Course(#[from] OpenError),
    /// A learner's own repository is no place for what is hidden, and it is there.
    #[error(
        "in a repository of a learner's own, the learner can read whatever its workflows can, and these tasks have hidden \
         checkpoints: {}; take the course away from it, so that the workspace's own rules judge the other tasks, and grade \
         these by `gradus serve`, or in the workspace that learners fork", names(.0)
    )]
    Hidden(Vec<TaskId>),
    /// About the token.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// About this machine's certificates.
    #[error(transparent)]
    Certificates(#[from] NoCertificates),
    /// No room for what is kept during the job.
    #[error("cannot make a directory in {}: {source}", temp.display())]
    Room {
        /// Where.
        temp: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// About the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The forge, or something of ours, stopped the work.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

impl OnceError {
    /// Whether somebody has to change something before another run can do better.
    pub fn is_configuration(&self) -> bool {
        match self {
            OnceError::Store(_) | OnceError::Room { .. } => false,
            OnceError::Reconcile(ReconcileError::Forge(error)) => error.class == ErrorClass::Config,
            OnceError::Reconcile(_) => false,
            _ => true,
        }
    }
}

fn names(tasks: &[TaskId]) -> String {
    tasks.iter().map(|task| format!("`{task}`")).collect::<Vec<_>>().join(", ")
}

/// Does it. What became of each pull request, in the order of their numbers.
pub async fn run(job: &Job, order: Order) -> Result<Vec<Outcome>, OnceError> {
    order.sandbox.check()?;
    let failed = |source| OnceError::Room { temp: job.temp.clone(), source };
    let room = tempfile::Builder::new().prefix("gradus-").tempdir_in(&job.temp).map_err(failed)?;
    let books = room.path().join("gradebook");
    std::fs::create_dir(&books).map_err(failed)?;
    let clock = Arc::new(SystemClock);
    let course = OpenCourse::in_dir(&order.course, &job.clone_address())?;
    let mut refused = BTreeSet::new();
    if order.ground == Ground::Fork {
        let secrets: Vec<TaskId> = course.secretive().into_iter().cloned().collect();
        if !secrets.is_empty() {
            return Err(OnceError::Hidden(secrets));
        }
        refused.extend(course.concealing().into_iter().cloned());
    }
    let store = Store::open(&room.path().join("gradus.db")).await?;
    let forge = forge(job, &course, room.path(), store.clone(), clock.clone())?;
    let policy = LivePolicy::new(Policy::forge(job.clone_address()));
    let courses: Courses = [(course.course.id.clone(), Arc::new(course))].into();
    let examiner =
        Examiner::new(Arc::new(courses), order.sandbox, store.clone(), None, policy.clone()).refusing(refused);
    // No gradebook outlives the job: instructors' decisions would not be heard of again, so none are taken.
    let gradebook = Arc::new(Gradebook::without_decisions(books));
    let now = clock.now();
    let reconciler = Reconciler::new(forge, examiner, store.clone(), gradebook, policy, clock, Pulse::default());
    let wanted = order.pull.map_or_else(|| Wanted::Since(now.before(order.since)), Wanted::One);
    let outcomes = reconciler.once(wanted, now.plus(order.within)).await;
    store.close().await;
    Ok(outcomes?)
}

fn forge(
    job: &Job,
    course: &OpenCourse,
    room: &Path,
    store: Store,
    clock: Arc<dyn Clock>,
) -> Result<GitHub, OnceError> {
    let settings = Settings {
        api: job.api.clone(),
        workspace: Workspace::on(&job.server.host(), &job.repository),
        repository: job.repository.clone(),
        course: course.course.id.clone(),
        writes: WritePolicy::GITHUB,
        status_page: None,
        mirror: room.join("mirror.git"),
    };
    let transport = Transport::sockets(Limits::default())?;
    let fetches = Transport::sockets(Limits { bytes: MAX_FETCH_BYTES, ..Limits::default() })?;
    let tools = Tools { transport, fetches, seal: job.seal.clone(), store, clock };
    Ok(GitHub::new(settings, Access::Token(job.token.expose().to_owned()), tools)?)
}
