//! The embedded forge: bare repositories in the data directory, pull requests and reviews in the store.
//!
//! A branch is a pull request: it opens with the first push, moves with each further one, closes when the branch is
//! deleted and opens again with the same number when it comes back. `main` is one too as soon as it holds anything that
//! was not published.
//!
//! The refs on disk are the truth. [`LocalForge::received`] (after a push) and [`LocalForge::sweep`] both end in the same
//! comparison of a branch with its row, so that two pushes in the wrong order, or a crash between push and row only cost
//! time. [`Forge::pull`] reads the ref itself, so a review is never posted for a head that has moved on.

pub mod data;
pub mod fork;
pub mod git;
pub mod packet;
pub mod push;
mod repositories;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::pull::{
    Author, Branch, Comment, CommentId, Label, Marker, PostedReview, Pull, PullKey, PullNumber, PullState, ReviewState,
    Standing, User, Workspace,
};
use super::{ErrorClass, Forge, ForgeError, StatusBefore, WriteRoom};
use crate::course::id::{CourseId, Learner};
use crate::review::{Review, ReviewEvent, Status, StatusState};
use crate::store::queue::{Hint, enqueue};
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};
use crate::submission::sha::CommitId;
use data::{DataDir, DataError};
use fork::{Fork, ForkError};
pub use rows::StoredReview;

/// Shown at once after a push, until a review stands.
pub const BEING_GRADED: &str = "Being graded; usually done within a second";

/// The embedded forge.
#[derive(Clone)]
pub struct LocalForge {
    data: Arc<DataDir>,
    store: Store,
    clock: Arc<dyn Clock>,
    courses: BTreeSet<CourseId>,
    instructor: Option<Learner>,
    workspace: Workspace,
}

/// The local forge cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// About the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// About a fork.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// About the data directory.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl From<sqlx::Error> for LocalError {
    fn from(error: sqlx::Error) -> Self {
        LocalError::Store(error.into())
    }
}

/// What a push moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Whose fork.
    pub learner: Learner,
    /// Of which course.
    pub course: CourseId,
    /// What moved, in the order of the push.
    pub updates: Vec<Update>,
}

/// A branch that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which one.
    pub branch: Branch,
    /// Where it is now; none when it was deleted.
    pub head: Option<CommitId>,
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its branch.
    pub branch: Branch,
    /// Its pull request; none for a `main` that holds nothing of the learner's.
    pub pull: Option<Pull>,
}

impl LocalForge {
    /// A forge over this data directory that serves these courses; their upstreams are published.
    pub fn new(data: Arc<DataDir>, store: Store, clock: Arc<dyn Clock>, courses: BTreeSet<CourseId>) -> Self {
        Self { data, store, clock, courses, instructor: None, workspace: Workspace("local".to_owned()) }
    }

    /// With somebody who decides, as on another forge somebody does who may write to the workspace.
    pub fn with_instructor(self, instructor: Option<Learner>) -> Self {
        Self { instructor, ..self }
    }

    /// Who decides here.
    pub fn instructor(&self) -> Option<&Learner> {
        self.instructor.as_ref()
    }

    /// Where everything lies.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// The key of a pull request.
    pub fn key(&self, number: PullNumber) -> PullKey {
        PullKey { workspace: self.workspace.clone(), number }
    }

    /// The path of a fork, made on first use; none when there is no such course.
    pub async fn fork(&self, learner: &Learner, course: &CourseId) -> Result<Option<PathBuf>, LocalError> {
        if !self.courses.contains(course) {
            return Ok(None);
        }
        let path = self.data.fork(learner, course);
        if !path.is_dir() {
            self.blocking(learner, course, |fork| fork.ensure()).await?;
        }
        Ok(Some(path))
    }

    /// The branches of a fork that exists, with their heads.
    pub async fn branches(
        &self,
        learner: &Learner,
        course: &CourseId,
    ) -> Result<BTreeMap<Branch, CommitId>, LocalError> {
        Ok(self.blocking(learner, course, |fork| fork.branches()).await?)
    }

