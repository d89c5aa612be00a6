//! `gradus grade`: grade a working tree, a commit or a task directory.

use std::path::Path;
use std::process::ExitCode;

use super::output::Graded;
use super::output::{Format, exit_code, render};
use super::snippet::Colour;
use super::subject::{Item, Subject, Where, shown};
use super::{EXIT_USAGE, trouble};
use crate::checkpoint::LOOKS_AT_COMMITS;
use crate::checkpoint::outcome::Outcome;
use crate::review::safe::plain;
use crate::review::words::count;
use crate::sandbox::{Sandbox, Strictness};
use crate::submission::ignored;
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
        ignored(&subject, &[]);
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
    ignored(&subject, &graded);
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

/// Says which files lie in a task that is not passed and were left out, since Git ignores them; where nothing was graded,
/// in any task.
pub fn ignored(subject: &Subject, graded: &[Graded<'_>]) {
    if subject.submission.commit.is_some() {
        return;
    }
    let open = |item: &&Item| {
        graded.iter().any(|one| one.report.task == item.drawn.task.id && one.report.outcome != Outcome::Pass)
    };
    let dirs: Vec<String> = match subject.items.as_slice() {
        [] => vec![shown(&subject.root.join("tasks"))],
        items => items.iter().filter(open).map(|item| item.shown_as.clone()).collect(),
    };
    for shown in dirs {
        let dir = if shown.is_empty() { Path::new(".") } else { Path::new(&shown) };
        // What cannot be looked at is no reason to withhold a result.
        let mut files = ignored::ignored(dir).unwrap_or_default();
        files.retain(|file| !is_litter(file));
        files.sort();
        let Some(first) = files.first() else { continue };
        let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
        let path = word(&format!("{shown}{first}")).to_string();
        eprintln!("note: not looked at: {path}{more}: Git ignores it, so no commit would hold it");
        eprintln!("      git check-ignore -v {path}  # the rule that does");
        eprintln!("      git add -f {path}  # hand it in all the same");
    }
}

/// Whether a file is such as editors and systems leave behind.
fn is_litter(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    name.starts_with('.') || name.ends_with('~') || matches!(kind, "swp" | "log" | "tmp" | "bak" | "orig" | "pyc")
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
