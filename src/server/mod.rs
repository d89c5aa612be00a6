//! HTTP: git, pages, API.

pub mod git;
pub mod guard;
pub mod hooks;
pub mod pages;
pub mod upstream;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::course::id::{CourseId, Learner};
use crate::forge::local::git::Git;
use crate::forge::local::{LocalForge, Recorded};
use crate::forge::pull::PullNumber;
use crate::reconcile::pulse::{Pulse, What};
use crate::store::Store;

/// What every handler has at hand.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The contents of [`App`].
pub struct Shared {
    /// Pull requests, forks, reviews.
    pub forge: LocalForge,
    /// Git's program.
    pub git: Git,
    /// Queue and read model.
    pub store: Store,
    /// To wake workers and to hear from them.
    pub pulse: Pulse,
    /// Who sits at this machine.
    pub learner: Learner,
    /// Where we listen, as in `http://127.0.0.1:7421`, without a slash at the end.
    pub address: String,
    /// What is served.
    pub courses: Vec<CourseId>,
}

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// For all handlers.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The page of a pull request.
    pub fn page(&self, number: PullNumber) -> String {
        format!("{}/pulls/{number}", self.address)
    }

    /// The courses, for a sentence.
    fn course_names(&self) -> String {
        let names: Vec<_> = self.courses.iter().map(|course| format!("`{course}`")).collect();
        names.join(", ")
    }

    /// Compares a fork's refs with its pull requests, for a push whose hook may have been lost.
    async fn recheck(&self, learner: &Learner, course: &CourseId) {
        match self.forge.sweep_fork(learner, course).await {
            Ok(recorded) => self.announce(&recorded),
            Err(error) => tracing::error!(%error, %learner, %course, "cannot compare refs with pull requests"),
        }
    }

    /// Wakes workers and pages for what a push or a sweep recorded.
    pub fn announce(&self, recorded: &[Recorded]) {
        for pull in recorded.iter().filter_map(|recorded| recorded.pull.as_ref()) {
            self.pulse.tell(pull.number, What::Moved);
            self.pulse.wake();
        }
    }
}

/// All routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(git::routes())
        .with_state(app)
        .layer(axum::middleware::from_fn(guard::guard))
}
