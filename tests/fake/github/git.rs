//! Real commits behind a repository, for tests that fetch heads.

use std::path::Path;

use git2::{DiffOptions, Oid, Repository, Signature, Time};

use super::state::diff::Diff;

/// Creates a bare repository with one commit of these files on `main`. The commit.
pub fn create(path: &Path, files: &[(&str, &str)]) -> String {
    let repo = Repository::init_bare(path).expect("a bare repository can be made in a directory of the test");
    let oid = commit(&repo, files, &[], "begin");
    repo.reference("refs/heads/main", oid, true, "begin").expect("a fresh repository has no refs");
    repo.set_head("refs/heads/main").expect("main was just made");
    // As on GitHub, whose forks share one store: any commit can be asked for.
    let config = repo.config().and_then(|mut config| config.set_bool("uploadpack.allowAnySHA1InWant", true));
    config.expect("a fresh repository has a configuration");
    oid.to_string()
}

/// A commit of these files and no others, on top of `parent`.
pub fn commit_on(path: &Path, parent: &str, files: &[(&str, &str)], message: &str) -> String {
    let repo = Repository::open_bare(path).expect("the repository behind the fake is there");
    let parent = Oid::from_str(parent).expect("heads of a real repository are object ids");
    commit(&repo, files, &[parent], message).to_string()
}

fn commit(repo: &Repository, files: &[(&str, &str)], parents: &[Oid], message: &str) -> Oid {
    let mut index = git2::Index::new().expect("an index in memory");
    for (path, text) in files {
        let id = repo.blob(text.as_bytes()).expect("a blob can be written");
        let entry = git2::IndexEntry {
            ctime: git2::IndexTime::new(0, 0),
            mtime: git2::IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: 0o100_644,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry).expect("paths of a test are good");
    }
    let tree = index.write_tree_to(repo).and_then(|id| repo.find_tree(id)).expect("a tree can be written");
    let parents: Vec<_> =
        parents.iter().map(|id| repo.find_commit(*id).expect("parents are in the repository")).collect();
    let who = Signature::new("Learner", "learner@example.org", &Time::new(1_795_507_200, 0)).expect("a constant name");
    repo.commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>()).expect("a commit can be written")
}

/// Branches and where they are.
pub fn branches(path: &Path) -> Vec<(String, String)> {
    let repo = Repository::open_bare(path).expect("the repository behind the fake is there");
    let all = repo.branches(Some(git2::BranchType::Local)).expect("branches can be listed");
    let read = |branch: git2::Branch<'_>| {
        let name = branch.name().ok().flatten()?.to_owned();
        Some((name, branch.get().target()?.to_string()))
    };
    all.filter_map(|branch| read(branch.ok()?.0)).collect()
}

/// Points `refs/pull/N/head` at a commit.
pub fn set_pull_head(path: &Path, number: u64, sha: &str) {
    let repo = Repository::open_bare(path).expect("the repository behind the fake is there");
    let oid = Oid::from_str(sha).expect("heads of a real repository are object ids");
    repo.reference(&format!("refs/pull/{number}/head"), oid, true, "push").expect("refs can be written");
}

/// Where comments may be: the hunks from the merge base to the head, with three lines of context.
pub fn diff(path: &Path, base: &str, head: &str) -> Diff {
    let repo = Repository::open_bare(path).expect("the repository behind the fake is there");
    let find = |sha: &str| Oid::from_str(sha).and_then(|id| repo.find_commit(id)).expect("both commits are there");
    let (base, head) = (find(base), find(head));
    let old = match repo.merge_base(base.id(), head.id()) {
        Ok(id) => repo.find_commit(id).and_then(|commit| commit.tree()).ok(),
        Err(_) => None,
    };
    let new = head.tree().expect("a commit has a tree");
    let mut options = DiffOptions::new();
    options.context_lines(3);
    let changes = repo.diff_tree_to_tree(old.as_ref(), Some(&new), Some(&mut options)).expect("trees can be compared");
    let mut result = Diff::default();
    let mut note = |delta: git2::DiffDelta<'_>, hunk: git2::DiffHunk<'_>| {
        let path = delta.new_file().path().or_else(|| delta.old_file().path());
        let path = path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let lines = |start: u32, count: u32| (u64::from(start), u64::from(count));
        let (left, right) = (lines(hunk.old_start(), hunk.old_lines()), lines(hunk.new_start(), hunk.new_lines()));
        result = std::mem::take(&mut result).hunk(&path, left, right);
        true
    };
    changes.foreach(&mut |_, _| true, None, Some(&mut note), None).expect("a diff can be walked");
    result
}
