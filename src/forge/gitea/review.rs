//! Reviews on Gitea: posting exactly one, editing, folding. What is decided lies in [`super::posting`].

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use super::super::budget::WriteKind;
use super::super::http::failure::Failure;
use super::super::pull::{Author, Marker, PostedReview, PullNumber};
use super::super::seal::{Place, Seal};
use super::ask::{Desk, Listed, NOTHING};
use super::posting::{Before, ReviewId, before, doubled, line_comments};
use super::wire::{NewLineComment, NewReview, WireLineComment, WireReview, WireState, event};
use crate::review::{Review, ReviewEvent};
use crate::submission::sha::CommitId;

/// Why a review was not posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The forge did not do what it was asked.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Another daemon of ours is at it.
    #[error("another review of ours is being posted there")]
    Busy,
    /// It was taken, and is not there.
    #[error("the forge took the review and does not list it")]
    Vanished,
    /// The head moved on while it was being posted; it was taken back.
    #[error("the head moved on while its review was being posted")]
    Superseded,
    /// A defect of ours.
    #[error(transparent)]
    Marker(#[from] super::super::seal::TooLong),
}

/// What is tried; less of it when the forge does not take all.
struct Attempt<'a> {
    event: ReviewEvent,
    comments: Vec<NewLineComment<'a>>,
    /// Whether the forge had trouble with exactly this before.
    again: bool,
}

impl Attempt<'_> {
    /// What to try next, when there is something.
    fn next(&self, error: &Failure) -> Option<Self> {
        let refused = |status| error.refused(status).is_some();
        let comments = || self.comments.clone();
        // Nobody may approve or reject their own pull request, nor a closed one.
        if self.event != ReviewEvent::Comment && refused(StatusCode::UNPROCESSABLE_ENTITY) {
            return Some(Self { event: ReviewEvent::Comment, comments: comments(), again: self.again });
        }
        // A line that is not there is answered with 500 (measured on 1.26.0), and so is trouble that passes, such as a
        // database that is locked: what fails twice is taken for the former. The body says everything too.
        let trouble = refused(StatusCode::INTERNAL_SERVER_ERROR);
        if self.comments.is_empty() || !(trouble || refused(StatusCode::UNPROCESSABLE_ENTITY)) {
            return None;
        }
        let comments = if trouble && !self.again { comments() } else { Vec::new() };
        Some(Self { event: self.event, comments, again: true })
    }
}

impl Desk {
    /// All reviews of a pull request, pending ones of ours too.
    pub async fn reviews(&self, number: PullNumber) -> Result<Listed<WireReview>, Failure> {
        self.list(&self.pull(number, &["reviews"]), &[], |_| true).await
    }

