//! `gradus values`: show the values of a task for a learner.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::subject::learner_of_clone;
use super::trouble::Trouble;
use crate::course::fill::shown;
use crate::course::id::{Learner, TaskId};
use crate::course::locate;
use crate::course::values::{ParameterScope, Scope};
use crate::course::{Course, CourseTask};

/// Show the values of a task for a learner
///
/// Some tasks hold values that differ from learner to learner. They are drawn from the learner's name, the same wherever
/// they are drawn, and never read from a file.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this task; otherwise the one whose directory this is, else all that have values
    #[arg(value_name = "TASK")]
    task: Option<TaskId>,
    /// Whose values; otherwise the learner that the clone's address names
    #[arg(long, value_name = "NAME", env = "GRADUS_LEARNER")]
    learner: Option<Learner>,
    /// Directory of the course; otherwise `.gradus/` above here, the course around here, or one in `./courses`
    #[arg(long, value_name = "DIR")]
    course: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One value per line
    Text,
    /// One JSON object: task, then name
    Json,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let here = PathBuf::from(".");
    let located = match locate::find(&here, args.course.as_deref(), args.task.as_ref()) {
        Ok(located) => located,
        Err(error) => return Trouble::Course(error).tell(),
    };
    let learner = args.learner.or_else(|| learner_of_clone(&here));
    let only = located.task.as_ref();
    let tasks = located.course.tasks_in_order().filter(|task| only.is_none_or(|id| *id == task.task.id));
    let tasks: Vec<&CourseTask> = tasks.filter(|task| only.is_some() || !task.parameters().is_empty()).collect();
    if let Some(task) = tasks.iter().find(|task| learner.is_none() && has_own(task)) {
        eprintln!("error: `{}` has values of each learner's own: say whose by `--learner NAME`", task.task.id);
        return ExitCode::from(super::EXIT_USAGE);
    }
    let scope = learner.map_or(Scope::Course, Scope::Learner);
    match args.format {
        Format::Text => print!("{}", text(&located.course, &tasks, &scope)),
        Format::Json => println!("{:#}", as_json(&located.course, &tasks, &scope)),
    }
    ExitCode::from(super::EXIT_PASS)
}

fn has_own(task: &CourseTask) -> bool {
    task.parameters().values().any(|parameter| parameter.scope == ParameterScope::Learner)
}

fn text(course: &Course, tasks: &[&CourseTask], scope: &Scope) -> String {
    if tasks.iter().all(|task| task.parameters().is_empty()) {
        return "no values here: they are the same for everybody and stand in the brief\n".to_owned();
    }
    let mut text = String::new();
    for task in tasks {
        text += &format!("{}\n", task.task.id);
        let values = task.values(course, scope);
        let width = values.keys().map(String::len).max().unwrap_or(0);
        for (name, value) in &values {
            let own = task.parameters().get(name).is_some_and(|parameter| parameter.scope == ParameterScope::Learner);
            let whose = if own { "" } else { "  (the same for everybody)" };
            text += &format!("  {name:width$}  {}{whose}\n", shown(value));
        }
    }
    text
}

fn as_json(course: &Course, tasks: &[&CourseTask], scope: &Scope) -> Value {
    let values = |task: &&CourseTask| (task.task.id.to_string(), json!(task.values(course, scope)));
    Value::Object(tasks.iter().map(values).collect::<Map<_, _>>())
}
