//! Getting a head into a bare repository, and reading it there as a submission.
//!
//! All of it blocks: callers wrap it in `spawn_blocking` and open a `Repository` for each call, since one may not be
//! shared between threads.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{AutotagOption, FetchOptions, RemoteCallbacks, Repository};

use super::Submission;
use super::collision::collisions;
use super::deadline::{Deadline, Expired};
use super::history;
use super::limits::MAX_FETCH_BYTES;
use super::read::{Objects, ReadError, oid, read_tree, tree_of};
use super::sha::CommitId;
use super::tree::Tree;
use super::violation::{Violation, bytes};

/// Why a head could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The learner's: the history is larger than we take.
    #[error("the history is larger than {}", bytes(*limit as u64))]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The remote has no such commit (any more), or does not give it out.
    #[error("the remote has no commit {0}")]
    NoCommit(CommitId),
    /// Took too long; try again.
    #[error(transparent)]
    Expired(#[from] Expired),
    /// libgit2 or the remote said no; try again.
    #[error("cannot fetch {head}")]
    Git {
        /// What was fetched.
        head: CommitId,
        /// Why it failed.
        source: git2::Error,
    },
}

/// Where a head is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A repository on this machine.
    Path(PathBuf),
    /// Another machine.
    Url {
        /// With its scheme.
        url: String,
        /// The reference that leads to the head, as in `refs/pull/7/head`, for servers that give out no commit by id.
        reference: Option<String>,
    },
}

/// How much may be fetched, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Bytes received.
    pub bytes: usize,
    /// The end.
    pub deadline: Deadline,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: MAX_FETCH_BYTES, deadline: Deadline::none() }
    }
}

/// The reference that keeps a fetched head from being collected; delete it to let go.
pub fn kept_as(head: &CommitId) -> String {
    format!("refs/gradus/heads/{head}")
}

/// Fetches a head with the history that leads to it, as far as it is not there yet. Takes nothing else: neither other
/// branches nor tags.
pub fn fetch(into: &Repository, from: &Origin, head: &CommitId, budget: &Budget) -> Result<(), FetchError> {
    budget.deadline.check()?;
    let id = head.as_str().parse().map_err(|source| FetchError::Git { head: head.clone(), source })?;
    if into.find_commit(id).is_err() {
        let stopped = Cell::new(None);
        // Called often; false ends the transfer.
        let go_on = |received: usize| {
            stopped.set(if received > budget.bytes {
                Some(Stop::TooLarge)
            } else {
                budget.deadline.check().err().map(|_| Stop::Expired)
            });
            stopped.get().is_none()
        };
        let result = match from {
            Origin::Path(path) => copy(into, path, id, &go_on),
            Origin::Url { url, reference } => download(into, url, head, reference.as_deref(), &go_on),
        };
        match stopped.get() {
            Some(Stop::TooLarge) => return Err(FetchError::TooLarge { limit: budget.bytes }),
            Some(Stop::Expired) => return Err(Expired.into()),
            None => {}
        }
        if let Err(source) = result {
            let gone = source.code() == git2::ErrorCode::NotFound;
            let head = head.clone();
            return Err(if gone { FetchError::NoCommit(head) } else { FetchError::Git { head, source } });
        }
        if into.find_commit(id).is_err() {
            // The name has moved on and brought another commit under the name of this one.
            let _ = into.find_reference(&kept_as(head)).and_then(|mut reference| reference.delete());
            return Err(FetchError::NoCommit(head.clone()));
        }
    }
    into.reference(&kept_as(head), id, true, "fetched to be graded")
        .map_err(|source| FetchError::Git { head: head.clone(), source })?;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Stop {
    TooLarge,
    Expired,
}

/// From a repository on this machine. libgit2's own local transport copies every branch of the other repository
/// whatever was asked for (`local_download_pack`), which is not what a limit on one head means.
fn copy(into: &Repository, from: &Path, head: git2::Oid, go_on: &dyn Fn(usize) -> bool) -> Result<(), git2::Error> {
    let from = Repository::open(from)?;
    let mut walk = from.revwalk()?;
    walk.push(head)?;
    for reference in into.references()?.flatten() {
        // What they do not have cannot be hidden.
        if let Some(known) = reference.target().filter(|known| from.find_commit(*known).is_ok()) {
            walk.hide(known)?;
        }
    }
    let mut pack = from.packbuilder()?;
    pack.insert_walk(&mut walk)?;
    if pack.object_count() == 0 {
        return Ok(());
    }
    let odb = into.odb()?;
    let mut writer = odb.packwriter()?;
    let mut received = 0;
    pack.foreach(|chunk| {
        received += chunk.len();
        go_on(received) && std::io::Write::write_all(&mut writer, chunk).is_ok()
    })?;
    writer.commit()?;
    Ok(())
}

/// By Git's protocol.
fn download(
    into: &Repository,
    url: &str,
    head: &CommitId,
    reference: Option<&str>,
    go_on: &dyn Fn(usize) -> bool,
) -> Result<(), git2::Error> {
    let by = |source: &str| {
        let received = Cell::new(0);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|stats| {
            received.set(stats.received_bytes());
            go_on(received.get())
        });
        callbacks.sideband_progress(|_| go_on(received.get()));
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
        let refspec = format!("+{source}:{}", kept_as(head));
        into.remote_anonymous(url)?.fetch(&[refspec], Some(&mut options), None)
    };
    match (by(head.as_str()), reference) {
        // Only what the server refuses to give by id is worth asking for by name.
        (Err(_), Some(reference)) if go_on(0) => by(reference),
        (result, _) => result,
    }
}

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

