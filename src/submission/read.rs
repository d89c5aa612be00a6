//! Reading trees: from a commit without a checkout, and from a plain directory. Within the limits, never following a
//! link, never reading more of a file than may be kept.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ObjectType, Oid, Repository};

use super::collision::collisions;
use super::deadline::{Deadline, Expired};
use super::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_TOTAL_BYTES};
use super::names;
use super::sha::CommitId;
use super::tree::{Entry, Tree};
use super::violation::{Rule, Violation, Violations};

/// Why there is no tree. Never the learner's fault, except in [`ReadError::Refused`].
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The repository has no such commit.
    #[error("the repository has no commit {0}")]
    NoCommit(CommitId),
    /// The tree exceeds limits or holds tricks, and the caller takes no incomplete one.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Violation>),
    /// There is no working tree to read.
    #[error("{} is a bare repository: clone it and work in the clone", .0.display())]
    Bare(PathBuf),
    /// libgit2 takes no such path.
    #[error("the path {} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// The file system said no.
    #[error("cannot read {}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// libgit2 said no.
    #[error("cannot {doing}")]
    Git {
        /// As in "read the tree of …".
        doing: String,
        /// Why it failed.
        source: git2::Error,
    },
    /// Took too long; try again.
    #[error(transparent)]
    Expired(#[from] Expired),
}

impl ReadError {
    pub(super) fn git(doing: impl Into<String>) -> impl FnOnce(git2::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Git { doing, source }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

impl Tree {
    /// All files below a directory, ignored ones too; without `.git`. Links are kept as links.
    pub fn from_dir(dir: &Path) -> Result<Tree, ReadError> {
        strict(read_dir(dir)?)
    }

    /// The tree of a commit.
    pub fn from_commit(repository: &Repository, commit: &CommitId) -> Result<Tree, ReadError> {
        let tree = tree_of(repository, commit)?;
        Tree::from_git_tree(repository, &tree)
    }

    /// A Git tree, without a checkout. Links and submodules are kept as such.
    pub fn from_git_tree(repository: &Repository, tree: &git2::Tree<'_>) -> Result<Tree, ReadError> {
        strict(read_tree(repository, tree.id(), &mut Objects::default(), Deadline::none())?)
    }
}

/// A complete tree or an error: for courses and workspaces, which are ours.
fn strict((tree, mut violations): (Tree, Vec<Violation>)) -> Result<Tree, ReadError> {
    violations.extend(collisions(&tree, None));
    violations.retain(|v| !matches!(v.rule, Rule::Symlink | Rule::Submodule | Rule::LfsPointer | Rule::ExternalFilter));
    if violations.is_empty() { Ok(tree) } else { Err(ReadError::Refused(violations)) }
}

/// Objects that were read, by id: trees which share files share memory, and nothing is read twice.
#[derive(Debug, Default)]
pub struct Objects {
    blobs: HashMap<Oid, Arc<[u8]>>,
    trees: HashMap<Oid, Arc<[Listed]>>,
    /// Looked into first, never added to.
    before: Option<Arc<Objects>>,
}

/// An entry of a tree.
#[derive(Debug)]
struct Listed {
    name: Vec<u8>,
    mode: i32,
    id: Oid,
}

impl Objects {
    /// Those read before are known.
    pub fn with(before: &Arc<Objects>) -> Self {
        Self { before: Some(before.clone()), ..Self::default() }
    }

    fn blob(&self, id: &Oid) -> Option<&Arc<[u8]>> {
        self.before.as_ref().and_then(|before| before.blob(id)).or_else(|| self.blobs.get(id))
    }

    fn tree(&self, id: &Oid) -> Option<&Arc<[Listed]>> {
        self.before.as_ref().and_then(|before| before.tree(id)).or_else(|| self.trees.get(id))
    }
}

pub(super) fn oid(commit: &CommitId) -> Result<Oid, ReadError> {
    Oid::from_str(commit.as_str()).map_err(ReadError::git("read a commit id"))
}

pub(super) fn commit_of<'r>(repository: &'r Repository, id: &CommitId) -> Result<git2::Commit<'r>, ReadError> {
    repository.find_commit(oid(id)?).map_err(|error| match error.code() {
        git2::ErrorCode::NotFound => ReadError::NoCommit(id.clone()),
        _ => ReadError::git(format!("read commit {id}"))(error),
    })
}

pub(super) fn tree_of<'r>(repository: &'r Repository, id: &CommitId) -> Result<git2::Tree<'r>, ReadError> {
    commit_of(repository, id)?.tree().map_err(ReadError::git(format!("read the tree of commit {id}")))
}

