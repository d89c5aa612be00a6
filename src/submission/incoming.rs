//! What a push brings, looked at before a reference points at it: sizes from the headers of objects, names from trees.
//! No content is read. What is refused here would stay in the repository for good; everything else is let in and
//! answered by a review.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use git2::{ObjectType, Oid, Repository, Sort};

use super::deadline::Deadline;
use super::limits::{
    MAX_DEPTH, MAX_FILE_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PUSH_COMMITS, MAX_PUSH_OBJECTS, MAX_TOTAL_BYTES,
};
use super::names;
use super::read::{MAX_TREE_BYTES, Mode, ReadError, commit_of, oid};
use super::sha::CommitId;
use super::violation::{Violation, Violations};
use super::weigh::Scale;

/// Opens a bare repository so that objects of a push are seen too while they are in quarantine: the directory where they
/// wait.
pub fn open(repository: &Path, quarantine: Option<&Path>) -> Result<Repository, ReadError> {
    let opened = Repository::open_bare(repository)
        .map_err(ReadError::git(format!("open the repository {}", repository.display())))?;
    if let Some(quarantine) = quarantine {
        let add = |path: &str| opened.odb().and_then(|odb| odb.add_disk_alternate(path));
        let path = quarantine.to_str().ok_or_else(|| ReadError::NotUtf8(quarantine.to_owned()))?;
        add(path).map_err(ReadError::git("open the objects of the push"))?;
    }
    Ok(opened)
}

/// What the commits that lead to `new`, and to no branch that is there already, may not hold. `old` is where the
/// pushed branch stood. Both the objects and the branches are seen through `repository`, from [`open`].
///
/// A name or a file that a parent has too is not looked at again, so nothing published is held against the learner.
pub fn check_incoming(
    repository: &Repository,
    old: Option<&CommitId>,
    new: &CommitId,
    deadline: Deadline,
) -> Result<Vec<Violation>, ReadError> {
    let commits = incoming(repository, old, new)?;
    if commits.len() > MAX_PUSH_COMMITS {
        return Ok(vec![Violation::commits()]);
    }
    let head = commit_of(repository, new)?;
    if !Scale::default().bearable(repository, head.tree_id())? {
        return Ok(vec![Violation::files()]);
    }
    let odb = repository.odb().map_err(ReadError::git("open the object database"))?;
    let mut check = Check {
        repository,
        odb,
        deadline,
        commit: new.clone(),
        seen: HashSet::new(),
        bytes: 0,
        found: Violations::default(),
        end: None,
    };
    // The oldest first: each is compared with a parent that was looked at before.
    for id in commits {
        let commit = repository.find_commit(id).map_err(ReadError::git(format!("read commit {id}")))?;
        check.commit = id.into();
        let parent = match commit.parent_ids().next() {
            Some(parent) => {
                let parent = repository.find_commit(parent).map_err(ReadError::git(format!("read commit {parent}")))?;
                Some(parent.tree_id())
            }
            None => None,
        };
        check.tree(commit.tree_id(), parent, "", 0)?;
        if let Some(end) = check.end.take() {
            check.found.add(end);
            break;
        }
    }
    Ok(check.found.into_vec())
}

/// Oldest first; at most one more than [`MAX_PUSH_COMMITS`].
fn incoming(repository: &Repository, old: Option<&CommitId>, new: &CommitId) -> Result<Vec<Oid>, ReadError> {
    commit_of(repository, new)?;
    let (old, new) = (old.map(oid).transpose()?, oid(new)?);
    let walk = || -> Result<Vec<Oid>, git2::Error> {
        let mut walk = repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(new)?;
        let references = repository.references()?;
        let known = references.flatten().filter_map(|reference| reference.peel_to_commit().ok().map(|c| c.id()));
        for id in known.chain(old).filter(|id| *id != new) {
            walk.hide(id)?;
        }
        walk.take(MAX_PUSH_COMMITS + 1).collect()
    };
    let mut commits = walk().map_err(ReadError::git("walk the commits of the push"))?;
    commits.reverse();
    Ok(commits)
}

struct Check<'r> {
    repository: &'r Repository,
    odb: git2::Odb<'r>,
    deadline: Deadline,
    /// The one that is looked at.
    commit: CommitId,
    /// Trees and files that were looked at.
    seen: HashSet<Oid>,
    bytes: u64,
    found: Violations,
    /// A limit of the whole push is exceeded: looking on only costs time.
    end: Option<Violation>,
}

