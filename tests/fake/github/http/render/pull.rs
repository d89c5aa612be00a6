//! Pull requests.

use serde_json::{Value, json};

use super::super::super::clock::rfc3339;
use super::super::super::state::ids::{IssueRef, NodeKind};
use super::super::super::state::issue::{Issue, Pull, ReviewState};
use super::user::merged;
use super::{Render, time};

impl Render<'_> {
    /// A pull request in a list.
    pub fn pull(&self, at: IssueRef, issue: &Issue, pull: &Pull) -> Value {
        let api = self.repo_api(at);
        let own = format!("{api}/pulls/{}", at.number);
        let html = self.page(at, "pull");
        let issue_url = format!("{api}/issues/{}", at.number);
        let comments = format!("{issue_url}/comments");
        let statuses = format!("{api}/statuses/{}", pull.head_sha);
        let base = self.state.repo(at.repo);
        let link = |href: &str| json!({"href": href});
        json!({
            "url": own,
            "id": pull.id,
            "node_id": NodeKind::Pull.node(pull.id),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "issue_url": issue_url,
            "commits_url": format!("{own}/commits"),
            "review_comments_url": format!("{own}/comments"),
            "review_comment_url": format!("{api}/pulls/comments{{/number}}"),
            "comments_url": comments,
            "statuses_url": statuses,
            "number": at.number,
            "state": if issue.open { "open" } else { "closed" },
            "locked": false,
            "title": issue.title,
            "user": self.user(issue.author),
            "body": issue.body,
            "labels": self.labels(at, issue),
            "milestone": null,
            "active_lock_reason": null,
            "created_at": rfc3339(issue.created_at),
            "updated_at": rfc3339(issue.updated_at),
            "closed_at": time(issue.closed_at),
            "merged_at": time(pull.merged_at),
            "merge_commit_sha": null,
            "assignee": null,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": {
                "label": format!("{}:{}", self.state.login(pull.head_owner), pull.head_ref),
                "ref": pull.head_ref,
                "sha": pull.head_sha,
                "user": self.user(pull.head_owner),
                // Null when the fork is gone: the description does not say so, GitHub does it.
                "repo": pull.head_repo.map(|id| self.repo(id)),
            },
            "base": {
                "label": format!("{}:{}", self.state.login(base.owner), pull.base_ref),
                "ref": pull.base_ref,
                "sha": pull.base_sha,
                "user": self.user(base.owner),
                "repo": self.repo(at.repo),
            },
            "_links": {
                "self": link(&own),
                "html": link(&html),
                "issue": link(&issue_url),
                "comments": link(&comments),
                "review_comments": link(&format!("{own}/comments")),
                "review_comment": link(&format!("{api}/pulls/comments{{/number}}")),
                "commits": link(&format!("{own}/commits")),
                "statuses": link(&statuses),
            },
            "author_association": self.association(at, issue.author),
            "auto_merge": null,
            "draft": pull.draft,
        })
    }

    /// A pull request's own page.
    pub fn full_pull(&self, at: IssueRef, issue: &Issue, pull: &Pull) -> Value {
        let seen = |review: u64| pull.review(review).is_some_and(|review| review.state != ReviewState::Pending);
        let more = json!({
            "merged": pull.merged_at.is_some(),
            "mergeable": null,
            "rebaseable": null,
            "mergeable_state": "unknown",
            "merged_by": null,
            "comments": issue.comments.len(),
            "review_comments": pull.line_comments().filter(|(_, comment)| seen(comment.review)).count(),
            "maintainer_can_modify": false,
            "commits": pull.commits.len(),
            "additions": 1,
            "deletions": 0,
            "changed_files": 1,
        });
        merged(self.pull(at, issue, pull), more)
    }
}
