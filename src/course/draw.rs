//! A task for one learner: all its texts and trees with the values filled in.

use std::collections::BTreeMap;

use super::id::CheckpointId;
use super::task::Task;
use super::values::Values;
use crate::submission::tree::Tree;

/// A task with the values filled in.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// `${name}` replaced in all parsed strings.
    pub task: Task,
    /// The values.
    pub values: Values,
    /// Rendered Markdown.
    pub brief: String,
    /// Rendered Markdown, shown after a pass.
    pub debrief: String,
    /// What the workspace ships below `tasks/TASK-ID/`.
    pub starter: Tree,
    /// Starter with the solution's overlay applied.
    pub solution: Tree,
    /// Starter with each alternative's overlay applied.
    pub alternatives: BTreeMap<String, Tree>,
    /// Wrong submissions and what each must lose.
    pub mutants: BTreeMap<String, Mutant>,
    /// Fixtures the learner never sees.
    pub hidden: Tree,
}

/// A wrong submission: the solution with edits applied, and the checkpoints they must make `fail`.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The solution with the edits applied.
    pub files: Tree,
    /// Exactly these fail; exactly their dependants are blocked.
    pub fails: Vec<CheckpointId>,
    /// The mistake, in one sentence.
    pub why: String,
}
