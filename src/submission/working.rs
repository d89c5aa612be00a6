//! A working tree as the tree that `git add -A` would commit, without touching the learner's index or repository, and
//! without running anything: ignored files are left out, line ends are converted as Git would convert them, and clean
//! filters of the configuration are reported instead of run.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use git2::{AttrCheckFlags, AttrValue, Index, IndexAddOption, Repository};

use super::Submission;
use super::collision::collisions;
use super::deadline::Deadline;
use super::heads::upstream;
use super::history::merge_base;
use super::limits::{MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};
use super::names;
use super::read::{Collector, Mode, Objects, ReadError, read_dir, read_tree, tree_of};
use super::sha::CommitId;
use super::tree::Tree;
use super::violation::Violation;

/// What lies on the disk, as a submission.
#[derive(Debug, Clone)]
pub struct Working {
    /// Without commit and history. The base is where the branch left `origin/main`; none without Git or a commit.
    pub submission: Submission,
    /// What its paths are relative to: the top of the working tree, or the directory itself without Git.
    pub top: PathBuf,
    /// Files that count and that Git does not know yet: a commit without `git add` leaves them out.
    pub unadded: Vec<String>,
    /// The branch that is checked out; none without Git and on a detached head.
    pub branch: Option<String>,
}

/// Reads the working tree around `path`; without Git, or when Git ignores it, the directory `path` as it is.
pub fn read(path: &Path, deadline: Deadline) -> Result<Working, ReadError> {
    let path = fs::canonicalize(path).map_err(ReadError::io(path))?;
    let repository = match Repository::discover(&path) {
        Ok(repository) => repository,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return read_plain(&path),
        Err(error) => return Err(ReadError::git(format!("open the repository around {}", path.display()))(error)),
    };
    let Some(top) = repository.workdir().map(Path::to_owned) else { return Err(ReadError::Bare(path)) };
    let top = fs::canonicalize(&top).map_err(ReadError::io(&top))?;
    if path != top && repository.is_path_ignored(&path).unwrap_or(false) {
        return read_plain(&path);
    }
    let (files, mut violations, unadded) = staged(&repository, &top)?;
    let mut base = None;
    if let Some(commit) = branched_from(&repository)? {
        let (tree, known) =
            read_tree(&repository, tree_of(&repository, &commit)?.id(), &mut Objects::default(), deadline)?;
        violations.retain(|violation| !known.contains(violation));
        base = Some(tree);
    }
    violations.extend(collisions(&files, base.as_ref()));
    let branch = repository.head().ok().filter(git2::Reference::is_branch);
    let branch = branch.and_then(|head| head.shorthand().ok().map(str::to_owned));
    Ok(Working { submission: Submission { files, base, violations, ..Submission::default() }, top, unadded, branch })
}

/// Reads a directory as it is, whether or not Git knows it.
pub fn read_plain(path: &Path) -> Result<Working, ReadError> {
    let (files, mut violations) = read_dir(path)?;
    violations.extend(collisions(&files, None));
    let submission = Submission { files, violations, ..Submission::default() };
    Ok(Working { submission, top: path.to_owned(), unadded: Vec::new(), branch: None })
}

/// Where the branch left the upstream; none before the first commit and for unrelated history.
fn branched_from(repository: &Repository) -> Result<Option<CommitId>, ReadError> {
    let Ok(head) = repository.refname_to_id("HEAD") else { return Ok(None) };
    match upstream(repository)? {
        Some(upstream) => merge_base(repository, &head.into(), &upstream),
        None => Ok(Some(head.into())),
    }
}