/// The newest commit of the branch that a clone was made from: `origin/HEAD`, `origin/main`, else the local `main`.
pub fn upstream(repository: &Repository) -> Result<Option<CommitId>, ReadError> {
    for name in ["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main"] {
        match repository.refname_to_id(name) {
            Ok(id) => return Ok(Some(id.into())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => {}
            Err(error) => return Err(ReadError::git(format!("read `{name}`"))(error)),
        }
    }
    Ok(None)
}

/// Whether the repository has this commit.
pub fn has(repository: &Repository, commit: &CommitId) -> bool {
    oid(commit).is_ok_and(|id| repository.find_commit(id).is_ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::history::Change;
    use super::super::testing::{Git, noise};
    use super::super::violation::Rule;
    use super::*;

    fn mirror() -> (tempfile::TempDir, Repository) {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(dir.path()).unwrap();
        (dir, repository)
    }

    fn path(git: &Git) -> Origin {
        Origin::Path(git.dir().to_owned())
    }

    #[test]
    fn a_head_is_fetched_by_id_with_the_history_that_leads_to_it() {
        let upstream = Git::new();
        upstream.write("tasks/a/x.yaml", "a: 1\n");
        let base = upstream.commit("base");
        let fork = upstream.cloned();
        fork.run(&["checkout", "-q", "-b", "other"]);
        fork.write("secret", "of another branch\n");
        let other = fork.commit("other");
        fork.run(&["checkout", "-q", "-b", "work", "main"]);
        fork.write("tasks/a/x.yaml", "a: 2\n");
        let head = fork.commit("work");

        let (_dir, repository) = mirror();
        fetch(&repository, &path(&upstream), &base, &Budget::default()).unwrap();
        fetch(&repository, &path(&fork), &head, &Budget::default()).unwrap();
        fetch(&repository, &path(&fork), &head, &Budget::default()).unwrap();
        assert!(!has(&repository, &other), "only the head that was asked for is fetched");

        let submission = read(&repository, &head, &base, Deadline::none()).unwrap();
        assert_eq!(submission.commit, Some(head));
        assert_eq!(&**submission.files.file("tasks/a/x.yaml").unwrap(), b"a: 2\n");
        assert_eq!(&**submission.base.unwrap().file("tasks/a/x.yaml").unwrap(), b"a: 1\n");
        let history = submission.history.unwrap();
        assert_eq!((history.merge_base, history.commits.len()), (Some(base), 1));
        assert_eq!(history.changed[0].change, Change::Modified);
    }

    #[test]
    fn a_fetch_stops_at_its_limit_and_at_its_deadline() {
        let fork = Git::new();
        fork.write("large", noise(4 << 20));
        let head = fork.commit("large");
        let (_dir, repository) = mirror();
        let small = Budget { bytes: 1 << 20, ..Budget::default() };
        let error = fetch(&repository, &path(&fork), &head, &small).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
        assert_eq!(error.to_string(), "the history is larger than 1 MiB");
        let late = Budget { deadline: Deadline::after(Duration::ZERO), ..Budget::default() };
        assert!(matches!(fetch(&repository, &path(&fork), &head, &late), Err(FetchError::Expired(_))));
        assert!(!has(&repository, &head));
    }

    #[test]
    fn a_head_that_the_remote_does_not_have_is_named() {
        let fork = Git::new();
        fork.commit("base");
        let (_dir, repository) = mirror();
        let gone: CommitId = "1".repeat(40).parse().unwrap();
        let error = fetch(&repository, &path(&fork), &gone, &Budget::default()).unwrap_err();
        assert!(matches!(&error, FetchError::NoCommit(id) if *id == gone), "{error}");
    }

    #[test]
    fn over_the_network_a_head_is_fetched_by_id_or_by_name_within_the_limit() {
        let fork = Git::new();
        fork.write("large", noise(4 << 20));
        let old = fork.commit("old");
        fork.write("large", "small");
        let head = fork.commit("head");
        let server = fork.serve();
        let by_name = Origin::Url { url: server.url(), reference: Some("refs/heads/main".to_owned()) };
        let (_dir, repository) = mirror();
        let small = Budget { bytes: 1 << 20, ..Budget::default() };
        assert!(matches!(fetch(&repository, &by_name, &head, &small), Err(FetchError::TooLarge { .. })));
        fetch(&repository, &by_name, &head, &Budget::default()).unwrap();
        assert!(has(&repository, &old), "the whole history is there");

        let superseded: CommitId = "1".repeat(40).parse().unwrap();
        let error = fetch(&repository, &by_name, &superseded, &Budget::default()).unwrap_err();
        assert!(matches!(error, FetchError::NoCommit(_)), "{error}");
        assert!(repository.find_reference(&kept_as(&superseded)).is_err());

        fork.run(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let (_dir, repository) = mirror();
        let by_id = Origin::Url { url: server.url(), reference: None };
        fetch(&repository, &by_id, &old, &Budget::default()).unwrap();
        assert!(has(&repository, &old) && !has(&repository, &head));
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
}
