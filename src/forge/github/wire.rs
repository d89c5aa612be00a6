//! What GitHub's REST API sends, as far as we read it, in the words of the port. Unknown fields are ignored.

use chrono::DateTime;
use serde::{Deserialize, Deserializer, Serialize};

use crate::course::id::{CourseId, InvalidId, Learner};
use crate::forge::pull::{
    Branch, CommentId, Label, Login, Pull, PullNumber, PullState, Readiness, ReviewState, User, UserKind,
};
use crate::review::{LineComment, ReviewEvent};
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// Whom GitHub shows in place of an account that was deleted: <https://github.com/ghost>.
const GHOST: u64 = 10_137;

/// An account, wherever another object has one.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// What it is recognised by.
    pub id: u64,
    /// For people to read, and for the paths that know no id.
    pub login: String,
    /// `User`, `Bot`, `Organization`, `Mannequin`.
    #[serde(rename = "type", default)]
    pub kind: String,
}

impl Account {
    fn ghost() -> Self {
        Self { id: GHOST, login: "ghost".to_owned(), kind: "User".to_owned() }
    }

    /// In the words of the port.
    pub fn user(&self) -> Result<User, InvalidId> {
        let kind = if self.kind == "Bot" { UserKind::Bot } else { UserKind::Person };
        Ok(User { id: learner(self.id)?, login: Login(self.login.clone()), kind })
    }
}

/// The gradebook's name of an account.
pub fn learner(id: u64) -> Result<Learner, InvalidId> {
    id.to_string().parse()
}

/// An account that may be gone.
pub fn or_ghost(account: &Option<Account>) -> Account {
    account.clone().unwrap_or_else(Account::ghost)
}

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct PullWire {
    /// Its number.
    pub number: i64,
    /// Whose it is; null when the account is gone.
    pub user: Option<Account>,
    /// `open` or `closed`.
    pub state: String,
    /// Whether it is a draft.
    #[serde(default)]
    pub draft: bool,
    /// Labels on it.
    #[serde(default)]
    pub labels: Vec<LabelWire>,
    /// Where the work is.
    pub head: End,
    /// What it is to be merged into.
    pub base: End,
    /// When it was opened.
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
    /// When something happened to it last.
    #[serde(deserialize_with = "time")]
    pub updated_at: Time,
}

/// One end of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct End {
    /// The branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// The commit.
    pub sha: CommitId,
}

/// A label.
#[derive(Debug, Clone, Deserialize)]
pub struct LabelWire {
    /// Its name.
    pub name: String,
}

impl PullWire {
    /// In the words of the port.
    pub fn pull(&self, course: &CourseId) -> Result<Pull, InvalidId> {
        Ok(Pull {
            number: PullNumber(self.number),
            author: or_ghost(&self.user).user()?,
            course: course.clone(),
            branch: Branch::shown(&self.head.branch),
            head: self.head.sha.clone(),
            base: Some(self.base.sha.clone()),
            state: self.pull_state(),
            readiness: if self.draft { Readiness::Draft } else { Readiness::Ready },
            labels: self.labels.iter().map(|label| Label(label.name.clone())).collect(),
            opened_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    /// Open or closed; merged is closed.
    pub fn pull_state(&self) -> PullState {
        if self.state == "open" { PullState::Open } else { PullState::Closed }
    }
}

/// A review.
#[derive(Debug, Clone, Deserialize)]
pub struct ReviewWire {
    /// Its number.
    pub id: u64,
    /// What GraphQL calls it.
    pub node_id: String,
    /// Whose it is; null when the account is gone.
    pub user: Option<Account>,
    /// Markdown.
    #[serde(default, deserialize_with = "or_empty")]
    pub body: String,
    /// `PENDING`, `COMMENTED`, `APPROVED`, `CHANGES_REQUESTED`, `DISMISSED`.
    pub state: String,
    /// What was reviewed; null when it is gone.
    pub commit_id: Option<CommitId>,
    /// When; a pending one has none.
    #[serde(default, deserialize_with = "maybe_time")]
    pub submitted_at: Option<Time>,
}

impl ReviewWire {
    /// Begun and not submitted: nobody sees it but its author.
    pub fn is_pending(&self) -> bool {
        self.state == "PENDING"
    }

    /// In the words of the port.
    pub fn review_state(&self) -> ReviewState {
        match self.state.as_str() {
            "APPROVED" => ReviewState::Approved,
            "CHANGES_REQUESTED" => ReviewState::ChangesRequested,
            "DISMISSED" => ReviewState::Dismissed,
            _ => ReviewState::Commented,
        }
    }
}

/// A review to be begun. Without an event it stays pending.
#[derive(Debug, Clone, Serialize)]
pub struct NewReview<'a> {
    /// What is reviewed: never left to GitHub, which would take the newest commit.
    pub commit_id: &'a CommitId,
    /// Markdown.
    pub body: &'a str,
    /// On lines of the head.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<NewLineComment<'a>>,
}

/// A comment on lines of the head.
#[derive(Debug, Clone, Serialize)]
pub struct NewLineComment<'a> {
    path: &'a str,
    body: &'a str,
    line: u32,
    side: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_side: Option<&'static str>,
}

impl<'a> From<&'a LineComment> for NewLineComment<'a> {
    fn from(comment: &'a LineComment) -> Self {
        // A range of one line is refused.
        let several = comment.start_line < comment.line;
        Self {
            path: &comment.path,
            body: &comment.body,
            line: comment.line,
            side: "RIGHT",
            start_line: several.then_some(comment.start_line),
            start_side: several.then_some("RIGHT"),
        }
    }
}