    /// Posts a review of a head, or finds the one with this marker; takes it back when the head is not `still` that one.
    pub async fn post(
        &self,
        seal: &Seal,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Result<ReviewId, PostError> {
        let place = Place { workspace: &self.workspace, number: Some(number) };
        let body = seal.close(place, marker, &review.body)?;
        let me = self.identity().await?.id;
        let is_it = |found: &WireReview| {
            let found = found.posted(me, seal, place).and_then(|posted| posted.marker);
            found.is_some_and(|found| found.key == marker.key)
        };
        let seen = self.reviews(number).await?;
        match before(&seen.entries, me, is_it, seen.at) {
            Before::Posted { keep, extra } => {
                self.tidy(number, keep, &extra, review.comments.len()).await?;
                return Ok(keep);
            }
            Before::Busy => return Err(PostError::Busy),
            Before::Nothing { debris } => self.sweep(number, &debris).await?,
        }
        let mut attempt = Attempt { event: review.event, comments: line_comments(&review.comments), again: false };
        while let Err(error) = self.create(number, head, &body, &attempt).await {
            let Some(next) = attempt.next(&error) else { return Err(error.into()) };
            tracing::warn!(pull = %number, %error, "the forge does not take a review as it is; trying once more");
            let seen = self.reviews(number).await?;
            if let Before::Posted { .. } = before(&seen.entries, me, is_it, seen.at) {
                break;
            }
            // What was stored stays pending, and the next attempt adopts it: to clear it away would take what another
            // daemon is storing right now. What is there twice then is taken away in the end.
            attempt = next;
        }
        let seen = self.reviews(number).await?;
        let Before::Posted { keep, extra } = before(&seen.entries, me, is_it, seen.at) else {
            return Err(PostError::Vanished);
        };
        self.tidy(number, keep, &extra, attempt.comments.len()).await?;
        if self.head(number).await?.is_some_and(|now| now != head.as_str()) {
            self.delete(number, &self.review(number, keep)).await?;
            return Err(PostError::Superseded);
        }
        Ok(keep)
    }

    async fn create(
        &self,
        number: PullNumber,
        head: &CommitId,
        body: &str,
        attempt: &Attempt<'_>,
    ) -> Result<(), Failure> {
        let (event, commit_id) = (event(attempt.event), head.as_str());
        let new = NewReview { event, commit_id, body, comments: attempt.comments.clone() };
        let url = self.pull(number, &["reviews"]);
        self.write(Some(number), Method::POST, &url, Some(&new), WriteKind::Notifying).await.map(|_| ())
    }

    /// Deletes reviews of ours that were left pending, and those whose marker stands in an earlier one.
    pub async fn one_of_each(&self, seal: &Seal, number: PullNumber) -> Result<(), Failure> {
        let place = Place { workspace: &self.workspace, number: Some(number) };
        let me = self.identity().await?.id;
        let seen = self.reviews(number).await?;
        let key = |review: &WireReview| Some(review.posted(me, seal, place)?.marker?.key);
        let submitted = seen.entries.iter().filter(|review| review.is_by(me) && review.is_submitted());
        for wanted in submitted.filter_map(key).collect::<BTreeSet<String>>() {
            let is_it = |review: &WireReview| key(review).as_ref() == Some(&wanted);
            if let Before::Posted { extra, .. } = before(&seen.entries, me, is_it, seen.at) {
                for id in extra {
                    self.delete(number, &self.review(number, id)).await?;
                }
            }
        }
        match before(&seen.entries, me, |_| false, seen.at) {
            Before::Nothing { debris } => self.sweep(number, &debris).await,
            Before::Posted { .. } | Before::Busy => Ok(()),
        }
    }

    /// Deletes pending reviews; each is looked at again first, since the request that began it may just have ended.
    async fn sweep(&self, number: PullNumber, debris: &[ReviewId]) -> Result<(), Failure> {
        for id in debris {
            let url = self.review(number, *id);
            let now: Option<WireReview> = self.api.find(&url).await?;
            if now.is_some_and(|review| review.state == WireState::Pending) {
                self.delete(number, &url).await?;
            }
        }
        Ok(())
    }

    /// Makes one of several, and takes from it what others left in it.
    async fn tidy(&self, number: PullNumber, keep: ReviewId, extra: &[ReviewId], wanted: usize) -> Result<(), Failure> {
        for id in extra {
            self.delete(number, &self.review(number, *id)).await?;
        }
        let kept: Option<WireReview> = self.api.find(&self.review(number, keep)).await?;
        if kept.is_some_and(|review| review.comments_count > wanted) {
            let comments = self.line_comments(number, keep).await?;
            for id in doubled(&comments, self.identity().await?.id) {
                self.delete(number, &self.at(&["issues", "comments", &id.to_string()])).await?;
            }
        }
        Ok(())
    }

    /// The newest commit of a pull request.
    async fn head(&self, number: PullNumber) -> Result<Option<String>, Failure> {
        #[derive(serde::Deserialize)]
        struct Pull {
            head: Head,
        }
        #[derive(serde::Deserialize)]
        struct Head {
            sha: String,
        }
        let pull: Option<Pull> = self.api.find(&self.pull(number, &[])).await?;
        Ok(pull.map(|pull| pull.head.sha))
    }

    fn review(&self, number: PullNumber, id: ReviewId) -> url::Url {
        self.pull(number, &["reviews", &id.0.to_string()])
    }

    async fn line_comments(&self, number: PullNumber, id: ReviewId) -> Result<Vec<WireLineComment>, Failure> {
        // Not paged.
        let url = self.pull(number, &["reviews", &id.0.to_string(), "comments"]);
        Ok(self.api.find::<Vec<WireLineComment>>(&url).await?.unwrap_or_default())
    }

    /// Replaces what the page shows of a review. `text` makes the new text of the one that was posted. Nothing when the
    /// review is gone: somebody who may has deleted it.
    pub async fn rewrite(
        &self,
        seal: &Seal,
        number: PullNumber,
        posted: &PostedReview,
        text: impl FnOnce(&str) -> String,
    ) -> Result<Option<ReviewId>, PostError> {
        let Some(id) = posted.id.parse().ok().map(ReviewId) else { return Ok(None) };
        let Some(there) = self.api.find::<WireReview>(&self.review(number, id)).await? else { return Ok(None) };
        let me = self.identity().await?.id;
        let place = Place { workspace: &self.workspace, number: Some(number) };
        let (Some(comment), Some(there)) = (there.comment(), there.posted(me, seal, place)) else { return Ok(None) };
        if there.author != Author::Grader {
            return Ok(None);
        }
        let text = text(&there.body);
        let body = match &there.marker {
            Some(marker) => seal.close(place, marker, &text)?,
            None => text,
        };
        let url = self.at(&["issues", "comments", &comment.0.to_string()]);
        let body = serde_json::json!({ "body": body });
        self.write(Some(number), Method::PATCH, &url, Some(&body), WriteKind::Content).await?;
        Ok(Some(id))
    }

    /// Takes the line comments of a review away; where somebody answered, the thread is settled instead.
    pub async fn unhang(&self, number: PullNumber, id: ReviewId) -> Result<(), Failure> {
        let me = self.identity().await?.id;
        let comments = self.line_comments(number, id).await?;
        for comment in comments.iter().filter(|comment| comment.is_by(me)) {
            let answered = comments
                .iter()
                .any(|other| !other.is_by(me) && (&other.path, other.position) == (&comment.path, comment.position));
            if answered {
                self.settle(number, comment).await?;
            } else {
                self.delete(number, &self.at(&["issues", "comments", &comment.id.to_string()])).await?;
            }
        }
        Ok(())
    }

    /// Settles the threads that a review of ours began.
    pub async fn settle_all(&self, number: PullNumber, id: ReviewId) -> Result<(), Failure> {
        let me = self.identity().await?.id;
        for comment in self.line_comments(number, id).await?.iter().filter(|comment| comment.is_by(me)) {
            self.settle(number, comment).await?;
        }
        Ok(())
    }

    async fn settle(&self, number: PullNumber, comment: &WireLineComment) -> Result<(), Failure> {
        if comment.is_resolved() {
            return Ok(());
        }
        let url = self.at(&["pulls", "comments", &comment.id.to_string(), "resolve"]);
        match self.write(Some(number), Method::POST, &url, NOTHING, WriteKind::Plain).await {
            // Older servers cannot.
            Err(error)
                if error.refused(StatusCode::NOT_FOUND).is_some()
                    || error.refused(StatusCode::METHOD_NOT_ALLOWED).is_some() =>
            {
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }
}

/// A review that is out of date, as the page shows it.
pub fn folded(body: &str) -> String {
    format!("<details><summary>Out of date: there is a newer review below.</summary>\n\n{}\n\n</details>", body.trim())
}
