//! The port as the daemon uses it: nothing is written while an operator paused the store, failures are counted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::metrics::Metrics;
use crate::forge::hint::RepositoryName;
use crate::forge::pull::{
    Comment, CommentId, Label, Marker, PostedReview, Pull, PullNumber, Standing, User, Workspace,
};
use crate::forge::{ErrorClass, Forge, ForgeError, StatusBefore, WriteRoom};
use crate::review::{Review, Status};
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};
use crate::submission::sha::CommitId;

/// How soon a pause is asked about again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

type Answer<T> = Result<T, ForgeError>;

/// A port around another one.
pub struct Port<F> {
    forge: F,
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    upstream: Option<(F, RepositoryName)>,
}

impl<F: Forge> Port<F> {
    /// Around this one.
    pub fn new(forge: F, store: Store, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { forge, store, clock, metrics, upstream: None }
    }

    /// To a learner's own repository of this name, whose workspace is asked how people stand: in their repository learners
    /// may do everything and give everybody every right, and it is none of our instructors'. Disputes go there too.
    pub fn in_fork(self, upstream: F, repository: RepositoryName) -> Self {
        Self { upstream: Some((upstream, repository)), ..self }
    }

    fn count<T>(&self, answer: Answer<T>) -> Answer<T> {
        if let Err(error) = &answer {
            self.metrics.forge_failed(self.forge.workspace(), error.class);
        }
        answer
    }

    /// Until when nothing may be written because of a pause, if there is one.
    async fn paused(&self) -> Answer<Option<Time>> {
        let failed = |source: StoreError| ForgeError {
            what: "look whether this daemon is paused",
            class: ErrorClass::Retry,
            source: source.into(),
        };
        Ok(self.store.paused().await.map_err(failed)?.map(|_| self.clock.now().plus(LOOK_AGAIN)))
    }

    /// Lets a write through unless there is a pause.
    async fn write<T>(&self, what: &'static str, write: impl Future<Output = Answer<T>>) -> Answer<T> {
        match self.paused().await? {
            None => self.count(write.await),
            Some(until) => {
                let source = "an operator paused it; `gradus resume` ends that".into();
                Err(ForgeError { what, class: ErrorClass::Throttled(until), source })
            }
        }
    }
}

impl<F: Forge> Forge for Port<F> {
    fn workspace(&self) -> &Workspace {
        self.forge.workspace()
    }

    async fn write_room(&self) -> Answer<WriteRoom> {
        let room = self.count(self.forge.write_room().await)?;
        Ok(match self.paused().await? {
            None => room,
            Some(until) => WriteRoom { live: room.live.max(until), backlog: room.backlog.max(until) },
        })
    }

    async fn pull(&self, number: PullNumber) -> Answer<Option<Pull>> {
        self.count(self.forge.pull(number).await)
    }

    async fn pulls(&self, since: Option<Time>) -> Answer<Vec<Pull>> {
        self.count(self.forge.pulls(since).await)
    }

    async fn objects(&self, pull: &Pull) -> Answer<PathBuf> {
        self.count(self.forge.objects(pull).await)
    }

    async fn reviews(&self, number: PullNumber) -> Answer<Vec<PostedReview>> {
        self.count(self.forge.reviews(number).await)
    }

    async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Answer<String> {
        self.write("post the review", self.forge.post_review(number, head, marker, review)).await
    }

    async fn edit_review(&self, number: PullNumber, posted: &PostedReview, body: &str) -> Answer<()> {
        self.write("change the review", self.forge.edit_review(number, posted, body)).await
    }

    async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Answer<()> {
        self.write("fold the review", self.forge.retire_review(number, posted)).await
    }

    async fn comments_after(&self, number: PullNumber, after: CommentId) -> Answer<Vec<Comment>> {
        self.count(self.forge.comments_after(number, after).await)
    }

    async fn post_comment(&self, number: PullNumber, marker: &Marker, body: &str) -> Answer<CommentId> {
        self.write("post the comment", self.forge.post_comment(number, marker, body)).await
    }

    async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> Answer<()> {
        self.write("set the status", self.forge.set_status(number, head, status, before)).await
    }

    async fn tidy(&self, number: PullNumber) -> Answer<()> {
        self.write("put the pull request in order", self.forge.tidy(number)).await
    }

    async fn set_labels(&self, pull: &Pull, add: &BTreeSet<Label>, remove: &BTreeSet<Label>) -> Answer<()> {
        self.write("set the labels", self.forge.set_labels(pull, add, remove)).await
    }

    async fn close(&self, number: PullNumber) -> Answer<()> {
        self.write("close the pull request", self.forge.close(number)).await
    }

    async fn open_issue(&self, marker: &Marker, title: &str, body: &str) -> Answer<Option<String>> {
        let what = "open the issue";
        match &self.upstream {
            None => self.write(what, self.forge.open_issue(marker, title, body)).await,
            Some((upstream, repository)) => {
                let body = format!("In the learner's own repository `{repository}`:\n\n{body}");
                self.write(what, upstream.open_issue(marker, title, &body)).await
            }
        }
    }

    async fn standing(&self, who: &User) -> Answer<Standing> {
        let workspace = self.upstream.as_ref().map_or(&self.forge, |(upstream, _)| upstream);
        self.count(workspace.standing(who).await)
    }
}
