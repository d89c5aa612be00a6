//! Comments, statuses, labels, issues and who somebody is, on Gitea.

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use super::super::StatusBefore;
use super::super::budget::WriteKind;
use super::super::http::failure::Failure;
use super::super::pull::{Author, Comment, CommentId, Label, Marker, Pull, PullNumber, Standing, User};
use super::super::seal::{Place, Seal};
use super::ask::{Desk, is_too_large};
use super::wire::{Combined, NewStatus, WireComment, WireIssue, WireLabel, WirePermission, WireRepository};
use crate::review::Status;
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// The name of our status.
pub const CONTEXT: &str = "gradus";

/// Pages of statuses that are looked through for ours: people's own checks write them too.
const MAX_STATUS_PAGES: usize = 20;

/// What a comment is that cannot be posted.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    /// The forge did not do what it was asked.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// A defect of ours.
    #[error(transparent)]
    Marker(#[from] super::super::seal::TooLong),
}

impl Desk {
    /// All comments of a pull request, oldest first. Gitea gives them in one piece.
    pub async fn comments(&self, seal: &Seal, number: PullNumber) -> Result<Vec<Comment>, Failure> {
        let place = Place { workspace: &self.workspace, number: Some(number) };
        let me = self.identity().await?.id;
        let now = self.api.budget().now();
        let found = match self.comments_between(number, None).await {
            Err(error) if is_too_large(&error) => self.small_comments(number, now).await?,
            other => other?,
        };
        let mut comments: Vec<Comment> = found.into_iter().map(|comment| comment.comment(me, seal, place)).collect();
        comments.sort_by_key(|comment| comment.id);
        comments.dedup_by_key(|comment| comment.id);
        Ok(comments)
    }

    async fn comments_between(
        &self,
        number: PullNumber,
        between: Option<(Time, Time)>,
    ) -> Result<Vec<WireComment>, Failure> {
        let mut url = self.issue(number, &["comments"]);
        if let Some((since, before)) = between {
            url.query_pairs_mut().append_pair("since", &since.rfc3339()).append_pair("before", &before.rfc3339());
        }
        Ok(self.api.get::<Option<Vec<WireComment>>>(&url).await?.unwrap_or_default())
    }

