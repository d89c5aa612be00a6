//! What a submission is about, and what it may have meant (design §1, promise 7).

use crate::course::id::TaskId;

/// What a submission is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Tasks below whose `tasks/TASK-ID/` it changes something against its merge base, in the order asked.
    pub tasks: Vec<TaskId>,
    /// Changes that miss, with what was probably meant.
    pub near_misses: Vec<NearMiss>,
}

/// A change that no checkpoint will look at, with what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The path (or branch) as the learner wrote it.
    pub found: String,
    /// The path that is looked for.
    pub meant: String,
    /// What is wrong with it, as in "differs in upper and lower case".
    pub why: String,
    /// A command that mends it, copyable.
    pub remedy: String,
}
