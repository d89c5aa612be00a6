//! The kinds as authors write them. JSON Schemas come from these types (`gradus schema`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::{CheckpointId, CourseId, DomainId, ModuleId, TaskId};
use super::task::ReviewBy;
use super::values::Parameter;
use crate::checkpoint::CheckpointFile;
use crate::environment::Environment;
use crate::submission::sha::TreeId;
use crate::submission::yaml::Dialect;

/// The version of the format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one.
    #[default]
    #[serde(rename = "gradus.dev/v1alpha1")]
    V1Alpha1,
}

macro_rules! kind_names {
    ($($name:ident = $word:ident;)*) => {$(
        /// The name of a kind.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            /// The only one.
            #[default]
            $word,
        }
    )*};
}

kind_names! {
    CourseKind = Course;
    ModuleKind = Module;
    TaskKind = Task;
    MutantKind = Mutant;
    WorkspaceKind = Workspace;
    ConfigKind = Config;
}

/// course.yaml: a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Course")]
pub struct CourseFile {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Course`.
    pub kind: CourseKind,
    /// Identity.
    pub metadata: CourseMetadata,
    /// Content.
    pub spec: CourseSpec,
}

/// Identity of a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CourseMetadata {
    /// The name of the course's directory.
    pub id: CourseId,
    /// Title for people.
    pub title: String,
}

/// Content of a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CourseSpec {
    /// While true, the points of domains are reported and not enforced.
    #[serde(default)]
    pub draft: bool,
    /// One paragraph: for whom, what they can do afterwards.
    pub description: String,
    /// Any text; mixed into every draw of values and published. A new salt means new values for everybody.
    pub salt: String,
    /// In the order of the course; each is a directory.
    pub domains: Vec<DomainFile>,
    /// In the order of the course; each is a directory in one of the domains.
    pub modules: Vec<ModuleId>,
}

/// A domain of a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Domain")]
pub struct DomainFile {
    /// The name of its directory.
    pub id: DomainId,
    /// Title for people.
    pub title: String,
    /// Points to which its tasks sum.
    pub points: u32,
}

/// module.yaml: a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Module")]
pub struct ModuleFile {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Module`.
    pub kind: ModuleKind,
    /// Identity.
    pub metadata: ModuleMetadata,
    /// Content.
    pub spec: ModuleSpec,
}

/// Identity of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleMetadata {
    /// The name of the module's directory.
    pub id: ModuleId,
    /// Title for people.
    pub title: String,
}

/// Content of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleSpec {
    /// In order; each is a directory below `tasks/`.
    #[serde(default)]
    pub tasks: Vec<TaskId>,
}

/// task.yaml: a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Task")]
pub struct TaskFile {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Task`.
    pub kind: TaskKind,
    /// Identity.
    pub metadata: TaskMetadata,
    /// Content.
    pub spec: TaskSpec,
}

/// Identity of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskMetadata {
    /// Unique in the course; the name of the task's directory.
    pub id: TaskId,
    /// Title for people.
    pub title: String,
}

/// Content of a task. `${name}` in any text is replaced by the value of that parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSpec {
    /// The sum of the checkpoints' points.
    pub points: u32,
    /// Minutes that somebody prepared needs.
    pub minutes: u32,
    /// Free codes of what it practises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub competencies: Vec<String>,
    /// Upstream facts it relies on, each with its version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// How scalars of the learner's YAML read.
    #[serde(default)]
    pub dialect: Dialect,
    /// Who closes the task.
    #[serde(default)]
    pub review: ReviewBy,
    /// Where its live checkpoints look; none where its files alone are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Values that differ from course to course, or from learner to learner; by name (letters, digits, `_`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// What is judged, in order.
    pub checkpoints: Vec<CheckpointFile>,
}

/// mutants/NAME.yaml: a wrong submission, made of the solution by edits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Mutant")]
pub struct MutantFile {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Mutant`.
    pub kind: MutantKind,
    /// The mistake that a learner could make, in one sentence.
    pub why: String,
    /// Exactly these checkpoints fail; exactly their dependants are blocked.
    pub fails: Vec<CheckpointId>,
    /// In order; each must change something.
    pub edits: Vec<EditFile>,
    /// The commits, oldest first, where `git` checkpoints look at them; else those of the solution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<Vec<CommitFile>>,
}

/// One commit of a mutant, or of `.commits.yaml` in a solution or an alternative: what `git` checkpoints look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Commit")]
pub struct CommitFile {
    /// The whole message; its first line is the subject.
    pub message: String,
    /// Joins another line of work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merge: bool,
    /// Carries a signature.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    /// Paths of changed files of the task's directory that are in this commit; else all that are in none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
    /// Paths from the top of the workspace that this commit changes besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// One edit of a mutant: exactly one of `set` with `to`, `delete`, `replace` with `with`, `add`, `remove`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Edit")]
pub struct EditFile {
    /// The file that `set`, `delete` and `replace` change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which YAML document of the file `set` and `delete` change, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<usize>,
    /// JSON pointer of the value to set; a last segment `-` appends to a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The value to set.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// JSON pointer of the field or list item to delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// The text to replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
    /// The text to put in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// How often `replace` must occur; once unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
    /// Path of a file to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Path of a file to remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
}

/// Tells `to: null` from a missing `to`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// .gradus/workspace.yaml: what a workspace says of the course it was published from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Workspace")]
pub struct WorkspaceFile {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Workspace`.
    pub kind: WorkspaceKind,
    /// Identity of the course.
    pub metadata: CourseMetadata,
    /// Content.
    pub spec: WorkspaceSpec,
}

/// Content of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceSpec {
    /// Where the workspace is cloned from; none when it was published without `--address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Git tree hash of the course's directory.
    pub revision: TreeId,
    /// While true, the course is not complete.
    #[serde(default)]
    pub draft: bool,
    /// The course's paragraph.
    pub description: String,
    /// The course's salt.
    pub salt: String,
    /// In the order of the course.
    pub domains: Vec<DomainFile>,
    /// In the order of the course.
    pub modules: Vec<WorkspaceModule>,
}

/// A module of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceModule {
    /// Which one.
    pub id: ModuleId,
    /// Title for people.
    pub title: String,
    /// Where it belongs.
    pub domain: DomainId,
    /// In order.
    pub tasks: Vec<WorkspaceTask>,
}

/// A task of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceTask {
    /// Which one.
    pub id: TaskId,
    /// Git tree hash of its starter, `tasks/ID/` as published.
    pub starter: TreeId,
}
