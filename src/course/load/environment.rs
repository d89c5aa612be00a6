//! The environment of a task.

use super::Loader;
use super::files::check_path;
use crate::course::CourseTask;
use crate::course::diagnostic::Diagnostic;

impl Loader<'_> {
    pub(super) fn check_environment(&mut self, task: &CourseTask) {
        let Some(environment) = &task.task.environment else {
            if task.files.paths().any(|path| path.starts_with("seed/")) {
                let problem =
                    Diagnostic::new(format!("{}/seed", task.dir), "the task has no environment to put this in");
                self.say(problem.help("add `environment` to task.yaml, or move the files to `hidden/`"));
            }
            return;
        };
        let mut found = environment.nonsense();
        let named = [("path", &environment.path, "/"), ("application", &environment.application, "")];
        for (field, value, end) in
            named.into_iter().filter_map(|(field, value, end)| Some((field, value.as_ref()?, end)))
        {
            if let Some(problem) = check_path(value) {
                found.push((format!("/{field}"), problem, "write it from the task's directory".into()));
            } else if task.starter_and_solution_lack(&format!("{value}{end}")) {
                let message = format!("neither starter nor solution has `{value}{end}`");
                found.push((format!("/{field}"), message, "name what holds the learner's work".into()));
            }
        }
        for (pointer, message, help) in found {
            let at = task.source.node.locate(&format!("/spec/environment{pointer}"));
            self.say(Diagnostic::new(task.file(), message).at(at).help(help));
        }
    }
}

impl CourseTask {
    /// Whether nothing that a learner has begins so.
    fn starter_and_solution_lack(&self, path: &str) -> bool {
        let prefixes = ["starter", "solution"].map(|part| format!("{part}/{path}"));
        !self.files.paths().any(|path| prefixes.iter().any(|prefix| path.starts_with(prefix)))
    }
}
