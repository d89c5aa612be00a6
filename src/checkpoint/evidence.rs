//! Evidence: one difference between what a checkpoint expects and what it found, as data. Rendering is the review's job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The operator of what is said of a commit that was not applied. It is about the learner's own files and names nothing
/// that a checkpoint expects.
pub const NOT_APPLIED: &str = "not-applied";

/// The operator of what is said where every cluster is somebody's, or cannot be used. It names nothing that a checkpoint expects, and trying again
/// before one is free changes nothing.
pub const ALL_IN_USE: &str = "all-in-use";

/// One difference. Text in it is learner text: whoever shows it escapes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// One sentence for the learner, without the position, without a full stop.
    pub message: String,
    /// Where in the learner's files, if anywhere.
    #[serde(flatten)]
    pub place: Place,
    /// What was expected, in the words or data of the checkpoint; absent when the checkpoint hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What was found; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// How the two were compared: `equals`, `$gte`, `exists`, `rule`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The object or fixture that was looked at, as in `Deployment team-a/web` or the fixture's `describe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// A place in the learner's files. Lines and columns start at 1; columns count characters; ends are exclusive in columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Path below the task's directory while judging; below the top of the workspace in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// First line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// First column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Last line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// Column after the last character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    /// JSON pointer (RFC 6901) inside the YAML document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}
