//! The course as a workspace's `.gradus/` tells it: enough to grade in a fork what everybody may see.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::kinds::{WorkspaceFile, WorkspaceTask};
use super::load::{Loaded, lesson_of};
use super::publish::WORKSPACE_FILE;
use super::task::{Origin, TaskSource};
use super::values::Scope;
use super::{Course, CourseTask, Domain, Module, strict};
use crate::course::id::{ModuleId, TaskId};
use crate::submission::read::ReadError;
use crate::submission::sha::TreeId;
use crate::submission::tree::Tree;

/// The directories of a workspace that [`load`] reads.
const READ: [&str; 3] = [".gradus", "briefs", "lessons"];

/// Reads what [`load`] needs from a working tree, leaving the tasks' files alone.
pub fn read_dir(dir: &Path) -> Result<Tree, ReadError> {
    let mut tree = Tree::default();
    for name in READ.into_iter().filter(|name| dir.join(name).is_dir()) {
        for (path, entry) in Tree::from_dir(&dir.join(name))?.iter() {
            tree.insert(format!("{name}/{path}"), entry.clone());
        }
    }
    Ok(tree)
}

/// What a workspace says of itself.
pub fn describe(tree: &Tree) -> Result<WorkspaceFile, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let file = text(tree, WORKSPACE_FILE)
        .and_then(|text| strict::document(WORKSPACE_FILE, text))
        .map_err(|problem| vec![problem])
        .and_then(|node| {
            strict::typed(WORKSPACE_FILE, &node, node.to_value(), &mut problems)
                .ok_or_else(|| std::mem::take(&mut problems))
        })?;
    Ok(file)
}

/// The hash of each task's starter in a workspace, to tell which tasks changed between two commits.
pub fn starters(tree: &Tree) -> Result<BTreeMap<TaskId, TreeId>, Vec<Diagnostic>> {
    let modules = describe(tree)?.spec.modules;
    let tasks = modules.into_iter().flat_map(|module| module.tasks);
    Ok(tasks.map(|WorkspaceTask { id, starter }| (id, starter)).collect())
}

/// Loads the course. Checkpoints that are not published are [`crate::checkpoint::Kind::Withheld`].
pub fn load(tree: &Tree) -> Result<Loaded, Vec<Diagnostic>> {
    let WorkspaceFile { metadata, spec, .. } = describe(tree)?;
    let mut course = Course {
        id: metadata.id,
        title: metadata.title,
        description: spec.description,
        revision: spec.revision,
        salt: spec.salt,
        draft: spec.draft,
        domains: spec
            .domains
            .into_iter()
            .map(|domain| Domain { id: domain.id, title: domain.title, points: domain.points })
            .collect(),
        modules: Vec::new(),
        tasks: BTreeMap::new(),
        files: tree.clone(),
    };
    let mut problems = Vec::new();
    for module in spec.modules {
        let ids: Vec<TaskId> = module.tasks.into_iter().map(|task| task.id).collect();
        for id in &ids {
            match task(tree, &course, &module.id, id) {
                Ok(task) => {
                    course.tasks.insert(id.clone(), task);
                }
                Err(found) => problems.extend(found),
            }
        }
        let lessons = format!("lessons/{}/{}", module.domain, module.id);
        course.modules.push(Module {
            id: module.id,
            title: module.title,
            domain: module.domain,
            lessons: tree.below(&lessons).iter().filter_map(|(name, entry)| lesson_of(name, entry)).collect(),
            tasks: ids,
        });
    }
    if problems.is_empty() { Ok(Loaded { course, warnings: Vec::new() }) } else { Err(problems) }
}

fn task(tree: &Tree, course: &Course, module: &ModuleId, id: &TaskId) -> Result<CourseTask, Vec<Diagnostic>> {
    let dir = format!(".gradus/tasks/{id}");
    let file = format!("{dir}.yaml");
    let node = text(tree, &file).and_then(|text| strict::document(&file, text)).map_err(|problem| vec![problem])?;
    let raw = node.to_value();
    let written = raw.pointer("/spec/parameters").and_then(Value::as_object).into_iter().flatten();
    let parameters =
        written.filter_map(|(name, value)| Some((name.clone(), serde_json::from_value(value.clone()).ok()?))).collect();
    let source = TaskSource { node, raw, parameters, origin: Origin::Workspace };
    let values = source.values(&course.id, id, &course.salt, &Scope::Course);
    let mut problems = Vec::new();
    let task = source.task(&file, &values, &mut problems);
    let Some(task) = task.filter(|_| problems.is_empty()) else { return Err(problems) };
    let mut files = Tree::default();
    if let Some(brief) = tree.get(&format!("briefs/{id}.md")) {
        files.insert("brief.md", brief.clone());
    }
    Ok(CourseTask { task, module: module.clone(), dir, files, source: Arc::new(source) })
}

fn text<'t>(tree: &'t Tree, path: &str) -> Result<&'t str, Diagnostic> {
    let help = "merge the course's workspace again: `git merge origin/main`";
    let bytes = tree.file(path).ok_or_else(|| Diagnostic::new(path, "the file is missing").help(help))?;
    std::str::from_utf8(bytes).map_err(|_| Diagnostic::new(path, "not UTF-8 text").help(help))
}
