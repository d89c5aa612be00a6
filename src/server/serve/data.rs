//! The data directory of `gradus serve`. Several daemons may share it.
//!
//! ```text
//! gradus.lock                 held together by daemons; keeps `gradus up` out
//! gradus.db                   the store, unless it is configured to be elsewhere
//! gradus.db.daemons           held together by the daemons that use the store
//! mirrors/HOST/OWNER/NAME.git heads and bases of pull requests: a cache
//! courses/ID.git              pinned commits of courses: a cache
//! gradebook/                  verdicts, unless they are configured to be elsewhere
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::course::id::CourseId;
use crate::forge::pull::Workspace;
use crate::store::flock::{self, Holder, Sharing};
use crate::submission::bare::release;

/// How long somebody waits to be alone: as [`flock::LEFT`], but whoever has company starts as fast.
const TURN: Duration = Duration::from_millis(200);

/// The directory, kept from being used by `gradus up` until this value is dropped.
#[derive(Debug)]
pub struct Data {
    root: PathBuf,
    _lock: File,
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// `gradus up` runs on it.
    #[error("{} is in use by `gradus up`: stop that one, or name another directory as `data`", .0.display())]
    InUse(PathBuf),
    /// The system says no.
    #[error("cannot {what} {}: {source}; name a directory that we may write to as `data`", path.display())]
    Io {
        /// What was tried, as in `create`.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Data {
    /// Takes the directory, makes it when it is not there.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let fail = |what, path: &Path| {
            let path = path.to_owned();
            move |source| DataError::Io { what, path, source }
        };
        // Only the owner reads learners' work.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(fail("create", root))?;
        let path = root.join("gradus.lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(fail("open", &path))?;
        let alone = flock::lock(&lock, Sharing::Alone, TURN).map_err(fail("lock", &path))? == Holder::Us;
        let repositories = ["mirrors", "courses", "gradebook"].map(|name| root.join(name));
        for dir in &repositories {
            fs::create_dir_all(dir).map_err(fail("create", dir))?;
            if alone {
                release(dir).map_err(fail("tidy", dir))?;
            }
        }
        // Another daemon may be tidying up at this moment; `gradus up` lasts.
        if flock::lock(&lock, Sharing::Shared, flock::LEFT).map_err(fail("lock", &path))? == Holder::Other {
            return Err(DataError::InUse(root.to_owned()));
        }
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    /// Where the mirror of a workspace lies.
    pub fn mirror(&self, workspace: &Workspace) -> PathBuf {
        mirror(&self.root, workspace)
    }

    /// Where the pinned commits of a course lie.
    pub fn course(&self, course: &CourseId) -> PathBuf {
        self.root.join("courses").join(format!("{course}.git"))
    }

    /// Where verdicts lie.
    pub fn gradebook(&self) -> PathBuf {
        self.root.join("gradebook")
    }
}

/// Whether other daemons use a database at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Nobody does: whoever held something of it is gone.
    Alone,
    /// Some do, on this machine.
    Others,
}

/// Joins those who use a database, until the file is dropped. The kernel notices the end of each, however it comes.
pub fn join(database: &Path) -> Result<(File, Company), DataError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".daemons");
    let path = PathBuf::from(name);
    let fail = |what| {
        let path = path.clone();
        move |source: io::Error| DataError::Io { what, path, source }
    };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(fail("open"))?;
    let company = match flock::lock(&file, Sharing::Alone, TURN).map_err(fail("lock"))? {
        Holder::Us => Company::Alone,
        Holder::Other => Company::Others,
    };
    // Somebody else may come in between and find themselves alone: then we hold nothing yet either.
    rustix::fs::flock(&file, FlockOperation::LockShared).map_err(io::Error::from).map_err(fail("lock"))?;
    Ok((file, company))
}

/// Where the mirror of a workspace lies below a data directory. Its name is that of a host and a repository: harmless in a
/// path.
pub fn mirror(root: &Path, workspace: &Workspace) -> PathBuf {
    root.join("mirrors").join(format!("{}.git", workspace.0.replace(':', "_").to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_share_it_and_another_program_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        let one = Data::open(&root).unwrap();
        let other = Data::open(&root).unwrap();
        let lock = File::open(root.join("gradus.lock")).unwrap();
        assert_eq!(flock::lock(&lock, Sharing::Alone, Duration::ZERO).unwrap(), Holder::Other);
        drop((one, other));
        assert_eq!(flock::lock(&lock, Sharing::Alone, Duration::from_secs(20)).unwrap(), Holder::Us);
        assert!(matches!(Data::open(&root), Err(DataError::InUse(_))));
    }

    #[test]
    fn locks_of_a_killed_daemon_are_removed_unless_others_run() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        let lock = root.join("mirrors/host/acme/tiny.git/config.lock");
        let one = Data::open(&root).unwrap();
        std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
        std::fs::write(&lock, "").unwrap();
        let other = Data::open(&root).unwrap();
        assert!(lock.exists(), "it may be of the one that runs");
        drop((one, other));
        Data::open(&root).unwrap();
        assert!(!lock.exists());
    }

    #[test]
    fn who_is_alone_on_a_database_knows_it() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("gradus.db");
        let (one, company) = join(&database).unwrap();
        assert_eq!(company, Company::Alone);
        let (other, company) = join(&database).unwrap();
        assert_eq!(company, Company::Others);
        drop(one);
        assert_eq!(join(&database).unwrap().1, Company::Others);
        drop(other);
        assert_eq!(join(&database).unwrap().1, Company::Alone);
    }

    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        Data::open(&root).unwrap();
        assert_eq!(root.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
