//! What can be said about a course only with values drawn: templates, overlays, edits of mutants, and the expressions,
//! globs and operators of checkpoints.

mod scenario;
mod seed;

use super::diagnostic::Diagnostic;
use super::draw::Drawn;
use super::load::{Unloaded, in_order};
use super::task::Task;
use super::values::{Scope, Values};
use super::{Course, CourseTask};
use crate::checkpoint::fail_fast::FailFast;
use crate::checkpoint::{Check, Checkpoint, Kind};
use crate::environment::Tier;

/// Draws that everything is tried with, the published one first (design §1, promise 5).
pub const DRAWS: u32 = 3;

/// What is wrong and what is suspicious.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The course cannot be used.
    pub errors: Vec<Diagnostic>,
    /// It can.
    pub warnings: Vec<Diagnostic>,
}

/// Looks at every task of a loaded course.
pub fn course(course: &Course) -> Findings {
    let mut findings = Findings::default();
    for one in course.tasks_in_order() {
        let of_task = task(course, one);
        findings.errors.extend(of_task.errors);
        findings.warnings.extend(of_task.warnings);
    }
    findings
}

/// All errors of a course that does not load: those in the way, and what can be said with values drawn all the same. A line
/// that has one of the first, in task.yaml, or a file, elsewhere, says nothing more: the other most likely comes of it.
pub fn unloaded(found: &Unloaded) -> Vec<Diagnostic> {
    let mut errors = found.problems.clone();
    let Some(course) = &found.course else { return errors };
    let is_new = |error: &Diagnostic| {
        let told = |known: &Diagnostic| {
            let apart = error.file().ends_with("/task.yaml") && known.place.line != error.place.line;
            known.file() == error.file() && !apart
        };
        !found.problems.iter().any(told)
    };
    for one in course.tasks_in_order().chain(&found.unsound) {
        errors.extend(task(course, one).errors.into_iter().filter(is_new));
    }
    // What keeps one from being drawn keeps none of its checkpoints from being looked at.
    for one in &found.unsound {
        let values = one.values(course, &Scope::Course);
        errors.extend(kinds_of(one, &one.task, &values).into_iter().filter(is_new));
    }
    in_order(&mut errors);
    errors
}

/// Looks at one task with several draws.
pub fn task(course: &Course, task: &CourseTask) -> Findings {
    let mut findings = Findings::default();
    for number in 0..DRAWS {
        let found = match task.draw(course, &Scope::Proof(number)) {
            Ok(drawn) => checkpoints(task, &drawn).into_iter().chain(seed::collisions(task, &drawn)).collect(),
            Err(problems) => problems,
        };
        if !found.is_empty() {
            // Values of later draws would mostly repeat it.
            findings.errors = found;
            return findings;
        }
        if task.parameters().is_empty() {
            break;
        }
    }
    if task.alternative_names().is_empty() {
        let warning = Diagnostic::new(format!("{}/alternatives", task.dir), "the task has no alternative");
        findings
            .warnings
            .push(warning.help("add another right answer: it proves that checkpoints ask for no more than the brief"));
    }
    if task.mutant_files().next().is_none() {
        let warning = Diagnostic::new(format!("{}/mutants", task.dir), "the task has no mutant");
        findings.warnings.push(warning.help("add wrong answers: `gradus test` asks for one per checkpoint at least"));
    }
    let named = task.hidden_paths();
    let is_named = |path: &str| {
        let path = path.strip_suffix(".hbs").unwrap_or(path);
        named.iter().any(|(_, named)| named == path)
    };
    for path in task.files.paths().filter(|path| path.starts_with("hidden/") && !is_named(path)) {
        let warning = Diagnostic::new(format!("{}/{path}", task.dir), "no checkpoint reads this hidden file");
        findings.warnings.push(warning.help("name it in a checkpoint, or remove it"));
    }
    findings
}

/// What keeps single checkpoints from being judged with these values, wherever that is. In a workspace's `.gradus/` much of
/// what a task has is not published, and what is has to stand by itself.
pub fn kinds(task: &CourseTask, drawn: &Drawn) -> Vec<Diagnostic> {
    kinds_of(task, &drawn.task, &drawn.values)
}

/// The same of a task that need not be sound.
fn kinds_of(task: &CourseTask, with_values: &Task, params: &Values) -> Vec<Diagnostic> {
    let of_one = |(index, checkpoint): (usize, &Checkpoint)| {
        let key = checkpoint.kind.key();
        let say = move |(below, message)| at_checkpoint(task, index, &format!("/{key}{below}"), message);
        checkpoint.kind.lint(params).into_iter().map(say).collect::<Vec<_>>()
    };
    with_values.checkpoints.iter().enumerate().flat_map(of_one).collect()
}

fn at_checkpoint(task: &CourseTask, index: usize, pointer: &str, message: String) -> Diagnostic {
    let at = task.source.node.locate(&format!("/spec/checkpoints/{index}{pointer}"));
    Diagnostic::new(task.file(), message).at(at)
}

/// What is wrong with checkpoints of a course with these values.
pub fn checkpoints(task: &CourseTask, drawn: &Drawn) -> Vec<Diagnostic> {
    let mut problems = kinds(task, drawn);
    for (index, checkpoint) in drawn.task.checkpoints.iter().enumerate() {
        let mut say = |pointer: String, message: String| {
            problems.push(at_checkpoint(task, index, &pointer, message));
        };
        let key = checkpoint.kind.key();
        match (checkpoint.is_live(), &drawn.task.environment) {
            (true, None) => {
                let message = "the task has no `environment` where it could look: add one beside `checkpoints`";
                say(format!("/{key}"), message.to_owned());
            }
            (true, Some(environment)) => {
                let workload = match &checkpoint.kind {
                    Kind::Http(http) => http.via.address.is_none(),
                    Kind::Promql(promql) => promql.via.address.is_none(),
                    _ => false,
                };
                if workload && environment.tier == Tier::ControlPlane {
                    let message = "nobody answers on a control plane, whose Pods are simulated: no program runs in them. Use `tier: namespace`";
                    say(format!("/{key}"), message.to_owned());
                }
                if let Kind::Scenario(scenario) = &checkpoint.kind {
                    let found = scenario::problems(checkpoint, scenario, environment);
                    found.into_iter().for_each(|(at, message)| say(at, message));
                }
                if let Some((at, message)) = scenario::waits_in_vain(index, &drawn.task.checkpoints) {
                    say(at, message);
                }
                checkpoint.timing.lint().into_iter().for_each(|(below, message)| say(below.to_owned(), message));
            }
            (false, _) if !checkpoint.timing.is_none() => {
                let message = "`eventually`, `consistently` and `stableFor` are for live kinds: files do not change by themselves";
                say(String::new(), message.to_owned());
            }
            (false, _) => {}
        }
        match checkpoint.fail_fast.as_deref().map(FailFast::compile) {
            None => {}
            Some(_) if !checkpoint.can_fail_fast() => {
                let message = format!("`failFast` looks at objects of `live`, which `{key}` has none of: delete it");
                say("/failFast".to_owned(), message);
            }
            Some(Ok(_)) => {}
            Some(Err(found)) => found.into_iter().for_each(|message| say("/failFast".to_owned(), message)),
        }
    }
    problems
}
