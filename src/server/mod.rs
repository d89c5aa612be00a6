//! HTTP: git, pages, API; and the daemon around them.

pub mod api;
pub mod api_errors;
pub mod daemon;
pub mod environments;
pub mod events;
pub mod git;
pub mod guard;
pub mod listen;
pub mod once;
pub mod pages;
pub mod query;
mod ready;
pub mod serve;
pub mod views;
pub mod web;
pub mod webhooks;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
use tokio::sync::watch;

use crate::course::id::{CourseId, Learner};
use crate::forge::local::git::Git;
use crate::forge::local::{LocalForge, Recorded};
use crate::forge::pull::PullNumber;
use crate::gradebook::Gradebook;
use crate::reconcile::courses::{Courses, OpenCourse};
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
    /// Verdicts over time.
    pub gradebook: Arc<Gradebook>,
    /// To wake workers and to hear from them.
    pub pulse: Pulse,
    /// Who sits at this machine.
    pub learner: Learner,
    /// Where we listen, as in `http://127.0.0.1:7421`, without a slash at the end.
    pub address: String,
    /// The courses as they were given.
    pub order: Vec<CourseId>,
    /// What is served.
    pub courses: Arc<Courses>,
    /// How long a push waits for its reviews.
    pub patience: Duration,
    /// True once we are ending.
    pub stopping: watch::Receiver<bool>,
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

    /// The courses in the order in which they were given.
    pub fn courses(&self) -> impl Iterator<Item = &Arc<OpenCourse>> {
        self.order.iter().filter_map(|id| self.courses.get(id))
    }

    /// The page of a pull request.
    pub fn page(&self, number: PullNumber) -> String {
        format!("{}/pulls/{number}", self.address)
    }

    /// The courses, for a sentence.
    fn course_names(&self) -> String {
        let names: Vec<_> = self.order.iter().map(|course| format!("`{course}`")).collect();
        names.join(", ")
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
    // What answers at once gets a limit in time and size; Git and event streams have their own.
    let quick = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(async |State(app): State<App>| ready::ready(&app.store).await))
        .merge(api::routes())
        .merge(web::routes())
        .layer(axum::middleware::from_fn(guard::in_time))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    quick
        .merge(events::routes())
        .merge(git::routes())
        .with_state(app)
        .layer(axum::middleware::from_fn(guard::harmless))
        .layer(axum::middleware::from_fn(guard::guard))
        .layer(axum::middleware::from_fn(api_errors::in_json))
}

/// Largest body of a form or an API call in bytes: the longest comment, every character encoded.
const MAX_BODY: usize = 256 << 10;
