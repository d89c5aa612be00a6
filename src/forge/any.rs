//! A workspace on whichever forge that is not ours.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::examine::{Expected, Finding};
use super::forks::{Fork, Forks};
use super::gitea::Gitea;
use super::github::GitHub;
use super::pull::{Comment, CommentId, Label, Marker, PostedReview, Pull, PullNumber, Standing, User, Workspace};
use super::{Answer, Forge, StatusBefore, WriteRoom};
use crate::review::{Review, Status};
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// One of the dialects.
pub enum AnyForge {
    /// github.com or GitHub Enterprise Server.
    GitHub(GitHub),
    /// Gitea or Forgejo.
    Gitea(Gitea),
}

/// The same call on whichever it is.
macro_rules! each {
    ($any:expr, $forge:ident => $call:expr) => {
        match $any {
            AnyForge::GitHub($forge) => $call,
            AnyForge::Gitea($forge) => $call,
        }
    };
}

impl AnyForge {
    /// Compares what the forge has with what is expected of it.
    pub async fn examine(&self, expected: &Expected) -> Vec<Finding> {
        each!(self, forge => forge.examine(expected).await)
    }
}

impl Forks for AnyForge {
    async fn forks(&self) -> Answer<Vec<Fork>> {
        each!(self, forge => forge.forks().await)
    }

    async fn examine_rights(&self) -> Finding {
        each!(self, forge => forge.examine_rights().await)
    }
}

impl Forge for AnyForge {
    fn workspace(&self) -> &Workspace {
        each!(self, forge => forge.workspace())
    }

    async fn write_room(&self) -> Answer<WriteRoom> {
        each!(self, forge => forge.write_room().await)
    }

    async fn pull(&self, number: PullNumber) -> Answer<Option<Pull>> {
        each!(self, forge => forge.pull(number).await)
    }

    async fn pulls(&self, since: Option<Time>) -> Answer<Vec<Pull>> {
        each!(self, forge => forge.pulls(since).await)
    }

    async fn objects(&self, pull: &Pull) -> Answer<PathBuf> {
        each!(self, forge => forge.objects(pull).await)
    }

    async fn reviews(&self, number: PullNumber) -> Answer<Vec<PostedReview>> {
        each!(self, forge => forge.reviews(number).await)
    }

    async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Answer<String> {
        each!(self, forge => forge.post_review(number, head, marker, review).await)
    }

    async fn edit_review(&self, number: PullNumber, posted: &PostedReview, body: &str) -> Answer<()> {
        each!(self, forge => forge.edit_review(number, posted, body).await)
    }

    async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Answer<()> {
        each!(self, forge => forge.retire_review(number, posted).await)
    }

    async fn comments_after(&self, number: PullNumber, after: CommentId) -> Answer<Vec<Comment>> {
        each!(self, forge => forge.comments_after(number, after).await)
    }

    async fn post_comment(&self, number: PullNumber, marker: &Marker, body: &str) -> Answer<CommentId> {
        each!(self, forge => forge.post_comment(number, marker, body).await)
    }

    async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> Answer<()> {
        each!(self, forge => forge.set_status(number, head, status, before).await)
    }

    async fn tidy(&self, number: PullNumber) -> Answer<()> {
        each!(self, forge => forge.tidy(number).await)
    }

    async fn set_labels(&self, pull: &Pull, add: &BTreeSet<Label>, remove: &BTreeSet<Label>) -> Answer<()> {
        each!(self, forge => forge.set_labels(pull, add, remove).await)
    }

    async fn close(&self, number: PullNumber) -> Answer<()> {
        each!(self, forge => forge.close(number).await)
    }

    async fn open_issue(&self, marker: &Marker, title: &str, body: &str) -> Answer<Option<String>> {
        each!(self, forge => forge.open_issue(marker, title, body).await)
    }

    async fn standing(&self, who: &User) -> Answer<Standing> {
        each!(self, forge => forge.standing(who).await)
    }
}
