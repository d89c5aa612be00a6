//! Open repositories, kept: opening one reads a dozen files, and a push needs its fork ten times.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use git2::Repository;

/// Most repositories that are kept open while nobody uses them. Each holds a few hundred kilobytes and the indexes of
/// its packs; fifty learners at once find theirs.
const MAX_IDLE: usize = 64;

/// Repositories that nobody uses just now, the one used last at the end. libgit2 looks at the files again whenever they
/// change, so one that was kept sees what a fresh one would.
#[derive(Default)]
pub struct Repositories {
    idle: Mutex<Vec<(PathBuf, Repository)>>,
}

impl std::fmt::Debug for Repositories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repositories").field("idle", &self.lock().len()).finish()
    }
}

impl Repositories {
    /// A bare repository for one user's use, who gives it back by dropping it.
    pub fn open(&self, path: &Path) -> Result<Lent<'_>, git2::Error> {
        let kept = {
            let mut idle = self.lock();
            idle.iter().rposition(|(at, _)| at == path).map(|index| idle.remove(index))
        };
        let (at, repository) = match kept {
            // Removed and made anew under the same name, it would be another one.
            Some(kept) if path.is_dir() => kept,
            _ => (path.to_owned(), Repository::open_bare(path)?),
        };
        Ok(Lent { home: self, held: Some((at, repository)) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(PathBuf, Repository)>> {
        // Changed in one step: a panic elsewhere leaves it right.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repository on loan.
pub struct Lent<'r> {
    home: &'r Repositories,
    held: Option<(PathBuf, Repository)>,
}

impl Deref for Lent<'_> {
    type Target = Repository;
    fn deref(&self) -> &Repository {
        &self.held.as_ref().expect("taken only when dropped").1
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.home.lock();
        idle.extend(self.held.take());
        if idle.len() > MAX_IDLE {
            let oldest = idle.remove(0);
            // Closing files while others wait for the lock helps nobody.
            drop(idle);
            drop(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::testing::Git;

    #[test]
    fn one_that_was_kept_sees_what_others_changed() {
        let git = Git::new();
        let one = git.commit("one");
        let bare = tempfile::tempdir().unwrap();
        git.run(&["clone", "-q", "--bare", ".", &bare.path().display().to_string()]);
        let kept = Repositories::default();
        let head = |name: &str| kept.open(bare.path()).unwrap().refname_to_id(name).map(|id| id.to_string());
        assert_eq!(head("refs/heads/main").unwrap(), one.as_str());
        git.write("x", "x");
        let two = git.commit("two");
        git.run(&["push", "-q", &bare.path().display().to_string(), "main:main", "main:new"]);
        assert_eq!(head("refs/heads/main").unwrap(), two.as_str());
        assert_eq!(head("refs/heads/new").unwrap(), two.as_str());
        assert!(kept.open(bare.path()).unwrap().find_commit(two.as_str().parse().unwrap()).is_ok());
        git.run(&["--git-dir", &bare.path().display().to_string(), "pack-refs", "--all"]);
        assert_eq!(head("refs/heads/new").unwrap(), two.as_str());
        git.run(&["--git-dir", &bare.path().display().to_string(), "repack", "-adq"]);
        assert!(kept.open(bare.path()).unwrap().find_commit(two.as_str().parse().unwrap()).is_ok());
        git.run(&["--git-dir", &bare.path().display().to_string(), "branch", "-D", "new"]);
        assert!(head("refs/heads/new").is_err());
        assert_eq!(kept.lock().len(), 1, "it was one all the time");
    }

    #[test]
    fn two_at_once_get_two_and_few_are_kept() {
        let git = Git::new();
        git.commit("one");
        let dir = git.dir().join(".git");
        let kept = Repositories::default();
        let many: Vec<_> = (0..MAX_IDLE + 5).map(|_| kept.open(&dir).unwrap()).collect();
        drop(many);
        assert_eq!(kept.lock().len(), MAX_IDLE);
        assert!(kept.open(Path::new("/nonexistent")).is_err());
    }
}
