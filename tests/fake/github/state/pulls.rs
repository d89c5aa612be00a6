//! What learners do: open, push, close.

use super::super::clock::Millis;
use super::State;
use super::diff::Diff;
use super::ids::{IssueRef, RepoId, UserId};
use super::issue::{Issue, Pull};
use super::refusal::Refusal;
use super::rendered::Rendered;
use super::repo::Repo;

/// How a branch got a new head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// On top of the old one.
    Forward,
    /// Instead of what was there: older commits are no longer in the pull request.
    Force,
}

impl State {
    /// Adds a repository with nothing in it but its default branch.
    pub fn add_repo(&mut self, owner: UserId, name: &str, parent: Option<RepoId>, head: &str, now: Millis) -> RepoId {
        let id = RepoId(self.fresh_id());
        let repo = Repo {
            id,
            owner,
            name: name.to_owned(),
            parent,
            private: false,
            default_branch: "main".to_owned(),
            roles: Default::default(),
            labels: Default::default(),
            issues: Default::default(),
            commits: [head.to_owned()].into(),
            branches: [("main".to_owned(), head.to_owned())].into(),
            statuses: Default::default(),
            hooks: Vec::new(),
            created_at: now,
            rendered: Rendered::default(),
        };
        self.repos.insert(id, repo.into());
        id
    }

    /// The number of the next issue or pull request.
    pub fn next_number(&self, repo: RepoId) -> u64 {
        self.repo(repo).issues.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Opens a pull request from a branch of a fork, or of the repository itself.
    pub fn open_pull(
        &mut self,
        repo: RepoId,
        author: UserId,
        head: (RepoId, &str),
        sha: &str,
        now: Millis,
    ) -> IssueRef {
        let (id, pull_id, number) = (self.fresh_id(), self.fresh_id(), self.next_number(repo));
        let head_owner = self.repo(head.0).owner;
        let base = self.repo_mut(repo);
        base.commits.insert(sha.to_owned());
        let base_ref = base.default_branch.clone();
        let base_sha = base.branches.get(&base_ref).cloned().unwrap_or_default();
        let pull = Pull {
            id: pull_id,
            head_repo: Some(head.0),
            head_owner,
            head_ref: head.1.to_owned(),
            head_sha: sha.to_owned(),
            base_ref,
            base_sha,
            commits: vec![sha.to_owned()],
            draft: false,
            merged_at: None,
            diff: None,
            reviews: Vec::new(),
            threads: Vec::new(),
        };
        let issue = Issue {
            id,
            number,
            title: format!("Work on {}", head.1),
            body: None,
            author,
            open: true,
            labels: Vec::new(),
            comments: Vec::new(),
            pull: Some(pull),
            created_at: now,
            updated_at: now,
            closed_at: None,
        };
        base.issues.insert(number, issue.into());
        IssueRef { repo, number }
    }

    /// Gives a pull request a new head.
    pub fn push(&mut self, at: IssueRef, sha: &str, how: Push, now: Millis) -> Result<(), Refusal> {
        self.repo_mut(at.repo).commits.insert(sha.to_owned());
        let issue = self.issue_mut(at)?;
        issue.updated_at = now;
        let pull = issue.pull.as_mut().ok_or_else(Refusal::not_found)?;
        if how == Push::Force {
            pull.commits.clear();
        }
        pull.commits.retain(|known| known != sha);
        pull.commits.push(sha.to_owned());
        pull.head_sha = sha.to_owned();
        Ok(())
    }

    /// Says where comments may be from now on; threads whose line is gone become outdated.
    pub fn set_diff(&mut self, at: IssueRef, diff: Diff) -> Result<(), Refusal> {
        let pull = self.pull_mut(at)?;
        pull.threads.iter_mut().for_each(|thread| thread.outdated = diff.allows(&thread.anchor).is_err());
        pull.diff = Some(diff);
        Ok(())
    }

    /// Opens or closes an issue or a pull request. A pull request without its fork cannot be opened again.
    pub fn set_open(&mut self, at: IssueRef, open: bool, now: Millis) -> Result<(), Refusal> {
        if self.issue(at)?.open == open {
            return Ok(());
        }
        // The repository says how many are open.
        self.repo_mut(at.repo);
        let issue = self.issue_mut(at)?;
        let stuck = issue.pull.as_ref().is_some_and(|pull| pull.head_repo.is_none() || pull.merged_at.is_some());
        if open && stuck {
            return Err(Refusal::invalid("PullRequest", "state", "invalid", "state cannot be changed"));
        }
        issue.open = open;
        issue.updated_at = now;
        issue.closed_at = (!open).then_some(now);
        Ok(())
    }

    /// Deletes a fork: its pull requests lose their head repository and are closed. Which ones.
    pub fn delete_fork(&mut self, fork: RepoId, now: Millis) -> Vec<IssueRef> {
        self.repos.remove(&fork);
        let mut closed = Vec::new();
        for at in self.everywhere() {
            let orphan = self.pull(at).is_ok_and(|pull| pull.head_repo == Some(fork));
            if !orphan {
                continue;
            }
            if self.issue(at).is_ok_and(|issue| issue.open) && self.set_open(at, false, now).is_ok() {
                closed.push(at);
            }
            if let Ok(pull) = self.pull_mut(at) {
                pull.head_repo = None;
            }
        }
        closed
    }
}