/// Reads a Git tree as far as the limits let it. Collisions are not looked for: they depend on what was published.
pub(super) fn read_tree(
    repository: &Repository,
    tree: Oid,
    objects: &mut Objects,
    deadline: Deadline,
) -> Result<(Tree, Vec<Violation>), ReadError> {
    let odb = repository.odb().map_err(ReadError::git("open the object database"))?;
    let mut reader = GitReader { repository, odb, objects, deadline, into: Collector::default() };
    reader.descend(tree, "", 0)?;
    Ok(reader.into.finish())
}

struct GitReader<'a> {
    repository: &'a Repository,
    odb: git2::Odb<'a>,
    objects: &'a mut Objects,
    deadline: Deadline,
    into: Collector,
}

impl GitReader<'_> {
    fn descend(&mut self, tree: Oid, dir: &str, depth: usize) -> Result<(), ReadError> {
        self.deadline.check()?;
        let Some(entries) = self.entries(tree, dir)? else { return Ok(()) };
        let mut previous: Option<Vec<u8>> = None;
        for Listed { name, mode, id } in entries.iter() {
            if self.into.stopped {
                return Ok(());
            }
            let key = sort_key(name, *mode == i32::from(git2::FileMode::Tree));
            if previous.as_ref().is_some_and(|previous| *previous >= key) {
                self.into.violations.add(Violation::malformed(dir));
            }
            previous = Some(key);
            let Some(path) = self.into.visit(dir, name) else { continue };
            match Mode::of(*mode) {
                Mode::Tree if depth == MAX_DEPTH => self.into.violations.add(Violation::depth(&path)),
                Mode::Tree => self.descend(*id, &path, depth + 1)?,
                Mode::Submodule => self.into.submodule(path),
                Mode::Symlink => {
                    if let Some(target) = self.blob(*id, &path, MAX_PATH_BYTES as u64)? {
                        self.into.symlink(path, &target);
                    }
                }
                Mode::File { executable } => {
                    if let Some(bytes) = self.blob(*id, &path, MAX_FILE_BYTES)? {
                        self.into.file(path, bytes, executable);
                    }
                }
            }
        }
        Ok(())
    }

    /// The entries, unless they are too many or it is no tree.
    fn entries(&mut self, id: Oid, dir: &str) -> Result<Option<Arc<[Listed]>>, ReadError> {
        if let Some(entries) = self.objects.tree(&id) {
            return Ok(Some(entries.clone()));
        }
        let (size, kind) = self.header(id, dir)?;
        if kind != ObjectType::Tree {
            self.into.violations.add(Violation::malformed(dir));
            return Ok(None);
        }
        if size > MAX_TREE_BYTES {
            self.into.stop(Violation::files());
            return Ok(None);
        }
        let tree = self.repository.find_tree(id).map_err(ReadError::git(format!("read the tree of `{dir}`")))?;
        let listed = |entry: git2::TreeEntry<'_>| Listed {
            name: entry.name_bytes().to_owned(),
            mode: entry.filemode(),
            id: entry.id(),
        };
        let entries: Arc<[Listed]> = tree.iter().map(listed).collect();
        self.objects.trees.insert(id, entries.clone());
        Ok(Some(entries))
    }

    /// The content, unless it is too large (then its size alone was read) or not a blob.
    fn blob(&mut self, id: Oid, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, ReadError> {
        if let Some(bytes) = self.objects.blob(&id) {
            return Ok((bytes.len() as u64 <= limit).then(|| bytes.clone()));
        }
        let (size, kind) = self.header(id, path)?;
        if kind != ObjectType::Blob {
            self.into.violations.add(Violation::malformed(path));
            return Ok(None);
        }
        if size as u64 > limit {
            self.into.too_large(path, size as u64);
            return Ok(None);
        }
        let blob = self.repository.find_blob(id).map_err(ReadError::git(format!("read `{path}`")))?;
        let bytes: Arc<[u8]> = blob.content().into();
        self.objects.blobs.insert(id, bytes.clone());
        Ok(Some(bytes))
    }

    fn header(&self, id: Oid, path: &str) -> Result<(usize, ObjectType), ReadError> {
        self.odb.read_header(id).map_err(ReadError::git(format!("read the size of `{path}`")))
    }
}

/// Bytes of one tree object beyond which it holds more than [`MAX_FILES`] names or names that are too long.
pub(super) const MAX_TREE_BYTES: usize = MAX_FILES * (MAX_NAME_BYTES + "100644 ".len() + 1 + 20);

/// Names that one walk looks at: every file with a directory of its own, twice over.
const MAX_NAMES: usize = 4 * MAX_FILES;

