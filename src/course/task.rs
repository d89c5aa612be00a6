//! A task: what is judged, and what else belongs to it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CourseTask;
use super::diagnostic::Diagnostic;
use super::fill::fill;
use super::id::{CourseId, TaskId};
use super::kinds::TaskFile;
use super::source::Node;
use super::strict::mended;
use super::values::{self, Parameter, Scope, Values};
use crate::checkpoint::{Checkpoint, Kind};
use crate::environment::Environment;
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
    /// Free codes of what it practises.
    #[serde(default)]
    pub competencies: Vec<String>,
    /// Upstream facts it relies on, each with its version.
    #[serde(default)]
    pub sources: Vec<String>,
    /// How scalars of the learner's YAML read unless a checkpoint says otherwise.
    #[serde(default)]
    pub dialect: Dialect,
    /// Whether a person has to approve.
    #[serde(default)]
    pub review: ReviewBy,
    /// Where its live checkpoints look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
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

/// task.yaml as read, values not filled in.
#[derive(Debug, Clone)]
pub(super) struct TaskSource {
    /// With places.
    pub node: Node,
    /// As data.
    pub raw: Value,
    /// By name; all can be drawn.
    pub parameters: BTreeMap<String, Parameter>,
    /// Where it was read.
    pub origin: Origin,
}

/// Where a task was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A course's directory: everything is there, nothing is rendered.
    Course,
    /// A workspace's `.gradus/`: checkpoints and the brief for learners.
    Workspace,
}

impl TaskSource {
    /// The values of a scope.
    pub fn values(&self, course: &CourseId, task: &TaskId, salt: &str, scope: &Scope) -> Values {
        values::draw(course, task, salt, scope, &self.parameters)
    }

    /// The task with these values; also where fields that are not known are among the problems.
    pub fn task(&self, file: &str, values: &Values, problems: &mut Vec<Diagnostic>) -> Option<Task> {
        let filled = match &self.raw {
            // Parameters describe values and hold none.
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| match value {
                    Value::Object(spec) if key == "spec" => {
                        let fill_one = |(key, value): (&String, &Value)| {
                            let value = if key == "parameters" { value.clone() } else { fill(value, values) };
                            (key.clone(), value)
                        };
                        (key.clone(), Value::Object(spec.iter().map(fill_one).collect()))
                    }
                    value => (key.clone(), fill(value, values)),
                })
                .collect(),
            other => other.clone(),
        };
        let TaskFile { metadata, spec, .. } = mended(file, &self.node, filled, problems)?;
        let before = problems.len();
        let mut checkpoints = Vec::new();
        for (index, checkpoint) in spec.checkpoints.into_iter().enumerate() {
            match Checkpoint::try_from(checkpoint) {
                Ok(checkpoint) => checkpoints.push(checkpoint),
                Err(error) => {
                    let at = self
                        .node
                        .locate_key(&format!("/spec/checkpoints/{index}/{}", error.found.get(1).unwrap_or(&"id")));
                    problems.push(
                        Diagnostic::new(file, error.to_string())
                            .at(at)
                            .help(format!("each checkpoint has one kind: {}", Kind::KEYS.join(", "))),
                    );
                }
            }
        }
        (problems.len() == before).then_some(Task {
            id: metadata.id,
            title: metadata.title,
            points: spec.points,
            minutes: spec.minutes,
            competencies: spec.competencies,
            sources: spec.sources,
            dialect: spec.dialect,
            review: spec.review,
            environment: spec.environment,
            checkpoints,
        })
    }
}

impl CourseTask {
    /// The path of its task.yaml, for messages.
    pub fn file(&self) -> String {
        match self.source.origin {
            Origin::Course => format!("{}/task.yaml", self.dir),
            Origin::Workspace => format!("{}.yaml", self.dir),
        }
    }

    /// Its parameters by name.
    pub fn parameters(&self) -> &BTreeMap<String, Parameter> {
        &self.source.parameters
    }
}
