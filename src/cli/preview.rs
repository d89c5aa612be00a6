//! `gradus preview`: show the review that a learner would get.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use similar::{ChangeTag, TextDiff};

use super::subject::broken;
use super::trouble::Trouble;
use crate::course::draw::Drawn;
use crate::course::id::TaskId;
use crate::course::kinds::CommitFile;
use crate::course::locate::{self, Home, Located};
use crate::course::values::Scope;
use crate::course::{Course, CourseTask};
use crate::grade::proof::{self, Entry};
use crate::grade::report::CourseRef;
use crate::grade::view::{Due, conceals, learner_view};
use crate::grade::{Advised, grade_and_advise};
use crate::review::input::{DomainScore, Merging, Mode, NextTask, ReviewInput, Section};
use crate::review::{Review, compose, safe, terminal};
use crate::sandbox::{Sandbox, Strictness};
use crate::submission::diff::DiffLines;
use crate::submission::sha::CommitId;
use crate::submission::tree::Tree;
use crate::submission::tree_id;
use crate::submission::upstream::Upstream;

/// Lines of context around a change, as forges show them.
const CONTEXT: usize = 3;

/// Show the review that a learner would get
///
/// Grades a mutant, an alternative, the starter, the solution or a directory as if it were a pull request and prints
/// what would be posted: the body and each comment on its line.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The task
    task: TaskId,
    /// A mutant, an alternative, `starter`, `solution`, or a directory with the files of the task
    #[arg(long, value_name = "NAME", default_value = "starter")]
    on: String,
    /// Directory of the course; otherwise the course around this directory, or one in `./courses`
    #[arg(long, value_name = "DIR")]
    course: Option<PathBuf>,
    /// As if it were this attempt and each before had failed likewise: later ones earn more hints
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    attempt: u32,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a review is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As posted, with the line comments below
    #[default]
    Markdown,
    /// As printed by a push
    Text,
    /// As data
    Json,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    match preview(&args) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(trouble) => trouble.tell(),
    }
}

fn preview(args: &Args) -> Result<String, Trouble> {
    let Located { course, home, .. } = locate::find(Path::new("."), args.course.as_deref(), Some(&args.task))?;
    let no_task = || Trouble::NoTask { course: course.id.clone(), task: args.task.clone() };
    let task = course.tasks.get(&args.task).ok_or_else(no_task)?;
    let drawn = task.draw(&course, &Scope::Course).map_err(|problems| broken(task, problems))?;
    let (files, commits) = files_of(&drawn, &args.on, &home)?;
    let sandbox = Sandbox::this_program(Strictness::BestEffort).map_err(Trouble::Sandbox)?;
    Ok(Preview { args, course: &course, task, drawn: &drawn, files: &files, commits: commits.as_deref() }
        .render(&sandbox))
}

/// The files of the task's directory that a name stands for, and how they were committed.
fn files_of(drawn: &Drawn, name: &str, home: &Home) -> Result<(Tree, Option<Vec<CommitFile>>), Trouble> {
    let is_named = |entry: &Entry| match entry {
        Entry::Starter => name == "starter",
        Entry::Solution => name == "solution",
        Entry::Alternative(known) | Entry::Mutant(known) => known == name,
    };
    // A workspace has none of them.
    let known = proof::submissions(drawn).find(|own| is_named(&own.entry) && !own.files.is_empty());
    if let Some(own) = known {
        return Ok((own.files.clone(), own.commits.map(<[CommitFile]>::to_vec)));
    }
    if Path::new(name).is_dir() {
        return Ok((Tree::from_dir(Path::new(name))?, None));
    }
    let task = drawn.task.id.clone();
    if let Home::Workspace(_) = home {
        return Err(Trouble::NoneInWorkspace { task, name: name.to_owned() });
    }
    let known: Vec<String> =
        drawn.alternatives.keys().chain(drawn.mutants.keys()).map(|name| format!("`{name}`")).collect();
    Err(Trouble::NoEntry { task, name: name.to_owned(), known: known.join(", ") })
}

/// What is shown of what.
struct Preview<'a> {
    args: &'a Args,
    course: &'a Course,
    task: &'a CourseTask,
    drawn: &'a Drawn,
    files: &'a Tree,
    commits: Option<&'a [CommitFile]>,
}

