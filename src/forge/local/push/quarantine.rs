//! Where the objects of a push wait until they are looked at: a directory inside the fork's own object directory, as
//! `git receive-pack` has it, so that letting them in is a matter of renaming.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::super::git::{Git, MAX_PACK};

/// Objects from which on a pack is kept as it is. Git's own default: fewer are unpacked, so that many small pushes do
/// not leave many small packs.
const KEEP_FROM: u32 = 100;

/// The first bytes of a pack: that it is one, its version, and the number of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHeader {
    /// As it says; whether it is true is found out by unpacking.
    pub objects: u32,
}

impl PackHeader {
    /// Length in bytes.
    pub const LENGTH: usize = 12;

    /// Reads it; none when this is no pack.
    pub fn read(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let [b'P', b'A', b'C', b'K', _, _, _, _, objects @ ..] = *bytes else { return None };
        Some(Self { objects: u32::from_be_bytes(objects) })
    }
}

/// Objects that belong to nothing yet. Dropped, they are gone.
#[derive(Debug)]
pub struct Quarantine {
    dir: TempDir,
    fork: PathBuf,
}

impl Quarantine {
    /// An empty one for a push to this fork.
    pub fn new(fork: &Path) -> io::Result<Self> {
        // By this name git itself knows that such a directory may be cleared away when it is old.
        let dir = tempfile::Builder::new().prefix("tmp_objdir-incoming-").tempdir_in(fork.join("objects"))?;
        // Git makes the two-letter directories as it needs them, and this one not always.
        fs::create_dir(dir.path().join("pack"))?;
        Ok(Self { dir, fork: fork.to_owned() })
    }

    /// Where the objects are.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The call of git that reads a pack from its input and puts its objects here, after checking each of them and that
    /// none refers to what is not there.
    pub fn unpacker(&self, git: &Git, header: PackHeader) -> Command {
        let mut command = git.command();
        // Both below the directory it runs in: no path needs quoting.
        let name = self.path().file_name().unwrap_or_default();
        command.current_dir(&self.fork).env("GIT_DIR", ".");
        command.env("GIT_OBJECT_DIRECTORY", Path::new("objects").join(name));
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", "objects");
        let size = format!("--max-input-size={MAX_PACK}");
        if header.objects < KEEP_FROM {
            command.args(["unpack-objects", "-q", "--strict", &size]);
        } else {
            command.args(["index-pack", "--stdin", "--fix-thin", "--strict", &size]);
        }
        command
    }

    /// Lets all objects into the fork. Each becomes visible by itself; no reference leads to them yet.
    pub fn admit(self) -> io::Result<()> {
        let into = self.fork.join("objects");
        for entry in fs::read_dir(self.path())? {
            let entry = entry?;
            let target = into.join(entry.file_name());
            match fs::create_dir(&target) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let mut files = fs::read_dir(entry.path())?.collect::<io::Result<Vec<_>>>()?;
            // A pack counts from the moment its index is there: that one goes last.
            files.sort_by_key(|file| file.path().extension().is_some_and(|extension| extension == "idx"));
            for file in files {
                let target = target.join(file.file_name());
                // What is there under the same id stays.
                if !target.exists() {
                    fs::rename(file.path(), target)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::submission::testing::Git as Repo;

    /// A bare fork that holds `base`, and a clone with `files` changed files on top of it.
    fn fork(files: usize) -> (Repo, TempDir, String) {
        let repo = Repo::new();
        repo.write("x", "x");
        repo.commit("base");
        let bare = tempfile::tempdir().unwrap();
        repo.run(&["clone", "-q", "--bare", ".", &bare.path().display().to_string()]);
        for n in 0..files {
            repo.write(&format!("tasks/a/{n}"), format!("{n}"));
        }
        let head = repo.commit("head").to_string();
        (repo, bare, head)
    }

    async fn unpack(quarantine: &Quarantine, pack: &[u8]) -> bool {
        let header = PackHeader::read(pack.first_chunk().unwrap()).unwrap();
        let mut command = quarantine.unpacker(&Git::find().unwrap(), header);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It may stop reading when it has seen enough.
        let _ = child.stdin.take().unwrap().write_all(pack).await;
        child.wait().await.unwrap().success()
    }

    fn pack(repo: &Repo, revisions: &str) -> Vec<u8> {
        repo.run_with(&["pack-objects", "-q", "--revs", "--thin", "--stdout"], revisions)
    }

    fn holds(bare: &TempDir, id: &str) -> bool {
        let repository = git2::Repository::open_bare(bare.path()).unwrap();
        repository.find_commit(id.parse().unwrap()).is_ok()
    }

    #[tokio::test]
    async fn objects_come_in_when_they_are_admitted_and_not_before() {
        for files in [1, 150] {
            let (repo, bare, head) = fork(files);
            let pack = pack(&repo, "HEAD\n^HEAD~1\n");
            let dropped = Quarantine::new(bare.path()).unwrap();
            assert!(unpack(&dropped, &pack).await);
            assert!(!holds(&bare, &head), "still in quarantine");
            let path = dropped.path().to_owned();
            drop(dropped);
            assert!(!path.exists() && !holds(&bare, &head));

            // Twice: what is there already does no harm.
            for _ in 0..2 {
                let admitted = Quarantine::new(bare.path()).unwrap();
                assert!(unpack(&admitted, &pack).await);
                admitted.admit().unwrap();
                assert!(holds(&bare, &head));
            }
            let left = fs::read_dir(bare.path().join("objects")).unwrap().flatten();
            assert!(!left.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("tmp_")));
            let packs = fs::read_dir(bare.path().join("objects/pack")).unwrap().flatten();
            let packs = packs.filter(|entry| entry.path().extension().is_some_and(|e| e == "pack")).count();
            assert_eq!(packs, if files == 1 { 0 } else { 1 }, "small pushes leave no packs");
        }
    }

    #[tokio::test]
    async fn packs_that_lie_or_lack_something_are_refused() {
        let (repo, bare, _) = fork(1);
        let whole = pack(&repo, "HEAD\n^HEAD~1\n");
        let only_commit = repo.run_with(&["pack-objects", "-q", "--stdout"], &repo.run(&["rev-parse", "HEAD"]));
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let mut more = whole.clone();
        more[11] += 1;
        for (what, bytes) in [
            ("a pack that ends early", &whole[..whole.len() - 30]),
            ("a flipped bit", &flipped),
            ("fewer objects than it says", &more),
            ("a commit without its tree", &only_commit),
        ] {
            let quarantine = Quarantine::new(bare.path()).unwrap();
            assert!(!unpack(&quarantine, bytes).await, "{what}");
        }
        assert!(PackHeader::read(b"GET / HTTP/1").is_none());
    }
}
