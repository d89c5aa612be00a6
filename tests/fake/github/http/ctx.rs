//! What a route works with.

use serde_json::Value;

use super::super::clock::{self, Millis};
use super::super::state::State;
use super::super::state::account::{Actor, Token};
use super::super::state::ids::{IssueRef, RepoId, UserId};
use super::super::state::refusal::Refusal;
use super::super::state::repo::Role;
use super::call::Call;
use super::desk::Desk;
use super::paging;
use super::render::Render;
use super::reply::Reply;

/// A request with everything it may look at and change.
pub struct Ctx<'a> {
    /// For reads the state of a while ago, when reads lag.
    pub state: &'a mut State,
    /// Tokens and meters.
    pub desk: &'a mut Desk,
    /// The request.
    pub call: &'a Call,
    /// Whom it is from.
    pub actor: Actor,
    /// Its token.
    pub token: Option<Token>,
    /// GitHub's time.
    pub now: Millis,
}

impl Ctx<'_> {
    /// The repository of the path, if the actor may see it.
    pub fn repo(&self) -> Result<RepoId, Refusal> {
        let (owner, name) = (self.call.parameter("owner"), self.call.parameter("repo"));
        let id = self.state.repo_named(owner, name).ok_or_else(Refusal::not_found)?.id;
        let narrowed = self.token.as_ref().and_then(|token| token.repos.as_ref());
        let reached = narrowed.is_none_or(|repos| repos.contains(&id)) || !self.state.repo(id).private;
        if reached && self.role(id) >= Role::Read { Ok(id) } else { Err(Refusal::not_found()) }
    }

    /// The issue or pull request of the path.
    pub fn issue(&self) -> Result<IssueRef, Refusal> {
        let number = match self.call.number("issue_number") {
            0 => self.call.number("pull_number"),
            number => number,
        };
        let at = IssueRef { repo: self.repo()?, number };
        self.state.issue(at).map(|_| at)
    }

    /// The pull request of the path.
    pub fn pull(&self) -> Result<IssueRef, Refusal> {
        let at = self.issue()?;
        self.state.pull(at).map(|_| at)
    }

    /// What the actor may do in a repository. A token narrowed to others may only look.
    pub fn role(&self, repo: RepoId) -> Role {
        let role = self.state.role_of(self.actor, repo);
        match self.token.as_ref().and_then(|token| token.repos.as_ref()) {
            Some(repos) if !repos.contains(&repo) => role.min(Role::Read),
            _ => role,
        }
    }

    /// The account that the request acts as.
    pub fn user(&self) -> Result<UserId, Refusal> {
        self.state.acting(self.actor).ok_or_else(|| Refusal::unauthorised("Requires authentication"))
    }

    /// Writes objects as JSON.
    pub fn render(&self) -> Render<'_> {
        Render { state: self.state, base: &self.call.base }
    }

    /// A page of a list.
    pub fn page<T>(&self, all: Vec<T>, render: impl FnMut(T) -> Value) -> Reply {
        paging::reply(self.call, all, render)
    }

    /// `since` of the query, in milliseconds.
    pub fn since(&self) -> Result<Option<Millis>, Refusal> {
        let Some(text) = self.call.query("since") else { return Ok(None) };
        let invalid = || Refusal::invalid("Search", "since", "invalid", "since must be ISO 8601: YYYY-MM-DDTHH:MM:SSZ");
        clock::parse(text).map(Some).ok_or_else(invalid)
    }
}