impl Preview<'_> {
    fn render(&self, sandbox: &Sandbox) -> String {
        let Self { args, course, task, drawn, files, commits } = self;
        let reference = CourseRef { id: course.id.clone(), revision: course.revision.clone() };
        // There is no commit: the hash of the files is as good a name.
        let head: CommitId = tree_id(files).as_str().parse().expect("a tree id is as long as a commit id");
        let Advised { report, advice } =
            proof::with_job(&reference, drawn, files, *commits, |job| grade_and_advise(job, sandbox));
        let report = learner_view(&report, &drawn.task, Due::Open);
        let diff = changed_lines(&args.task, &drawn.starter, files);
        let section = Section {
            task: &drawn.task,
            report: &report,
            attempt: args.attempt,
            previous: (args.attempt > 1).then_some(&report),
            failures: report.checkpoints.iter().map(|c| (c.id.clone(), args.attempt)).collect(),
            values: &drawn.values,
            debrief: &drawn.debrief,
            domain: course.domain_of(task).map(|domain| DomainScore {
                title: domain.title.clone(),
                score: report.score,
                points: course
                    .tasks_in_order()
                    .filter(|other| course.domain_of(other) == Some(domain))
                    .map(|other| other.task.points)
                    .sum(),
            }),
            next: course
                .tasks_in_order()
                .skip_while(|other| other.task.id != args.task)
                .nth(1)
                .map(|next| NextTask { id: next.task.id.clone(), title: next.task.title.clone() }),
            judged_locally: drawn.task.checkpoints.iter().filter(|c| !conceals(c, Due::Open)).count() as u32,
            task_changed: false,
            advice,
            on_files: None,
        };
        let upstream = Upstream::local();
        let input = ReviewInput {
            head: &head,
            course: &reference,
            sections: vec![section],
            passed_before: Vec::new(),
            refused: Vec::new(),
            near_misses: &[],
            on_main: None,
            skipped: &[],
            diff: &diff,
            mode: Mode::Graded,
            page: None,
            upstream: &upstream,
            merging: Merging::Never,
            finished: None,
        };
        match args.format {
            Format::Markdown => markdown(&compose(&input)),
            Format::Text => terminal::push_output(&input),
            Format::Json => serde_json::to_string_pretty(&compose(&input)).expect("plain data") + "\n",
        }
    }
}

/// The body and, below a rule each, the comments with their lines.
fn markdown(review: &Review) -> String {
    let mut text = review.body.clone();
    for comment in &review.comments {
        let place = format!("{}:{}", comment.path, comment.line);
        text.push_str(&format!("\n---\n\nLine comment on {}:\n\n{}\n", safe::code(&place), comment.body));
    }
    text
}

/// Lines that a forge's diff against the starter would show.
fn changed_lines(task: &TaskId, before: &Tree, after: &Tree) -> DiffLines {
    let text = |tree: &Tree, path: &str| tree.file(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut lines = DiffLines::default();
    for path in after.paths() {
        let (Some(new), old) = (text(after, path), text(before, path).unwrap_or_default()) else { continue };
        let diff = TextDiff::from_lines(&old, &new);
        for group in diff.grouped_ops(CONTEXT) {
            let numbers = group.iter().flat_map(|op| diff.iter_changes(op));
            let numbers = numbers.filter(|change| change.tag() != ChangeTag::Delete).filter_map(|c| c.new_index());
            let numbers: Vec<u32> = numbers.filter_map(|index| u32::try_from(index + 1).ok()).collect();
            if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
                lines.add(format!("{}/{path}", task.dir()), *first..=*last);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_near_a_change_are_shown() {
        let old: String = (1..=30).map(|n| format!("{n}\n")).collect();
        let (mut before, mut after) = (Tree::default(), Tree::default());
        before.insert_file("a.yaml", old.clone().into_bytes());
        after.insert_file("a.yaml", old.replace("15\n", "fifteen\n").into_bytes());
        after.insert_file("new.yaml", *b"x\n");
        let lines = changed_lines(&"t".parse().unwrap(), &before, &after);
        assert!(lines.shows("tasks/t/a.yaml", 12..=18) && lines.shows("tasks/t/new.yaml", 1..=1));
        assert!(!lines.shows("tasks/t/a.yaml", 11..=11) && !lines.shows("tasks/t/a.yaml", 19..=19));
    }
}
