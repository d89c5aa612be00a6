//! What the commits of a pull request did, as plain data: the `git` checkpoints are judged on this, not on a repository.

use serde::{Deserialize, Serialize};

use super::sha::CommitId;

/// The commits from the merge base (exclusive) to the head (inclusive), oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Where the learner's work branched off the workspace's `main`; none when histories are unrelated.
    pub merge_base: Option<CommitId>,
    /// Bounded by [`crate::submission::limits`]; `truncated` tells when there were more.
    pub commits: Vec<CommitFacts>,
    /// More commits exist than were read.
    pub truncated: bool,
    /// Paths that differ between merge base and head, of the whole workspace.
    pub changed: Vec<ChangedPath>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitFacts {
    /// Its id.
    pub id: CommitId,
    /// More than one for a merge.
    pub parents: Vec<CommitId>,
    /// The whole message; the subject is its first line.
    pub message: String,
    /// Name in the author line: a claim, not a proof.
    pub author: String,
    /// Seconds since the epoch in the committer line: a claim, not a proof.
    pub time: i64,
    /// Carries a signature (`gpgsig`), whether or not anybody checked it.
    pub signed: bool,
    /// Paths that differ from the first parent.
    pub changed: Vec<ChangedPath>,
}

/// A path that differs, with the size of the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedPath {
    /// Path from the top of the repository (the new one for a rename, which counts as delete and add).
    pub path: String,
    /// What happened to it.
    pub change: Change,
    /// Lines added; zero for binary files.
    pub added: u32,
    /// Lines removed; zero for binary files.
    pub removed: u32,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Was not there before.
    Added,
    /// Content or mode differs.
    Modified,
    /// Is gone.
    Deleted,
}
