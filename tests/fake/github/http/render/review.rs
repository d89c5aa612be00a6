//! Reviews and line comments.

use serde_json::{Value, json};

use super::super::super::clock::rfc3339;
use super::super::super::state::ids::{IssueRef, NodeKind};
use super::super::super::state::issue::{Review, ReviewComment, Thread};
use super::user::merged;
use super::{Render, time};

impl Render<'_> {
    /// A review. A pending one has no `submitted_at`.
    pub fn review(&self, at: IssueRef, review: &Review) -> Value {
        let html = format!("{}#pullrequestreview-{}", self.page(at, "pull"), review.id);
        let pull = format!("{}/pulls/{}", self.repo_api(at), at.number);
        let fields = json!({
            "id": review.id,
            "node_id": NodeKind::Review.node(review.id),
            "user": self.user(review.user),
            "body": review.body,
            "state": review.state.word(),
            "html_url": html,
            "pull_request_url": pull,
            "author_association": self.association(at, review.user),
            "_links": {"html": {"href": html}, "pull_request": {"href": pull}},
            "commit_id": review.commit_id,
        });
        match time(review.submitted_at) {
            Some(at) => merged(fields, json!({"submitted_at": at})),
            None => fields,
        }
    }

    /// A line comment. Its line is null when it is gone from the diff.
    pub fn review_comment(&self, at: IssueRef, thread: &Thread, comment: &ReviewComment) -> Value {
        let url = format!("{}/pulls/comments/{}", self.repo_api(at), comment.id);
        let html = format!("{}#discussion_r{}", self.page(at, "pull"), comment.id);
        let pull = format!("{}/pulls/{}", self.repo_api(at), at.number);
        let anchor = &thread.anchor;
        let start = anchor.start.as_ref();
        let now = |line: u64| (!thread.outdated).then_some(line);
        json!({
            "url": url,
            "id": comment.id,
            "node_id": NodeKind::ReviewComment.node(comment.id),
            "pull_request_review_id": comment.review,
            "diff_hunk": "@@ -1 +1 @@",
            "path": anchor.path,
            "position": now(1),
            "original_position": 1,
            "commit_id": comment.commit_id,
            "original_commit_id": comment.commit_id,
            "user": self.user(comment.user),
            "body": comment.body,
            "created_at": rfc3339(comment.created_at),
            "updated_at": rfc3339(comment.created_at),
            "html_url": html,
            "pull_request_url": pull,
            "author_association": self.association(at, comment.user),
            "_links": {"self": {"href": url}, "html": {"href": html}, "pull_request": {"href": pull}},
            "line": now(anchor.line),
            "original_line": anchor.line,
            "side": anchor.side.word(),
            "start_line": start.and_then(|(line, _)| now(*line)),
            "original_start_line": start.map(|(line, _)| *line),
            "start_side": start.map(|(_, side)| side.word()),
            "subject_type": "line",
        })
    }
}