    /// Records what a push moved, and asks for it to be graded.
    pub async fn received(&self, received: &Received) -> Result<Vec<Recorded>, LocalError> {
        self.record(&received.learner, &received.course, &received.updates).await
    }

    /// Compares the refs of all forks with the pull requests and records what differs.
    pub async fn sweep(&self) -> Result<Vec<Recorded>, LocalError> {
        let mut recorded = Vec::new();
        for (learner, course) in self.data.forks()? {
            if self.courses.contains(&course) {
                recorded.extend(self.sweep_fork(&learner, &course).await?);
            }
        }
        Ok(recorded)
    }

    /// [`LocalForge::sweep`] of one fork.
    pub async fn sweep_fork(&self, learner: &Learner, course: &CourseId) -> Result<Vec<Recorded>, LocalError> {
        let (branches, published) = self
            .blocking(learner, course, |fork| {
                let branches = fork.branches()?;
                let main = branches.iter().find(|(branch, _)| branch.is_main());
                let published = main.map(|(_, head)| fork.is_published(head)).transpose()?.unwrap_or(false);
                Ok((branches, published))
            })
            .await?;
        let known = rows::pulls_of_fork(self.store.reader(), learner, course).await?;
        let mut updates = Vec::new();
        for pull in &known {
            if pull.state == PullState::Open && !branches.contains_key(&pull.branch) {
                updates.push(Update { branch: pull.branch.clone(), head: None });
            }
        }
        for (branch, head) in branches {
            let row = known.iter().find(|pull| pull.branch == branch);
            let open = row.is_some_and(|pull| pull.state == PullState::Open);
            let same = if branch.is_main() && published {
                // Nothing of the learner's is on it: it has no pull request, or a closed one.
                !open
            } else {
                open && row.is_some_and(|pull| pull.head == head)
            };
            if !same {
                updates.push(Update { branch, head: Some(head) });
            }
        }
        self.record(learner, course, &updates).await
    }

    async fn record(
        &self,
        learner: &Learner,
        course: &CourseId,
        updates: &[Update],
    ) -> Result<Vec<Recorded>, LocalError> {
        let mut recorded = Vec::new();
        for update in updates {
            recorded.push(self.record_one(learner, course, update).await?);
        }
        Ok(recorded)
    }

    async fn record_one(&self, learner: &Learner, course: &CourseId, update: &Update) -> Result<Recorded, LocalError> {
        let branch = update.branch.clone();
        // What is on disk counts; what the push says only tells of a head that may be gone already.
        let (actual, published) = self
            .blocking(learner, course, {
                let branch = branch.clone();
                move |fork| {
                    let actual = fork.head(&branch)?;
                    let published = match &actual {
                        Some(head) if branch.is_main() => fork.is_published(head)?,
                        _ => false,
                    };
                    Ok((actual, published))
                }
            })
            .await?;
        let wanted = actual.clone().filter(|_| !published);
        let now = self.clock.now();
        let mut transaction = self.store.begin().await?;
        let row = rows::pull_of_branch(&mut *transaction, learner, course, &branch).await?;
        let number = match (&row, wanted) {
            (None, None) => None,
            (Some(row), None) => {
                // What was handed in last stays its head, with the verdict on it: what is there now was never handed in.
                rows::update(&mut *transaction, row.number, &row.head, PullState::Closed, now).await?;
                enqueue(&mut *transaction, &self.key(row.number), learner.as_str(), Hint::Action, now).await?;
                Some(row.number)
            }
            (row, Some(head)) => {
                let number = match row {
                    Some(row) => {
                        rows::update(&mut *transaction, row.number, &head, PullState::Open, now).await?;
                        row.number
                    }
                    None => rows::insert(&mut *transaction, learner, course, &branch, &head, now).await?,
                };
                let key = self.key(number);
                for seen in update.head.iter().chain([&head]) {
                    crate::store::heads::see_head(&mut *transaction, &key, seen, now, now).await?;
                }
                enqueue(&mut *transaction, &key, learner.as_str(), Hint::NewHead, now).await?;
                let pending = Status { state: StatusState::Pending, description: BEING_GRADED.to_owned() };
                rows::set_status(&mut *transaction, number, &head, &pending, now, rows::Overwrite::Never).await?;
                Some(number)
            }
        };
        let pull = match number {
            Some(number) => rows::pull(&mut *transaction, number).await?,
            None => None,
        };
        transaction.commit().await?;
        Ok(Recorded { branch, pull })
    }