/// The tree that `git add -A` would leave in the index, what is in its way, and what the index does not have yet. The index is a copy in memory that is never written, and new
/// objects go to a store in memory.
fn staged(repository: &Repository, top: &Path) -> Result<(Tree, Vec<Violation>, Vec<String>), ReadError> {
    let odb = repository.odb().map_err(ReadError::git("open the object database"))?;
    odb.add_new_mempack_backend(i32::MAX).map_err(ReadError::git("keep objects in memory"))?;
    let mut index = repository.index().map_err(ReadError::git("read the index"))?;

    let tracked: HashSet<Vec<u8>> = index.iter().map(|entry| entry.path).collect();

    let mut into = Collector::default();
    let mut added = Added::default();
    let result = index.add_all(["*"], IndexAddOption::DEFAULT, Some(&mut |path, _| added.decide(&mut into, top, path)));
    if !into.stopped {
        result.map_err(ReadError::git("read the working tree"))?;
    }
    for inner in empty_repositories(repository, &index, top) {
        let _ = added.decide(&mut into, top, &inner);
    }
    let (mut refused, mut unadded) = (HashSet::new(), Vec::new());
    for entry in index.iter() {
        if into.stopped {
            break;
        }
        if added.left_out.contains(&entry.path) {
            continue;
        }
        let Some(path) = checked(&mut into, &mut refused, &entry.path) else { continue };
        if added.paths.contains(&entry.path)
            && let Some(attribute) = external_filter(repository, &path)?
        {
            into.violations.add(Violation::external_filter(&path, &attribute));
        }
        if !tracked.contains(&entry.path) {
            unadded.push(path.clone());
        }
        let mode = Mode::of(i32::try_from(entry.mode).unwrap_or_default());
        if let Mode::Submodule = mode {
            into.submodule(path);
            continue;
        }
        let (size, _) = odb.read_header(entry.id).map_err(ReadError::git(format!("read the size of `{path}`")))?;
        if size as u64 > MAX_FILE_BYTES {
            into.too_large(&path, size as u64);
            continue;
        }
        let blob = repository.find_blob(entry.id).map_err(ReadError::git(format!("read `{path}`")))?;
        match mode {
            Mode::Symlink => into.symlink(path, blob.content()),
            mode => into.file(path, blob.content().into(), matches!(mode, Mode::File { executable: true })),
        }
    }
    let (files, violations) = into.finish();
    Ok((files, violations, unadded))
}

/// Repositories with a commit and without a file, each with a slash at its end: Git adds them, libgit2 does not see them,
/// since it does not look into directories without files. Those whose files are in the index stay files for Git.
fn empty_repositories(repository: &Repository, index: &Index, top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    let mut looked_at = 0;
    while let Some(dir) = waiting.pop() {
        looked_at += 1;
        if looked_at > MAX_FILES {
            break;
        }
        let children = fs::read_dir(top.join(&dir)).into_iter().flatten().flatten();
        let is_dir = |child: &fs::DirEntry| child.file_type().is_ok_and(|kind| kind.is_dir());
        let dirs = children.filter(|child| is_dir(child) && child.file_name() != ".git").map(|child| child.file_name());
        for path in dirs.map(|name| dir.join(name)) {
            let slashed = path.join("");
            let is_known = index.find_prefix(&slashed).is_ok();
            if !is_known && repository.is_path_ignored(&slashed).unwrap_or(true) {
                continue;
            }
            let is_repository = top.join(&path).join(".git").exists();
            match is_repository && Repository::open(top.join(&path)).is_ok_and(|inner| inner.head().is_ok()) {
                true if is_known => {}
                true => found.push(slashed),
                false => waiting.push(path),
            }
        }
    }
    found
}

/// What `add_all` was about to add.
#[derive(Default)]
struct Added {
    paths: BTreeSet<Vec<u8>>,
    left_out: BTreeSet<Vec<u8>>,
    /// Repositories inside of this one.
    inner: BTreeSet<Vec<u8>>,
    bytes: u64,
}

impl Added {
    /// Adds, skips (1) or ends (-1), before libgit2 reads the file: what is too large is never read, and a name that
    /// libgit2 refuses would end the whole call.
    fn decide(&mut self, into: &mut Collector, top: &Path, path: &Path) -> i32 {
        let name = path.as_os_str().as_encoded_bytes();
        // A repository inside of the repository comes with a slash at its end.
        if let Some(inner) = name.strip_suffix(b"/") {
            if self.inner.insert(inner.to_owned())
                && let Some(inner) = checked(into, &mut HashSet::new(), inner)
            {
                into.submodule(inner);
            }
            return 1;
        }
        let meta = fs::symlink_metadata(top.join(path)).ok();
        let size = meta.filter(fs::Metadata::is_file).map_or(0, |meta| meta.len());
        self.bytes += size.min(MAX_FILE_BYTES);
        if self.paths.len() > MAX_FILES {
            into.stop(Violation::files());
            return -1;
        }
        // Line ends may shrink a file when it is committed; the exact sum is made afterwards.
        if self.bytes > 2 * MAX_TOTAL_BYTES {
            into.stop(Violation::total_bytes());
            return -1;
        }
        let segments = name.split(|byte| *byte == b'/').map(std::str::from_utf8);
        let bad_name = segments.into_iter().any(|name| name.ok().is_none_or(|name| names::refusal(name).is_some()));
        if size > MAX_FILE_BYTES {
            into.too_large(&path.to_string_lossy(), size);
            self.left_out.insert(name.to_owned());
            return 1;
        }
        if bad_name {
            checked(into, &mut HashSet::new(), name);
            self.left_out.insert(name.to_owned());
            return 1;
        }
        self.paths.insert(name.to_owned());
        0
    }
}

