//! Bare repositories of a data directory: made whole or not at all, and freed of what a killed program left.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git2::{ErrorCode, Repository, RepositoryInitOptions};

/// What an unfinished repository is called until it is whole.
const UNFINISHED: &str = ".new-";

/// Opens the repository at a path; makes an empty one, with the directories above, where nothing is.
pub fn open_or_make(path: &Path) -> Result<Repository, git2::Error> {
    match Repository::open_bare(path) {
        Err(error) if error.code() == ErrorCode::NotFound => {
            make(path, |_| Ok(()))?;
            Repository::open_bare(path)
        }
        other => other,
    }
}

/// Makes a repository with what `fill` puts into it. Somebody else who was faster is as good.
pub fn make(path: &Path, fill: impl FnOnce(&Repository) -> Result<(), git2::Error>) -> Result<(), git2::Error> {
    let failed = |error: io::Error| git2::Error::from_str(&format!("cannot make {}: {error}", path.display()));
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed)?;
    // Whoever may read it is the umask's matter; a temporary directory would be its maker's alone.
    let readable = fs::Permissions::from_mode(0o777);
    let new = tempfile::Builder::new().prefix(UNFINISHED).permissions(readable).tempdir_in(parent).map_err(failed)?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head("main");
    fill(&Repository::init_opts(new.path(), &options)?)?;
    match fs::rename(new.path(), path) {
        Err(_) if Repository::open_bare(path).is_ok() => Ok(()),
        other => other.map_err(|error| {
            let path = path.display();
            git2::Error::from_str(&format!("cannot make {path}: {error}; if nothing in it is yours, delete it"))
        }),
    }
}

/// Removes the locks and the unfinished repositories that killed programs left below `root`, which nobody else may be using:
/// libgit2 waits for no lock, so one that nobody holds any more would be in the way for good.
pub fn release(root: &Path) -> io::Result<()> {
    let removed = |path: &Path| tracing::info!(path = %path.display(), "removed what a killed program left");
    let mut open = vec![(root.to_owned(), false)];
    while let Some((dir, inside)) = open.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type()?;
            if kind.is_dir() && name.starts_with(UNFINISHED) {
                fs::remove_dir_all(&path)?;
                removed(&path);
            } else if kind.is_dir() && name != "objects" {
                open.push((path, inside || name.ends_with(".git")));
            } else if kind.is_file() && inside && name.ends_with(".lock") {
                fs::remove_file(&path)?;
                removed(&path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_there_is_opened_and_another_is_made_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("host/acme/tiny.git");
        let first = open_or_make(&path).unwrap();
        let id = first.blob(b"kept").unwrap();
        open_or_make(&path).unwrap().find_blob(id).unwrap();
        // Somebody was faster: theirs stays.
        make(&path, |_| Ok(())).unwrap();
        first.find_blob(id).unwrap();
        // An empty directory is nothing.
        let empty = dir.path().join("empty.git");
        fs::create_dir(&empty).unwrap();
        assert!(open_or_make(&empty).unwrap().is_bare());
        // What fails leaves nothing.
        let failed = dir.path().join("failed.git");
        assert!(make(&failed, |_| Err(git2::Error::from_str("no"))).is_err());
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["empty.git", "host"]);
    }

    #[test]
    fn a_directory_of_somebody_elses_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.git");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "theirs").unwrap();
        let error = open_or_make(&path).err().unwrap();
        assert!(error.message().contains("delete it"), "{error}");
        assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "theirs");
    }

    #[test]
    fn locks_of_the_dead_and_what_they_did_not_finish_are_gone_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        let path = root.join("mirrors/host/acme/tiny.git");
        let repository = open_or_make(&path).unwrap();
        let locks =
            ["config.lock", "packed-refs.lock", "refs/heads/main.lock", "HEAD.lock"].map(|name| path.join(name));
        for lock in &locks {
            fs::write(lock, "").unwrap();
        }
        let unfinished = root.join("mirrors/host/acme/.new-a1");
        fs::create_dir(&unfinished).unwrap();
        let others = ["gradus.lock", "mirrors/notes.lock"].map(|name| root.join(name));
        for other in &others {
            fs::write(other, "").unwrap();
        }
        let write = || repository.config().unwrap().set_str("gradus.test", "written");
        assert_eq!(write().unwrap_err().code(), ErrorCode::Locked);
        release(&root).unwrap();
        assert!(!locks.iter().chain([&unfinished]).any(|path| path.exists()));
        assert!(others.iter().all(|other| other.exists()));
        write().unwrap();
    }
}
