//! Gitea's JSON, as much as is read of it, and what it means here. Pure.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::super::pull::{
    Author, Branch, Comment, CommentId, Label, Login, PostedReview, Pull, PullNumber, PullState, Readiness,
    ReviewState, User, UserKind,
};
use super::super::seal::{Place, Seal};
use crate::course::id::{CourseId, Learner};
use crate::review::ReviewEvent;
use crate::store::time::Time;

/// An account's number. Zero and below are not people: deleted accounts, Actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    pub id: AccountId,
    #[serde(default)]
    pub login: String,
}

impl Account {
    /// In the port's words. Gitea tells programs and people apart only by numbers below one.
    pub fn user(&self) -> User {
        let person = self.id.0 > 0;
        let id = if person { self.id.0.to_string() } else { "nobody".to_owned() };
        User {
            id: id.parse::<Learner>().expect("digits, and a word, are ids"),
            login: Login(self.login.clone()),
            kind: if person { UserKind::Person } else { UserKind::Bot },
        }
    }

    /// Ours when it is our number; a name can change hands.
    pub fn author(&self, me: AccountId) -> Author {
        if self.id == me { Author::Grader } else { Author::Person(self.user()) }
    }
}

/// Nobody: the account is gone.
fn nobody() -> Account {
    Account { id: AccountId(-1), login: "ghost".to_owned() }
}

/// A pull request.
#[derive(Debug, Deserialize)]
pub struct WirePull {
    pub number: i64,
    user: Option<Account>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    labels: Option<Vec<WireLabel>>,
    state: String,
    /// Since 1.21.
    draft: Option<bool>,
    base: End,
    head: End,
    created_at: String,
    updated_at: String,
}

/// One end of a pull request.
#[derive(Debug, Deserialize)]
struct End {
    #[serde(rename = "ref", default)]
    name: String,
    sha: String,
}

/// A label of a repository or an organisation.
#[derive(Debug, Clone, Deserialize)]
pub struct WireLabel {
    pub id: i64,
    pub name: String,
}

/// What a field should hold and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is `{}`", .value.escape_debug())]
pub struct Odd {
    field: &'static str,
    value: String,
}

fn odd(field: &'static str, value: &str) -> Odd {
    Odd { field, value: value.chars().take(80).collect() }
}

fn time(field: &'static str, text: &str) -> Result<Time, Odd> {
    DateTime::parse_from_rfc3339(text).map(|at| Time(at.timestamp_millis())).map_err(|_| odd(field, text))
}

impl WirePull {
    /// When the forge last saw something happen to it.
    pub fn touched(&self) -> Time {
        time("updated_at", &self.updated_at).unwrap_or_default()
    }

    /// In the port's words.
    pub fn pull(self, course: &CourseId) -> Result<Pull, Odd> {
        let draft = self.draft.unwrap_or_else(|| {
            let title = self.title.trim_start().to_ascii_uppercase();
            title.starts_with("WIP:") || title.starts_with("[WIP]")
        });
        let state = match self.state.as_str() {
            "open" => PullState::Open,
            "closed" => PullState::Closed,
            other => return Err(odd("state", other)),
        };
        Ok(Pull {
            number: PullNumber(self.number),
            author: self.user.unwrap_or_else(nobody).user(),
            course: course.clone(),
            branch: Branch::shown(&self.head.name),
            head: self.head.sha.parse().map_err(|_| odd("head.sha", &self.head.sha))?,
            // Gone when the branch is: then nothing can be compared, and that is said when it is tried.
            base: self.base.sha.parse().ok(),
            state,
            readiness: if draft { Readiness::Draft } else { Readiness::Ready },
            labels: self.labels.unwrap_or_default().into_iter().map(|label| Label(label.name)).collect::<BTreeSet<_>>(),
            opened_at: time("created_at", &self.created_at)?,
            updated_at: time("updated_at", &self.updated_at)?,
        })
    }
}

/// What an author says with a review; `REQUEST_REVIEW` is no review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WireState {
    Approved,
    Pending,
    Comment,
    RequestChanges,
    #[serde(other)]
    Other,
}

/// A review. Its `body` stays what was posted, also when the text on the page is edited.
#[derive(Debug, Clone, Deserialize)]
pub struct WireReview {
    pub id: i64,
    user: Option<Account>,
    pub state: WireState,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub commit_id: String,
    #[serde(default)]
    dismissed: bool,
    #[serde(default)]
    pub comments_count: usize,
    submitted_at: String,
    #[serde(default)]
    updated_at: String,
    #[serde(default)]
    html_url: String,
}

impl WireReview {
    /// Whether it is of this account.
    pub fn is_by(&self, me: AccountId) -> bool {
        self.user.as_ref().is_some_and(|user| user.id == me)
    }

