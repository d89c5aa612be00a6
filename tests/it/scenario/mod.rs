//! One file of scenarios ([`acts`]), played on each forge: a learner's and an instructor's day as they see it.
//!
//! Everything of ours is real: dialect, reconcile, store, grader with its sandbox. The clock of a stage is moved, not
//! waited for, where the forge allows it.

mod acts;
mod desk;
mod gitea;
mod github;
mod local;

pub use desk::Desk;

use std::path::PathBuf;
use std::sync::Arc;

use gradus::forge::Forge;
use gradus::forge::pull::PullNumber;
use gradus::reconcile::courses::OpenCourse;
use gradus::reconcile::policy::Policy;
use gradus::store::Store;
use gradus::store::time::Clock;

/// Files of a commit, by path from the top of the workspace.
pub type Files<'a> = &'a [(&'a str, &'a str)];

/// A review of ours as a learner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The commit it was made for.
    pub head: String,
    /// Markdown as it stands on the forge.
    pub body: String,
    /// Path and line of each line comment.
    pub lines: Vec<(String, u64)>,
    /// Shown as out of date.
    pub folded: bool,
}

/// What a forge has that scenarios use, seen from outside.
pub trait Stage: Sized {
    type Forge: Forge;

    /// An empty stage with the course `tiny` published in a workspace.
    async fn new() -> Self;

    /// The course that is served.
    fn course(&self) -> Arc<OpenCourse>;

    /// A directory for what daemons keep.
    fn dir(&self) -> PathBuf;

    /// The database of a daemon of this name.
    fn database(&self, name: &str) -> PathBuf {
        self.dir().join(format!("{name}.db"))
    }

    /// The gradebook of a daemon of this name.
    fn gradebook(&self, name: &str) -> PathBuf {
        self.dir().join(format!("{name}-gradebook"))
    }

    fn clock(&self) -> Arc<dyn Clock>;

    fn policy(&self) -> Policy;

    /// The dialect, for a daemon with this store.
    async fn forge(&self, store: &Store) -> Self::Forge;

    /// Whatever the forge does by itself after a push, without a hint for us.
    async fn notice(&self, _forge: &Self::Forge) {}

    /// The learner opens a pull request from a branch with these files changed.
    async fn open(&self, branch: &str, files: Files<'_>) -> PullNumber;

    /// The learner pushes another commit; its id.
    async fn push(&self, number: PullNumber, files: Files<'_>) -> String;

    /// The learner replaces all commits of the branch by one; its id.
    async fn force_push(&self, number: PullNumber, files: Files<'_>) -> String;

    /// The learner pushes a commit that the branch had before.
    async fn force_push_back(&self, number: PullNumber, head: &str);

    async fn head(&self, number: PullNumber) -> String;

    async fn close(&self, number: PullNumber);

    /// The learner comments.
    async fn say(&self, number: PullNumber, text: &str);

    /// Our reviews that others see, oldest first.
    async fn reviews(&self, number: PullNumber) -> Vec<Shown>;

    /// Our comments, oldest first.
    async fn answers(&self, number: PullNumber) -> Vec<String>;

    /// State (`pending`, `success`, `failure`, `error`) and description of our newest status of a commit.
    async fn status(&self, number: PullNumber, head: &str) -> Option<(String, String)>;

    /// Nothing of ours is left half done. Called at the end.
    async fn finish(self) {}
}

/// Plays every scenario on a stage, each as a test of its own.
macro_rules! play {
    ($stage:ty) => {
        crate::scenario::acts::acts!($stage);
    };
}
pub(crate) use play;
