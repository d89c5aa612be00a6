//! `gradus start`: begin a task: branch, brief and files.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use git2::Repository;

use super::subject::Where;
use super::trouble::Trouble;
use super::{EXIT_PASS, EXIT_USAGE, trouble};
use crate::course::id::TaskId;
use crate::course::locate::{self, Home, LocateError, Located};
use crate::course::{Course, CourseTask};
use crate::grade::report::Report;
use crate::sandbox::{Advising, Sandbox, Strictness};
use crate::submission::begin::{self, Situation, Step};
use crate::submission::tree::Tree;
use crate::submission::{ReadError, heads};

/// Most files of a task that are listed to be edited.
const MAX_FILES_SHOWN: usize = 15;

/// Begin a task: branch, brief and files
///
/// In a clone of a workspace. With TASK: fetches `origin`, goes onto the branch of the task's name (a new one starts at
/// the workspace as published), and says what to read, what to edit and how to push. Work that is not committed is never touched.
/// Without TASK: lists the tasks and how far you are with each.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The task to begin or to go on with
    task: Option<TaskId>,
    /// Do not fetch first: start from the workspace as of the last fetch
    #[arg(long)]
    no_fetch: bool,
    /// A directory in the clone
    #[arg(short = 'C', long = "clone", value_name = "DIR", default_value = ".")]
    clone: PathBuf,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    match start(&args) {
        Ok(text) => {
            print!("{text}");
            ExitCode::from(EXIT_PASS)
        }
        Err(Stop::Trouble(trouble)) => trouble.tell(),
        Err(Stop::Other(error)) => trouble::fail(error.as_ref()),
        Err(Stop::NoWorkspace(path)) => {
            eprintln!(
                "error: {} is in no clone of a workspace: `git clone` one, go into it and start again",
                path.display()
            );
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Why nothing was begun.
enum Stop {
    Trouble(Trouble),
    Other(Box<dyn std::error::Error>),
    NoWorkspace(PathBuf),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Stop::Trouble(trouble)
    }
}

impl From<LocateError> for Stop {
    fn from(error: LocateError) -> Self {
        Stop::Trouble(error.into())
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Stop::Trouble(error.into())
    }
}

fn start(args: &Args) -> Result<String, Stop> {
    let Ok(repository) = Repository::discover(&args.clone) else { return Err(Stop::NoWorkspace(args.clone.clone())) };
    let Some(top) = repository.workdir().map(Path::to_owned) else { return Err(Stop::NoWorkspace(args.clone.clone())) };
    if !args.no_fetch && args.task.is_some() {
        fetch_origin(&top);
    }
    let located = locate::find(&top, None, args.task.as_ref());
    let course = match located {
        Ok(Located { course, home: Home::Workspace(_), .. }) => course,
        Ok(_) | Err(LocateError::Nothing(_) | LocateError::NoTaskNearby { .. }) => return Err(Stop::NoWorkspace(top)),
        Err(error) => return Err(error.into()),
    };
    let situation = begin::observe(&repository)?;
    let Some(task) = args.task.as_ref().and_then(|id| course.tasks.get(id)) else {
        let sandbox = Sandbox::this_program(Strictness::BestEffort).map_err(Trouble::Sandbox)?;
        let progress = |id: &TaskId| progress(&top, &situation, id, &sandbox);
        return Ok(overview(&course, &situation, progress));
    };
    let branch = task.task.id.as_str();
    let step = begin::decide(&situation, branch).map_err(|refusal| Stop::Other(Box::new(refusal)))?;
    begin::act(&repository, branch, &step)?;
    if matches!(step, Step::Create(_)) && heads::strayed(&repository)? {
        eprintln!(
            "note: `main` of your fork holds commits of yours; they are not on this branch. The review of `main` says how \
             to move them and how to put `main` back"
        );
    }
    let published = published(&repository)?;
    Ok(instructions(task, &step, &published.below(&task.task.id.dir())))
}

/// By the `git` that made the clone: it knows the way, the proxy and the credentials. Without network one starts from
/// what is here.
fn fetch_origin(top: &Path) {
    let fetched = Command::new("git").arg("-C").arg(top).args(["fetch", "--quiet", "origin"]).status();
    if !fetched.is_ok_and(|status| status.success()) {
        eprintln!("note: `git fetch origin` failed; starting from the workspace as of the last fetch");
    }
}

/// The files of the workspace.
fn published(repository: &Repository) -> Result<Tree, ReadError> {
    match heads::upstream(repository)? {
        Some(main) => Tree::from_commit(repository, &main),
        None => Ok(Tree::default()),
    }
}

/// How far one is with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    New,
    /// A branch is there, and nothing could be judged.
    Begun,
    /// As `gradus grade` judges the branch here.
    Judged {
        score: u32,
        points: u32,
        all: u32,
    },
}

