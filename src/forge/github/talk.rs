//! Comments and issues: one for each marker.
//!
//! Nothing on GitHub stands in the way of a second comment, so what was posted is looked at afterwards: of several with
//! one marker the oldest stays. Two posters come to the same end.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::wire::{CommentWire, IssueWire};
use super::{Inner, PAGE, failed};
use crate::forge::budget::{WriteClass, WriteKind};
use crate::forge::http::failure::Failure;
use crate::forge::pull::{Author, Comment, CommentId, Marker, PullNumber};
use crate::forge::seal::Place;
use crate::forge::{ErrorClass, ForgeError};
use crate::review::{MARKER_ROOM, MAX_BODY, safe};

/// Waits for a comment of ours to be shown, in turn.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(4)];

/// Longest title of an issue in characters that GitHub takes.
const MAX_TITLE: usize = 256;

impl Inner {
    async fn comment_wires(&self, number: PullNumber) -> Result<Vec<CommentWire>, Failure> {
        // From the first on: `since` would make each question a new one, and one that did not change is free.
        let url = self.list_url(&["issues", &number.to_string(), "comments"], &[]);
        self.api.list(&url, PAGE, |_| true).await
    }

    pub(super) async fn comments_after(&self, number: PullNumber, after: CommentId) -> Result<Vec<Comment>, Failure> {
        let me = self.me().await?;
        let new = self.comment_wires(number).await?.into_iter().filter(|comment| comment.comment_id() > after);
        let comment = |wire: CommentWire| {
            let author = self.author(me, &wire.user).map_err(|error| self.odd(error))?;
            let (body, marker) = self.opened(self.place(number), &author, &wire.body);
            Ok(Comment { id: wire.comment_id(), author, marker, body, created_at: wire.created_at })
        };
        let mut comments: Vec<Comment> = new.map(comment).collect::<Result<_, Failure>>()?;
        comments.sort_by_key(|comment| comment.id);
        Ok(comments)
    }

    /// Our own comments with this marker, oldest first.
    async fn ours(&self, number: PullNumber, marker: &Marker) -> Result<Vec<CommentId>, Failure> {
        let comments = self.comments_after(number, CommentId::default()).await?.into_iter();
        let ours = |comment: &Comment| {
            comment.author == Author::Grader && comment.marker.as_ref().is_some_and(|found| found.key == marker.key)
        };
        Ok(comments.filter(ours).map(|comment| comment.id).collect())
    }

    pub(super) async fn post_comment(
        &self,
        number: PullNumber,
        marker: &Marker,
        body: &str,
    ) -> Result<CommentId, ForgeError> {
        let what = "post the comment";
        let text = safe::cut(body, MAX_BODY - MARKER_ROOM);
        let sealed = self.seal.close(self.place(number), marker, &text);
        let sealed = sealed.map_err(|error| self.odd(error).classed(what, ErrorClass::Permanent))?;
        let on = (number, self.class(number).await.map_err(failed(what))?);
        let there = self.ours(number, marker).await.map_err(failed(what))?;
        if let Some((first, extra)) = there.split_first() {
            self.delete_comments(on, extra).await.map_err(failed(what))?;
            return Ok(*first);
        }
        let url = self.url(&["issues", &number.to_string(), "comments"]);
        // In doubt until it was seen that it stands there once: what was taken may have been taken twice.
        let doubt = self.doubt_on(number, None).await.map_err(failed(what))?;
        let call = (Method::POST, &url);
        let posted = match self.write(on.1, WriteKind::Notifying, call, Some(&json!({"body": sealed}))).await {
            Ok(answer) => match self.api.decode::<CommentWire>(&answer) {
                Ok(comment) => Some(comment.comment_id()),
                Err(_) => None,
            },
            Err(error) if error.in_doubt() => None,
            Err(error) => {
                self.sure(doubt).await;
                return Err(error.forge(what));
            }
        };
        let doubt = self.doubt_on(number, Some(doubt)).await.map_err(failed(what))?;
        let only = self.only_one(on, marker, posted).await.map_err(failed(what))?;
        if posted.is_some() {
            self.sure(doubt).await;
        }
        Ok(only)
    }

