//! Pull requests whose heads are real commits.

use std::path::{Path, PathBuf};

use super::super::git;
use super::super::state::ids::{IssueRef, RepoId, UserId};
use super::Hub;

impl Hub {
    /// Puts a real bare repository behind one of the fake: `main` gets a commit of these files, and from now on pull
    /// requests of files are real commits at `refs/pull/N/head`, with the diff that comes of them.
    pub fn with_git(&self, repo: RepoId, path: &Path, files: &[(&str, &str)]) -> String {
        let first = git::create(path, files);
        self.lock().git.insert(repo, path.to_owned());
        self.change(|state, _| {
            let repo = state.repo_mut(repo);
            repo.commits.insert(first.clone());
            repo.branches.insert("main".to_owned(), first.clone());
        });
        first
    }

    /// The real repository behind one of the fake.
    pub fn git_path(&self, repo: RepoId) -> PathBuf {
        let path = self.lock().git(repo).map(Path::to_owned);
        path.expect("call `with_git` for this repository first")
    }

    /// Opens a pull request whose head holds these files and no others.
    pub fn open_pull_with(&self, repo: RepoId, author: UserId, branch: &str, files: &[(&str, &str)]) -> IssueRef {
        let path = self.git_path(repo);
        let main = self.lock().state.repo(repo).branches["main"].clone();
        let sha = git::commit_on(&path, &main, files, "work");
        let at = IssueRef { repo, number: self.lock().state.next_number(repo) };
        // Before the event, so that who fetches at once finds it.
        git::set_pull_head(&path, at.number, &sha);
        assert_eq!(self.open_pull(repo, author, branch, &sha), at, "one test thread drives a hub");
        self.set_diff(at, git::diff(&path, &main, &sha));
        at
    }

    /// Pushes a commit of these files and no others on top of the head. The commit.
    pub fn push_files(&self, at: IssueRef, files: &[(&str, &str)]) -> String {
        let (sha, main) = self.commit_for(at, files, &self.pull(at).head_sha);
        self.push(at, &sha);
        self.set_diff(at, git::diff(&self.git_path(at.repo), &main, &sha));
        sha
    }

    /// Pushes a commit of these files instead of what was there. The commit.
    pub fn force_push_files(&self, at: IssueRef, files: &[(&str, &str)]) -> String {
        let main = self.lock().state.repo(at.repo).branches["main"].clone();
        let (sha, main) = self.commit_for(at, files, &main);
        self.force_push(at, &sha);
        self.set_diff(at, git::diff(&self.git_path(at.repo), &main, &sha));
        sha
    }

    /// Puts the branch back on a commit that it had before.
    pub fn force_push_back(&self, at: IssueRef, sha: &str) {
        let main = self.lock().state.repo(at.repo).branches["main"].clone();
        let path = self.git_path(at.repo);
        git::set_pull_head(&path, at.number, sha);
        self.force_push(at, sha);
        self.set_diff(at, git::diff(&path, &main, sha));
    }

    fn commit_for(&self, at: IssueRef, files: &[(&str, &str)], parent: &str) -> (String, String) {
        let path = self.git_path(at.repo);
        let main = self.lock().state.repo(at.repo).branches["main"].clone();
        let sha = git::commit_on(&path, parent, files, &format!("push {}", self.pull(at).commits.len()));
        git::set_pull_head(&path, at.number, &sha);
        (sha, main)
    }
}
