//! `gradus lint`: check courses or tasks without grading anything.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::diagnostics::{render, shown};
use super::snippet::Colour;
use super::target::{self, TargetError};
use super::trouble;
use crate::course::diagnostic::Diagnostic;
use crate::course::lint::{self, Findings};
use crate::course::load;
use crate::course::locate::LocateError;
use crate::submission::tree::Tree;

/// Check courses or tasks without grading anything
///
/// Reads every file of a course, draws its values three times, renders briefs, applies overlays and mutants, and lets
/// each kind of checkpoint look at its expressions. `gradus test` does the same and then grades.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directories of courses or tasks, or ids of tasks; without any, all courses below `courses/`
    #[arg(value_name = "COURSE|TASK")]
    paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Excerpts with a caret and the remedy
    Text,
    /// One JSON object with `errors` and `warnings`
    Json,
}

/// What was found in one course.
#[derive(Debug)]
pub(super) struct Linted {
    home: PathBuf,
    tree: Tree,
    findings: Findings,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let mut all = Vec::new();
    let targets = match target::targets(&args.paths) {
        Ok(targets) => targets,
        Err(error) => return trouble::fail(&error),
    };
    for path in &targets {
        match look(path) {
            Ok(linted) => all.push(linted),
            Err(error) => return trouble::fail(&error),
        }
    }
    let broken = all.iter().any(|linted| !linted.findings.errors.is_empty());
    match args.format {
        Format::Text => print!("{}", text(&all, Colour::of(&io::stdout()))),
        Format::Json => println!("{:#}", json(&all)),
    }
    ExitCode::from(if broken { super::EXIT_USAGE } else { super::EXIT_PASS })
}

fn look(path: &Path) -> Result<Linted, TargetError> {
    match target::locate(path) {
        Ok(located) => {
            let mut findings = match located.task.as_ref().and_then(|id| located.course.tasks.get(id)) {
                Some(task) => lint::task(&located.course, task),
                None => lint::course(&located.course),
            };
            if located.task.is_none() {
                findings.warnings.splice(0..0, located.warnings);
            }
            let tree = located.course.files().clone();
            Ok(Linted { home: located.home.path().to_owned(), tree, findings })
        }
        Err(TargetError::Locate(LocateError::Broken { home, tree, problems })) => Ok(Linted {
            findings: Findings { errors: broken(&home, &tree, problems), warnings: Vec::new() },
            home,
            tree: *tree,
        }),
        Err(other) => Err(other),
    }
}

/// All errors of a course that does not load; a workspace's are those that are in the way.
fn broken(home: &Path, tree: &Tree, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    let is_course = tree.file("course.yaml").is_some();
    let unloaded = is_course.then(|| load::read(tree, &name).err()).flatten();
    unloaded.map_or(problems, |unloaded| lint::unloaded(&unloaded))
}

/// All findings for people, the sums at the end.
pub(super) fn text(all: &[Linted], colour: Colour) -> String {
    let mut text = String::new();
    let (mut errors, mut warnings) = (0, 0);
    for Linted { home, tree, findings } in all {
        for (level, problems) in [("error", &findings.errors), ("warning", &findings.warnings)] {
            if !problems.is_empty() {
                text += &render(level, home, tree, problems, colour);
                text.push('\n');
            }
        }
        errors += findings.errors.len();
        warnings += findings.warnings.len();
    }
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    text + &match (errors, warnings) {
        (0, 0) => "no errors\n".to_owned(),
        (0, warnings) => format!("no errors, {}\n", count(warnings, "warning")),
        (errors, 0) => format!("{}\n", count(errors, "error")),
        (errors, warnings) => format!("{}, {}\n", count(errors, "error"), count(warnings, "warning")),
    }
}

/// All findings for programs.
fn json(all: &[Linted]) -> serde_json::Value {
    #[derive(Serialize)]
    struct Output {
        errors: Vec<Diagnostic>,
        warnings: Vec<Diagnostic>,
    }
    let named = |home: &Path, problems: &[Diagnostic]| -> Vec<Diagnostic> {
        let named = |problem: &Diagnostic| {
            let mut problem = problem.clone();
            problem.place.file = Some(shown(home, problem.file()));
            problem
        };
        problems.iter().map(named).collect()
    };
    let errors = all.iter().flat_map(|linted| named(&linted.home, &linted.findings.errors)).collect();
    let warnings = all.iter().flat_map(|linted| named(&linted.home, &linted.findings.warnings)).collect();
    serde_json::to_value(Output { errors, warnings }).unwrap_or_default()
}

#[cfg(test)]
mod tests;
