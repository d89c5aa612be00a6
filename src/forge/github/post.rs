//! One visible review, through crashes, lost answers, reads that lag and a second poster (`reference/forges.md` §8).
//!
//! GitHub allows each account one pending review per pull request, which nobody else sees. That is the fence:
//!
//! 1. List our own reviews. One with our marker that is submitted: that is it, done.
//! 2. A pending one of ours with another marker, or none, is debris: delete it and list again.
//! 3. No pending one: create it, with the marker and the graded commit, and list again.
//! 4. A pending one with our marker: the list that shows it also shows everything that was submitted before it was made,
//!    so nobody posted this before us. If the pull request is still open at this head, submit it by its id.
//!
//! Each step may be done twice, in any order and by two posters: a second creation is refused, a second submission is
//! refused, and both lead back to the list. Where an answer is lost, or the list does not show yet what we know to be
//! there, it is asked again after a while. A creation that arrives late is a pending review that nobody sees; it is taken
//! away by the next post, or when the doubts about its pull request are settled.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::wire::{NewLineComment, NewReview, ReviewWire, event_word};
use super::{Inner, failed};
use crate::forge::budget::{WriteClass, WriteKind};
use crate::forge::http::failure::{Failure, Refusal};
use crate::forge::pull::{Marker, PostedReview, PullNumber, PullState};
use crate::forge::{ErrorClass, ForgeError};
use crate::review::{MARKER_ROOM, MAX_BODY, Review, ReviewEvent, safe};
use crate::store::doubts::Doubt;
use crate::submission::sha::CommitId;

/// Most looks at the list in one go: create, submit, and some for whatever comes in between.
const ROUNDS: u32 = 12;

/// First wait for GitHub to show what is there; doubles.
const SETTLE: Duration = Duration::from_millis(500);

/// Longest such wait.
const MAX_SETTLE: Duration = Duration::from_secs(4);

/// Refusals for no reason that we can find, until it is for ever: with the waits in between about eight seconds.
const UNEXPLAINED: u32 = 5;

/// How GitHub refuses to delete or submit a review that is gone, or no pending one.
const GONE: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];

const WHAT: &str = "post the review";

/// The pull request is not what was graded any more.
#[derive(Debug, thiserror::Error)]
#[error("the pull request is not open at {0} any more")]
struct Moved(CommitId);

fn moved(head: &CommitId) -> ForgeError {
    ForgeError { what: WHAT, class: ErrorClass::Superseded, source: Box::new(Moved(head.clone())) }
}

/// How far one go of the protocol is.
struct Posting<'a> {
    forge: &'a Inner,
    number: PullNumber,
    head: &'a CommitId,
    key: &'a str,
    class: WriteClass,
    event: ReviewEvent,
    body: String,
    comments: Vec<NewLineComment<'a>>,
    /// Whether there is one of ours that the list has to show.
    made: Made,
    waits: u32,
    unexplained: u32,
    /// Noted before the first creation: whatever interrupts this go may leave a pending review.
    doubt: Option<Doubt>,
    /// A creation may still arrive.
    lost: bool,
}

/// What we know of our pending review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// We made none, as far as we know.
    No,
    /// The answer was lost; so many looks did not show it.
    Perhaps(u32),
    /// It is there, or was.
    Yes,
}

/// Whether there was a pending review to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deleted {
    Yes,
    WasNone,
}

/// What one of our own reviews is to this go.
struct Own {
    id: u64,
    pending: bool,
    key: Option<String>,
}

impl Inner {
    /// Posts a review, or finds the one with this marker.
    pub(super) async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Result<String, ForgeError> {
        // What composes reviews keeps to this; a review of another making must not fail for its length.
        let text = safe::cut(&review.body, MAX_BODY - MARKER_ROOM);
        let body = self.seal.close(self.place(number), marker, &text);
        let body = body.map_err(|error| self.odd(error).classed(WHAT, ErrorClass::Permanent))?;
        let mut posting = Posting {
            forge: self,
            number,
            head,
            key: &marker.key,
            class: self.class(number).await.map_err(failed(WHAT))?,
            event: review.event,
            body,
            comments: review.comments.iter().map(NewLineComment::from).collect(),
            made: Made::No,
            waits: 0,
            unexplained: 0,
            doubt: None,
            lost: false,
        };
        let posted = posting.go().await;
        let nothing_left = match &posted {
            Ok(_) => true,
            Err(error) => error.class == ErrorClass::Superseded && posting.made == Made::No,
        };
        if let Some(doubt) = posting.doubt.filter(|_| nothing_left && !posting.lost) {
            self.sure(doubt).await;
        }
        Ok(posted?.to_string())
    }

    /// Our own reviews of a pull request.
    async fn own(&self, number: PullNumber) -> Result<Vec<Own>, Failure> {
        let me = self.me().await?.id;
        let own = |review: ReviewWire| {
            review.user.as_ref().is_some_and(|user| user.id == me).then(|| Own {
                id: review.id,
                pending: review.is_pending(),
                key: self.seal.open(self.place(number), &review.body).1.map(|marker| marker.key),
            })
        };
        Ok(self.review_wires(number).await?.into_iter().filter_map(own).collect())
    }

