//! Repositories for tests, made by the real `git`, deaf to the configuration of whoever runs the tests.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use git2::Repository;
use tempfile::TempDir;

use super::sha::CommitId;

/// A repository with a working tree in a temporary directory, on branch `main`.
pub(crate) struct Git {
    dir: TempDir,
}

impl Git {
    /// Without a commit.
    pub fn new() -> Self {
        let git = Self { dir: tempfile::tempdir().unwrap() };
        git.run(&["init", "-q", "-b", "main"]);
        git
    }

    /// A clone of this one, with `origin` set.
    pub fn cloned(&self) -> Self {
        let git = Self { dir: tempfile::tempdir().unwrap() };
        git.run(&["clone", "-q", &self.dir().display().to_string(), "."]);
        git
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// libgit2's view of it.
    pub fn repository(&self) -> Repository {
        Repository::open(self.dir()).unwrap()
    }

    /// Runs `git` and gives what it says.
    pub fn run(&self, args: &[&str]) -> String {
        self.run_with_input(args, b"")
    }

    /// Runs `git` with this input and gives what it writes, byte for byte.
    pub fn run_with(&self, args: &[&str], input: &str) -> Vec<u8> {
        let output = self.output(args, input.as_bytes());
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Runs `git`, which must refuse.
    pub fn run_refused(&self, args: &[&str]) {
        assert!(!self.output(args, b"").status.success(), "git {args:?} went through");
    }

    fn run_with_input(&self, args: &[&str], input: &[u8]) -> String {
        let output = self.output(args, input);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn output(&self, args: &[&str], input: &[u8]) -> std::process::Output {
        let mut child = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always"])
            .args(args)
            .current_dir(self.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let at = self.dir().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }

    pub fn symlink(&self, path: &str, target: &str) {
        let at = self.dir().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, at).unwrap();
    }

    pub fn executable(&self, path: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.dir().join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Commits everything.
    pub fn commit(&self, subject: &str) -> CommitId {
        self.run(&["add", "-A"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", subject]);
        self.head()
    }

    pub fn head(&self) -> CommitId {
        self.run(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    /// The tree of a commit.
    pub fn tree(&self, commit: &CommitId) -> String {
        self.run(&["rev-parse", &format!("{commit}^{{tree}}")])
    }

    /// Stores a blob.
    pub fn blob(&self, bytes: &[u8]) -> String {
        self.run_with_input(&["hash-object", "-w", "--stdin"], bytes)
    }

    /// Stores a tree as it is told to, however wrong: (mode, name, id). Without `git`, which would take 10 ms each.
    pub fn raw_tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut object = Vec::new();
        for (mode, name, id) in entries {
            object.extend_from_slice(mode.as_bytes());
            object.push(b' ');
            object.extend_from_slice(name);
            object.push(0);
            object.extend_from_slice(&hex::decode(id).unwrap());
        }
        self.repository().odb().unwrap().write(git2::ObjectType::Tree, &object).unwrap().to_string()
    }

    /// A tree of 32 objects that stands for a billion files.
    pub fn doubling_tree(&self) -> String {
        let leaf = self.raw_tree(&[("100644", b"f", &self.blob(b"x"))]);
        (0..30).fold(leaf, |tree, _| self.raw_tree(&[("40000", b"a", &tree), ("40000", b"b", &tree)]))
    }

    /// Commits a tree, however wrong, on top of `parents`.
    pub fn raw_commit(&self, tree: &str, parents: &[&CommitId]) -> CommitId {
        let mut args = vec!["commit-tree", tree, "-m", "raw"];
        parents.iter().for_each(|parent| args.extend(["-p", parent.as_str()]));
        self.run(&args).parse().unwrap()
    }
}

/// Bytes that no compression makes smaller, the same on every call.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(bytes)
    .collect()
}
