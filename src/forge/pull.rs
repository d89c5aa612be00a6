//! The words for pull requests: keys, branches, comments, what is on a forge.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::course::id::{CourseId, Learner};
use crate::store::time::Time;
use crate::submission::sha::CommitId;
use crate::submission::upstream::PUBLISHED;

/// Which workspace on which forge, as in `github.com/acme/cnpe`; the local forge is one workspace, `local`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Workspace(pub String);

impl Workspace {
    /// A repository on a forge. Whoever makes it gives the same name, whatever case the parts are written in: it is in the
    /// seal of each marker, so a daemon must call a workspace what a run of Actions called it.
    pub fn on(host: &str, repository: &super::hint::RepositoryName) -> Self {
        Self(format!("{host}/{repository}").to_lowercase())
    }

    /// A learner's own fork of a repository on a forge, as in `github.com/acme/cnpe/forks/4711`. By number, since its
    /// owner may rename it, and may delete it and make another one of that name, whose pull requests begin at 1 again.
    pub fn fork(host: &str, upstream: &super::hint::RepositoryName, id: super::forks::RepositoryId) -> Self {
        Self(format!("{}/forks/{id}", Self::on(host, upstream)))
    }
}

impl fmt::Display for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pull request of a workspace. Positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PullNumber(pub i64);

impl std::str::FromStr for PullNumber {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No sign, no leading zero: one address per page.
        text.parse::<std::num::NonZeroU32>().map(|number| Self(number.get().into()))
    }
}

impl fmt::Display for PullNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One pull request among all workspaces: what the queue holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PullKey {
    /// Where.
    pub workspace: Workspace,
    /// Which one.
    pub number: PullNumber,
}

/// As in `local#12`.
impl fmt::Display for PullKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.workspace, self.number)
    }
}

/// Longest branch name in bytes: it must fit a file name beside Git's `.lock`.
pub const MAX_BRANCH: usize = 200;

/// The name of a branch: harmless in a path, a page, a terminal and a shell command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(String);

/// The text is not a branch name that is accepted here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a branch name that is accepted here: use up to {MAX_BRANCH} letters, digits and `.` `_` `/` `-` `+` `=` `@` `#`, as in \
     `fix-the-probe`", .0.escape_debug()
)]
pub struct InvalidBranch(String);

impl Branch {
    /// Where the workspace itself is published; work does not belong there.
    pub const MAIN: &'static str = "main";

    /// Where a fork on the local forge names the workspace as published, also when `main` holds something else. Ours:
    /// it is no pull request, and nobody pushes to it.
    pub const PUBLISHED: &'static str = PUBLISHED;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, or where it is not accepted here one that is harmless in its place.
    pub fn shown(name: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._/-+=@#".contains(c) { c } else { '-' };
        let replaced: String = name.chars().map(plain).take(MAX_BRANCH).collect();
        replaced.parse().unwrap_or_else(|_| Self("your-branch".to_owned()))
    }

    /// Whether this names the workspace as published.
    pub fn is_published(&self) -> bool {
        self.0 == Self::PUBLISHED
    }

    /// Whether a fork that has this branch has no room for [`Self::PUBLISHED`]: Git keeps no branch below another one.
    pub fn displaces_published(&self) -> bool {
        let below = |name: &str, other: &str| name.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
        below(&self.0, Self::PUBLISHED) || below(Self::PUBLISHED, &self.0)
    }

    /// Whether this is the branch that the workspace is published on.
    pub fn is_main(&self) -> bool {
        self.0 == Self::MAIN
    }
}

impl TryFrom<String> for Branch {
    type Error = InvalidBranch;
    fn try_from(text: String) -> Result<Self, InvalidBranch> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._/-+=@#".contains(c);
        let segment = |s: &str| {
            !s.is_empty()
                && !s.starts_with(['.', '-'])
                && !s.ends_with('.')
                && !s.ends_with(".lock")
                && !s.contains("..")
        };
        let good =
            text.len() <= MAX_BRANCH && text.chars().all(plain) && text.split('/').all(segment) && !text.contains("@{");
        if good && text != "@" && text != "HEAD" { Ok(Self(text)) } else { Err(InvalidBranch(text)) }
    }
}

impl std::str::FromStr for Branch {
    type Err = InvalidBranch;
    fn from_str(text: &str) -> Result<Self, InvalidBranch> {
        Self::try_from(text.to_owned())
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> String {
        branch.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a pull request wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullState {
    /// Each head is answered.
    Open,
    /// Gets nothing.
    Closed,
}

impl PullState {
    /// The word in the store and on pages.
    pub fn word(self) -> &'static str {
        match self {
            PullState::Open => "open",
            PullState::Closed => "closed",
        }
    }
}

/// What somebody is called on a forge: for people to read, never to recognise anybody by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Login(pub String);

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an account is used by somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserKind {
    /// By a person.
    Person,
    /// By a program.
    Bot,
}

/// An account on a forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// What it is recognised by.
    pub id: Learner,
    /// What it is called.
    pub login: Login,
    /// Who uses it.
    pub kind: UserKind,
}

impl User {
    /// Somebody on the local forge: name and login are one.
    pub fn local(name: Learner) -> Self {
        Self { login: Login(name.to_string()), id: name, kind: UserKind::Person }
    }
}

/// Whether a pull request is meant to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Readiness {
    /// It counts.
    Ready,
    /// A draft: practice, feedback without an attempt.
    Draft,
}