/// Git orders a directory as if its name ended in a slash.
fn sort_key(name: &[u8], is_tree: bool) -> Vec<u8> {
    let slash: &[u8] = if is_tree { b"/" } else { b"" };
    [name, slash].concat()
}

/// A mode of Git, without the ones that only old versions wrote.
pub(super) enum Mode {
    Tree,
    Submodule,
    Symlink,
    File { executable: bool },
}

impl Mode {
    pub fn of(raw: i32) -> Self {
        match raw & 0o170_000 {
            0o040_000 => Mode::Tree,
            0o160_000 => Mode::Submodule,
            0o120_000 => Mode::Symlink,
            _ => Mode::File { executable: raw & 0o100 != 0 },
        }
    }
}

/// Reads a directory as far as the limits let it.
pub(super) fn read_dir(dir: &Path) -> Result<(Tree, Vec<Violation>), ReadError> {
    let mut into = Collector::default();
    walk(dir, "", 0, &mut into)?;
    Ok(into.finish())
}

fn walk(dir: &Path, below: &str, depth: usize, into: &mut Collector) -> Result<(), ReadError> {
    let mut entries =
        fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(ReadError::io(dir))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if into.stopped {
            return Ok(());
        }
        let name = entry.file_name();
        if name == ".git" {
            continue;
        }
        let Some(path) = into.visit(below, name.as_encoded_bytes()) else { continue };
        let at = entry.path();
        // Of the entry itself: a link is not followed.
        let meta = fs::symlink_metadata(&at).map_err(ReadError::io(&at))?;
        if meta.is_dir() {
            if depth == MAX_DEPTH {
                into.violations.add(Violation::depth(&path));
            } else {
                walk(&at, &path, depth + 1, into)?;
            }
        } else if meta.is_symlink() {
            let target = fs::read_link(&at).map_err(ReadError::io(&at))?;
            into.symlink(path, target.as_os_str().as_encoded_bytes());
        } else if meta.is_file() {
            match read_file(&at)? {
                Ok(bytes) => into.file(path, bytes.into(), is_executable(&meta)),
                Err(size) => into.too_large(&path, size),
            }
        } else {
            into.violations.add(Violation::special(&path));
        }
    }
    Ok(())
}

