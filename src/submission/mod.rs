//! A submission: one head commit of one pull request (or a working tree), as data.

pub mod advice;
pub mod bare;
pub mod begin;
mod collision;
pub mod deadline;
pub mod diff;
pub mod heads;
pub mod history;
pub mod ignored;
pub mod incoming;
pub mod limits;
mod names;
pub mod read;
pub mod scope;
pub mod sha;
pub mod shell;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;
mod tree_id;
pub mod upstream;
pub mod violation;
mod weigh;
pub mod working;
pub mod yaml;

use history::History;
use sha::CommitId;
use tree::Tree;
use violation::Violation;

pub use read::ReadError;
pub use tree_id::tree_id;

/// One head commit, or a working tree as `git add -A` would commit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// None for a working tree.
    pub commit: Option<CommitId>,
    /// All files of the head, within the limits; paths from the top of the repository.
    pub files: Tree,
    /// The files at the merge base; none when there is none.
    pub base: Option<Tree>,
    /// None for a working tree: assertions on history are then not run.
    pub history: Option<History>,
    /// Limits exceeded and tricks tried by the learner: what the merge base already has is left out. A checkpoint of a
    /// task is `fail` when [`violation::violations_below`] that task's directory yields any.
    pub violations: Vec<Violation>,
}

impl Submission {
    /// The same below `dir`: a lone task directory becomes `tasks/TASK-ID/` of a workspace.
    pub fn mounted_at(self, dir: &str) -> Self {
        let below = |path: &str| format!("{dir}/{path}");
        let mount = |tree: Tree| tree.iter().map(|(path, entry)| (below(path), entry.clone())).collect();
        let mut violations = self.violations;
        violations.iter_mut().filter(|v| !v.path.is_empty()).for_each(|v| v.path = below(&v.path));
        Self { files: mount(self.files), base: self.base.map(mount), violations, ..self }
    }
}