impl Check<'_> {
    /// Looks at what differs between a tree and its counterpart in the parent commit.
    fn tree(&mut self, id: Oid, counterpart: Option<Oid>, dir: &str, depth: usize) -> Result<(), ReadError> {
        if Some(id) == counterpart || self.end.is_some() || !self.seen.insert(id) {
            return Ok(());
        }
        self.deadline.check()?;
        if self.seen.len() > MAX_PUSH_OBJECTS {
            self.end = Some(Violation::files());
            return Ok(());
        }
        let (size, kind) = self.header(id, dir)?;
        if kind != ObjectType::Tree {
            self.found.add(Violation::malformed(dir));
            return Ok(());
        }
        if size > MAX_TREE_BYTES {
            self.end = Some(Violation::files());
            return Ok(());
        }
        let before = self.entries(counterpart)?;
        let tree = self.repository.find_tree(id).map_err(ReadError::git(format!("read the tree of `{dir}`")))?;
        for entry in tree.iter() {
            let mode = Mode::of(entry.filemode());
            let counterpart = before.get(entry.name_bytes());
            if counterpart == Some(&entry.id()) {
                continue;
            }
            let name = entry.name_bytes();
            let separator = if dir.is_empty() { "" } else { "/" };
            let path = format!("{dir}{separator}{}", String::from_utf8_lossy(name));
            if counterpart.is_none()
                && let Some(violation) = refused(&path, name)
            {
                self.found.add(violation);
                continue;
            }
            match mode {
                Mode::Tree if depth == MAX_DEPTH => self.found.add(Violation::depth(&path)),
                Mode::Tree => self.tree(entry.id(), counterpart.copied(), &path, depth + 1)?,
                Mode::Submodule => {}
                Mode::Symlink | Mode::File { .. } => self.file(entry.id(), &path)?,
            }
        }
        Ok(())
    }

    fn file(&mut self, id: Oid, path: &str) -> Result<(), ReadError> {
        if !self.seen.insert(id) {
            return Ok(());
        }
        let (size, _) = self.header(id, path)?;
        if size as u64 > MAX_FILE_BYTES {
            self.found.add(Violation::file_bytes_of(path, size as u64, &self.commit));
            return Ok(());
        }
        self.bytes += size as u64;
        if self.bytes > MAX_TOTAL_BYTES {
            self.end = Some(Violation::total_bytes());
        }
        Ok(())
    }

    /// Names and ids of the counterpart's entries; nothing when it is no tree.
    fn entries(&self, tree: Option<Oid>) -> Result<HashMap<Vec<u8>, Oid>, ReadError> {
        let Some(id) = tree else { return Ok(HashMap::new()) };
        let (_, kind) = self.header(id, "")?;
        if kind != ObjectType::Tree {
            return Ok(HashMap::new());
        }
        let tree = self.repository.find_tree(id).map_err(ReadError::git("read a tree of the parent"))?;
        Ok(tree.iter().map(|entry| (entry.name_bytes().to_owned(), entry.id())).collect())
    }

    fn header(&self, id: Oid, path: &str) -> Result<(usize, ObjectType), ReadError> {
        self.odb.read_header(id).map_err(ReadError::git(format!("read the size of `{path}`")))
    }
}