    /// All pull requests, newest activity first.
    pub async fn pulls(&self) -> Result<Vec<Pull>, LocalError> {
        Ok(rows::pulls(self.store.reader()).await?)
    }

    /// The status of a head, if it was ever set.
    pub async fn status(&self, number: PullNumber, head: &CommitId) -> Result<Option<Status>, LocalError> {
        Ok(rows::status(self.store.reader(), number, head).await?)
    }

    /// The statuses of the newest heads that ever got one.
    pub async fn statuses_of_heads(&self) -> Result<HashMap<PullNumber, Status>, LocalError> {
        Ok(rows::statuses_of_heads(self.store.reader()).await?)
    }

    /// Reviews with their line comments and status, oldest first.
    pub async fn stored_reviews(&self, number: PullNumber) -> Result<Vec<StoredReview>, LocalError> {
        Ok(rows::reviews(self.store.reader(), number).await?)
    }

    /// A comment by a person; asks for it to be looked at.
    pub async fn comment(&self, pull: &Pull, author: &Learner, body: &str) -> Result<Comment, LocalError> {
        let now = self.clock.now();
        let mut transaction = self.store.begin().await?;
        let id = rows::comment(&mut *transaction, pull.number, Some(author), body, None, now).await?;
        enqueue(&mut *transaction, &self.key(pull.number), pull.learner().as_str(), Hint::Action, now).await?;
        transaction.commit().await?;
        let author = Author::Person(User::local(author.clone()));
        Ok(Comment { id, author, marker: None, body: body.to_owned(), created_at: now })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        learner: &Learner,
        course: &CourseId,
        work: impl FnOnce(Fork<'_>) -> Result<T, ForkError> + Send + 'static,
    ) -> Result<T, ForkError> {
        let (data, learner, course) = (self.data.clone(), learner.clone(), course.clone());
        tokio::task::spawn_blocking(move || work(Fork { data: &data, learner: &learner, course: &course }))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// Any failure here may be gone later: a full disk, a locked file.
fn failed<E: Into<LocalError>>(what: &'static str) -> impl FnOnce(E) -> ForgeError {
    move |source| ForgeError { what, class: ErrorClass::Retry, source: Box::new(source.into()) }
}

impl Forge for LocalForge {
    fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// One clock, and its times are to the millisecond.
    fn blur(&self) -> Duration {
        Duration::ZERO
    }

    async fn write_room(&self) -> Result<WriteRoom, ForgeError> {
        Ok(WriteRoom::default())
    }

    async fn pull(&self, number: PullNumber) -> Result<Option<Pull>, ForgeError> {
        let what = "read the pull request";
        let Some(mut pull) = rows::pull(self.store.reader(), number).await.map_err(failed(what))? else {
            return Ok(None);
        };
        if pull.state == PullState::Open {
            let branch = pull.branch.clone();
            let head = self.blocking(pull.learner(), &pull.course, move |fork| fork.head(&branch)).await;
            match head.map_err(failed(what))? {
                Some(head) => pull.head = head,
                None => pull.state = PullState::Closed,
            }
        }
        Ok(Some(pull))
    }

    async fn pulls(&self, since: Option<Time>) -> Result<Vec<Pull>, ForgeError> {
        let all = rows::pulls(self.store.reader()).await.map_err(failed("list the pull requests"))?;
        let wanted = |pull: &Pull| match since {
            None => pull.state == PullState::Open,
            Some(since) => pull.updated_at >= since,
        };
        Ok(all.into_iter().filter(wanted).collect())
    }

    async fn objects(&self, pull: &Pull) -> Result<PathBuf, ForgeError> {
        Ok(self.data.fork(pull.learner(), &pull.course))
    }

    async fn reviews(&self, number: PullNumber) -> Result<Vec<PostedReview>, ForgeError> {
        let stored = rows::reviews(self.store.reader(), number).await.map_err(failed("list the reviews"))?;
        let posted = |stored: StoredReview| PostedReview {
            id: stored.id,
            author: Author::Grader,
            marker: Some(Marker::new(stored.marker)),
            head: stored.head,
            state: match stored.review.event {
                ReviewEvent::Comment => ReviewState::Commented,
                ReviewEvent::Approve => ReviewState::Approved,
                ReviewEvent::RequestChanges => ReviewState::ChangesRequested,
            },
            body: stored.review.body,
            created_at: stored.created_at,
        };
        Ok(stored.into_iter().map(posted).collect())
    }

    async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Result<String, ForgeError> {
        let now = self.clock.now();
        let id = rows::post_review(self.store.writer(), number, head, marker, review, now).await;
        Ok(id.map_err(failed("post the review"))?.to_string())
    }

    async fn edit_review(&self, number: PullNumber, posted: &PostedReview, body: &str) -> Result<(), ForgeError> {
        rows::edit_review(self.store.writer(), number, &posted.id, body).await.map_err(failed("edit the review"))
    }

    async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Result<(), ForgeError> {
        let now = self.clock.now();
        rows::retire_review(self.store.writer(), number, &posted.id, now).await.map_err(failed("fold the review"))
    }

    async fn comments_after(&self, number: PullNumber, after: CommentId) -> Result<Vec<Comment>, ForgeError> {
        rows::comments_after(self.store.reader(), number, after).await.map_err(failed("list the comments"))
    }

    async fn post_comment(&self, number: PullNumber, marker: &Marker, body: &str) -> Result<CommentId, ForgeError> {
        let now = self.clock.now();
        let id = rows::comment(self.store.writer(), number, None, body, Some(marker), now).await;
        id.map_err(failed("post the comment"))
    }

    async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        _: StatusBefore,
    ) -> Result<(), ForgeError> {
        let now = self.clock.now();
        let set = rows::set_status(self.store.writer(), number, head, status, now, rows::Overwrite::Differing).await;
        set.map_err(failed("set the status"))
    }

    /// Every write here is whole or not at all, and its answer comes.
    async fn tidy(&self, _: PullNumber) -> Result<(), ForgeError> {
        Ok(())
    }

    async fn set_labels(&self, pull: &Pull, add: &BTreeSet<Label>, remove: &BTreeSet<Label>) -> Result<(), ForgeError> {
        let wanted: BTreeSet<Label> = pull.labels.union(add).filter(|label| !remove.contains(label)).cloned().collect();
        if wanted == pull.labels {
            return Ok(());
        }
        rows::set_labels(self.store.writer(), pull.number, &wanted).await.map_err(failed("set the labels"))
    }

    /// A branch is a pull request here as long as it exists, and it is the learner's: nothing of ours closes it.
    async fn close(&self, _: PullNumber) -> Result<(), ForgeError> {
        Ok(())
    }

    async fn open_issue(&self, _: &Marker, _: &str, _: &str) -> Result<Option<String>, ForgeError> {
        Ok(None)
    }

    async fn standing(&self, who: &User) -> Result<Standing, ForgeError> {
        Ok(if self.instructor.as_ref() == Some(&who.id) { Standing::Instructor } else { Standing::Collaborator })
    }
}