    /// Deletes comments of ours; what is gone already is fine.
    async fn delete_comments(&self, on: (PullNumber, WriteClass), extra: &[CommentId]) -> Result<(), Failure> {
        for id in extra {
            let url = self.url(&["issues", "comments", &id.0.to_string()]);
            match self.write_on::<()>(on, WriteKind::Plain, (Method::DELETE, &url), None).await {
                Ok(_) => {}
                Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes comments of ours whose marker stands in an earlier one.
    pub(super) async fn each_comment_once(&self, number: PullNumber) -> Result<(), Failure> {
        let comments = self.comments_after(number, CommentId::default()).await?;
        let ours = comments.iter().filter(|comment| comment.author == Author::Grader);
        let mut seen = BTreeSet::new();
        let marked = ours.filter_map(|comment| Some((comment.id, &comment.marker.as_ref()?.key)));
        let extra: Vec<CommentId> = marked.filter(|(_, key)| !seen.insert(*key)).map(|(id, _)| id).collect();
        self.delete_comments((number, WriteClass::Backlog), &extra).await
    }

    /// Looks until what was posted is shown, and keeps the oldest of several.
    async fn only_one(
        &self,
        on: (PullNumber, WriteClass),
        marker: &Marker,
        posted: Option<CommentId>,
    ) -> Result<CommentId, Failure> {
        for wait in LOOKS {
            self.clock.sleep(wait).await;
            let found = self.ours(on.0, marker).await?;
            let shown = posted.is_none_or(|posted| found.contains(&posted));
            let (Some((first, extra)), true) = (found.split_first(), shown) else { continue };
            self.delete_comments(on, extra).await?;
            return Ok(*first);
        }
        // It was taken: reads are slow today, and a second poster is rarer than that.
        posted.ok_or_else(|| self.odd("no answer to a comment, and it is not shown; it is looked for again later"))
    }

    pub(super) async fn open_issue(
        &self,
        marker: &Marker,
        title: &str,
        body: &str,
    ) -> Result<Option<String>, ForgeError> {
        let what = "open an issue";
        let place = Place { workspace: &self.settings.workspace, number: None };
        let text = safe::cut(body, MAX_BODY - MARKER_ROOM);
        let sealed = self.seal.close(place, marker, &text);
        let sealed = sealed.map_err(|error| self.odd(error).classed(what, ErrorClass::Permanent))?;
        match self.issue(marker).await {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(error) if no_issues(&error) => return Ok(None),
            Err(error) => return Err(error.forge(what)),
        }
        let new = json!({"title": safe::plain(title, MAX_TITLE - 1), "body": sealed});
        let url = self.url(&["issues"]);
        match self.write(WriteClass::Live, WriteKind::Notifying, (Method::POST, &url), Some(&new)).await {
            Ok(answer) => {
                let issue: IssueWire = self.api.decode(&answer).map_err(failed(what))?;
                Ok(Some(issue.html_url))
            }
            Err(error) if no_issues(&error) => Ok(None),
            Err(error) if error.in_doubt() => {
                for wait in LOOKS {
                    self.clock.sleep(wait).await;
                    if let Some(found) = self.issue(marker).await.map_err(failed(what))? {
                        return Ok(Some(found));
                    }
                }
                Err(error.forge(what))
            }
            Err(error) => Err(error.forge(what)),
        }
    }

    /// The address of our issue with this marker.
    async fn issue(&self, marker: &Marker) -> Result<Option<String>, Failure> {
        let me = self.me().await?;
        let place = Place { workspace: &self.settings.workspace, number: None };
        let ours = |issue: &IssueWire| {
            issue.pull_request.is_none()
                && issue.user.as_ref().is_some_and(|user| user.id == me.id)
                && self.seal.open(place, &issue.body).1.is_some_and(|found| found.key == marker.key)
        };
        let query = [("creator", me.login.as_str()), ("state", "all"), ("sort", "created"), ("direction", "desc")];
        let url = self.list_url(&["issues"], &query);
        let issues: Vec<IssueWire> = self.api.list(&url, PAGE, |page| !page.iter().any(ours)).await?;
        // The oldest, should there be several.
        let found = issues.into_iter().filter(ours).min_by_key(|issue| issue.number);
        Ok(found.map(|issue| issue.html_url))
    }
}

/// Issues are switched off: GitHub says 410, or 404 to who may see everything else.
fn no_issues(error: &Failure) -> bool {
    error.refused(StatusCode::GONE).is_some()
}