    /// Whether people see it.
    pub fn is_submitted(&self) -> bool {
        !matches!(self.state, WireState::Pending | WireState::Other)
    }

    /// When it was last touched, on the forge's clock.
    pub fn touched(&self) -> Time {
        let at = |text| time("updated_at", text).unwrap_or_default();
        at(&self.submitted_at).max(at(&self.updated_at))
    }

    /// The comment under which the page shows its text: what is edited.
    pub fn comment(&self) -> Option<CommentId> {
        let (_, id) = self.html_url.rsplit_once("#issuecomment-")?;
        Some(CommentId(id.parse().ok()?))
    }

    /// In the port's words; none for what is no submitted review of a commit.
    pub fn posted(&self, me: AccountId, seal: &Seal, place: Place<'_>) -> Option<PostedReview> {
        let author = self.user.clone().unwrap_or_else(nobody).author(me);
        let state = match self.state {
            WireState::Approved | WireState::RequestChanges if self.dismissed => ReviewState::Dismissed,
            WireState::Approved => ReviewState::Approved,
            WireState::RequestChanges => ReviewState::ChangesRequested,
            WireState::Comment => ReviewState::Commented,
            WireState::Pending | WireState::Other => return None,
        };
        let (body, marker) = opened(&author, seal, place, &self.body);
        Some(PostedReview {
            id: self.id.to_string(),
            author,
            marker,
            // Anybody may write anything there; it says nothing then.
            head: self.commit_id.parse().ok()?,
            state,
            body,
            created_at: time("submitted_at", &self.submitted_at).unwrap_or_default(),
        })
    }
}

/// Text and marker; a marker is looked for only in what we wrote.
fn opened(author: &Author, seal: &Seal, place: Place<'_>, text: &str) -> (String, Option<super::super::pull::Marker>) {
    match author {
        Author::Grader => {
            let (body, marker) = seal.open(place, text);
            (body.to_owned(), marker)
        }
        Author::Person(_) => (text.to_owned(), None),
    }
}

/// A comment of the conversation.
#[derive(Debug, Deserialize)]
pub struct WireComment {
    pub id: i64,
    user: Option<Account>,
    #[serde(default)]
    body: String,
    created_at: String,
}

impl WireComment {
    /// In the port's words.
    pub fn comment(self, me: AccountId, seal: &Seal, place: Place<'_>) -> Comment {
        let author = self.user.unwrap_or_else(nobody).author(me);
        let (body, marker) = opened(&author, seal, place, &self.body);
        let created_at = time("created_at", &self.created_at).unwrap_or_default();
        Comment { id: CommentId(self.id), author, marker, body, created_at }
    }
}

/// A line comment of a review, and answers to it.
#[derive(Debug, Clone, Deserialize)]
pub struct WireLineComment {
    pub id: i64,
    user: Option<Account>,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub path: String,
    /// A line of the new file; zero for one of the old.
    #[serde(default)]
    pub position: u64,
    /// Who said that it is settled.
    resolver: Option<Account>,
}

impl WireLineComment {
    /// Whether it is of this account.
    pub fn is_by(&self, me: AccountId) -> bool {
        self.user.as_ref().is_some_and(|user| user.id == me)
    }

    /// Whether its thread is settled.
    pub fn is_resolved(&self) -> bool {
        self.resolver.is_some()
    }
}

/// A review to post.
#[derive(Debug, Serialize)]
pub struct NewReview<'a> {
    pub event: &'static str,
    pub commit_id: &'a str,
    pub body: &'a str,
    pub comments: Vec<NewLineComment<'a>>,
}

/// A line comment to post. One line: Gitea knows no ranges.
#[derive(Debug, Clone, Serialize)]
pub struct NewLineComment<'a> {
    pub path: &'a str,
    pub new_position: u32,
    pub body: String,
}

/// Gitea's word for an event.
pub fn event(event: ReviewEvent) -> &'static str {
    match event {
        ReviewEvent::Comment => "COMMENT",
        ReviewEvent::Approve => "APPROVED",
        ReviewEvent::RequestChanges => "REQUEST_CHANGES",
    }
}

/// A status of a commit.
#[derive(Debug, Deserialize)]
pub struct WireStatus {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub context: String,
}

/// The newest status of each context.
#[derive(Debug, Deserialize)]
pub struct Combined {
    pub statuses: Option<Vec<WireStatus>>,
}

/// A status to set.
#[derive(Debug, Serialize)]
pub struct NewStatus<'a> {
    pub state: &'static str,
    pub context: &'static str,
    pub description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<&'a str>,
}

