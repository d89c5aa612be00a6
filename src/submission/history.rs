//! What the commits of a pull request did, as plain data: the `git` checkpoints are judged on this, not on a repository.

use git2::{Oid, Repository, Sort};
use serde::{Deserialize, Serialize};

use super::deadline::Deadline;
use super::diff::changed_paths;
use super::limits::{MAX_CHANGED_PATHS, MAX_COMMITS, MAX_MESSAGE_BYTES};
use super::read::{ReadError, commit_of, oid};
use super::sha::CommitId;
use super::weigh::Scale;

/// The commits from the merge base (exclusive) to the head (inclusive), oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Where the learner's work branched off the workspace's `main`; none when histories are unrelated.
    pub merge_base: Option<CommitId>,
    /// Bounded by [`crate::submission::limits`]; `truncated` tells when there were more.
    pub commits: Vec<CommitFacts>,
    /// More commits or changed paths exist than were read.
    pub truncated: bool,
    /// Paths that differ between merge base and head, of the whole workspace.
    pub changed: Vec<ChangedPath>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitFacts {
    /// Its id.
    pub id: CommitId,
    /// More than one for a merge.
    pub parents: Vec<CommitId>,
    /// The message, at most [`MAX_MESSAGE_BYTES`] of it; the subject is its first line.
    pub message: String,
    /// Name in the author line: a claim, not a proof.
    pub author: String,
    /// Seconds since the epoch in the committer line: a claim, not a proof.
    pub time: i64,
    /// Carries a signature (`gpgsig`), whether or not anybody checked it.
    pub signed: bool,
    /// Paths that differ from the first parent.
    pub changed: Vec<ChangedPath>,
}

/// A path that differs, with the size of the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedPath {
    /// Path from the top of the repository (the new one for a rename, which counts as delete and add).
    pub path: String,
    /// What happened to it.
    pub change: Change,
    /// Lines added; zero for binary files.
    pub added: u32,
    /// Lines removed; zero for binary files.
    pub removed: u32,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Was not there before.
    Added,
    /// Content or mode differs.
    Modified,
    /// Is gone.
    Deleted,
}

impl CommitFacts {
    /// The first line of the message.
    pub fn subject(&self) -> &str {
        self.message.trim_start().lines().next().unwrap_or_default().trim_end()
    }

    /// Joins several lines of work.
    pub fn is_merge(&self) -> bool {
        self.parents.len() > 1
    }
}

/// Reads what happened between `merge_base` (the whole past of `head` when there is none) and `head`.
pub fn read(
    repository: &Repository,
    merge_base: Option<&CommitId>,
    head: &CommitId,
    deadline: Deadline,
) -> Result<History, ReadError> {
    let mut scale = Scale::default();
    let mut history =
        History { merge_base: merge_base.cloned(), commits: Vec::new(), truncated: false, changed: Vec::new() };
    let ids = commits_between(repository, merge_base, head)?;
    history.truncated = ids.len() > MAX_COMMITS;

    let mut room = MAX_CHANGED_PATHS;
    for id in ids.into_iter().take(MAX_COMMITS) {
        deadline.check()?;
        let Some(facts) = commit_facts(repository, id, &mut scale, room)? else {
            history.truncated = true;
            break;
        };
        room -= facts.changed.len();
        history.commits.push(facts);
    }
    history.commits.reverse();

    // Without a merge base nothing can be said to have changed.
    if let Some(base) = merge_base {
        let old = commit_of(repository, base)?.tree().map_err(ReadError::git("read the tree of the merge base"))?;
        let new = commit_of(repository, head)?.tree().map_err(ReadError::git("read the tree of the head"))?;
        match changed_paths(repository, Some(&old), &new, &mut scale, MAX_CHANGED_PATHS)? {
            Some(changed) => history.changed = changed,
            None => history.truncated = true,
        }
    }
    Ok(history)
}

/// Newest first; at most one more than [`MAX_COMMITS`].
fn commits_between(
    repository: &Repository,
    merge_base: Option<&CommitId>,
    head: &CommitId,
) -> Result<Vec<Oid>, ReadError> {
    let ids = || -> Result<Vec<Oid>, git2::Error> {
        let mut walk = repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(Oid::from_str(head.as_str())?)?;
        if let Some(base) = merge_base {
            walk.hide(Oid::from_str(base.as_str())?)?;
        }
        walk.take(MAX_COMMITS + 1).collect()
    };
    ids().map_err(ReadError::git("walk the commits of the head"))
}

/// None when it changes more than `room` paths.
fn commit_facts(
    repository: &Repository,
    id: Oid,
    scale: &mut Scale,
    room: usize,
) -> Result<Option<CommitFacts>, ReadError> {
    let commit = repository.find_commit(id).map_err(ReadError::git(format!("read commit {id}")))?;
    let tree = commit.tree().map_err(ReadError::git(format!("read the tree of commit {id}")))?;
    let parent = match commit.parent_ids().next() {
        Some(parent) => {
            let parent = repository.find_commit(parent).and_then(|parent| parent.tree());
            Some(parent.map_err(ReadError::git(format!("read the parent of commit {id}")))?)
        }
        None => None,
    };
    let Some(changed) = changed_paths(repository, parent.as_ref(), &tree, scale, room)? else { return Ok(None) };
    let message = commit.message_bytes();
    let message = String::from_utf8_lossy(&message[..message.len().min(MAX_MESSAGE_BYTES)]).into_owned();
    Ok(Some(CommitFacts {
        id: id.into(),
        parents: commit.parent_ids().map(CommitId::from).collect(),
        message,
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        time: commit.time().seconds(),
        signed: ["gpgsig", "gpgsig-sha256"].iter().any(|field| commit.header_field_bytes(*field).is_ok()),
        changed,
    }))
}

