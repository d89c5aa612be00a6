//! The environment of a task.

use super::Loader;
use super::files::check_path;
use crate::course::CourseTask;
use crate::course::diagnostic::Diagnostic;

impl Loader<'_> {
    pub(super) fn check_environment(&mut self, task: &CourseTask) {
        let Some(environment) = &task.task.environment else { return };
        let mut found = environment.nonsense();
        if let Some(problem) = check_path(&environment.path) {
            found.push(("/path".into(), problem, "name a directory of the task, as in `manifests`".into()));
        } else if task.starter_and_solution_lack(&environment.path) {
            let message = format!("neither starter nor solution has a directory `{}`", environment.path);
            found.push(("/path".into(), message, "name the directory that the learner's manifests are in".into()));
        }
        for (pointer, message, help) in found {
            let at = task.source.node.locate(&format!("/spec/environment{pointer}"));
            self.say(Diagnostic::new(task.file(), message).at(at).help(help));
        }
    }
}

impl CourseTask {
    fn starter_and_solution_lack(&self, dir: &str) -> bool {
        let prefixes = ["starter", "solution"].map(|part| format!("{part}/{dir}/"));
        !self.files.paths().any(|path| prefixes.iter().any(|prefix| path.starts_with(prefix)))
    }
}