/// The path of an index entry, or none when it or a directory above it is refused; each refusal is said once.
fn checked(into: &mut Collector, refused: &mut HashSet<Vec<u8>>, path: &[u8]) -> Option<String> {
    let mut checked = String::new();
    for (depth, name) in path.split(|byte| *byte == b'/').enumerate() {
        let key = [checked.as_bytes(), b"/", name].concat();
        if refused.contains(&key) {
            return None;
        }
        if depth > MAX_DEPTH {
            into.violations.add(Violation::depth(&checked));
            return None;
        }
        let Some(longer) = into.path(&checked, name) else {
            refused.insert(key);
            return None;
        };
        checked = longer;
    }
    Some(checked)
}

/// The attribute, as written, by which Git would have another program rewrite the file when it is added.
fn external_filter(repository: &Repository, path: &str) -> Result<Option<String>, ReadError> {
    let attribute = |name: &str| {
        let value = repository
            .get_attr_bytes(Path::new(path), name, AttrCheckFlags::FILE_THEN_INDEX)
            .map_err(ReadError::git(format!("read the attributes of `{path}`")))?;
        Ok::<_, ReadError>(match AttrValue::always_bytes(value) {
            AttrValue::Bytes(value) => Some(String::from_utf8_lossy(value).into_owned()),
            _ => None,
        })
    };
    if let Some(encoding) = attribute("working-tree-encoding")? {
        return Ok(Some(format!("working-tree-encoding={encoding}")));
    }
    let Some(driver) = attribute("filter")? else { return Ok(None) };
    let config = repository.config().map_err(ReadError::git("read the configuration"))?;
    // Without a program the attribute has no effect.
    let set = ["clean", "process"]
        .iter()
        .any(|key| config.get_string(&format!("filter.{driver}.{key}")).is_ok_and(|program| !program.is_empty()));
    Ok(set.then(|| format!("filter={driver}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Git;
    use super::super::tree::Entry;
    use super::super::tree_id;
    use super::super::violation::Rule;
    use super::*;

    fn working(git: &Git) -> Working {
        read(git.dir(), Deadline::none()).unwrap()
    }

    fn rules(working: &Working) -> Vec<(&str, Rule)> {
        working.submission.violations.iter().map(|v| (v.path.as_str(), v.rule)).collect()
    }

    /// What Git itself would commit; changes the index, so it comes last.
    fn added(git: &Git) -> String {
        git.run(&["add", "-A"]);
        git.run(&["write-tree"])
    }

    #[test]
    fn a_working_tree_is_the_tree_that_git_add_would_commit() {
        let git = Git::new();
        git.write(".gitignore", "*.log\n/build/\n");
        git.write("kept.log", "tracked though ignored\n");
        git.run(&["add", "-f", "kept.log"]);
        git.write("gone.yaml", "x\n");
        git.write("same.yaml", "x\n");
        git.write("staged.yaml", "x\n");
        git.commit("base");
        git.write("staged.yaml", "staged\n");
        git.run(&["add", "staged.yaml"]);
        git.write("staged.yaml", "on the disk\n");
        fs::remove_file(git.dir().join("gone.yaml")).unwrap();
        git.write("tasks/a/new.yaml", "x\n");
        git.write("build/out", "x\n");
        git.write("debug.log", "x\n");
        git.write("run.sh", "x\n");
        git.executable("run.sh");
        git.symlink("link", "/etc/passwd");

        let seen = working(&git);
        assert_eq!(seen.unadded, ["link", "run.sh", "tasks/a/new.yaml"]);
        assert_eq!(
            seen.submission.files.paths().collect::<Vec<_>>(),
            [".gitignore", "kept.log", "link", "run.sh", "same.yaml", "staged.yaml", "tasks/a/new.yaml"]
        );
        assert_eq!(&**seen.submission.files.file("staged.yaml").unwrap(), b"on the disk\n");
        assert_eq!(seen.submission.files.get("link"), Some(&Entry::Symlink("/etc/passwd".to_owned())));
        assert_eq!((seen.submission.commit, seen.submission.history), (None, None));
        assert_eq!(seen.branch.as_deref(), Some("main"));
        assert_eq!(tree_id(&seen.submission.files).as_str(), added(&git));
    }

    #[test]
    fn a_file_in_conflict_is_what_lies_on_the_disk() {
        let git = Git::new();
        git.write("a", "1\n");
        git.commit("base");
        git.run(&["checkout", "-q", "-b", "work"]);
        git.write("a", "2\n");
        git.commit("mine");
        git.run(&["checkout", "-q", "main"]);
        git.write("a", "3\n");
        git.commit("theirs");
        git.run_refused(&["merge", "-q", "work"]);
        let seen = working(&git);
        assert!(seen.submission.files.file("a").unwrap().starts_with(b"<<<<<<<"));
        assert_eq!(tree_id(&seen.submission.files).as_str(), added(&git));
    }

    #[test]
    fn nothing_in_the_repository_changes() {
        let git = Git::new();
        git.write("a", "1\n");
        git.commit("base");
        git.write("a", "2\n");
        git.write("b", "new\n");
        let before = snapshot(&git.dir().join(".git"));
        working(&git);
        assert_eq!(snapshot(&git.dir().join(".git")), before);
    }

    fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                files.extend(snapshot(&entry.path()));
            } else {
                files.push((entry.path(), fs::read(entry.path()).unwrap()));
            }
        }
        files.sort();
        files
    }

    #[test]
    fn line_ends_are_converted_as_git_converts_them() {
        let git = Git::new();
        git.write(".gitattributes", "*.yaml text eol=crlf\n*.bin -text\n");
        git.run(&["config", "core.autocrlf", "true"]);
        git.write("a.yaml", "a: 1\r\nb: 2\r\n");
        git.write("auto.txt", "a\r\n");
        git.write("raw.bin", "a\r\n");
        let seen = working(&git);
        assert_eq!(&**seen.submission.files.file("a.yaml").unwrap(), b"a: 1\nb: 2\n");
        assert_eq!(&**seen.submission.files.file("auto.txt").unwrap(), b"a\n");
        assert_eq!(&**seen.submission.files.file("raw.bin").unwrap(), b"a\r\n");
        assert_eq!(tree_id(&seen.submission.files).as_str(), added(&git));
    }

    #[test]
    fn no_program_of_the_configuration_is_run() {
        let git = Git::new();
        let marker = git.dir().join("pwned");
        let touch = format!("touch {}", marker.display());
        for key in
            ["filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.fsmonitor", "diff.evil.textconv"]
        {
            git.run(&["config", key, &touch]);
        }
        git.run(&["config", "filter.evil.required", "true"]);
        git.write(".gitattributes", "*.yaml filter=evil diff=evil\n*.txt filter=unknown\n");
        git.write("a.yaml", "a: 1\n");
        git.write("b.txt", "b\n");
        let seen = working(&git);
        assert!(!marker.exists());
        assert_eq!(rules(&seen), [("a.yaml", Rule::ExternalFilter)]);
        assert_eq!(&**seen.submission.files.file("a.yaml").unwrap(), b"a: 1\n");
    }

    #[test]
    fn the_base_is_where_the_branch_left_its_upstream() {
        let origin = Git::new();
        origin.write("a", "published\n");
        origin.commit("base");
        let clone = origin.cloned();
        clone.run(&["checkout", "-q", "-b", "work"]);
        clone.write("a", "committed\n");
        clone.commit("work");
        clone.write("a", "on the disk\n");
        let seen = working(&clone);
        assert_eq!(&**seen.submission.base.unwrap().file("a").unwrap(), b"published\n");
        assert_eq!(&**seen.submission.files.file("a").unwrap(), b"on the disk\n");
        assert_eq!(seen.branch.as_deref(), Some("work"));
    }

    #[test]
    fn a_directory_inside_of_a_clone_is_read_as_part_of_it() {
        let git = Git::new();
        git.write("tasks/a/x.yaml", "x\n");
        let seen = read(&git.dir().join("tasks/a"), Deadline::none()).unwrap();
        assert_eq!(seen.top, fs::canonicalize(git.dir()).unwrap());
        assert_eq!(seen.submission.files.paths().collect::<Vec<_>>(), ["tasks/a/x.yaml"]);
        assert_eq!(seen.submission.base, None, "there is no commit yet");
    }

    #[test]
    fn a_directory_without_git_or_ignored_by_it_is_read_as_it_is() {
        let plain = tempfile::tempdir().unwrap();
        fs::write(plain.path().join("a.yaml"), "x").unwrap();
        let seen = read(plain.path(), Deadline::none()).unwrap();
        assert_eq!(seen.submission.files.paths().collect::<Vec<_>>(), ["a.yaml"]);

        let git = Git::new();
        git.write(".gitignore", "scratch/\n");
        git.write("scratch/task/a.yaml", "x\n");
        let seen = read(&git.dir().join("scratch/task"), Deadline::none()).unwrap();
        assert_eq!(seen.submission.files.paths().collect::<Vec<_>>(), ["a.yaml"]);
        assert!(matches!(read(&git.dir().join("missing"), Deadline::none()), Err(ReadError::Io { .. })));
    }

    #[test]
    fn large_files_bad_names_pipes_and_repositories_inside_are_reported_and_the_rest_is_read() {
        let git = Git::new();
        git.write("fine", "x\n");
        git.write("large", vec![0; (MAX_FILE_BYTES + 1) as usize]);
        git.write("a\\b", "x\n");
        git.write("git~1", "x\n");
        git.write("inner/x", "x\n");
        let inner = Repository::init(git.dir().join("inner")).unwrap();
        let who = git2::Signature::now("Ada", "a@b").unwrap();
        let tree = inner.find_tree(inner.treebuilder(None).unwrap().write().unwrap()).unwrap();
        inner.commit(Some("HEAD"), &who, &who, "x", &tree, &[]).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(git.dir().join("pipe")).status().unwrap().success());

        let seen = working(&git);
        let mut rules = rules(&seen);
        rules.sort();
        assert_eq!(
            rules,
            [("a\\b", Rule::Name), ("git~1", Rule::Name), ("inner", Rule::Submodule), ("large", Rule::FileBytes)]
        );
        assert!(seen.submission.files.file("fine").is_some());
    }

    #[test]
    fn a_repository_inside_counts_as_git_counts_it_whether_or_not_it_has_files() {
        let git = Git::new();
        git.write(".gitignore", "ignored/\n");
        git.write("tasks/a/x.yaml", "x\n");
        git.write("known/x.yaml", "x\n");
        git.commit("base");
        for inner in ["tasks/a/empty", "ignored/empty", "known", "tasks/a/unborn"] {
            let inner_dir = git.dir().join(inner);
            let repository = Repository::init(&inner_dir).unwrap();
            if inner != "tasks/a/unborn" {
                let who = git2::Signature::now("Ada", "a@b").unwrap();
                let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
                repository.commit(Some("HEAD"), &who, &who, "x", &tree, &[]).unwrap();
            }
        }
        let seen = working(&git);
        assert_eq!(rules(&seen), [("tasks/a/empty", Rule::Submodule)]);
        fs::remove_dir_all(git.dir().join("tasks/a/unborn")).unwrap();
        git.run(&["add", "-A"]);
        let links = git.run(&["ls-files", "-s"]);
        let links: Vec<_> = links.lines().filter(|line| line.starts_with("160000")).collect();
        assert!(matches!(links.as_slice(), [link] if link.ends_with("tasks/a/empty")), "{links:?}");
    }

    #[test]
    fn too_many_files_are_refused_before_they_are_read() {
        let git = Git::new();
        for n in 0..MAX_FILES + 2 {
            git.write(&format!("d/{n}"), "");
        }
        assert_eq!(rules(&working(&git)), [("", Rule::Files)]);
    }

    #[test]
    fn a_bare_repository_is_not_a_working_tree() {
        let dir = tempfile::tempdir().unwrap();
        Repository::init_bare(dir.path()).unwrap();
        assert!(matches!(read(dir.path(), Deadline::none()), Err(ReadError::Bare(_))));
    }
}
