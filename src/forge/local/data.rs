//! The data directory of `gradus up`: where everything lies, and that only one program uses it.
//!
//! ```text
//! gradus.lock                     held while a daemon runs; released by the kernel however it ends
//! gradus.db                       queue, journal, pull requests, reviews
//! upstream/COURSE.git             the published workspaces
//! forks/LEARNER/COURSE.git        one fork per learner, borrowing objects from upstream
//! gradebook/LEARNER.jsonl         verdicts
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::repositories::{Lent, Repositories};
use crate::course::id::{CourseId, Learner};
use crate::store::flock::{self, Holder, Sharing};
use crate::submission::bare::release;

const LOCK: &str = "gradus.lock";
const DATABASE: &str = "gradus.db";

/// A data directory that is ours alone until this value is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    repositories: Repositories,
    _lock: File,
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Another daemon runs on it.
    #[error(
        "{} is in use by another `gradus up`: stop that one, or choose another directory with `--data DIR`", .0.display()
    )]
    InUse(PathBuf),
    /// It holds something else.
    #[error(
        "{} is not empty and holds no data of Gradus: choose another directory with `--data DIR`; nothing was changed",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// The system says no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as in `create`.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl DataDir {
    /// Takes the directory, makes it when it is not there.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let fail = |what, path: &Path| {
            let path = path.to_owned();
            move |source| DataError::Io { what, path, source }
        };
        // Only the owner reads learners' work.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(fail("create", root))?;
        let root = root.canonicalize().map_err(fail("open", root))?;
        let mut entries = fs::read_dir(&root).map_err(fail("read", &root))?;
        if entries.next().is_some() && !root.join(LOCK).exists() && !root.join(DATABASE).exists() {
            return Err(DataError::NotOurs(root));
        }
        let lock = root.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(fail("open", &lock))?;
        if flock::lock(&file, Sharing::Alone, flock::LEFT).map_err(fail("lock", &lock))? == Holder::Other {
            return Err(DataError::InUse(root));
        }
        for name in ["upstream", "forks", "gradebook"] {
            let dir = root.join(name);
            fs::create_dir_all(&dir).map_err(fail("create", &dir))?;
            // Git's own programs end with the daemon that they talked to.
            release(&dir).map_err(fail("tidy", &dir))?;
        }
        Ok(Self { root, repositories: Repositories::default(), _lock: file })
    }

    /// The directory itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.root.join(DATABASE)
    }

    /// The published workspace of a course, bare.
    pub fn upstream(&self, course: &CourseId) -> PathBuf {
        self.root.join("upstream").join(format!("{course}.git"))
    }

    /// A learner's fork, bare; whether or not it exists.
    pub fn fork(&self, learner: &Learner, course: &CourseId) -> PathBuf {
        self.root.join("forks").join(learner.as_str()).join(format!("{course}.git"))
    }

    /// All forks that exist.
    pub fn forks(&self) -> Result<Vec<(Learner, CourseId)>, DataError> {
        let forks = self.root.join("forks");
        let mut found = Vec::new();
        for learner in names(&forks)? {
            let Ok(id) = learner.parse::<Learner>() else { continue };
            for course in names(&forks.join(&learner))? {
                // Unfinished ones start with a dot.
                if let Some(Ok(course)) = course.strip_suffix(".git").map(str::parse) {
                    found.push((id.clone(), course));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// A bare repository of this directory, for one user at a time.
    pub fn repository(&self, path: &Path) -> Result<Lent<'_>, git2::Error> {
        self.repositories.open(path)
    }

    /// Verdicts over time.
    pub fn gradebook(&self) -> PathBuf {
        self.root.join("gradebook")
    }
}

fn names(dir: &Path) -> Result<Vec<String>, DataError> {
    let fail = |source| DataError::Io { what: "read", path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if let (true, Ok(name)) = (entry.path().is_dir(), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_daemons_cannot_share_a_directory_and_the_next_one_can_have_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        assert!(matches!(DataDir::open(dir.path()), Err(DataError::InUse(_))));
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn a_directory_with_something_else_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "mine").unwrap();
        assert!(matches!(DataDir::open(dir.path()), Err(DataError::NotOurs(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
