//! Forges: the port and its dialects.
//!
//! Reconcile speaks only this port. A dialect keeps no state of ours: what was decided and what is to be written is in
//! the store's journal. `post_review` and `post_comment` carry a [`Marker`]: posting the same marker twice must leave one
//! visible text, however the dialect brings that about (locally a unique key, elsewhere the protocol of
//! `reference/forges.md` §8).

pub mod local;
pub mod pull;

use std::future::Future;
use std::path::PathBuf;

use crate::course::id::Learner;
use crate::review::{Review, Status};
use crate::submission::sha::CommitId;
use pull::{Comment, CommentId, Marker, Permission, PostedReview, Pull, PullNumber, Workspace};

/// What reconcile needs of a forge.
pub trait Forge: Send + Sync + 'static {
    /// Which workspace this is a port to.
    fn workspace(&self) -> &Workspace;

    /// One pull request as it is now; none when there is no such.
    fn pull(&self, number: PullNumber) -> impl Future<Output = Result<Option<Pull>, ForgeError>> + Send;

    /// All open pull requests as they are now: what a sweep compares with the store.
    fn open_pulls(&self) -> impl Future<Output = Result<Vec<Pull>, ForgeError>> + Send;

    /// A bare repository on this machine that holds head and base of the pull request.
    fn objects(&self, pull: &Pull) -> impl Future<Output = Result<PathBuf, ForgeError>> + Send;

    /// Reviews of ours that stand on a pull request, oldest first.
    fn reviews(&self, number: PullNumber) -> impl Future<Output = Result<Vec<PostedReview>, ForgeError>> + Send;

    /// Posts a review of a head, or finds the one with this marker. The forge's id of it.
    fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> impl Future<Output = Result<String, ForgeError>> + Send;

    /// Replaces the body of a review of ours, and takes its line comments away.
    fn edit_review(
        &self,
        number: PullNumber,
        id: &str,
        body: &str,
    ) -> impl Future<Output = Result<(), ForgeError>> + Send;

    /// Comments after this one, oldest first, ours included.
    fn comments_after(
        &self,
        number: PullNumber,
        after: CommentId,
    ) -> impl Future<Output = Result<Vec<Comment>, ForgeError>> + Send;

    /// Posts a comment, or finds the one with this marker.
    fn post_comment(
        &self,
        number: PullNumber,
        marker: &Marker,
        body: &str,
    ) -> impl Future<Output = Result<CommentId, ForgeError>> + Send;

    /// Sets the status of a head; writes only when it differs.
    fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
    ) -> impl Future<Output = Result<(), ForgeError>> + Send;

    /// What somebody may do on a pull request now.
    fn permission(&self, pull: &Pull, who: &Learner) -> impl Future<Output = Result<Permission, ForgeError>> + Send;
}

/// What to do about a failure of a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Later may be better.
    Retry,
    /// Never; record it as handled.
    Permanent,
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
