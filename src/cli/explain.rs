//! `gradus explain`: show how a checkpoint comes to its verdict.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::sentence;
use super::subject::{Where, learner_of_clone};
use super::trouble::Trouble;
use super::{EXIT_FAIL, EXIT_PASS, EXIT_PROVISIONAL};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::evidence::Place;
use crate::checkpoint::outcome::Outcome;
use crate::course::draw::Drawn;
use crate::course::id::{CheckpointId, Learner, TaskId};
use crate::course::locate::{self, Home, Located};
use crate::course::task::Task;
use crate::course::values::Scope;
use crate::grade::proof::{self, Entry};
use crate::grade::report::CourseRef;
use crate::grade::{Explanation, explain};
use crate::review::safe::plain;
use crate::sandbox::{Sandbox, Strictness};

/// Longest line of a trace in characters.
const MAX_LINE: usize = 400;

/// Show how a checkpoint comes to its verdict
///
/// Judges one checkpoint, whatever it depends on, and tells what it selected, which candidates it compared and how, and
/// what every part of a rule came to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of the task, or its directory
    task: PathBuf,
    /// Id of the checkpoint
    checkpoint: CheckpointId,
    /// On what: `starter`, `solution`, the name of a mutant or an alternative, or a path; your working tree in a clone
    /// of a workspace, else the solution
    #[arg(long, value_name = "NAME|PATH")]
    on: Option<String>,
    /// Directory of the course
    #[arg(long, value_name = "DIR")]
    course: Option<PathBuf>,
    /// Whose values count on a path; otherwise the learner that the clone's address names
    #[arg(long, value_name = "NAME")]
    learner: Option<Learner>,
    /// With the values of this draw of `gradus test`
    #[arg(long, value_name = "N", conflicts_with = "learner")]
    draw: Option<u32>,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    match explained(&args) {
        Ok((text, outcome)) => {
            print!("{text}");
            ExitCode::from(match outcome {
                Outcome::Pass | Outcome::NotRun => EXIT_PASS,
                Outcome::Fail | Outcome::Blocked => EXIT_FAIL,
                Outcome::Inconclusive | Outcome::Error => EXIT_PROVISIONAL,
            })
        }
        Err(trouble) => trouble.tell(),
    }
}

fn explained(args: &Args) -> Result<(String, Outcome), Trouble> {
    let sandbox = Sandbox::this_program(Strictness::BestEffort).map_err(Trouble::Sandbox)?;
    let named: Option<TaskId> = args.task.to_str().filter(|_| !args.task.exists()).and_then(|text| text.parse().ok());
    let at = if named.is_some() { Path::new(".") } else { &args.task };
    let Located { course, task, home, .. } = locate::find(at, args.course.as_deref(), named.as_ref())?;
    let Some(course_task) = task.and_then(|id| course.tasks.get(&id)) else {
        return Err(Trouble::WhichTask(args.task.clone()));
    };
    let id = course_task.task.id.clone();

    let scope = args.draw.map_or(Scope::Course, Scope::Proof);
    let drawn = course_task.draw(&course, &scope).map_err(|problems| super::subject::broken(course_task, problems))?;
    let entry = match (&args.on, &home) {
        // What a workspace is made of has none of the author's submissions, not even the starter as it was.
        (_, Home::Workspace(_)) => None,
        (Some(name), Home::Course(_)) => entry(&drawn, name),
        (None, Home::Course(_)) => Some(Entry::Solution),
    };
    if let Some(own) = entry.and_then(|entry| proof::submissions(&drawn).find(|own| own.entry == entry)) {
        let reference = CourseRef { id: course.id.clone(), revision: course.revision.clone() };
        let checkpoint = checkpoint(&drawn.task, &args.checkpoint)?;
        let explanation =
            proof::with_job(&reference, &drawn, own.files, own.commits, |job| explain(job, &args.checkpoint, &sandbox));
        return Ok(text(checkpoint, &own.entry.to_string(), explanation));
    }

    let path = args.on.as_ref().map_or_else(|| PathBuf::from("."), PathBuf::from);
    if !path.exists() {
        if let Home::Workspace(_) = home {
            return Err(Trouble::NoneInWorkspace { task: id, name: path.display().to_string() });
        }
        let known = drawn.alternatives.keys().chain(drawn.mutants.keys()).map(|name| format!("`{name}`"));
        let known = known.collect::<Vec<_>>().join(", ");
        return Err(Trouble::NoEntry { task: id, name: path.display().to_string(), known });
    }
    let learner = args.learner.clone().or_else(|| learner_of_clone(&path));
    let course = args.course.clone();
    let subject = Where { path: path.clone(), task: Some(id.clone()), course, learner, commit: None }.read()?;
    let Some(item) = subject.items.first() else { return Err(Trouble::WhichTask(path)) };
    let checkpoint = checkpoint(&item.drawn.task, &args.checkpoint)?;
    let explanation = subject.with_job(item, |job| explain(job, &args.checkpoint, &sandbox));
    Ok(text(checkpoint, &path.display().to_string(), explanation))
}

fn entry(drawn: &Drawn, name: &str) -> Option<Entry> {
    match name {
        "starter" => Some(Entry::Starter),
        "solution" => Some(Entry::Solution),
        name if drawn.mutants.contains_key(name) => Some(Entry::Mutant(name.to_owned())),
        name if drawn.alternatives.contains_key(name) => Some(Entry::Alternative(name.to_owned())),
        _ => None,
    }
}

fn checkpoint<'a>(task: &'a Task, id: &CheckpointId) -> Result<&'a Checkpoint, Trouble> {
    task.checkpoints.iter().find(|known| known.id == *id).ok_or_else(|| {
        let known: Vec<_> = task.checkpoints.iter().map(|c| format!("`{}`", c.id)).collect();
        Trouble::NoCheckpoint { task: task.id.clone(), checkpoint: id.clone(), known: known.join(", ") }
    })
}

/// Trace, verdict, differences. All learner text in it is made safe for a terminal line by line.
fn text(checkpoint: &Checkpoint, on: &str, explanation: Option<Explanation>) -> (String, Outcome) {
    let mut lines = vec![format!("{} ({}) on {on}", checkpoint.id, checkpoint.kind.key())];
    let Some(Explanation { judgement, trace }) = explanation else {
        lines.push("  it was not judged".to_owned());
        return (lines.join("\n") + "\n", Outcome::Inconclusive);
    };
    for (depth, line) in trace {
        let pad = "  ".repeat(depth.min(20) + 1);
        lines.extend(line.lines().map(|line| format!("{pad}{}", plain(line, MAX_LINE))));
    }
    lines.push(match judgement.cases {
        Some((passed, total)) => format!("{}, {passed} of {total} cases right", judgement.outcome.word()),
        None => judgement.outcome.word().to_owned(),
    });
    for evidence in &judgement.evidence {
        let Place { file, line, column, .. } = &evidence.place;
        let mut place = file.clone().unwrap_or_default();
        for number in [line, column].into_iter().flatten() {
            place.push_str(&format!(":{number}"));
        }
        let lead = if place.is_empty() { String::new() } else { format!("{}: ", plain(&place, MAX_LINE)) };
        lines.push(format!("  {lead}{}", plain(&sentence(evidence), MAX_LINE)));
    }
    (lines.join("\n") + "\n", judgement.outcome)
}
