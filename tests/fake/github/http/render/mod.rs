//! Objects as GitHub writes them.

mod app;
mod issue;
mod pull;
mod repo;
mod review;
mod user;

pub use app::permissions;

use super::super::clock::{Millis, rfc3339};
use super::super::state::State;
use super::super::state::ids::{IssueRef, UserId};
use super::super::state::repo::Role;

/// Writes objects of a state as JSON.
#[derive(Clone, Copy)]
pub struct Render<'a> {
    /// Where names of ids are looked up.
    pub state: &'a State,
    /// As in `https://api.github.com`.
    pub base: &'a str,
}

impl Render<'_> {
    /// Where repositories are cloned from: on loopback the API and the site are one.
    fn site(&self) -> &str {
        if self.base.contains("api.github.com") { "https://github.com" } else { self.base }
    }

    /// The address of a repository in the API.
    fn repo_api(&self, at: IssueRef) -> String {
        format!("{}/repos/{}", self.base, self.state.full_name(self.state.repo(at.repo)))
    }

    /// The address of a pull request's or an issue's page.
    fn page(&self, at: IssueRef, kind: &str) -> String {
        format!("https://github.com/{}/{kind}/{}", self.state.full_name(self.state.repo(at.repo)), at.number)
    }

    /// How somebody belongs to a repository.
    fn association(&self, at: IssueRef, user: UserId) -> &'static str {
        let repo = self.state.repo(at.repo);
        match repo.roles.get(&user) {
            _ if repo.owner == user => "OWNER",
            Some(role) if *role > Role::Read => "COLLABORATOR",
            _ => "NONE",
        }
    }
}

fn time(at: Option<Millis>) -> Option<String> {
    at.map(rfc3339)
}
