//! `gradus grade`: grade a working tree, a commit or a task directory.

use std::process::ExitCode;

use super::output::Graded;
use super::output::{Format, exit_code, render};
use super::snippet::Colour;
use super::subject::{Subject, Where};
use super::{EXIT_USAGE, trouble};
use crate::checkpoint::LOOKS_AT_COMMITS;
use crate::review::safe::plain;
use crate::review::words::count;
use crate::sandbox::{Sandbox, Strictness};
use crate::submission::shell::word;

/// Longest path or sentence of a note in characters.
const MAX_LINE: usize = 400;

/// Grade a working tree, a commit or a task directory
///
/// Grades your files as `git add -A` would commit them, by the rules that the workspace carries in `.gradus/`. What
/// needs hidden files or a cluster is named and judged after a push.
///
/// Exit code: 0 all that was judged passes, 1 something does not, 2 the call or the course is broken, 3 something could
/// not be judged.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: Where,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let subject = match args.what.read() {
        Ok(subject) => subject,
        Err(trouble) => return trouble.tell(),
    };
    near_misses(&subject);
    if subject.items.is_empty() {
        eprintln!("error: nothing to grade: no file below tasks/TASK-ID/ is changed; name a task by `--task ID`");
        return ExitCode::from(EXIT_USAGE);
    }
    let sandbox = match Sandbox::this_program(Strictness::BestEffort) {
        Ok(sandbox) => sandbox,
        Err(error) => return trouble::fail(&error),
    };
    let graded = subject.grade(&sandbox, args.format.advising());
    print!("{}", render(&graded, args.format, Colour::of(&std::io::stdout())));
    if subject.is_committed && waits_for_a_commit(&graded) {
        eprintln!("note: everything here is committed: `gradus grade --commit HEAD` judges what the commits did, too");
    }
    unadded(&subject);
    if let Some(gap) = sandbox.gap() {
        eprintln!("note: {gap}");
    }
    ExitCode::from(exit_code(graded.iter().map(|graded| &graded.report)))
}

/// Whether a commit would have been judged further.
fn waits_for_a_commit(graded: &[Graded<'_>]) -> bool {
    let results = graded.iter().flat_map(|one| &one.report.checkpoints);
    results.flat_map(|result| &result.evidence).any(|evidence| evidence.message == LOOKS_AT_COMMITS)
}

/// Says what counted here and would be missing from a push of what Git knows.
fn unadded(subject: &Subject) {
    for item in subject.items.iter().filter(|item| item.unadded > 0) {
        let files = count(item.unadded, "file");
        let dir = if item.shown_as.is_empty() { "." } else { &item.shown_as };
        let dir = word(dir);
        eprintln!(
            "note: {files} of `{}` counted here and not in Git yet; before you commit: git add -A {dir}",
            item.drawn.task.id
        );
    }
}

/// Says what was probably meant.
pub fn near_misses(subject: &Subject) {
    for miss in &subject.near_misses {
        // Without backticks: some of these words have their own.
        eprintln!(
            "note: not looked at: {}: {}; looked for {}",
            plain(&miss.found, MAX_LINE),
            plain(&miss.why, MAX_LINE),
            plain(&miss.meant, MAX_LINE)
        );
        for line in miss.remedy.lines() {
            eprintln!("      {line}");
        }
    }
}
