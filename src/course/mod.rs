//! Courses on disk: kinds, loading, parameters, publishing.

pub mod diagnostic;
pub mod draw;
pub mod edit;
mod emit;
pub mod fill;
pub mod id;
pub mod kinds;
pub mod lint;
pub mod load;
pub mod locate;
pub mod overlay;
pub mod patch;
pub mod publish;
pub mod schema;
pub mod source;
pub(crate) mod strict;
pub mod task;
pub mod template;
pub mod values;
pub mod workspace;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::submission::sha::TreeId;
use crate::submission::tree::Tree;
use id::{CourseId, DomainId, ModuleId, TaskId};
use task::{Task, TaskSource};

/// A loaded, valid course.
#[derive(Debug, Clone)]
pub struct Course {
    /// The name of its directory.
    pub id: CourseId,
    /// Title for people.
    pub title: String,
    /// One paragraph: for whom, what they can do afterwards.
    pub description: String,
    /// Git tree hash of its directory, computed whether or not it is committed.
    pub revision: TreeId,
    /// Mixed into every draw of values.
    pub salt: String,
    /// A draft's sums are reported, not enforced.
    pub draft: bool,
    /// In order.
    pub domains: Vec<Domain>,
    /// In order.
    pub modules: Vec<Module>,
    /// By id; their order is that of `modules`.
    pub tasks: BTreeMap<TaskId, CourseTask>,
    /// All its files as they are.
    files: Tree,
}

/// A domain of a course, with its share of the points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// As in `d2-gitops`.
    pub id: DomainId,
    /// Title for people.
    pub title: String,
    /// Points to which its tasks sum when the course is complete.
    pub points: u32,
}

/// A module of a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The name of its directory.
    pub id: ModuleId,
    /// Title for people.
    pub title: String,
    /// Where it belongs.
    pub domain: DomainId,
    /// In order.
    pub lessons: Vec<Lesson>,
    /// In order.
    pub tasks: Vec<TaskId>,
}

/// A lesson: Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// File name, as in `01-health-checks.md`.
    pub file: String,
    /// File name without number and extension.
    pub slug: String,
    /// The first heading.
    pub title: String,
    /// The whole text.
    pub text: String,
}

/// A task with all its files, values not yet filled in.
///
/// Made by [`load::load`] only.
#[derive(Debug, Clone)]
pub struct CourseTask {
    /// The parsed task.yaml with the values of [`values::Scope::Course`]: good for ids, points and titles. What a
    /// learner is judged by comes from [`CourseTask::draw`].
    pub task: Task,
    /// Where it belongs.
    pub module: ModuleId,
    /// Its directory in the course, for messages.
    pub dir: String,
    /// All files of that directory as they are; [`draw::Drawn`] has them rendered and overlaid.
    pub files: Tree,
    source: Arc<TaskSource>,
}

impl Course {
    /// The tasks in the order of the course.
    pub fn tasks_in_order(&self) -> impl Iterator<Item = &CourseTask> {
        self.modules.iter().flat_map(|module| &module.tasks).filter_map(|id| self.tasks.get(id))
    }

    /// Its files as they are, for excerpts.
    pub fn files(&self) -> &Tree {
        &self.files
    }

    /// The module of a task.
    pub fn module_of(&self, task: &CourseTask) -> Option<&Module> {
        self.modules.iter().find(|module| module.id == task.module)
    }

    /// The domain of a task.
    pub fn domain_of(&self, task: &CourseTask) -> Option<&Domain> {
        let module = self.module_of(task)?;
        self.domains.iter().find(|domain| domain.id == module.domain)
    }
}

impl CourseTask {
    /// The hidden files that checkpoints name, each with the pointer to where task.yaml does.
    fn hidden_paths(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if let Some(Value::Array(checkpoints)) = self.source.raw.pointer("/spec/checkpoints") {
            for (index, checkpoint) in checkpoints.iter().enumerate() {
                hidden_strings(checkpoint, &format!("/spec/checkpoints/{index}"), &mut found);
            }
        }
        found
    }
}

/// Strings that name a file below `hidden/`, with their pointers.
fn hidden_strings(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) if text.starts_with("hidden/") => found.push((pointer.to_owned(), text.clone())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                hidden_strings(item, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                hidden_strings(value, &source::join(pointer, key), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod tests;
