//! A submission: one head commit of one pull request (or a working tree), as data.

pub mod diff;
pub mod history;
pub mod scope;
pub mod sha;
pub mod tree;
pub mod yaml;

use history::History;
use sha::CommitId;
use tree::Tree;

/// One head commit, or a working tree as `git add -A` would commit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// None for a working tree.
    pub commit: Option<CommitId>,
    /// All files of the head, within the limits; paths from the top of the repository.
    pub files: Tree,
    /// The files at the merge base; none when there is none.
    pub base: Option<Tree>,
    /// None for a working tree: assertions on history are then not run.
    pub history: Option<History>,
}
