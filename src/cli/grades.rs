//! `gradus grades`: everybody's grades as text, CSV or JSON.

mod csv;
mod text;

use std::io::Write as _;
use std::process::ExitCode;

use super::gradebook::Which;
use super::trouble::fail;
use crate::course::id::CourseId;
use crate::gradebook::grades::Filter;
use crate::review::safe;
use crate::store::time::{Clock, SystemClock};

/// Show everybody's grades
///
/// One row per learner and task: the points that count, the best and the newest verdict, attempts, who is stuck (three
/// failed attempts on one checkpoint), our own errors with their cause, and what instructors decided.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Only of this course
    #[arg(long, value_name = "ID")]
    course: Option<CourseId>,
    /// Only of this learner, by id or login
    #[arg(long, value_name = "NAME")]
    learner: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, at most 80 columns
    Text,
    /// For spreadsheets: one line per learner and task
    Csv,
    /// One `Grades` object; `gradus schema grades` describes it
    Json,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let opened = match args.which.open() {
        Ok(opened) => opened,
        Err(error) => return fail(&error),
    };
    let now = SystemClock.now();
    let filter = Filter { course: args.course, learner: args.learner };
    let grades = match opened.gradebook.grades(&filter, now) {
        Ok(grades) => grades,
        Err(error) => return fail(&error),
    };
    let out = match args.format {
        Format::Text => text::render(&grades),
        Format::Csv => csv::render(&grades),
        Format::Json => serde_json::to_string_pretty(&grades).unwrap_or_default() + "\n",
    };
    // A reader that has seen enough is no error.
    let _ = std::io::stdout().write_all(out.as_bytes());
    if grades.items.is_empty() && filter != Filter::default() {
        eprintln!(
            "note: nothing that is recorded in {} is asked for; without a filter everything is shown",
            opened.shown
        );
    }
    for problem in &grades.problems {
        eprintln!("warning: {}", safe::plain(problem, 500));
    }
    ExitCode::from(super::EXIT_PASS)
}
