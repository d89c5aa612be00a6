//! A repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::clock::Millis;
use super::account::HookConfig;
use super::ids::{RepoId, UserId};
use super::issue::Issue;
use super::rendered::Rendered;

/// What somebody may do in a repository, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing.
    None,
    /// Look and comment.
    Read,
    /// Label and close.
    Triage,
    /// Push, set statuses.
    Write,
    /// Settings that destroy nothing.
    Maintain,
    /// Everything.
    Admin,
}

impl Role {
    /// `role_name` in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// `permission` in JSON: GitHub's older answer, with four words.
    pub fn legacy_word(self) -> &'static str {
        match self {
            Self::Triage => "read",
            Self::Maintain => "write",
            other => other.word(),
        }
    }
}

/// A label of a repository.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its id.
    pub id: u64,
    /// Its name, as first written; names are compared without case.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// What it means.
    pub description: Option<String>,
}

/// A commit status.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its id.
    pub id: u64,
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// A line for people.
    pub description: Option<String>,
    /// Where to read more.
    pub target_url: Option<String>,
    /// Who says so; the newest of a context counts.
    pub context: String,
    /// Who set it.
    pub creator: UserId,
    /// When.
    pub created_at: Millis,
}

/// A webhook of a repository.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its id.
    pub id: u64,
    /// Where to, and how signed.
    pub config: HookConfig,
    /// When it was made.
    pub created_at: Millis,
}

/// A repository. Issues and statuses are shared with older snapshots of the state until they change.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Its id.
    pub id: RepoId,
    /// Whose it is.
    pub owner: UserId,
    /// Its name without the owner's.
    pub name: String,
    /// Where it was forked from.
    pub parent: Option<RepoId>,
    /// Nobody else may look.
    pub private: bool,
    /// As in `main`.
    pub default_branch: String,
    /// Who has which role. Who is not here reads what is public.
    pub roles: BTreeMap<UserId, Role>,
    /// By lower-case name.
    pub labels: BTreeMap<String, Label>,
    /// Issues and pull requests by number.
    pub issues: BTreeMap<u64, Arc<Issue>>,
    /// Commits by SHA that the repository's network knows.
    pub commits: BTreeSet<String>,
    /// Branches.
    pub branches: BTreeMap<String, String>,
    /// Statuses by SHA, oldest first.
    pub statuses: BTreeMap<String, Arc<Vec<Status>>>,
    /// Webhooks.
    pub hooks: Vec<Hook>,
    /// When it was made.
    pub created_at: Millis,
    /// How it is written.
    pub rendered: Rendered,
}

impl Repo {
    /// What somebody may do here.
    pub fn role(&self, user: UserId) -> Role {
        if user == self.owner {
            return Role::Admin;
        }
        let public = if self.private { Role::None } else { Role::Read };
        self.roles.get(&user).copied().unwrap_or(public).max(public)
    }
}