/// What a review is submitted as.
pub fn event_word(event: ReviewEvent) -> &'static str {
    match event {
        ReviewEvent::Comment => "COMMENT",
        ReviewEvent::Approve => "APPROVE",
        ReviewEvent::RequestChanges => "REQUEST_CHANGES",
    }
}

/// A comment in a conversation.
#[derive(Debug, Clone, Deserialize)]
pub struct CommentWire {
    /// Its number.
    pub id: i64,
    /// Whose it is; null when the account is gone.
    pub user: Option<Account>,
    /// Markdown.
    #[serde(default, deserialize_with = "or_empty")]
    pub body: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub created_at: Time,
}

impl CommentWire {
    /// Its id in the words of the port.
    pub fn comment_id(&self) -> CommentId {
        CommentId(self.id)
    }
}

/// An issue.
#[derive(Debug, Clone, Deserialize)]
pub struct IssueWire {
    /// Its number.
    pub number: i64,
    /// Whose it is; null when the account is gone.
    pub user: Option<Account>,
    /// Markdown.
    #[serde(default, deserialize_with = "or_empty")]
    pub body: String,
    /// Its page.
    pub html_url: String,
    /// There when it is a pull request.
    pub pull_request: Option<serde::de::IgnoredAny>,
}

/// A commit status.
#[derive(Debug, Clone, Deserialize)]
pub struct StatusWire {
    /// What it is about.
    pub context: String,
    /// `pending`, `success`, `failure`, `error`.
    pub state: String,
    /// For people.
    #[serde(default, deserialize_with = "or_empty")]
    pub description: String,
    /// Where more is to be read.
    pub target_url: Option<String>,
}

/// What somebody may do in a repository.
#[derive(Debug, Clone, Deserialize)]
pub struct PermissionWire {
    /// `admin`, `write`, `read` or `none`: `maintain` counts as `write`, `triage` as `read`, a custom role as the one that
    /// it is based on.
    pub permission: String,
    /// Of whom.
    pub user: Option<Account>,
}

/// Reads a time as GitHub writes it, RFC 3339.
pub fn parse_time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| Time(at.timestamp_millis()))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    parse_time(&text).ok_or_else(|| serde::de::Error::custom(format!("`{}` is no time", text.escape_debug())))
}

fn maybe_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(parse_time))
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pull(change: serde_json::Value) -> PullWire {
        let mut pull = json!({
            "number": 7, "state": "open", "user": {"id": 583_231, "login": "ada", "type": "User"}, "something": {"new": 1},
            "head": {"ref": "fix", "sha": "a".repeat(40)}, "base": {"ref": "main", "sha": "b".repeat(40)},
            "created_at": "2026-11-24T08:00:00Z", "updated_at": "2026-11-24T08:15:30Z",
        });
        pull.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(pull).unwrap()
    }

    #[test]
    fn a_pull_request_reads_as_the_ports() {
        let labelled = json!({"draft": true, "labels": [{"name": "gradus/passed", "color": "0e8a16"}]});
        let seen = pull(labelled).pull(&"cnpe".parse().unwrap()).unwrap();
        assert_eq!((seen.author.id.as_str(), seen.author.login.0.as_str()), ("583231", "ada"));
        assert_eq!(
            (seen.author.kind, seen.state, seen.readiness),
            (UserKind::Person, PullState::Open, Readiness::Draft)
        );
        assert_eq!((seen.branch.as_str(), seen.updated_at), ("fix", Time(1_795_508_130_000)));
        assert_eq!(seen.labels, [Label("gradus/passed".to_owned())].into());
    }

    #[test]
    fn bots_and_deleted_accounts_are_told_from_people() {
        let course: CourseId = "cnpe".parse().unwrap();
        let bot = pull(json!({"user": {"id": 49_699_333, "login": "dependabot[bot]", "type": "Bot"}}));
        assert_eq!(bot.pull(&course).unwrap().author.kind, UserKind::Bot);
        let gone = pull(json!({"user": null})).pull(&course).unwrap();
        assert_eq!((gone.author.id.as_str(), gone.author.login.0.as_str()), ("10137", "ghost"));
    }

    #[test]
    fn a_hostile_branch_is_shown_harmlessly_and_merged_is_closed() {
        let seen = pull(json!({"state": "closed", "head": {"ref": "$(id)`x`", "sha": "a".repeat(40)}}));
        let seen = seen.pull(&"cnpe".parse().unwrap()).unwrap();
        assert_eq!((seen.branch.as_str(), seen.state), ("your-branch", PullState::Closed));
    }

    #[test]
    fn a_line_comment_has_a_range_only_over_several_lines() {
        let comment = |start_line, line| LineComment { path: "a.yaml".into(), start_line, line, body: "b".into() };
        let wire = |comment: LineComment| serde_json::to_value(NewLineComment::from(&comment)).unwrap();
        assert_eq!(wire(comment(3, 3)), json!({"path": "a.yaml", "body": "b", "line": 3, "side": "RIGHT"}));
        assert_eq!(
            wire(comment(3, 5)),
            json!({"path": "a.yaml", "body": "b", "line": 5, "side": "RIGHT", "start_line": 3, "start_side": "RIGHT"})
        );
    }
}