/// The newest commit that both have; none when their histories have none in common.
pub fn merge_base(repository: &Repository, one: &CommitId, other: &CommitId) -> Result<Option<CommitId>, ReadError> {
    // A commit that is not there must not look like unrelated history.
    commit_of(repository, one)?;
    commit_of(repository, other)?;
    match repository.merge_base(oid(one)?, oid(other)?) {
        Ok(base) => Ok(Some(base.into())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(ReadError::git(format!("find the merge base of {one} and {other}"))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Git;
    use super::*;

    fn paths(changed: &[ChangedPath]) -> Vec<(&str, Change, u32, u32)> {
        changed.iter().map(|c| (c.path.as_str(), c.change, c.added, c.removed)).collect()
    }

    #[test]
    fn commits_come_oldest_first_with_what_each_changed() {
        let git = Git::new();
        git.write("a.yaml", "a: 1\nb: 2\n");
        let base = git.commit("base");
        git.write("a.yaml", "a: 1\nb: 3\nc: 4\n");
        git.commit("fix: b\n\nA longer text.");
        git.write("b.yaml", "x\n");
        git.run(&["rm", "-q", "a.yaml"]);
        let head = git.commit("move");

        let history = read(&git.repository(), Some(&base), &head, Deadline::none()).unwrap();
        assert_eq!(history.commits.iter().map(CommitFacts::subject).collect::<Vec<_>>(), ["fix: b", "move"]);
        assert_eq!(paths(&history.commits[0].changed), [("a.yaml", Change::Modified, 2, 1)]);
        assert_eq!(history.commits[0].author, "Ada");
        assert_eq!(history.commits[1].parents, [history.commits[0].id.clone()]);
        assert_eq!(paths(&history.changed), [("a.yaml", Change::Deleted, 0, 2), ("b.yaml", Change::Added, 1, 0)]);
        assert!(!history.truncated && !history.commits[1].signed);
    }

    #[test]
    fn merging_main_shows_only_the_learners_work() {
        let git = Git::new();
        git.commit("base");
        git.run(&["checkout", "-q", "-b", "work"]);
        git.write("mine", "1\n");
        git.commit("mine");
        git.run(&["checkout", "-q", "main"]);
        git.write("published", "1\n");
        let main = git.commit("published");
        git.run(&["checkout", "-q", "work"]);
        git.run(&["merge", "-q", "-m", "merge main", "main"]);
        let repository = git.repository();
        let base = merge_base(&repository, &git.head(), &main).unwrap();
        assert_eq!(base.as_ref(), Some(&main));
        let history = read(&repository, base.as_ref(), &git.head(), Deadline::none()).unwrap();
        assert_eq!(paths(&history.changed), [("mine", Change::Added, 1, 0)]);
        let commits: Vec<_> = history.commits.iter().map(|c| (c.subject(), c.is_merge())).collect();
        assert_eq!(commits, [("mine", false), ("merge main", true)]);
    }

    #[test]
    fn unrelated_history_has_no_merge_base_and_a_missing_commit_is_an_error() {
        let git = Git::new();
        let base = git.commit("base");
        let orphan = git.raw_commit(&git.tree(&base), &[]);
        let repository = git.repository();
        assert_eq!(merge_base(&repository, &orphan, &base).unwrap(), None);
        let gone = "1".repeat(40).parse().unwrap();
        assert!(matches!(merge_base(&repository, &gone, &base), Err(ReadError::NoCommit(_))));
    }

    #[test]
    fn a_signature_is_seen_whether_or_not_it_is_good() {
        let git = Git::new();
        let base = git.commit("base");
        let repository = git.repository();
        let commit = format!(
            "tree {}\nparent {base}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\nsigned\n",
            git.tree(&base)
        );
        let id = repository.commit_signed(&commit, "no signature at all", None).unwrap();
        let history = read(&repository, Some(&base), &id.into(), Deadline::none()).unwrap();
        assert!(history.commits[0].signed);
    }

    #[test]
    fn a_long_history_is_truncated_and_says_so() {
        let git = Git::new();
        let base = git.commit("base");
        let repository = git.repository();
        let tree = repository.find_tree(git.tree(&base).parse().unwrap()).unwrap();
        let who = git2::Signature::new("Ada", "a@b", &git2::Time::new(0, 0)).unwrap();
        let mut head = oid(&base).unwrap();
        for _ in 0..=MAX_COMMITS {
            let parent = repository.find_commit(head).unwrap();
            head = repository.commit(None, &who, &who, "again", &tree, &[&parent]).unwrap();
        }
        let history = read(&repository, Some(&base), &head.into(), Deadline::none()).unwrap();
        assert_eq!((history.commits.len(), history.truncated), (MAX_COMMITS, true));
    }

    #[test]
    fn a_commit_that_stands_for_billions_of_files_truncates_the_history() {
        let git = Git::new();
        let base = git.commit("base");
        let bomb = git.raw_commit(&git.doubling_tree(), &[&base]);
        let head = git.raw_commit(&git.tree(&base), &[&bomb]);
        let history = read(&git.repository(), Some(&base), &head, Deadline::none()).unwrap();
        assert!(history.truncated);
        assert_eq!(history.changed, []);
    }
}
