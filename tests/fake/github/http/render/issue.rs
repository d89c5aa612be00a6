//! Issues and comments.

use serde_json::{Value, json};

use super::super::super::clock::rfc3339;
use super::super::super::state::ids::{IssueRef, NodeKind};
use super::super::super::state::issue::{Comment, Issue};
use super::user::merged;
use super::{Render, time};

impl Render<'_> {
    /// An issue, or a pull request seen as one.
    pub fn issue(&self, at: IssueRef, issue: &Issue) -> Value {
        let api = format!("{}/issues/{}", self.repo_api(at), at.number);
        let (kind, node) = if issue.pull.is_some() { ("pull", NodeKind::Pull) } else { ("issues", NodeKind::Issue) };
        let html = self.page(at, kind);
        let fields = json!({
            "url": api,
            "repository_url": self.repo_api(at),
            "labels_url": format!("{api}/labels{{/name}}"),
            "comments_url": format!("{api}/comments"),
            "events_url": format!("{api}/events"),
            "timeline_url": format!("{api}/timeline"),
            "html_url": html,
            "id": issue.id,
            "node_id": node.node(issue.pull.as_ref().map_or(issue.id, |pull| pull.id)),
            "number": at.number,
            "title": issue.title,
            "body": issue.body,
            "user": self.user(issue.author),
            "labels": self.labels(at, issue),
            "state": if issue.open { "open" } else { "closed" },
            "state_reason": null,
            "locked": false,
            "assignee": null,
            "assignees": [],
            "milestone": null,
            "comments": issue.comments.len(),
            "created_at": rfc3339(issue.created_at),
            "updated_at": rfc3339(issue.updated_at),
            "closed_at": time(issue.closed_at),
            "author_association": self.association(at, issue.author),
            "active_lock_reason": null,
        });
        match &issue.pull {
            None => fields,
            Some(pull) => {
                let links = json!({
                    "url": format!("{}/pulls/{}", self.repo_api(at), at.number),
                    "html_url": html,
                    "diff_url": format!("{html}.diff"),
                    "patch_url": format!("{html}.patch"),
                    "merged_at": time(pull.merged_at),
                });
                merged(fields, json!({"pull_request": links, "draft": pull.draft}))
            }
        }
    }

    /// The labels on an issue or a pull request.
    pub fn labels(&self, at: IssueRef, issue: &Issue) -> Vec<Value> {
        let known = issue.labels.iter().filter_map(|name| self.state.label(at.repo, name));
        known.map(|label| self.label(at.repo, label)).collect()
    }

    /// A comment of a conversation.
    pub fn comment(&self, at: IssueRef, comment: &Comment) -> Value {
        json!({
            "id": comment.id,
            "node_id": NodeKind::IssueComment.node(comment.id),
            "url": format!("{}/issues/comments/{}", self.repo_api(at), comment.id),
            "html_url": format!("{}#issuecomment-{}", self.page(at, "pull"), comment.id),
            "issue_url": format!("{}/issues/{}", self.repo_api(at), at.number),
            "user": self.user(comment.user),
            "body": comment.body,
            "created_at": rfc3339(comment.created_at),
            "updated_at": rfc3339(comment.updated_at),
            "author_association": self.association(at, comment.user),
            "performed_via_github_app": null,
        })
    }
}
