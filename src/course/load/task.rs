//! A task from its directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::lesson::{heading, no_heading};
use super::{Identity, Loader};
use crate::course::CourseTask;
use crate::course::diagnostic::Diagnostic;
use crate::course::id::{ModuleId, TaskId};
use crate::course::kinds::MutantFile;
use crate::course::source::{Node, join};
use crate::course::strict;
use crate::course::task::{Origin, TaskSource};
use crate::course::values::{Parameter, Scope};

impl Loader<'_> {
    pub(super) fn task(&mut self, course: &Identity, id: &TaskId, module: &ModuleId, dir: &str) -> Option<CourseTask> {
        let file = format!("{dir}/task.yaml");
        let before = self.problems.len();
        self.check_layout(dir);
        self.titled(&format!("{dir}/brief.md"), "the brief");
        self.text(&format!("{dir}/debrief.md"), "the debrief: why the solution works, shown after a pass");
        let node = self.document(&file, "the task's points and checkpoints (`gradus new task` writes one)")?;
        let raw = node.to_value();
        let parameters = self.parameters(&file, &node, &raw);
        let written = raw.pointer("/spec/parameters").and_then(Value::as_object).map_or(0, |written| written.len());
        let source = TaskSource { node, raw, parameters, origin: Origin::Course };
        let values = source.values(&course.id, id, &course.salt, &Scope::Course);
        let unread = self.problems.len();
        let task = source.task(&file, &values, &mut self.problems);
        let misnamed = self.problems.len() > unread;
        let Some(task) = task else {
            if self.problems.len() == before {
                self.say(Diagnostic::new(&file, "not a task"));
            }
            return None;
        };
        if task.id != *id {
            self.say(
                Diagnostic::new(&file, format!("the id `{}` is not the directory's name `{id}`", task.id))
                    .at(source.node.locate("/metadata/id"))
                    .help("rename one of the two"),
            );
        }
        let files = self.tree.below(dir);
        let read = CourseTask { task, module: module.clone(), dir: dir.to_owned(), files, source: Arc::new(source) };
        let mutants = self.mutants(&read, &values);
        self.check_task(&read, &mutants);
        // A field that is not known may be the one that has the names.
        if !misnamed {
            self.check_names(&read, &mutants);
        }
        if self.problems.len() == before {
            return Some(read);
        }
        // Without all values, everything that names one would be told as broken.
        if read.source.parameters.len() == written {
            self.unsound.push(read);
        }
        None
    }

    fn titled(&mut self, path: &str, what: &str) {
        if let Some(text) = self.text(path, &format!("{what}, beginning with `# Title`"))
            && heading(&text).is_none()
        {
            self.say(no_heading(path, what));
        }
    }

    /// The parameters that can be drawn; whether the others are well formed is found when the whole file is read.
    fn parameters(&mut self, file: &str, node: &Node, raw: &Value) -> BTreeMap<String, Parameter> {
        let mut parameters = BTreeMap::new();
        let Some(written) = raw.pointer("/spec/parameters").and_then(Value::as_object) else { return parameters };
        for (name, value) in written {
            let Ok(parameter) = serde_json::from_value::<Parameter>(value.clone()) else { continue };
            let at = node.locate_key(&join("/spec/parameters", name));
            if !is_name(name) {
                let problem = Diagnostic::new(file, format!("`{name}` is not a parameter's name")).at(at);
                self.say(problem.help("use letters, digits and `_`, beginning with a letter"));
            } else if let Some(problem) = parameter.problem() {
                self.say(Diagnostic::new(file, format!("`{name}`: {problem}")).at(at));
            } else {
                parameters.insert(name.clone(), parameter);
            }
        }
        parameters
    }

    /// The mutants with the course's values, by name.
    fn mutants(
        &mut self,
        task: &CourseTask,
        values: &crate::course::values::Values,
    ) -> BTreeMap<String, (Node, MutantFile)> {
        let mut mutants = BTreeMap::new();
        for (path, name) in task.mutant_files() {
            let full = format!("{}/{path}", task.dir);
            let Some(node) = self.document(&full, "a mutant") else { continue };
            let value = crate::course::fill::fill(&node.to_value(), values);
            if let Some(mutant) = strict::typed(&full, &node, value, &mut self.problems) {
                mutants.insert(name.to_owned(), (node, mutant));
            }
        }
        mutants
    }
}

/// A name that handlebars, `${…}` and CEL all understand.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
