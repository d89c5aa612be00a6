//! What became of a checkpoint, and whose matter it is (design §1, promise 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The work is right.
    Pass,
    /// The work is wrong or missing; loses points.
    Fail,
    /// A checkpoint it depends on did not pass; loses points.
    Blocked,
    /// This place cannot judge it by its configuration; left out of the total, not retried.
    NotRun,
    /// Should have been judged, could not; retried. Makes a report provisional.
    Inconclusive,
    /// The author's or our fault; alerts. Makes a report provisional.
    Error,
}

impl Outcome {
    /// A report that holds such an outcome is provisional.
    pub fn is_provisional(self) -> bool {
        matches!(self, Outcome::Inconclusive | Outcome::Error)
    }

    /// The word shown to people and written in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Blocked => "blocked",
            Outcome::NotRun => "notRun",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Error => "error",
        }
    }
}

/// Whose matter an outcome other than `pass` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Blame {
    /// The learner's files.
    YourFiles,
    /// The files were applied, the object did not become healthy.
    NotHealthy,
    /// The object is healthy and is not what was asked for.
    HealthyButWrong,
    /// The author's, the operator's or ours; never costs points.
    Ours,
}

impl Blame {
    /// The words shown to people.
    pub fn words(self) -> &'static str {
        match self {
            Blame::YourFiles => "your files",
            Blame::NotHealthy => "applied but not healthy",
            Blame::HealthyButWrong => "healthy but wrong",
            Blame::Ours => "ours",
        }
    }
}
