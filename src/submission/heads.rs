//! Reading heads that are in a repository on this machine as submissions. How they come there is the forge's business.
//!
//! All of it blocks: callers wrap it in `spawn_blocking` and open a `Repository` for each call, since one may not be
//! shared between threads.

use std::sync::Arc;

use git2::Repository;

use super::Submission;
use super::collision::collisions;
use super::deadline::Deadline;
use super::history;
use super::read::{Objects, ReadError, oid, read_tree, tree_of};
use super::sha::CommitId;
use super::tree::Tree;
use super::violation::Violation;

/// [`super::upstream::PUBLISHED`] in a clone.
const PUBLISHED_HERE: &str = "refs/remotes/origin/gradus/workspace";

/// The fork's `main` in a clone.
const MAIN_HERE: &str = "refs/remotes/origin/main";

/// The branch that pull requests aim at, read once: most of each head is the same.
#[derive(Debug)]
pub struct Published {
    commit: CommitId,
    files: Tree,
    violations: Vec<Violation>,
    objects: Arc<Objects>,
}

impl Published {
    /// Reads the newest commit of the branch.
    pub fn read(repository: &Repository, commit: &CommitId) -> Result<Self, ReadError> {
        let mut objects = Objects::default();
        let tree = tree_of(repository, commit)?.id();
        let (files, violations) = read_tree(repository, tree, &mut objects, Deadline::none())?;
        Ok(Self { commit: commit.clone(), files, violations, objects: Arc::new(objects) })
    }
}

/// Reads a head that is in the repository, as the submission of a pull request against `base`, the newest commit of the
/// branch that it aims at. Unrelated history is no error: then there is no merge base, and [`super::scope`] says so.
pub fn read(
    repository: &Repository,
    head: &CommitId,
    base: &CommitId,
    deadline: Deadline,
) -> Result<Submission, ReadError> {
    read_against(repository, head, base, None, deadline)
}

/// [`read`], sparing what was read before.
pub fn read_against(
    repository: &Repository,
    head: &CommitId,
    base: &CommitId,
    published: Option<&Published>,
    deadline: Deadline,
) -> Result<Submission, ReadError> {
    let objects = &mut published.map(|published| Objects::with(&published.objects)).unwrap_or_default();
    let merge_base = history::merge_base(repository, head, base)?;
    let (files, mut violations) = read_tree(repository, tree_of(repository, head)?.id(), objects, deadline)?;
    let mut base = None;
    if let Some(commit) = &merge_base {
        let (tree, known) = match published.filter(|published| published.commit == *commit) {
            Some(published) => (published.files.clone(), published.violations.clone()),
            None => read_tree(repository, tree_of(repository, commit)?.id(), objects, deadline)?,
        };
        violations.retain(|violation| !known.contains(violation));
        base = Some(tree);
    }
    violations.extend(collisions(&files, base.as_ref()));
    let history = history::read(repository, merge_base.as_ref(), head, deadline)?;
    Ok(Submission { commit: Some(head.clone()), files, base, history: Some(history), violations })
}

/// The newest commit of the workspace that a clone was made from: what the local forge names so, `origin/HEAD`,
/// `origin/main`, else the local `main`.
pub fn upstream(repository: &Repository) -> Result<Option<CommitId>, ReadError> {
    for name in [PUBLISHED_HERE, "refs/remotes/origin/HEAD", MAIN_HERE, "refs/heads/main"] {
        if let Some(commit) = named(repository, name)? {
            return Ok(Some(commit));
        }
    }
    Ok(None)
}

/// Whether `main` of the fork holds commits that were not published. None can be told where the forge does not name what
/// was.
pub fn strayed(repository: &Repository) -> Result<bool, ReadError> {
    let (Some(published), Some(main)) = (named(repository, PUBLISHED_HERE)?, named(repository, MAIN_HERE)?) else {
        return Ok(false);
    };
    Ok(history::merge_base(repository, &main, &published)?.as_ref() != Some(&main))
}

