//! What is said of checkpoints where the head has nothing to grade: why, what was graded before, and what to do. Pure.

use super::answer::About;
use super::command::Target;
use crate::course::id::TaskId;
use crate::gradebook::entry::{CheckpointVerdict, Entry, Verdict};
use crate::review::{safe, words};

/// For a head at which nothing was graded. `target` is the checkpoint that was asked about.
pub(super) fn earlier(about: &About<'_>, target: Option<&Target>) -> String {
    let passed = about.grading.map(|grading| grading.passed_before.as_slice()).unwrap_or_default();
    match target.and_then(|target| last(about, passed, target)) {
        Some((verdict, result)) => one(about, passed, verdict, result),
        None => all(about, passed),
    }
}

/// The newest verdict on a checkpoint: of a task that is unchanged since it passed, else in this pull request.
fn last<'a>(about: &About<'a>, passed: &[TaskId], target: &Target) -> Option<(&'a Verdict, &'a CheckpointVerdict)> {
    let of_it = |verdict: &'a Verdict| {
        let named = |result: &&CheckpointVerdict| target.names(verdict.task.as_str(), &result.id);
        Some((verdict, verdict.checkpoints.iter().find(named)?))
    };
    verdicts_of_passed(about, passed).find_map(of_it).or_else(|| verdicts_here(about).find_map(of_it))
}

/// What was graded in this pull request, newest first.
fn verdicts_here<'a>(about: &About<'a>) -> impl Iterator<Item = &'a Verdict> {
    let (pull, course) = (about.key.to_string(), about.pull.course.clone());
    let verdicts = about.book.entries().iter().rev();
    verdicts.filter_map(move |entry| match entry {
        Entry::Verdict(verdict) if verdict.pull == pull && verdict.course.id == course => Some(verdict),
        _ => None,
    })
}

/// The best verdicts on these tasks, wherever that was.
fn verdicts_of_passed<'a>(about: &About<'a>, passed: &[TaskId]) -> impl Iterator<Item = &'a Verdict> {
    let (book, course) = (about.book, &about.pull.course);
    passed.iter().filter_map(move |task| book.record(course, task)?.best())
}

fn one(about: &About<'_>, passed: &[TaskId], verdict: &Verdict, result: &CheckpointVerdict) -> String {
    let (head, task) = (about.pull.head.short(), &verdict.task);
    let was = format!(
        "{}, {} of {}, at `{}`",
        result.outcome.word(),
        result.score,
        words::count(result.points as usize, "point"),
        verdict.head.short()
    );
    if passed.contains(task) {
        return format!(
            "`{}`: {was}. The files of `{task}` in head `{head}` are those that passed, so they were not graded again: \
             the points are yours, and there is nothing to change.",
            result.id
        );
    }
    let elsewhere = match passed {
        [] => "changes no file of a task".to_owned(),
        _ => format!("does not change `{task}`"),
    };
    format!(
        "`{}`: {was}; what was found stands in the review of that commit. Head `{head}` {elsewhere}, so it is not graded \
         now: push a change below `{}/`.",
        result.id,
        task.dir()
    )
}

fn all(about: &About<'_>, passed: &[TaskId]) -> String {
    let head = about.pull.head.short();
    if !passed.is_empty() {
        let tasks: Vec<_> = passed.iter().map(|task| format!("`{task}`")).collect();
        return format!(
            "Nothing is graded at head `{head}`: the files of {} are those that passed before, and the points are yours. \
             Only a change of them is graded again.",
            tasks.join(", ")
        );
    }
    let mut seen: Vec<&Verdict> = Vec::new();
    for verdict in verdicts_here(about) {
        if seen.iter().all(|known| known.task != verdict.task) {
            seen.push(verdict);
        }
    }
    if seen.is_empty() {
        return "Nothing was graded here yet: push a change below `tasks/TASK-ID/`.".to_owned();
    }
    let told = seen.iter().map(|verdict| {
        let names: Vec<_> = verdict.checkpoints.iter().map(|result| safe::code(result.id.as_str())).collect();
        let points = words::count(verdict.points as usize, "point");
        format!(
            "\n- `{}` at `{}`: {} of {points} ({})",
            verdict.task,
            verdict.head.short(),
            verdict.score,
            names.join(", ")
        )
    });
    format!(
        "Head `{head}` changes no file of a task, so nothing of it is graded: push a change below `tasks/TASK-ID/`. \
         Graded here before:\n{}",
        told.collect::<String>()
    )
}

#[cfg(test)]
mod tests;
