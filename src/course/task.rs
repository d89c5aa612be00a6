//! A task as authors write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::TaskId;
use crate::checkpoint::Checkpoint;
use crate::submission::yaml::Dialect;

/// `apiVersion` of every kind of ours.
pub const API_VERSION: &str = "gradus.dev/v1alpha1";

/// A task without its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in the course.
    pub id: TaskId,
    /// Title for people.
    pub title: String,
    /// What it is worth; the sum of its checkpoints.
    pub points: u32,
    /// Minutes that somebody prepared needs.
    pub minutes: u32,
    /// How scalars of the learner's YAML read unless a checkpoint says otherwise.
    #[serde(default)]
    pub dialect: Dialect,
    /// Whether a person has to approve.
    #[serde(default)]
    pub review: ReviewBy,
    /// In order.
    pub checkpoints: Vec<Checkpoint>,
}

/// Who closes a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReviewBy {
    /// The grader alone.
    #[default]
    Grader,
    /// An instructor too.
    Human,
}