fn named(repository: &Repository, name: &str) -> Result<Option<CommitId>, ReadError> {
    match repository.refname_to_id(name) {
        Ok(id) => Ok(Some(id.into())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(ReadError::git(format!("read `{name}`"))(error)),
    }
}

/// Whether the repository has this commit.
pub fn has(repository: &Repository, commit: &CommitId) -> bool {
    oid(commit).is_ok_and(|id| repository.find_commit(id).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::history::Change;
    use super::super::testing::Git;
    use super::super::violation::Rule;
    use super::*;

    #[test]
    fn a_head_is_read_with_what_it_changes() {
        let upstream = Git::new();
        upstream.write("tasks/a/x.yaml", "a: 1\n");
        let base = upstream.commit("base");
        let fork = upstream.cloned();
        fork.write("tasks/a/x.yaml", "a: 2\n");
        let head = fork.commit("work");
        let submission = read(&fork.repository(), &head, &base, Deadline::none()).unwrap();
        assert_eq!(submission.commit, Some(head));
        assert_eq!(&**submission.files.file("tasks/a/x.yaml").unwrap(), b"a: 2\n");
        assert_eq!(&**submission.base.unwrap().file("tasks/a/x.yaml").unwrap(), b"a: 1\n");
        let history = submission.history.unwrap();
        assert_eq!((history.merge_base, history.commits.len()), (Some(base), 1));
        assert_eq!(history.changed[0].change, Change::Modified);
    }

    #[test]
    fn unrelated_history_is_read_without_a_merge_base() {
        let git = Git::new();
        git.write("tasks/a/x.yaml", "a: 1\n");
        let base = git.commit("base");
        let head = git.raw_commit(&git.tree(&base), &[]);
        let submission = read(&git.repository(), &head, &base, Deadline::none()).unwrap();
        assert_eq!(submission.base, None);
        let history = submission.history.unwrap();
        assert_eq!((history.merge_base, history.commits.len(), history.changed.len()), (None, 1, 0));
    }

    #[test]
    fn what_was_published_is_not_held_against_the_learner() {
        let git = Git::new();
        git.symlink("tasks/a/link", "x.yaml");
        git.write("README.md", "");
        let base = git.commit("base");
        git.symlink("tasks/a/mine", "/etc/passwd");
        git.write("readme.md", "");
        let head = git.commit("head");
        let submission = read(&git.repository(), &head, &base, Deadline::none()).unwrap();
        let published = Published::read(&git.repository(), &base).unwrap();
        let against = read_against(&git.repository(), &head, &base, Some(&published), Deadline::none()).unwrap();
        assert_eq!(against, submission, "what was read before changes nothing");
        let earlier = Published::read(&git.repository(), &head).unwrap();
        let later = git.raw_commit(&git.tree(&base), &[&base]);
        let of_older_base = read_against(&git.repository(), &later, &head, Some(&earlier), Deadline::none()).unwrap();
        assert_eq!(of_older_base, read(&git.repository(), &later, &head, Deadline::none()).unwrap());
        let seen: Vec<_> = submission.violations.iter().map(|v| (v.path.as_str(), v.rule)).collect();
        assert_eq!(seen, [("tasks/a/mine", Rule::Symlink), ("readme.md", Rule::Collision)]);
    }

    #[test]
    fn trees_of_head_and_base_share_the_bytes_of_equal_files() {
        let git = Git::new();
        git.write("same", "1\n");
        let base = git.commit("base");
        git.write("new", "1\n");
        let head = git.commit("head");
        let submission = read(&git.repository(), &head, &base, Deadline::none()).unwrap();
        let base = submission.base.unwrap();
        assert!(std::sync::Arc::ptr_eq(submission.files.file("same").unwrap(), base.file("same").unwrap()));
    }

    #[test]
    fn the_upstream_of_a_clone_is_where_it_came_from() {
        let origin = Git::new();
        let published = origin.commit("published");
        let clone = origin.cloned();
        clone.commit("on top");
        assert_eq!(super::upstream(&clone.repository()).unwrap(), Some(published));
        assert_eq!(super::upstream(&Git::new().repository()).unwrap(), None);
    }

    #[test]
    fn what_the_forge_names_the_workspace_counts_before_a_main_with_work_on_it() {
        let fork = Git::new();
        let published = fork.commit("published");
        fork.run(&["branch", "gradus/workspace"]);
        let clone = fork.cloned();
        assert!(!strayed(&clone.repository()).unwrap());
        fork.write("x", "x");
        let work = fork.commit("work on main");
        clone.run(&["fetch", "-q"]);
        assert_eq!(upstream(&clone.repository()).unwrap(), Some(published));
        assert!(strayed(&clone.repository()).unwrap());
        fork.run(&["branch", "-f", "gradus/workspace", work.as_str()]);
        fork.run(&["commit", "-q", "--allow-empty", "-m", "published anew"]);
        fork.run(&["branch", "-f", "gradus/workspace"]);
        clone.run(&["fetch", "-q", "origin", "gradus/workspace"]);
        assert!(!strayed(&clone.repository()).unwrap(), "a main that is behind holds nothing of its own");
    }
}
