//! What stands in the way of a verb, on standard error. The call or the course is broken: exit code 2.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::EXIT_USAGE;
use super::diagnostics::render;
use super::snippet::Colour;
use crate::course::diagnostic::Diagnostic;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::course::locate::{LocateError, RESTORE};
use crate::course::publish::WORKSPACE_FILE;
use crate::submission::ReadError;
use crate::submission::tree::Tree;

/// Why a verb cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// No course was found, or it is broken.
    #[error(transparent)]
    Course(#[from] LocateError),
    /// The submission cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A task cannot be drawn or judged.
    #[error("the course is broken")]
    Broken {
        /// The files that the problems are in.
        tree: Box<Tree>,
        /// What is wrong.
        problems: Vec<Diagnostic>,
    },
    /// No such path.
    #[error("cannot read {}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A lone directory that no task is named after.
    #[error("{} is neither a workspace nor named after a task: say which one by `--task ID`", .0.display())]
    WhichTask(PathBuf),
    /// The course's own files are not a submission.
    #[error(
        "{} is a course: name a starter, a solution or an alternative of a task in it, or prove all of them by `gradus test`",
        .0.display()
    )]
    InCourse(PathBuf),
    /// The course has no such task.
    #[error("the course `{course}` has no task `{task}`")]
    NoTask {
        /// Which course.
        course: CourseId,
        /// Which task.
        task: TaskId,
    },
    /// The task has no such checkpoint.
    #[error("the task `{task}` has no checkpoint `{checkpoint}`: it has {known}")]
    NoCheckpoint {
        /// Which task.
        task: TaskId,
        /// Which checkpoint.
        checkpoint: CheckpointId,
        /// All that it has.
        known: String,
    },
    /// The task has no such submission of its own.
    #[error("there is no `{name}` of `{task}`: name a path, `starter`, `solution` or one of {known}")]
    NoEntry {
        /// Which task.
        task: TaskId,
        /// What was asked for.
        name: String,
        /// All that it has.
        known: String,
    },
    /// A clone of a workspace has none of the author's submissions.
    #[error(
        "a clone of a workspace has none of the author's submissions of `{task}`, so no `{name}` either: name a directory \
         by `--on {}`, or judge your work by `gradus grade --task {task}`",
        task.dir()
    )]
    NoneInWorkspace {
        /// Which task.
        task: TaskId,
        /// What was asked for.
        name: String,
    },
    /// A commit was asked for outside of a repository.
    #[error("{} is in no Git repository: leave `--commit` out", .0.display())]
    NoRepository(PathBuf),
    /// No such commit.
    #[error(
        "there is no commit `{revision}` in this repository: name a branch, a tag or a commit as `git log` shows it, or \
         `HEAD` for the newest"
    )]
    NoCommit {
        /// As asked for.
        revision: String,
    },
    /// The running program is not to be found.
    #[error("cannot start a sandbox")]
    Sandbox(#[source] std::io::Error),
    /// Nothing to compare a commit with.
    #[error("{} has neither `origin/main` nor `main` to compare a commit with: run `git fetch origin`", .0.display())]
    NoUpstream(PathBuf),
}

impl Trouble {
    /// Says it.
    pub fn tell(&self) -> ExitCode {
        if let Trouble::Broken { tree, problems } = self {
            diagnostics("error", Path::new(""), tree, problems);
        }
        match self {
            Trouble::Course(LocateError::Broken { home, tree, problems }) => {
                diagnostics("error", home, tree, problems);
                eprintln!("error: the course in {} is broken", home.display());
                if home.join(WORKSPACE_FILE).is_file() {
                    eprintln!("help: if you changed `.gradus`, put back what was published: {RESTORE}");
                }
                ExitCode::from(EXIT_USAGE)
            }
            other => fail(other),
        }
    }
}

/// Says an error with its causes.
pub fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {}", words(error));
    ExitCode::from(EXIT_USAGE)
}

/// What went wrong, with each cause behind it.
pub fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Says each diagnostic with its line. `home` is the course's directory.
pub fn diagnostics(level: &str, home: &Path, tree: &Tree, problems: &[Diagnostic]) {
    eprintln!("{}", render(level, home, tree, problems, Colour::of(&std::io::stderr())));
}