/// The content, or the size when that is too large.
fn read_file(at: &Path) -> Result<Result<Vec<u8>, u64>, ReadError> {
    let file = fs::File::open(at).map_err(ReadError::io(at))?;
    let size = file.metadata().map_err(ReadError::io(at))?.len();
    if size > MAX_FILE_BYTES {
        return Ok(Err(size));
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(ReadError::io(at))?;
    Ok(if bytes.len() as u64 > MAX_FILE_BYTES { Err(bytes.len() as u64) } else { Ok(bytes) })
}

#[cfg(unix)]
fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// A tree under construction: every entry comes through here, so that all sources obey the same rules.
#[derive(Debug, Default)]
pub(super) struct Collector {
    tree: Tree,
    pub violations: Violations,
    bytes: u64,
    /// Names that were looked at, of directories and refused ones too.
    names: usize,
    /// A limit of the whole tree is exceeded: reading on only costs time.
    pub stopped: bool,
}

impl Collector {
    pub fn stop(&mut self, violation: Violation) {
        if !self.stopped {
            self.violations.add(violation);
        }
        self.stopped = true;
    }

    /// [`Collector::path`] for a walk, which ends when it has looked at too many names.
    fn visit(&mut self, dir: &str, name: &[u8]) -> Option<String> {
        // Directories without a file within the limits count as well: forty small trees, each twice in the next, are a
        // walk that does not end and holds no file.
        self.names += 1;
        if self.names > MAX_NAMES {
            self.stop(Violation::files());
            return None;
        }
        self.path(dir, name)
    }

    /// The path of `name` in `dir`, or none when it is refused.
    pub fn path(&mut self, dir: &str, name: &[u8]) -> Option<String> {
        let separator = if dir.is_empty() { "" } else { "/" };
        let path = format!("{dir}{separator}{}", String::from_utf8_lossy(name));
        let Ok(name) = std::str::from_utf8(name) else {
            self.violations.add(Violation::name(&path, "is not UTF-8"));
            return None;
        };
        if name.len() > MAX_NAME_BYTES || path.len() > MAX_PATH_BYTES {
            self.violations.add(Violation::path_length(&path));
            return None;
        }
        if let Some(why) = names::refusal(name) {
            self.violations.add(Violation::name(&path, why));
            return None;
        }
        Some(path)
    }

    pub fn file(&mut self, path: String, bytes: Arc<[u8]>, executable: bool) {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_TOTAL_BYTES {
            return self.stop(Violation::total_bytes());
        }
        if is_lfs_pointer(&bytes) {
            self.violations.add(Violation::lfs_pointer(&path));
        }
        self.insert(path, Entry::File { bytes, executable });
    }

    pub fn symlink(&mut self, path: String, target: &[u8]) {
        let target = String::from_utf8_lossy(target).into_owned();
        self.violations.add(Violation::symlink(&path, &target));
        self.insert(path, Entry::Symlink(target));
    }

    pub fn submodule(&mut self, path: String) {
        self.violations.add(Violation::submodule(&path));
        self.insert(path, Entry::Submodule);
    }

    pub fn too_large(&mut self, path: &str, size: u64) {
        self.violations.add(Violation::file_bytes(path, size));
    }

    fn insert(&mut self, path: String, entry: Entry) {
        if self.tree.len() == MAX_FILES {
            return self.stop(Violation::files());
        }
        self.tree.insert(path, entry);
    }

    pub fn finish(self) -> (Tree, Vec<Violation>) {
        (self.tree, self.violations.into_vec())
    }
}

/// As the specification of Git LFS has it: a short text whose first line names the version.
/// Whether a file is only the address of one that Git LFS keeps elsewhere.
pub(crate) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.len() < 1024 && bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

#[cfg(test)]
mod tests {
    use super::super::testing::Git;
    use super::*;

    fn rules(violations: &[Violation]) -> Vec<(&str, Rule)> {
        violations.iter().map(|v| (v.path.as_str(), v.rule)).collect()
    }

    fn read(git: &Git, tree: &str) -> (Tree, Vec<Violation>) {
        read_tree(&git.repository(), tree.parse().unwrap(), &mut Objects::default(), Deadline::none()).unwrap()
    }

    #[test]
    fn a_commit_a_directory_and_git_itself_hold_the_same_tree() {
        let git = Git::new();
        git.write("tasks/a/x.yaml", "a: 1\n");
        git.write("tasks/a-b/x.yaml", "a: 2\n");
        git.write("tasks/a.txt", "");
        git.write("run.sh", "#!/bin/sh\n");
        git.executable("run.sh");
        git.symlink("link", "tasks/a.txt");
        let commit = git.commit("all");
        let from_commit = Tree::from_commit(&git.repository(), &commit).unwrap();
        assert_eq!(from_commit, Tree::from_dir(git.dir()).unwrap());
        assert_eq!(super::super::tree_id(&from_commit).as_str(), git.run(&["write-tree"]));
    }

    #[test]
    fn a_commit_that_is_not_there_is_named() {
        let git = Git::new();
        let gone: CommitId = "1".repeat(40).parse().unwrap();
        let error = Tree::from_commit(&git.repository(), &gone).unwrap_err();
        assert!(matches!(&error, ReadError::NoCommit(id) if *id == gone), "{error}");
    }

    #[test]
    fn a_link_to_a_system_file_stays_a_link() {
        let git = Git::new();
        git.symlink("tasks/a/passwd", "/etc/passwd");
        let head = git.commit("link");
        for (tree, violations) in [read(&git, &git.tree(&head)), read_dir(git.dir()).unwrap()] {
            assert_eq!(tree.get("tasks/a/passwd"), Some(&Entry::Symlink("/etc/passwd".to_owned())));
            assert_eq!(rules(&violations), [("tasks/a/passwd", Rule::Symlink)]);
        }
    }

    #[test]
    fn names_that_git_would_not_write_are_refused_and_the_rest_is_read() {
        let git = Git::new();
        let blob = git.blob(b"x");
        let inner = git.raw_tree(&[("100644", b"config", &blob)]);
        let tree = git.raw_tree(&[
            ("100644", b".", &blob),
            ("100644", b"..", &blob),
            ("40000", b".GIT", &inner),
            ("40000", b".git", &inner),
            ("100644", b"..\\..\\etc", &blob),
            ("100644", b"/etc/passwd", &blob),
            ("100644", b"a\xff", &blob),
            ("100644", b"fine", &blob),
        ]);
        let (tree, violations) = read(&git, &tree);
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["fine"]);
        assert_eq!(violations.iter().filter(|v| v.rule == Rule::Name).count(), 7, "{violations:#?}");
    }

    #[test]
    fn a_tree_with_a_name_twice_or_out_of_order_is_malformed() {
        let git = Git::new();
        let blob = git.blob(b"x");
        for names in [[b"a", b"a"], [b"b", b"a"]] {
            let tree = git.raw_tree(&[("100644", names[0], &blob), ("100644", names[1], &blob)]);
            assert_eq!(rules(&read(&git, &tree).1), [("", Rule::Malformed)]);
        }
    }

    #[test]
    fn a_tree_that_doubles_at_every_level_is_refused_quickly() {
        let git = Git::new();
        let (tree, violations) = read(&git, &git.doubling_tree());
        assert_eq!(tree.len(), MAX_FILES);
        assert_eq!(rules(&violations), [("", Rule::Files)]);
    }

    #[test]
    fn a_doubling_tree_whose_files_are_all_too_deep_is_refused_as_quickly() {
        let git = Git::new();
        let mut tree = git.doubling_tree();
        for _ in 0..2 * MAX_DEPTH {
            tree = git.raw_tree(&[("40000", b"a", &tree), ("40000", b"b", &tree)]);
        }
        let (tree, violations) = read(&git, &tree);
        assert!(tree.is_empty());
        assert_eq!(violations.last().map(|v| v.rule), Some(Rule::Files));
    }

    #[test]
    fn a_deep_tree_is_refused_with_a_path_that_can_be_read() {
        let git = Git::new();
        let mut tree = git.raw_tree(&[("100644", b"f", &git.blob(b"x"))]);
        for _ in 0..1_000 {
            tree = git.raw_tree(&[("40000", b"d", &tree)]);
        }
        let (tree, violations) = read(&git, &tree);
        assert!(tree.is_empty());
        assert_eq!(violations.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::Depth]);
        assert!(violations[0].what.len() < 200);
    }

    #[test]
    fn a_large_file_is_refused_by_its_size_alone() {
        let git = Git::new();
        let blob = git.blob(&vec![0; 20 << 20]);
        let tree = git.raw_tree(&[("100644", b"big", &blob), ("100644", b"small", &git.blob(b"x"))]);
        let (tree, violations) = read(&git, &tree);
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["small"]);
        assert_eq!(rules(&violations), [("big", Rule::FileBytes)]);
        assert_eq!(
            violations[0].to_string(),
            "`big` is too large: 20 MiB (limit: 10 MiB): take it out with `git rm` or make it smaller"
        );
    }

    #[test]
    fn many_files_that_are_too_large_together_are_refused() {
        let git = Git::new();
        let blob = git.blob(&vec![0; 9 << 20]);
        let names: Vec<_> = (0..9).map(|n| format!("f{n}")).collect();
        let entries: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), blob.as_str())).collect();
        assert_eq!(rules(&read(&git, &git.raw_tree(&entries)).1), [("", Rule::TotalBytes)]);
    }

    #[test]
    fn a_mode_that_lies_about_its_object_is_malformed() {
        let git = Git::new();
        let blob = git.blob(b"x");
        let tree = git.raw_tree(&[("40000", b"dir", &blob)]);
        assert_eq!(rules(&read(&git, &tree).1), [("", Rule::Malformed)]);
        let tree = git.raw_tree(&[("100644", b"file", &git.raw_tree(&[("100644", b"f", &blob)]))]);
        assert_eq!(rules(&read(&git, &tree).1), [("", Rule::Malformed)]);
    }

    #[test]
    fn a_pointer_of_git_lfs_and_a_submodule_are_recognised() {
        let git = Git::new();
        git.write("big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
        let tree = git.raw_tree(&[
            ("100644", b"big.bin", &git.run(&["hash-object", "-w", "big.bin"])),
            ("160000", b"sub", &"1".repeat(40)),
        ]);
        let (tree, violations) = read(&git, &tree);
        assert_eq!(rules(&violations), [("big.bin", Rule::LfsPointer), ("sub", Rule::Submodule)]);
        assert_eq!(tree.get("sub"), Some(&Entry::Submodule));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let git = Git::new();
        let made = std::process::Command::new("mkfifo").arg(git.dir().join("pipe")).status().unwrap();
        assert!(made.success());
        assert_eq!(rules(&read_dir(git.dir()).unwrap().1), [("pipe", Rule::Special)]);
        assert!(matches!(Tree::from_dir(git.dir()), Err(ReadError::Refused(_))));
    }

    #[test]
    fn a_deadline_ends_reading() {
        let git = Git::new();
        let tree = git.raw_tree(&[("100644", b"f", &git.blob(b"x"))]);
        let expired = Deadline::after(std::time::Duration::ZERO);
        let result = read_tree(&git.repository(), tree.parse().unwrap(), &mut Objects::default(), expired);
        assert!(matches!(result, Err(ReadError::Expired(_))));
    }
}