impl Progress {
    fn words(&self) -> String {
        match self {
            Progress::New => "not started".to_owned(),
            Progress::Begun => "started".to_owned(),
            Progress::Judged { score, points, all } if score == points && points == all => "passes".to_owned(),
            Progress::Judged { score, points, .. } if score == points => format!("passes the {points} judged here"),
            Progress::Judged { score, points, .. } => format!("{score} of {points} judged here"),
        }
    }

    fn is_done(&self) -> bool {
        matches!(self, Progress::Judged { score, points, .. } if score == points)
    }
}

/// Grades the newest commit of the task's branch, here or on `origin`.
fn progress(top: &Path, situation: &Situation, id: &TaskId, sandbox: &Sandbox) -> Progress {
    let name = id.as_str();
    let revision = if situation.local.contains(name) {
        format!("refs/heads/{name}")
    } else if situation.remote.contains(name) {
        format!("refs/remotes/origin/{name}")
    } else {
        return Progress::New;
    };
    let what =
        Where { path: top.to_owned(), task: Some(id.clone()), course: None, learner: None, commit: Some(revision) };
    // A branch that cannot be read is `gradus grade`'s to explain.
    let Ok(subject) = what.read() else { return Progress::Begun };
    let graded = subject.grade(sandbox, Advising::Off);
    match graded.first().map(|graded| &graded.report) {
        Some(Report { score, points, provisional: false, checkpoints, .. }) if *points > 0 => {
            let all = checkpoints.iter().map(|checkpoint| checkpoint.points).sum();
            Progress::Judged { score: *score, points: *points, all }
        }
        _ => Progress::Begun,
    }
}

/// All tasks in order, how far one is with each, and which one to go on with.
fn overview(course: &Course, situation: &Situation, progress: impl Fn(&TaskId) -> Progress) -> String {
    let tasks: Vec<(&CourseTask, Progress)> =
        course.tasks_in_order().map(|task| (task, progress(&task.task.id))).collect();
    let width = tasks.iter().map(|(task, _)| task.task.id.as_str().len()).max().unwrap_or_default();
    let done = tasks.iter().filter(|(_, progress)| progress.is_done()).count();
    let mut text = format!("{}: {done} of {} tasks done, as far as it can be judged here\n", course.title, tasks.len());
    for module in &course.modules {
        let mut of_module = tasks.iter().filter(|(task, _)| task.module == module.id).peekable();
        if of_module.peek().is_some() {
            let _ = writeln!(text, "\n{}", module.title);
        }
        for (task, progress) in of_module {
            let task = &task.task;
            let here = if situation.current.as_deref() == Some(task.id.as_str()) { "*" } else { " " };
            let _ = writeln!(
                text,
                "{here} {:width$}  {:>3} points  {:>3} min  {:<24}  {}",
                task.id.as_str(),
                task.points,
                task.minutes,
                progress.words(),
                task.title
            );
        }
    }
    let next = tasks.iter().find(|(_, progress)| !progress.is_done());
    match next {
        Some((task, _)) => {
            let _ = write!(text, "\nNext: gradus start {}\n", task.task.id);
        }
        None if tasks.is_empty() => text.push_str("\nThe course has no tasks yet.\n"),
        None => text.push_str("\nAll done.\n"),
    }
    text
}

/// What to read, edit and type.
fn instructions(task: &CourseTask, step: &Step, starter: &Tree) -> String {
    let task = &task.task;
    let id = &task.id;
    let mut text = match step {
        Step::Stay => format!("You are on branch {id}\n"),
        Step::Switch => format!("Went back to branch {id}\n"),
        Step::Follow => format!("On branch {id}, as it was pushed to origin\n"),
        Step::Create(from) => format!("On a new branch {id}, from the workspace at {}\n", from.short()),
    };
    let _ = write!(
        text,
        "\n{} ({} points, about {} minutes)\n\n  Read  briefs/{id}.md\n",
        task.title, task.points, task.minutes
    );
    for (index, path) in starter.paths().take(MAX_FILES_SHOWN).enumerate() {
        let _ = writeln!(text, "  {}  tasks/{id}/{path}", if index == 0 { "Edit" } else { "    " });
    }
    if starter.is_empty() {
        let _ = writeln!(text, "  Edit  files below tasks/{id}/");
    } else if starter.len() > MAX_FILES_SHOWN {
        let _ = writeln!(text, "        and {} more below tasks/{id}/", starter.len() - MAX_FILES_SHOWN);
    }
    let _ = write!(
        text,
        "\nThen\n\n  gradus grade tasks/{id}\n  git add -A tasks/{id}\n  git commit -m {id}\n  git push -u origin {id}\n"
    );
    text
}
