//! Forges: the port and its dialects.
//!
//! Reconcile speaks only this port. A dialect keeps no state of ours: what was decided and what is to be written is in
//! the store's journal. `post_review` and `post_comment` carry a [`Marker`]: posting the same marker twice must leave one
//! visible text, however the dialect brings that about (locally a unique key, elsewhere the protocol of
//! `reference/forges.md` §8).

pub mod any;
pub mod budget;
pub mod dry_run;
pub mod examine;
pub mod forks;
pub mod gitea;
pub mod github;
pub mod hint;
pub mod http;
pub mod local;
pub mod mirror;
pub mod pull;
pub mod remote;
pub mod seal;
pub mod tools;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use crate::review::{Review, Status};
use crate::store::time::Time;
use crate::submission::sha::CommitId;
use pull::{Comment, CommentId, Label, Marker, PostedReview, Pull, PullNumber, Standing, User, Workspace};

type Answer<T> = Result<T, ForgeError>;

/// What reconcile needs of a forge.
pub trait Forge: Send + Sync + 'static {
    /// Which workspace this is a port to.
    fn workspace(&self) -> &Workspace;

    /// How fresh the time of a pull request may be and still not tell that something happened since. Forges tell whole
    /// seconds, Gitea notes the time of a push a moment after its head, and clocks differ.
    fn blur(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// From when on something may be written: the forge's limits and our own budget.
    fn write_room(&self) -> impl Future<Output = Answer<WriteRoom>> + Send;

    /// One pull request as it is now; none when there is no such.
    fn pull(&self, number: PullNumber) -> impl Future<Output = Answer<Option<Pull>>> + Send;

    /// Open pull requests as they are now: what a sweep compares with the store. With a time, those that something
    /// happened to since then, closed ones too.
    fn pulls(&self, since: Option<Time>) -> impl Future<Output = Answer<Vec<Pull>>> + Send;

    /// A bare repository on this machine that holds head and base of the pull request. `Permanent` where what the head adds
    /// is larger than what is fetched, and for nothing else: the learner is told so.
    fn objects(&self, pull: &Pull) -> impl Future<Output = Answer<PathBuf>> + Send;

    /// Submitted reviews that stand on a pull request, ours and others', oldest first.
    fn reviews(&self, number: PullNumber) -> impl Future<Output = Answer<Vec<PostedReview>>> + Send;

    /// Posts a review of a head, or finds the one with this marker. The forge's id of it.
    fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> impl Future<Output = Answer<String>> + Send;

    /// Replaces the body of a review of ours, keeps its marker, and takes its line comments away where the forge can.
    fn edit_review(
        &self,
        number: PullNumber,
        posted: &PostedReview,
        body: &str,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Shows that a review of ours is out of date: folds it, and resolves the threads that it began. Twice is once.
    fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> impl Future<Output = Answer<()>> + Send;

    /// Comments after this one, oldest first, ours included.
    fn comments_after(&self, number: PullNumber, after: CommentId)
    -> impl Future<Output = Answer<Vec<Comment>>> + Send;

    /// Posts a comment, or finds the one with this marker.
    fn post_comment(
        &self,
        number: PullNumber,
        marker: &Marker,
        body: &str,
    ) -> impl Future<Output = Answer<CommentId>> + Send;

    /// Sets our status of a head; writes only when it differs.
    fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Takes away what writes left whose answers never came: pending reviews of ours, and all but the first of several
    /// texts with one marker.
    fn tidy(&self, number: PullNumber) -> impl Future<Output = Answer<()>> + Send;

    /// Adds and removes labels; writes only what differs from `pull.labels`.
    fn set_labels(
        &self,
        pull: &Pull,
        add: &BTreeSet<Label>,
        remove: &BTreeSet<Label>,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Closes a pull request. Closing a closed one is fine.
    fn close(&self, number: PullNumber) -> impl Future<Output = Answer<()>> + Send;

    /// Opens an issue in the workspace, or finds the one with this marker. Its address; none where there are no issues.
    fn open_issue(
        &self,
        marker: &Marker,
        title: &str,
        body: &str,
    ) -> impl Future<Output = Answer<Option<String>>> + Send;

    /// How somebody stands to the workspace now.
    fn standing(&self, who: &User) -> impl Future<Output = Answer<Standing>> + Send;
}

/// What is known of the status that a head shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusBefore {
    /// Nothing: it is looked at.
    Unknown,
    /// It is another one, whatever a list shows that lags.
    Other,
}

/// From when on each class of writes has room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteRoom {
    /// For what a learner waits for.
    pub live: Time,
    /// For everything else: some of the budget is kept free for learners.
    pub backlog: Time,
}

/// What to do about a failure of a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Later may be better: network, 5xx, a read that lags.
    Retry,
    /// Not before this time: a limit of the forge or of our own budget. No failure.
    Throttled(Time),
    /// The head moved on, or the pull request is not what it was: look again.
    Superseded,
    /// Never; record it as handled.
    Permanent,
    /// Credentials, rights or settings: an operator has to act; tried again, slowly.
    Config,
}

/// A forge did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct ForgeError {
    /// What was asked, as in `post the review`.
    pub what: &'static str,
    /// What to do about it.
    pub class: ErrorClass,
    /// What it says.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