    /// Takes away a pending review that a lost creation left, or a process that ended before it was submitted. Whoever is
    /// posting right now begins once more.
    pub(super) async fn no_pending_review(&self, number: PullNumber) -> Result<(), Failure> {
        // One that somebody began with our account has no marker.
        if let Some(left) = self.own(number).await?.iter().find(|own| own.pending && own.key.is_some()) {
            let url = self.url(&["pulls", &number.to_string(), "reviews", &left.id.to_string()]);
            let on = (number, WriteClass::Backlog);
            match self.write_on::<()>(on, WriteKind::Plain, (Method::DELETE, &url), None).await {
                Ok(_) => {}
                // Gone, or submitted meanwhile.
                Err(error) if GONE.into_iter().any(|status| error.refused(status).is_some()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Replaces the body of a review of ours and resolves the threads that it began.
    pub(super) async fn edit_review(
        &self,
        number: PullNumber,
        posted: &PostedReview,
        body: &str,
    ) -> Result<(), ForgeError> {
        let what = "edit the review";
        let text = safe::cut(body, MAX_BODY - MARKER_ROOM);
        let sealed = match &posted.marker {
            Some(marker) => self.seal.close(self.place(number), marker, &text),
            None => Ok(text),
        };
        let sealed = sealed.map_err(|error| self.odd(error).classed(what, ErrorClass::Permanent))?;
        let class = self.class(number).await.map_err(failed(what))?;
        let url = self.url(&["pulls", &number.to_string(), "reviews", &posted.id]);
        let edited = self.write(class, WriteKind::Content, (Method::PUT, &url), Some(&json!({"body": sealed}))).await;
        match edited {
            Ok(answer) => {
                // Line comments cannot be taken back without a trace; a resolved thread is folded.
                let review: ReviewWire = self.api.decode(&answer).map_err(failed(what))?;
                match self.resolve_threads(number, &review.node_id).await {
                    // The text is what matters; without room or the right the threads stay open.
                    Err(Failure::Throttled(_)) | Ok(()) => Ok(()),
                    Err(error) if error.class() == ErrorClass::Config => {
                        tracing::warn!(%error, "threads stay open: resolving them needs the permission `contents: write`");
                        Ok(())
                    }
                    Err(error) => Err(error.forge(what)),
                }
            }
            // Somebody deleted it: there is nothing to edit.
            Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => {
                Err(error.classed(what, ErrorClass::Permanent))
            }
            Err(error) => Err(error.forge(what)),
        }
    }
}

impl Posting<'_> {
    /// Looks and acts until it stands.
    async fn go(&mut self) -> Result<u64, ForgeError> {
        for _ in 0..ROUNDS {
            if let Some(id) = self.round().await? {
                return Ok(id);
            }
        }
        let why = "GitHub does not show yet what was written; it is looked at again later";
        Err(self.forge.odd(why).classed(WHAT, ErrorClass::Retry))
    }

    /// One look at the list and one step. The review's id when it stands.
    async fn round(&mut self) -> Result<Option<u64>, ForgeError> {
        let own = self.forge.own(self.number).await.map_err(failed(WHAT))?;
        let pending = own.iter().find(|review| review.pending);
        let ours = |review: &Own| review.key.as_deref() == Some(self.key);
        if let Some(done) = own.iter().find(|review| !review.pending && ours(review)) {
            if let Some(debris) = pending {
                self.delete(debris.id).await?;
            }
            return Ok(Some(done.id));
        }
        match pending {
            Some(pending) if ours(pending) => {
                self.made = Made::Yes;
                self.submit(pending.id).await
            }
            Some(debris) => {
                self.delete(debris.id).await?;
                Ok(None)
            }
            None => {
                match self.made {
                    Made::No => self.create().await?,
                    Made::Perhaps(0) => self.create().await?,
                    Made::Perhaps(looks) => {
                        self.made = Made::Perhaps(looks - 1);
                        self.settle().await;
                    }
                    Made::Yes => self.settle().await,
                }
                Ok(None)
            }
        }
    }

    fn url(&self, more: &[&str]) -> url::Url {
        let number = self.number.to_string();
        let mut segments = vec!["pulls", number.as_str(), "reviews"];
        segments.extend(more);
        self.forge.url(&segments)
    }

    fn on(&self) -> (PullNumber, WriteClass) {
        (self.number, self.class)
    }

    /// Waits for GitHub to show what is there.
    async fn settle(&mut self) {
        let wait = SETTLE.saturating_mul(1 << self.waits.min(8)).min(MAX_SETTLE);
        self.waits += 1;
        self.forge.clock.sleep(wait).await;
    }

    async fn create(&mut self) -> Result<(), ForgeError> {
        self.doubt = Some(self.forge.doubt_on(self.number, self.doubt).await.map_err(failed(WHAT))?);
        let new = NewReview { commit_id: self.head, body: &self.body, comments: self.comments.clone() };
        let call = (Method::POST, &self.url(&[]));
        match self.forge.write(self.class, WriteKind::Content, call, Some(&new)).await {
            Ok(_) => {
                self.made = Made::Yes;
                self.doubt = Some(self.forge.doubt_on(self.number, self.doubt).await.map_err(failed(WHAT))?);
            }
            Err(error) if error.in_doubt() => {
                self.made = Made::Perhaps(2);
                self.lost = true;
                self.settle().await;
            }
            Err(error) => match error.refused(StatusCode::UNPROCESSABLE_ENTITY) {
                Some(refusal) => self.not_created(refusal.clone()).await?,
                None => return Err(error.forge(WHAT)),
            },
        }
        Ok(())
    }

    /// 422: there is a pending one that the list did not show, the commit is gone, a line comment does not fit, or
    /// something that we do not know. GitHub's words are no help: they are not promised.
    async fn not_created(&mut self, refusal: Refusal) -> Result<(), ForgeError> {
        if !self.is_current().await? {
            return Err(moved(self.head));
        }
        if refusal.message.to_ascii_lowercase().contains("pending") {
            self.made = Made::Perhaps(2);
            self.settle().await;
            return Ok(());
        }
        // One bad anchor refuses all, and which one is not said. The body holds every finding anyway.
        if !self.comments.is_empty() {
            tracing::warn!(pull = %self.number, %refusal, "posting without line comments");
            self.comments.clear();
            return Ok(());
        }
        self.unexplained(refusal.into()).await
    }

    async fn submit(&mut self, id: u64) -> Result<Option<u64>, ForgeError> {
        // As late as possible: waiting for our turn and GitHub's answers took time.
        if !self.is_current().await? {
            self.delete(id).await?;
            return Err(moved(self.head));
        }
        let url = self.url(&[&id.to_string(), "events"]);
        let event = json!({"event": event_word(self.event)});
        let error = match self.forge.write_on(self.on(), WriteKind::Notifying, (Method::POST, &url), Some(&event)).await
        {
            Ok(_) => return Ok(Some(id)),
            Err(error) => error,
        };
        let refused = GONE.into_iter().any(|status| error.refused(status).is_some());
        if !refused && !error.in_doubt() {
            return Err(error.forge(WHAT));
        }
        if error.in_doubt() {
            self.settle().await;
        }
        let now: Option<ReviewWire> = self.forge.api.find(&self.url(&[&id.to_string()])).await.map_err(failed(WHAT))?;
        match now {
            Some(review) if !review.is_pending() => return Ok(Some(id)),
            // Somebody took it away: from the beginning.
            None => {
                self.made = Made::No;
                return Ok(None);
            }
            Some(_) => {}
        }
        if !refused {
            return Ok(None);
        }
        if !self.is_current().await? {
            self.delete(id).await?;
            return Err(moved(self.head));
        }
        if self.event != ReviewEvent::Comment {
            // Our own pull request, or a rule that lets us comment only.
            self.event = ReviewEvent::Comment;
            return Ok(None);
        }
        match self.unexplained(error).await {
            Ok(()) => Ok(None),
            Err(error) => match self.delete(id).await? {
                Deleted::Yes => Err(error),
                // It is no pending review, whatever we were shown: look again later.
                Deleted::WasNone => Err(ForgeError { class: ErrorClass::Retry, ..error }),
            },
        }
    }

    /// A refusal for no reason that we can find: GitHub has bad moments, so it is tried again before it is for ever.
    async fn unexplained(&mut self, error: Failure) -> Result<(), ForgeError> {
        self.unexplained += 1;
        if self.unexplained >= UNEXPLAINED {
            return Err(error.classed(WHAT, ErrorClass::Permanent));
        }
        self.settle().await;
        Ok(())
    }

    /// Whether the pull request is open at the graded commit. Notes whose it is on the way.
    async fn is_current(&mut self) -> Result<bool, ForgeError> {
        let pull = self.forge.pull_wire(self.number).await.map_err(failed(WHAT))?;
        let me = self.forge.me().await.map_err(failed(WHAT))?.id;
        if pull.as_ref().and_then(|pull| pull.user.as_ref()).is_some_and(|user| user.id == me) {
            // Nobody approves or refuses their own.
            self.event = ReviewEvent::Comment;
        }
        Ok(pull.is_some_and(|pull| pull.pull_state() == PullState::Open && pull.head.sha == *self.head))
    }

    /// Takes a pending review of ours away; it may be gone or submitted already.
    async fn delete(&mut self, id: u64) -> Result<Deleted, ForgeError> {
        self.made = Made::No;
        let url = self.url(&[&id.to_string()]);
        let error = match self.forge.write_on::<()>(self.on(), WriteKind::Plain, (Method::DELETE, &url), None).await {
            Ok(_) => return Ok(Deleted::Yes),
            Err(error) => error,
        };
        if !error.in_doubt() && GONE.into_iter().all(|status| error.refused(status).is_none()) {
            return Err(error.forge(WHAT));
        }
        // The list showed what is not so any more, or we do not know: look after a while.
        self.settle().await;
        Ok(Deleted::WasNone)
    }
}