/// A label of a pull request, as in `gradus/passed`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub String);

/// A pull request as the forge has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: PullNumber,
    /// Whose work it is.
    pub author: User,
    /// Which course's workspace it was forked from.
    pub course: CourseId,
    /// The branch it comes from.
    pub branch: Branch,
    /// The newest commit.
    pub head: CommitId,
    /// A commit of the branch that it is to be merged into, as the forge has it: what the head is compared with. None on
    /// the local forge, where that is the course's `main` of now. [`super::Forge::objects`] holds both.
    pub base: Option<CommitId>,
    /// Open or closed.
    pub state: PullState,
    /// Whether it counts.
    pub readiness: Readiness,
    /// What it is labelled with, ours and others'.
    pub labels: BTreeSet<Label>,
    /// When it was opened.
    pub opened_at: Time,
    /// When the forge last saw something happen to it.
    pub updated_at: Time,
}

impl Pull {
    /// Whose gradebook it goes into.
    pub fn learner(&self) -> &Learner {
        &self.author.id
    }
}

/// A comment's id; grows with time within a workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommentId(pub i64);

/// Who wrote a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// We did.
    Grader,
    /// Somebody else.
    Person(User),
}

/// A comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// Who wrote it.
    pub author: Author,
    /// What it answers; only in ours, and only when its seal is whole.
    pub marker: Option<Marker>,
    /// Markdown, without the marker.
    pub body: String,
    /// When.
    pub created_at: Time,
}

/// Names what a posted text answers; unique per pull request on the forge. Elsewhere than on the local forge it stands in
/// the text itself, sealed ([`crate::forge::seal`]), and is believed only in texts of our own account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// What it answers, as in `HEAD:DIGEST` or `reply:COMMENT`.
    pub key: String,
    /// What an empty store learns from it again: one line of JSON, at most [`MAX_RECORD`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// Longest record of a marker in bytes: sealed and in base64 it fits into [`crate::review::MARKER_ROOM`].
pub const MAX_RECORD: usize = 1_200;

impl Marker {
    /// A marker without a record.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), record: None }
    }
}

/// What the author of a review says with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewState {
    /// Neither of the two.
    Commented,
    /// Approved.
    Approved,
    /// Changes are wanted.
    ChangesRequested,
    /// It was one of the two and does not count any more.
    Dismissed,
}

/// A submitted review that stands on the forge, ours or somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedReview {
    /// The forge's id.
    pub id: String,
    /// Who wrote it.
    pub author: Author,
    /// What it answers; only in ours, and only when its seal is whole.
    pub marker: Option<Marker>,
    /// The commit it was made for.
    pub head: CommitId,
    /// What its author says.
    pub state: ReviewState,
    /// Markdown, without the marker.
    pub body: String,
    /// When it was posted.
    pub created_at: Time,
}

/// How somebody stands to a workspace, asked of the forge when it matters. In rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nobody invited them.
    Outsider,
    /// Invited, without the right to write.
    Collaborator,
    /// May write to the workspace: decides on waivers, extensions, overrides.
    Instructor,
}

/// What somebody may do on a pull request. In rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing but reading.
    Reader,
    /// It is their own.
    Owner,
    /// Everything an owner may, and instructors' decisions.
    Instructor,
}

impl Permission {
    /// Of this user on this pull request.
    pub fn of(pull: &Pull, who: &User, standing: Standing) -> Self {
        match standing {
            Standing::Instructor => Permission::Instructor,
            _ if pull.author.id == who.id => Permission::Owner,
            _ => Permission::Reader,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_harmless_everywhere() {
        for good in ["main", "fix-the-probe", "you/d2-04", "v1.2_x", "a+b=c", "task#3", "user@host"] {
            assert!(good.parse::<Branch>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-x",
            ".hidden",
            "a/.b",
            "a//b",
            "a/",
            "/a",
            "a..b",
            "x.lock",
            "a b",
            "a\u{1b}[0m",
            "é",
            "HEAD",
            "@",
            "a$(id)",
            "a`b`",
            "a'b",
            "<b>",
            "a.",
            &"a".repeat(201),
        ] {
            assert!(bad.parse::<Branch>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_workspace_has_one_name_in_whatever_case_it_is_written() {
        let on = |host, repository: &str| Workspace::on(host, &repository.parse().unwrap());
        assert_eq!(on("github.com", "Acme/CNPE"), on("GitHub.com", "acme/cnpe"));
        assert_eq!(on("github.com", "acme/cnpe").0, "github.com/acme/cnpe");
    }

    #[test]
    fn pull_numbers_are_positive() {
        assert_eq!("12".parse(), Ok(PullNumber(12)));
        for bad in ["0", "-1", "", "x", "1.5", "99999999999"] {
            assert!(bad.parse::<PullNumber>().is_err(), "{bad}");
        }
    }
}