fn refused(path: &str, name: &[u8]) -> Option<Violation> {
    let Ok(name) = std::str::from_utf8(name) else { return Some(Violation::name(path, "is not UTF-8")) };
    if name.len() > MAX_NAME_BYTES || path.len() > MAX_PATH_BYTES {
        return Some(Violation::path_length(path));
    }
    names::refusal(name).map(|why| Violation::name(path, why))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Git, noise};
    use super::super::violation::Rule;
    use super::*;

    fn check(git: &Git, old: Option<&CommitId>, new: &CommitId) -> Vec<(String, Rule)> {
        let found = check_incoming(&git.repository(), old, new, Deadline::none()).unwrap();
        found.into_iter().map(|violation| (violation.path, violation.rule)).collect()
    }

    #[test]
    fn ordinary_work_is_let_in() {
        let git = Git::new();
        git.write("tasks/a/x.yaml", "a: 1\n");
        let base = git.commit("base");
        git.run(&["checkout", "-q", "--detach"]);
        git.write("tasks/a/x.yaml", "a: 2\n");
        git.symlink("tasks/a/link", "/etc/passwd");
        let head = git.commit("a link is a matter of the review");
        assert_eq!(check(&git, Some(&base), &head), []);
        assert_eq!(check(&git, None, &head), []);
        assert_eq!(check(&git, Some(&base), &base), []);
    }

    #[test]
    fn a_large_file_is_refused_even_when_a_later_commit_takes_it_out() {
        let git = Git::new();
        let base = git.commit("base");
        git.run(&["checkout", "-q", "--detach"]);
        git.write("big", vec![0; (MAX_FILE_BYTES + 1) as usize]);
        git.commit("big");
        git.run(&["rm", "-q", "big"]);
        let head = git.commit("gone");
        assert_eq!(check(&git, Some(&base), &head), [("big".to_owned(), Rule::FileBytes)]);
    }

    #[test]
    fn what_is_on_a_branch_already_is_not_looked_at_again() {
        let git = Git::new();
        let big = git.blob(&vec![0; (MAX_FILE_BYTES + 1) as usize]);
        let tree = git.raw_tree(&[("100644", b"aux.yaml", &git.blob(b"x")), ("100644", b"big", &big)]);
        let base = git.raw_commit(&tree, &[]);
        git.run(&["update-ref", "refs/heads/main", base.as_str()]);
        let head_tree = git.raw_tree(&[
            ("100644", b"aux.yaml", &git.blob(b"changed")),
            ("100644", b"big", &big),
            ("100644", b"new", &git.blob(b"x")),
        ]);
        let head = git.raw_commit(&head_tree, &[&base]);
        assert_eq!(check(&git, None, &head), []);
    }

    #[test]
    fn tricks_in_names_and_bombs_are_refused() {
        let git = Git::new();
        let base = git.commit("base");
        let blob = git.blob(b"x");
        let inner = git.raw_tree(&[("100644", b"config", &blob)]);
        let tree = git.raw_tree(&[("100644", b"..", &blob), ("40000", b".GIT", &inner), ("100644", b"fine", &blob)]);
        let head = git.raw_commit(&tree, &[&base]);
        assert_eq!(check(&git, Some(&base), &head), [("..".to_owned(), Rule::Name), (".GIT".to_owned(), Rule::Name)]);

        let bomb = git.raw_commit(&git.doubling_tree(), &[&base]);
        assert_eq!(check(&git, Some(&base), &bomb), [(String::new(), Rule::Files)]);
        let after = git.raw_commit(&git.tree(&base), &[&bomb]);
        assert_eq!(check(&git, Some(&base), &after), [], "thirty small trees of a commit nobody reads are no burden");

        let lie = git.raw_commit(&git.raw_tree(&[("40000", b"dir", &blob)]), &[&base]);
        assert!(check(&git, Some(&base), &lie).iter().any(|(_, rule)| matches!(rule, Rule::Malformed | Rule::Files)));
    }

    #[test]
    fn many_large_files_are_refused_by_their_sum() {
        let git = Git::new();
        let base = git.commit("base");
        git.run(&["checkout", "-q", "--detach"]);
        for n in 0..7 {
            let mut bytes = vec![0; MAX_FILE_BYTES as usize];
            bytes[0] = n;
            git.write("large", bytes);
            git.commit("again");
        }
        assert_eq!(check(&git, Some(&base), &git.head()), [(String::new(), Rule::TotalBytes)]);
    }

    #[test]
    fn objects_in_quarantine_are_seen_and_the_repository_stays_as_it_was() {
        let upstream = Git::new();
        let base = upstream.commit("base");
        let clone = upstream.cloned();
        clone.write("large", noise((MAX_FILE_BYTES + 1) as usize));
        let head = clone.commit("large");
        let bare = tempfile::tempdir().unwrap();
        upstream.run(&["clone", "-q", "--bare", ".", &bare.path().display().to_string()]);

        let blind = open(bare.path(), None).unwrap();
        assert!(matches!(check_incoming(&blind, Some(&base), &head, Deadline::none()), Err(ReadError::NoCommit(_))));
        let seeing = open(bare.path(), Some(&clone.dir().join(".git/objects"))).unwrap();
        let found = check_incoming(&seeing, Some(&base), &head, Deadline::none()).unwrap();
        assert_eq!(found[0].rule, Rule::FileBytes);
        assert!(open(bare.path(), None).unwrap().find_commit(oid(&head).unwrap()).is_err());
    }

    #[test]
    fn a_missing_object_and_a_deadline_are_errors_and_no_verdict() {
        let git = Git::new();
        let base = git.commit("base");
        let gone = "1".repeat(40).parse().unwrap();
        assert!(matches!(
            check_incoming(&git.repository(), None, &gone, Deadline::none()),
            Err(ReadError::NoCommit(_))
        ));
        git.run(&["checkout", "-q", "--detach"]);
        git.write("x", "x");
        let head = git.commit("head");
        let late = Deadline::after(std::time::Duration::ZERO);
        assert!(matches!(check_incoming(&git.repository(), Some(&base), &head, late), Err(ReadError::Expired(_))));
    }
}
