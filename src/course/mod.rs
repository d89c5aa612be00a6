//! Courses on disk: kinds, loading, parameters, publishing.

pub mod draw;
pub mod id;
pub mod task;
pub mod values;

use std::collections::BTreeMap;

use crate::submission::sha::TreeId;
use crate::submission::tree::Tree;
use id::{CourseId, DomainId, ModuleId, TaskId};
use task::Task;

/// A loaded, valid course.
#[derive(Debug, Clone)]
pub struct Course {
    /// The name of its directory.
    pub id: CourseId,
    /// Title for people.
    pub title: String,
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
    /// File name without number and extension.
    pub slug: String,
    /// The first heading.
    pub title: String,
    /// The whole text.
    pub text: String,
}

/// A task with all its files, values not yet filled in.
#[derive(Debug, Clone)]
pub struct CourseTask {
    /// The parsed task.yaml.
    pub task: Task,
    /// Where it belongs.
    pub module: ModuleId,
    /// Its directory in the course, for messages.
    pub dir: String,
    /// All files of that directory as they are; [`draw::Drawn`] has them rendered and overlaid.
    pub files: Tree,
}