/// What somebody may do in a repository.
#[derive(Debug, Deserialize)]
pub struct WirePermission {
    #[serde(default)]
    pub permission: String,
    pub user: Option<Account>,
}

/// A repository.
#[derive(Debug, Deserialize)]
pub struct WireRepository {
    #[serde(default)]
    pub private: bool,
    #[serde(default)]
    pub has_issues: bool,
}

/// An issue.
#[derive(Debug, Deserialize)]
pub struct WireIssue {
    pub user: Option<Account>,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub html_url: String,
}

/// How the server answers lists.
#[derive(Debug, Deserialize)]
pub struct ApiSettings {
    pub max_response_items: usize,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::pull::{Marker, Workspace};
    use super::*;

    fn pull(change: impl FnOnce(&mut Value)) -> Result<Pull, Odd> {
        let mut json = json!({"number": 7, "user": {"id": 4, "login": "Ada_L"}, "title": "Fix", "labels": [{"id": 1, "name": "task/a"}],
            "state": "open", "draft": false, "base": {"ref": "main", "sha": "b".repeat(40)},
            "head": {"ref": "fix it", "sha": "a".repeat(40)},
            "created_at": "2026-11-24T11:37:50Z", "updated_at": "2026-11-24T12:37:50+01:00"});
        change(&mut json);
        serde_json::from_value::<WirePull>(json).unwrap().pull(&"cnpe".parse().unwrap())
    }

    #[test]
    fn a_pull_request_is_read_with_who_by_number() {
        let read = pull(|_| {}).unwrap();
        assert_eq!((read.author.id.as_str(), read.author.login.0.as_str()), ("4", "Ada_L"));
        assert_eq!((read.branch.as_str(), read.base.unwrap().as_str()), ("fix-it", &*"b".repeat(40)));
        assert_eq!((read.readiness, read.labels), (Readiness::Ready, BTreeSet::from([Label("task/a".into())])));
        assert_eq!(read.opened_at, read.updated_at);
        let error = pull(|json| json["head"]["sha"] = json!("evil\u{1b}")).unwrap_err();
        assert_eq!(error.to_string(), "`head.sha` is `evil\\u{1b}`");
        assert!(pull(|json| json["state"] = json!("merged")).is_err());
    }

    #[test]
    fn a_deleted_account_is_nobody_and_no_learner() {
        for user in [Value::Null, json!({"id": -1, "login": "Ghost"}), json!({"id": -2, "login": "gitea-actions"})] {
            let read = pull(|json| json["user"] = user).unwrap();
            assert_eq!((read.author.id.as_str(), read.author.kind), ("nobody", UserKind::Bot));
        }
    }

    #[test]
    fn a_draft_is_told_by_its_title_where_the_server_is_too_old_to_say() {
        for (title, expected) in
            [("WIP: x", Readiness::Draft), ("[wip] x", Readiness::Draft), ("wipe", Readiness::Ready)]
        {
            let read = pull(|json| {
                json["title"] = json!(title);
                json.as_object_mut().unwrap().remove("draft");
            });
            assert_eq!(read.unwrap().readiness, expected, "{title}");
        }
    }

    #[test]
    fn a_marker_is_believed_only_in_what_our_account_wrote() {
        let seal = Seal::with_keys("0123456789abcdef0123456789abcdef").unwrap();
        let workspace = Workspace("git.example.org/acme/cnpe".into());
        let place = Place { workspace: &workspace, number: Some(PullNumber(7)) };
        let body = seal.close(place, &Marker::new("k"), "Passed").unwrap();
        let review = |id: i64, state: &str, commit: &str| {
            let json = json!({"id": 3, "user": {"id": id, "login": "bot"}, "state": state, "body": body, "commit_id": commit,
                "submitted_at": "2026-11-24T11:37:50Z", "html_url": "https://git.example.org/acme/cnpe/pulls/7#issuecomment-31"});
            serde_json::from_value::<WireReview>(json).unwrap()
        };
        let head = "a".repeat(40);
        let ours = review(2, "COMMENT", &head);
        assert_eq!(ours.comment(), Some(CommentId(31)));
        let posted = ours.posted(AccountId(2), &seal, place).unwrap();
        assert_eq!((posted.marker, posted.body.as_str()), (Some(Marker::new("k")), "Passed"));
        let theirs = review(5, "APPROVED", &head).posted(AccountId(2), &seal, place).unwrap();
        assert_eq!((theirs.marker, theirs.state), (None, ReviewState::Approved));
        for (state, commit) in [("PENDING", &*head), ("REQUEST_REVIEW", &head), ("APPROVED", "anything")] {
            assert_eq!(review(5, state, commit).posted(AccountId(2), &seal, place), None, "{state}");
        }
    }
}
