//! A report: all checkpoint results of one submission and one task. What `gradus grade --format json` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checkpoint::evidence::Evidence;
use crate::checkpoint::outcome::{Blame, Outcome};
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::submission::sha::{CommitId, TreeId};

/// All checkpoint results of one submission and one task, as an instructor may see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `gradus.dev/v1alpha1`.
    pub api_version: String,
    /// `Report`.
    pub kind: ReportKind,
    /// Which task.
    pub task: TaskId,
    /// Its title.
    pub title: String,
    /// Which course, and which revision of it judged.
    pub course: CourseRef,
    /// The head; null for a working tree.
    pub commit: Option<CommitId>,
    /// Points reached.
    pub score: u32,
    /// Points of the checkpoints that were judged: `notRun` is left out.
    pub points: u32,
    /// `pass` when every judged checkpoint passed and at least one was judged; `notRun` when none was; `error` before
    /// `inconclusive` when it is provisional; else `fail`.
    pub outcome: Outcome,
    /// Holds `inconclusive` or `error`: the score may still change without a push.
    pub provisional: bool,
    /// In the order of the task.
    pub checkpoints: Vec<CheckpointResult>,
}

/// The constant `Report`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReportKind {
    /// The only one.
    #[default]
    Report,
}

/// Course and revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CourseRef {
    /// Which course.
    pub id: CourseId,
    /// Git tree hash of its directory.
    pub revision: TreeId,
}

/// One checkpoint's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointResult {
    /// Which checkpoint.
    pub id: CheckpointId,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Points reached.
    pub score: u32,
    /// Points it is worth.
    pub points: u32,
    /// Whose matter it is; null for `pass`, `blocked` and `notRun`.
    pub blame: Option<Blame>,
    /// For `blocked`: the checkpoints that stand in the way, root causes only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<CheckpointId>,
    /// Cases that passed and cases in all, where the kind judges several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<(u32, u32)>,
    /// The differences; paths from the top of the workspace.
    pub evidence: Vec<Evidence>,
}

/// Several reports: what `gradus grade` prints when the submission is about several tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportList {
    /// `gradus.dev/v1alpha1`.
    pub api_version: String,
    /// `ReportList`.
    pub kind: ReportListKind,
    /// In the order of the course.
    pub items: Vec<Report>,
}

/// The constant `ReportList`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReportListKind {
    /// The only one.
    #[default]
    ReportList,
}
