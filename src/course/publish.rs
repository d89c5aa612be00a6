//! From a course to the workspace that learners fork.
//!
//! ```text
//! README.md                         how to work, and all lessons and tasks
//! lessons/DOMAIN/MODULE/NN-slug.md  lessons, with their pictures
//! briefs/TASK-ID.md                 what to do; beside the task's directory, so that editing it is no work on the task
//! tasks/TASK-ID/                    the starter; all that is graded
//! .gradus/workspace.yaml            course, revision, salt, address, hash of each starter
//! .gradus/tasks/TASK-ID.yaml        checkpoints that everybody may see; of the others id, title and points
//! ```
//!
//! Solutions, alternatives, mutants, hidden files, hints and debriefs are never read here.

mod commit;
mod readme;
mod tasks;

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::id::TaskId;
use super::kinds::{
    ApiVersion, CourseMetadata, DomainFile, WorkspaceFile, WorkspaceKind, WorkspaceModule, WorkspaceSpec, WorkspaceTask,
};
use super::task::Origin;
use super::values::{ParameterScope, Scope};
use super::{Course, CourseTask, emit, lint, template};
use crate::submission::tree::{Entry, Tree};
use crate::submission::tree_id;

pub use commit::{PublishError, Published, commit, open_or_create};

/// Where the workspace describes itself.
pub const WORKSPACE_FILE: &str = ".gradus/workspace.yaml";

/// The files of a course's workspace. `address` is where learners clone it from. A course in which [`lint`] finds an error
/// is not published: its checkpoints could not be judged.
pub fn workspace(course: &Course, address: Option<&str>) -> Result<Tree, Vec<Diagnostic>> {
    let errors = lint::course(course).errors;
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut tree = Tree::default();
    let mut problems = Vec::new();
    let mut modules = Vec::new();
    for module in &course.modules {
        let lessons = format!("{}/{}/lessons", module.domain, module.id);
        for (path, entry) in course.files.below(&lessons).iter() {
            tree.insert(format!("lessons/{}/{}/{path}", module.domain, module.id), entry.clone());
        }
        let mut tasks = Vec::new();
        for task in module.tasks.iter().filter_map(|id| course.tasks.get(id)) {
            match publish_task(course, task, &mut tree) {
                Ok(task) => tasks.push(task),
                Err(found) => problems.extend(found),
            }
        }
        modules.push(WorkspaceModule {
            id: module.id.clone(),
            title: module.title.clone(),
            domain: module.domain.clone(),
            tasks,
        });
    }
    let file = WorkspaceFile {
        api_version: ApiVersion::V1Alpha1,
        kind: WorkspaceKind::Workspace,
        metadata: CourseMetadata { id: course.id.clone(), title: course.title.clone() },
        spec: WorkspaceSpec {
            address: address.map(str::to_owned),
            revision: course.revision.clone(),
            draft: course.draft,
            description: course.description.clone(),
            salt: course.salt.clone(),
            domains: course
                .domains
                .iter()
                .map(|domain| DomainFile { id: domain.id.clone(), title: domain.title.clone(), points: domain.points })
                .collect(),
            modules,
        },
    };
    put(&mut tree, WORKSPACE_FILE, &emit::yaml(&file).unwrap_or_default());
    put(&mut tree, "README.md", &readme::readme(course, address));
    if problems.is_empty() { Ok(tree) } else { Err(problems) }
}

fn put(tree: &mut Tree, path: &str, text: &str) {
    tree.insert_file(path, text.as_bytes());
}

fn publish_task(course: &Course, task: &CourseTask, tree: &mut Tree) -> Result<WorkspaceTask, Vec<Diagnostic>> {
    let values = task.values(course, &Scope::Course);
    let starter = task.starter(&values)?;
    for (path, entry) in starter.iter() {
        tree.insert(format!("{}/{path}", task.task.id.dir()), entry.clone());
    }
    put(tree, &brief_path(&task.task.id), &brief(course, task)?);
    put(tree, &checkpoints_path(&task.task.id), &tasks::public_task(task));
    Ok(WorkspaceTask { id: task.task.id.clone(), starter: tree_id(&starter) })
}

/// How a learner's own value is named in the published brief.
pub(super) fn own_value(name: &str) -> String {
    format!("‹{name}›")
}

/// Where a workspace has the brief of a task.
pub fn brief_path(task: &TaskId) -> String {
    format!("briefs/{task}.md")
}

/// Where a workspace has what everybody may know of a task's checkpoints.
pub fn checkpoints_path(task: &TaskId) -> String {
    format!(".gradus/tasks/{task}.yaml")
}

/// The brief as everybody sees it, with what is needed to work on the task below.
fn brief(course: &Course, task: &CourseTask) -> Result<String, Vec<Diagnostic>> {
    let file = format!("{}/brief.md", task.dir);
    let mut values = task.values(course, &Scope::Course);
    let own = task.own_parameters();
    values.extend(own.iter().map(|name| ((*name).to_owned(), own_value(name).into())));
    let text = task.text_of("brief.md");
    let rendered = template::render(&text, &values).map_err(|problem| vec![problem.diagnostic(&file)])?;
    let used: Vec<&str> = own.into_iter().filter(|name| rendered.contains(&own_value(name))).collect();
    Ok(format!("{}\n\n{}", rendered.trim_end(), readme::footer(task, &used)))
}

impl CourseTask {
    /// Names of the parameters that differ from learner to learner.
    pub(super) fn own_parameters(&self) -> Vec<&str> {
        let own = self.source.parameters.iter().filter(|(_, parameter)| parameter.scope == ParameterScope::Learner);
        own.map(|(name, _)| name.as_str()).collect()
    }

    /// The text of a file of its directory, checked when it was loaded.
    fn text_of(&self, path: &str) -> String {
        let text = self.files.file(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
    }

    /// What the workspace ships below `tasks/TASK-ID/`.
    fn starter(&self, values: &BTreeMap<String, serde_json::Value>) -> Result<Tree, Vec<Diagnostic>> {
        debug_assert_eq!(self.source.origin, Origin::Course);
        let mut problems = Vec::new();
        let starter = super::draw::rendered(self, "starter", values, &mut problems);
        for (path, entry) in starter.iter() {
            if !matches!(entry, Entry::File { .. }) {
                problems.push(Diagnostic::new(format!("{}/starter/{path}", self.dir), "not a regular file"));
            }
        }
        if problems.is_empty() { Ok(starter) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests;
