//! What GitHub remembers, and the rules by which it changes. Pure: no HTTP, no clock of its own, no I/O.
//!
//! Cloning is cheap (issues and statuses are shared until they change), so that reads can be served from the past.

pub mod account;
pub mod diff;
pub mod hooks;
pub mod ids;
pub mod issue;
pub mod issues;
pub mod labels;
pub mod pulls;
pub mod refusal;
pub mod rendered;
pub mod repo;
pub mod reviews;
pub mod statuses;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::Millis;
use account::{AccountKind, Actor, App, Installation, User};
use hooks::Delivery;
use ids::{IssueRef, RepoId, UserId};
use issue::{Issue, Pull};
use refusal::Refusal;
use rendered::Rendered;
use repo::{Repo, Role};

/// Longest body of a review or comment, in characters.
pub const MAX_BODY: usize = 65_536;

/// Everything.
#[derive(Clone, Default)]
pub struct State {
    last_id: u64,
    /// Accounts by id.
    pub users: BTreeMap<UserId, Arc<User>>,
    /// Apps by id.
    pub apps: BTreeMap<u64, App>,
    /// Installations by id.
    pub installations: BTreeMap<u64, Installation>,
    /// Repositories by id.
    pub repos: BTreeMap<RepoId, Arc<Repo>>,
    /// Webhook deliveries, oldest first.
    pub deliveries: Vec<Arc<Delivery>>,
}

impl State {
    /// An id that nothing has yet; ids grow.
    pub fn fresh_id(&mut self) -> u64 {
        self.last_id += 1;
        1_000 + self.last_id
    }

    /// Adds an account.
    pub fn add_user(&mut self, login: &str, kind: AccountKind, now: Millis) -> UserId {
        assert!(self.user_named(login).is_none(), "there is a user `{login}` already: give each its own login");
        let id = UserId(self.fresh_id());
        let user = User { id, login: login.to_owned(), kind, created_at: now, rendered: Rendered::default() };
        self.users.insert(id, user.into());
        id
    }

    /// The account with this login, whatever its case.
    pub fn user_named(&self, login: &str) -> Option<&User> {
        self.users.values().map(Arc::as_ref).find(|user| user.login.eq_ignore_ascii_case(login))
    }

    /// The account with this id, which exists.
    pub fn user(&self, id: UserId) -> &User {
        self.users.get(&id).expect("ids of users come from this state")
    }

    /// The login of an account.
    pub fn login(&self, id: UserId) -> &str {
        &self.user(id).login
    }

    /// The repository with this id, which exists.
    pub fn repo(&self, id: RepoId) -> &Repo {
        self.repos.get(&id).expect("ids of repositories come from this state")
    }

    /// The same, to change.
    pub fn repo_mut(&mut self, id: RepoId) -> &mut Repo {
        let repo = self.repos.get_mut(&id).map(Arc::make_mut).expect("ids of repositories come from this state");
        repo.rendered.forget();
        repo
    }

    /// As in `acme/cnpe`.
    pub fn full_name(&self, repo: &Repo) -> String {
        format!("{}/{}", self.login(repo.owner), repo.name)
    }

    /// The repository with this name, whatever its case.
    pub fn repo_named(&self, owner: &str, name: &str) -> Option<&Repo> {
        let owner = self.user_named(owner)?.id;
        let named = |repo: &&Repo| repo.owner == owner && repo.name.eq_ignore_ascii_case(name);
        self.repos.values().map(Arc::as_ref).find(named)
    }

    /// An issue or a pull request.
    pub fn issue(&self, at: IssueRef) -> Result<&Issue, Refusal> {
        self.repos
            .get(&at.repo)
            .and_then(|repo| repo.issues.get(&at.number))
            .map(Arc::as_ref)
            .ok_or_else(Refusal::not_found)
    }

    /// The same, to change.
    pub fn issue_mut(&mut self, at: IssueRef) -> Result<&mut Issue, Refusal> {
        // What is written about the repository stays as it is.
        let repo = self.repos.get_mut(&at.repo).map(Arc::make_mut);
        let issue = repo.and_then(|repo| repo.issues.get_mut(&at.number));
        issue.map(Arc::make_mut).ok_or_else(Refusal::not_found)
    }

    /// A pull request.
    pub fn pull(&self, at: IssueRef) -> Result<&Pull, Refusal> {
        self.issue(at)?.pull.as_ref().ok_or_else(Refusal::not_found)
    }

    /// The same, to change.
    pub fn pull_mut(&mut self, at: IssueRef) -> Result<&mut Pull, Refusal> {
        self.issue_mut(at)?.pull.as_mut().ok_or_else(Refusal::not_found)
    }

    /// Pull requests of a repository by number.
    pub fn pulls(&self, repo: RepoId) -> impl DoubleEndedIterator<Item = (&Issue, &Pull)> {
        self.repo(repo).issues.values().filter_map(|issue| Some((issue.as_ref(), issue.pull.as_ref()?)))
    }

    /// The account that a request acts as: an installation acts as its App's bot.
    pub fn acting(&self, actor: Actor) -> Option<UserId> {
        match actor {
            Actor::Anonymous | Actor::App(_) => None,
            Actor::User(user) => Some(user),
            Actor::Installation(id) => {
                let installation = self.installations.get(&id)?;
                self.apps.get(&installation.app).map(|app| app.bot)
            }
        }
    }

    /// What a request may do in a repository. An installation writes where its permissions let it, and administers nothing.
    pub fn role_of(&self, actor: Actor, repo: RepoId) -> Role {
        match actor {
            Actor::Anonymous | Actor::App(_) => {
                if self.repo(repo).private {
                    Role::None
                } else {
                    Role::Read
                }
            }
            Actor::User(user) => self.repo(repo).role(user),
            Actor::Installation(id) => {
                let reaches =
                    self.installations.get(&id).is_some_and(|installation| installation.repos.contains(&repo));
                if reaches { Role::Write } else { self.role_of(Actor::Anonymous, repo) }
            }
        }
    }
}
