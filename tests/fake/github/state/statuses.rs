//! Rules of commit statuses.

use std::sync::Arc;

use super::super::clock::Millis;
use super::State;
use super::ids::{RepoId, UserId};
use super::refusal::Refusal;
use super::repo::{Role, Status};

/// Most statuses of one context at one commit.
pub const MAX_PER_CONTEXT: usize = 1_000;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct NewStatus {
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// A line for people, up to 140 characters.
    pub description: Option<String>,
    /// Where to read more.
    pub target_url: Option<String>,
    /// Who says so.
    pub context: String,
}

impl State {
    /// Says something about a commit. Needs the right to push. The status' id.
    pub fn create_status(
        &mut self,
        repo: RepoId,
        sha: &str,
        by: (UserId, Role),
        new: NewStatus,
        now: Millis,
    ) -> Result<u64, Refusal> {
        if by.1 < Role::Write {
            return Err(Refusal::not_found());
        }
        if !self.repo(repo).commits.contains(sha) {
            return Err(Refusal::invalid_message(format!("No commit found for SHA: {sha}")));
        }
        if new.description.as_ref().is_some_and(|text| text.chars().count() > 140) {
            let reason = "description is too long (maximum is 140 characters)";
            return Err(Refusal::invalid("Status", "description", "custom", reason));
        }
        if new.target_url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            let reason = "target_url must use http(s) scheme";
            return Err(Refusal::invalid("Status", "target_url", "custom", reason));
        }
        let id = self.fresh_id();
        let all = Arc::make_mut(self.repo_mut(repo).statuses.entry(sha.to_owned()).or_default());
        if all.iter().filter(|status| status.context == new.context).count() >= MAX_PER_CONTEXT {
            let reason = "This SHA and context has reached the maximum number of statuses.";
            return Err(Refusal::invalid("Status", "base", "custom", reason));
        }
        all.push(Status {
            id,
            state: new.state,
            description: new.description,
            target_url: new.target_url,
            context: new.context,
            creator: by.0,
            created_at: now,
        });
        Ok(id)
    }

    /// All statuses of a commit, newest first.
    pub fn statuses(&self, repo: RepoId, sha: &str) -> impl Iterator<Item = &Status> {
        self.repo(repo).statuses.get(sha).into_iter().flat_map(|all| all.iter().rev())
    }

    /// The newest status of each context.
    pub fn combined_status(&self, repo: RepoId, sha: &str) -> Vec<&Status> {
        let mut newest: Vec<&Status> = Vec::new();
        for status in self.statuses(repo, sha) {
            if newest.iter().all(|known| known.context != status.context) {
                newest.push(status);
            }
        }
        newest
    }

    /// The commit that a SHA or a branch names.
    pub fn resolve(&self, repo: RepoId, name: &str) -> Result<String, Refusal> {
        let repo = self.repo(repo);
        let branch = repo.branches.get(name.strip_prefix("heads/").unwrap_or(name));
        let known = branch.or_else(|| repo.commits.get(name)).cloned();
        known.ok_or_else(|| Refusal::invalid_message(format!("No commit found for SHA: {name}")))
    }
}
