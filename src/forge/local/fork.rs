//! Forks: bare repositories that borrow objects from the published upstream, and from nothing else.
//!
//! A fork must never borrow from another fork: Git's protocol v2 serves any object it can find by its id, so that would
//! hand out another learner's work.

use std::collections::BTreeMap;
use std::fs;

use git2::{Oid, Repository};

use super::data::DataDir;
use super::repositories::Lent;
use crate::course::id::{CourseId, Learner};
use crate::forge::pull::Branch;
use crate::submission::bare::make;
use crate::submission::sha::CommitId;

/// Where the workspace is published.
const MAIN_REF: &str = "refs/heads/main";

/// What a fork calls that, whatever the learner put on its own `main`.
const PUBLISHED_REF: &str = "refs/heads/gradus/workspace";

/// A fork cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// libgit2 says no.
    #[error("cannot {what} the fork {learner}/{course}: {source}")]
    Git {
        /// What was tried.
        what: &'static str,
        /// Whose.
        learner: Learner,
        /// Of which course.
        course: CourseId,
        /// What libgit2 says.
        source: git2::Error,
    },
}

/// A learner's fork of a course.
#[derive(Debug, Clone, Copy)]
pub struct Fork<'a> {
    /// Where everything lies.
    pub data: &'a DataDir,
    /// Whose.
    pub learner: &'a Learner,
    /// Of which course; published.
    pub course: &'a CourseId,
}

impl Fork<'_> {
    /// Whether it has been made.
    pub fn exists(&self) -> bool {
        self.data.fork(self.learner, self.course).is_dir()
    }

    /// Makes it unless it exists, with `main` as upstream has it. Appears whole or not at all.
    pub fn ensure(&self) -> Result<(), ForkError> {
        let path = self.data.fork(self.learner, self.course);
        if path.is_dir() {
            return Ok(());
        }
        make(&path, |fork| self.fill(fork)).map_err(self.git("make"))
    }

    fn fill(&self, fork: &Repository) -> Result<(), git2::Error> {
        let upstream = self.data.repository(&self.data.upstream(self.course))?;
        let main = upstream.refname_to_id(MAIN_REF)?;
        // Relative, so that the data directory can be moved.
        let alternates = format!("../../../../upstream/{}.git/objects\n", self.course);
        fs::write(fork.path().join("objects/info/alternates"), alternates)
            .map_err(|error| git2::Error::from_str(&error.to_string()))?;
        fork.reference(MAIN_REF, main, true, "fork")?;
        fork.reference(PUBLISHED_REF, main, true, "fork")?;
        Ok(())
    }

    /// The learner's branches with their heads. Branches whose names we would not accept today are left out.
    pub fn branches(&self) -> Result<BTreeMap<Branch, CommitId>, ForkError> {
        let read = || -> Result<_, git2::Error> {
            let mut branches = BTreeMap::new();
            for reference in self.open()?.references_glob("refs/heads/*")? {
                let reference = reference?;
                let name = reference.name().ok().and_then(|name| name.strip_prefix("refs/heads/")?.parse().ok());
                if let (Some(branch), Some(head)) =
                    (name.filter(|name: &Branch| !name.is_published()), reference.target())
                {
                    branches.insert(branch, head.into());
                }
            }
            Ok(branches)
        };
        read().map_err(self.git("read the branches of"))
    }

    /// The head of one branch; none when it is not there.
    pub fn head(&self, branch: &Branch) -> Result<Option<CommitId>, ForkError> {
        let read = || match self.open()?.refname_to_id(&format!("refs/heads/{branch}")) {
            Ok(head) => Ok(Some(head.into())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        read().map_err(self.git("read"))
    }

    /// Whether a commit holds nothing but what was published: it is upstream's `main` or an ancestor of it.
    pub fn is_published(&self, commit: &CommitId) -> Result<bool, ForkError> {
        let read = || {
            let upstream = self.data.repository(&self.data.upstream(self.course))?;
            let main = upstream.refname_to_id(MAIN_REF)?;
            let commit = Oid::from_str(commit.as_str())?;
            // Asked of upstream: what it does not hold was not published.
            Ok(commit == main
                || (upstream.find_commit(commit).is_ok() && upstream.graph_descendant_of(main, commit)?))
        };
        read().map_err(self.git("compare"))
    }

    /// Follows what was published anew: always where the fork names the workspace, and on `main` when the learner has put
    /// nothing on it. Whether `main` moved.
    pub fn follow(&self) -> Result<bool, ForkError> {
        self.name_published().map_err(self.git("name the published workspace in"))?;
        self.fast_forward()
    }

    fn name_published(&self) -> Result<(), git2::Error> {
        let main = self.data.repository(&self.data.upstream(self.course))?.refname_to_id(MAIN_REF)?;
        self.open()?.reference(PUBLISHED_REF, main, true, "publish").map(drop)
    }

    fn fast_forward(&self) -> Result<bool, ForkError> {
        let Some(old) = self.head(&Branch::try_from(Branch::MAIN.to_owned()).expect("main is a name"))? else {
            return Ok(false);
        };
        if !self.is_published(&old)? {
            return Ok(false);
        }
        let forward = || {
            let new = self.data.repository(&self.data.upstream(self.course))?.refname_to_id(MAIN_REF)?;
            let old = Oid::from_str(old.as_str())?;
            if new == old {
                return Ok(false);
            }
            // Only from what we looked at: a push in between wins.
            self.open()?.reference_matching(MAIN_REF, new, true, old, "publish").map(|_| true)
        };
        forward().map_err(self.git("fast-forward"))
    }

    fn open(&self) -> Result<Lent<'_>, git2::Error> {
        self.data.repository(&self.data.fork(self.learner, self.course))
    }

    fn git(&self, what: &'static str) -> impl Fn(git2::Error) -> ForkError {
        let (learner, course) = (self.learner.clone(), self.course.clone());
        move |source| ForkError::Git { what, learner: learner.clone(), course: course.clone(), source }
    }
}