    /// Comments less those that are too large to read: halves the time until what is left fits, so that nobody can keep a
    /// pull request from being answered by writing too much into it.
    async fn small_comments(&self, number: PullNumber, now: Time) -> Result<Vec<WireComment>, Failure> {
        const SECOND: i64 = 1_000;
        // Clocks may differ by a day.
        let mut open = vec![(0, now.0.saturating_add(86_400 * SECOND))];
        let mut found = Vec::new();
        while let Some((since, before)) = open.pop() {
            match self.comments_between(number, Some((Time(since), Time(before)))).await {
                Ok(comments) => found.extend(comments),
                Err(error) if is_too_large(&error) => {
                    if before - since <= SECOND {
                        tracing::warn!(pull = %number, at = %Time(since), "comments are too large to read");
                        continue;
                    }
                    let middle = since + (before - since) / 2 / SECOND * SECOND;
                    open.extend([(since, middle.max(since)), (middle.max(since + SECOND).min(before), before)]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Posts a comment, or finds the one with this marker. Of two that were posted at once the first stays.
    pub async fn say(
        &self,
        seal: &Seal,
        number: PullNumber,
        marker: &Marker,
        text: &str,
    ) -> Result<CommentId, TalkError> {
        if let Some(id) = self.said(seal, number, marker).await? {
            return Ok(id);
        }
        let place = Place { workspace: &self.workspace, number: Some(number) };
        let body = serde_json::json!({ "body": seal.close(place, marker, text)? });
        let url = self.issue(number, &["comments"]);
        let answer = self.write(Some(number), Method::POST, &url, Some(&body), WriteKind::Notifying).await?;
        let made: WireComment = self.api.decode(&answer)?;
        Ok(self.said(seal, number, marker).await?.unwrap_or(CommentId(made.id)))
    }

    /// The comment of ours with this marker; further ones are deleted.
    async fn said(&self, seal: &Seal, number: PullNumber, marker: &Marker) -> Result<Option<CommentId>, Failure> {
        let is_it = |comment: &Comment| {
            comment.author == Author::Grader && comment.marker.as_ref().is_some_and(|found| found.key == marker.key)
        };
        let comments = self.comments(seal, number).await?;
        let mut ids = comments.iter().filter(|comment| is_it(comment)).map(|comment| comment.id);
        let first = ids.next();
        for id in ids {
            self.delete(number, &self.at(&["issues", "comments", &id.0.to_string()])).await?;
        }
        Ok(first)
    }

    /// Deletes comments of ours whose marker stands in an earlier one.
    pub async fn say_each_once(&self, seal: &Seal, number: PullNumber) -> Result<(), Failure> {
        let comments = self.comments(seal, number).await?;
        let ours = comments.iter().filter(|comment| comment.author == Author::Grader);
        let mut seen = BTreeSet::new();
        for (id, marker) in ours.filter_map(|comment| Some((comment.id, comment.marker.as_ref()?))) {
            if !seen.insert(&marker.key) {
                self.delete(number, &self.at(&["issues", "comments", &id.0.to_string()])).await?;
            }
        }
        Ok(())
    }

    /// Sets our status of a commit when it is not that already.
    pub async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> Result<(), Failure> {
        let wanted = NewStatus {
            state: status.state.word(),
            context: CONTEXT,
            description: &status.description,
            target_url: self.status_page.as_ref().map(url::Url::as_str),
        };
        let there = match before {
            StatusBefore::Unknown => self.status(head).await?,
            StatusBefore::Other => None,
        };
        if there.is_some_and(|(state, description)| state == wanted.state && description == wanted.description) {
            return Ok(());
        }
        let url = self.at(&["statuses", head.as_str()]);
        self.write(Some(number), Method::POST, &url, Some(&wanted), WriteKind::Plain).await.map(|_| ())
    }

    /// State and description of our status of a commit. The list of all statuses begins with the oldest and grows with
    /// each write, so what is read is the newest of each context.
    async fn status(&self, head: &CommitId) -> Result<Option<(String, String)>, Failure> {
        let url = self.at(&["commits", head.as_str(), "status"]);
        let size = self.identity().await?.page;
        for page in 1..=MAX_STATUS_PAGES {
            let answer = self.page(&url, &[], page, size).await?;
            let combined: Combined = self.api.decode(&answer)?;
            let statuses = combined.statuses.unwrap_or_default();
            // The page's own count says how many are on the page; the header is missing on older servers.
            let last = statuses.is_empty();
            if let Some(ours) = statuses.into_iter().find(|status| status.context == CONTEXT) {
                return Ok(Some((ours.status, ours.description)));
            }
            if last {
                break;
            }
        }
        Ok(None)
    }

    /// Adds and removes labels. By number: a name may be there twice, since Gitea lets it be made twice.
    pub async fn set_labels(
        &self,
        pull: &Pull,
        add: &BTreeSet<Label>,
        remove: &BTreeSet<Label>,
    ) -> Result<(), Failure> {
        let add: Vec<&Label> = add.iter().filter(|label| !pull.labels.contains(*label)).collect();
        let remove: Vec<&Label> = remove.iter().filter(|label| pull.labels.contains(*label)).collect();
        let url = self.issue(pull.number, &["labels"]);
        if !remove.is_empty() {
            // Not paged.
            let there: Vec<WireLabel> = self.api.get::<Option<_>>(&url).await?.unwrap_or_default();
            for label in there.iter().filter(|label| remove.iter().any(|wanted| wanted.0 == label.name)) {
                let url = self.issue(pull.number, &["labels", &label.id.to_string()]);
                match self.write(Some(pull.number), Method::DELETE, &url, super::ask::NOTHING, WriteKind::Plain).await {
                    // Somebody else was faster.
                    Err(error) if error.refused(StatusCode::UNPROCESSABLE_ENTITY).is_some() => {}
                    other => _ = other?,
                }
            }
        }
        if !add.is_empty() {
            let mut ids = Vec::new();
            for label in add {
                ids.push(self.label(pull.number, label).await?);
            }
            let body = serde_json::json!({ "labels": ids });
            self.write(Some(pull.number), Method::POST, &url, Some(&body), WriteKind::Plain).await?;
        }
        Ok(())
    }

    /// The number of a label of the repository, made when there is none. Of two the lower: two of us may have made it.
    async fn label(&self, number: PullNumber, label: &Label) -> Result<i64, Failure> {
        if let Some(id) = self.label_id(label).await? {
            return Ok(id);
        }
        let body = serde_json::json!({ "name": label.0, "color": label_colour(label), "description": "Set by Gradus" });
        let answer =
            self.write(Some(number), Method::POST, &self.at(&["labels"]), Some(&body), WriteKind::Plain).await?;
        let made: WireLabel = self.api.decode(&answer)?;
        Ok(self.label_id(label).await?.unwrap_or(made.id))
    }

    async fn label_id(&self, label: &Label) -> Result<Option<i64>, Failure> {
        let all = self.list::<WireLabel>(&self.at(&["labels"]), &[], |_| true).await?;
        Ok(all.entries.iter().filter(|found| found.name == label.0).map(|found| found.id).min())
    }

    /// Opens an issue, or finds the one with this marker. Its address; none where issues are switched off.
    pub async fn open_issue(
        &self,
        seal: &Seal,
        marker: &Marker,
        title: &str,
        body: &str,
    ) -> Result<Option<String>, TalkError> {
        let repository: WireRepository = self.api.get(&self.at(&[])).await?;
        if !repository.has_issues {
            return Ok(None);
        }
        let place = Place { workspace: &self.workspace, number: None };
        let me = self.identity().await?;
        let query = [("state", "all"), ("type", "issues"), ("created_by", me.login.as_str())];
        let url = self.at(&["issues"]);
        let is_it = |issue: &WireIssue| {
            issue.user.as_ref().is_some_and(|user| user.id == me.id)
                && seal.open(place, &issue.body).1.is_some_and(|found| found.key == marker.key)
        };
        let issues = self.list::<WireIssue>(&url, &query, |page| !page.iter().any(is_it)).await?;
        if let Some(issue) = issues.entries.iter().find(|issue| is_it(issue)) {
            return Ok(Some(issue.html_url.clone()));
        }
        let new = serde_json::json!({ "title": title, "body": seal.close(place, marker, body)? });
        let answer = self.write(None, Method::POST, &url, Some(&new), WriteKind::Notifying).await?;
        Ok(Some(self.api.decode::<WireIssue>(&answer)?.html_url))
    }

    /// How somebody stands to the repository. Asked by name, believed by number: a name that changed hands says nothing.
    pub async fn standing(&self, who: &User) -> Result<Standing, Failure> {
        let mut login = who.login.0.clone();
        for _ in 0..2 {
            match self.permission(&login).await? {
                Some(found) if found.user.as_ref().is_some_and(|user| user.user().id == who.id) => {
                    return self.standing_of(&login, &found.permission).await;
                }
                _ => {}
            }
            match self.login_of(who).await? {
                Some(now) if now != login => login = now,
                _ => break,
            }
        }
        Ok(Standing::Outsider)
    }

    async fn permission(&self, login: &str) -> Result<Option<WirePermission>, Failure> {
        match self.api.find(&self.at(&["collaborators", login, "permission"])).await {
            // Nobody of that name (1.26.0 says 422 where its description says 404).
            Err(error) if error.refused(StatusCode::UNPROCESSABLE_ENTITY).is_some() => Ok(None),
            other => other,
        }
    }

    async fn standing_of(&self, login: &str, permission: &str) -> Result<Standing, Failure> {
        Ok(match permission {
            "write" | "admin" | "owner" => Standing::Instructor,
            "read" => {
                let url = self.at(&["collaborators", login]);
                let invited = self.api.exists(&url).await?;
                // In a public repository everybody may read; in a private one only who was let in, by a team too.
                if invited || self.api.get::<WireRepository>(&self.at(&[])).await?.private {
                    Standing::Collaborator
                } else {
                    Standing::Outsider
                }
            }
            _ => Standing::Outsider,
        })
    }

    /// What an account is called now.
    async fn login_of(&self, who: &User) -> Result<Option<String>, Failure> {
        #[derive(serde::Deserialize)]
        struct Found {
            data: Vec<super::wire::Account>,
        }
        let mut url = self.api.base().at(&["users", "search"]);
        url.query_pairs_mut().append_pair("uid", who.id.as_str());
        let found: Found = self.api.get(&url).await?;
        Ok(found.data.into_iter().find(|user| user.user().id == who.id).map(|user| user.login))
    }
}

/// A colour that says the same as the label's name.
fn label_colour(label: &Label) -> &'static str {
    match label.0.as_str() {
        "gradus/passed" => "#0e8a16",
        "gradus/needs-human" => "#fbca04",
        "gradus/stuck" => "#d93f0b",
        "gradus/our-error" => "#b60205",
        _ => "#1d76db",
    }
}
