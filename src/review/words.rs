//! The verdict in words, the same in the review, in the commit status and on the terminal.

use crate::checkpoint::outcome::Outcome;
use crate::course::id::{CheckpointId, TaskId};
use crate::grade::report::{CheckpointResult, Report};

/// `1 checkpoint`, `2 checkpoints`; for words that take an `s`.
pub fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// What stands for so many things already named.
pub fn they(n: usize) -> &'static str {
    if n == 1 { "it" } else { "they" }
}

/// How many checkpoints came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// `pass`.
    pub pass: usize,
    /// `fail`.
    pub fail: usize,
    /// `blocked`.
    pub blocked: usize,
    /// `notRun`.
    pub not_run: usize,
    /// `inconclusive` and `error`.
    pub ours: usize,
}

impl Tally {
    /// Counts the checkpoints of a report.
    pub fn of(report: &Report) -> Self {
        let mut tally = Self::default();
        for checkpoint in &report.checkpoints {
            match checkpoint.outcome {
                Outcome::Pass => tally.pass += 1,
                Outcome::Fail => tally.fail += 1,
                Outcome::Blocked => tally.blocked += 1,
                Outcome::NotRun => tally.not_run += 1,
                Outcome::Inconclusive | Outcome::Error => tally.ours += 1,
            }
        }
        tally
    }
}

/// What a report says in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// As in `Not yet: 7 of 12 points`.
    pub headline: String,
    /// As in `2 checkpoints to fix, 1 waits for them`; empty after a pass.
    pub rest: String,
}

impl Verdict {
    /// The verdict on one task.
    pub fn of(report: &Report) -> Self {
        let tally = Tally::of(report);
        let points = format!("{} of {}", report.score, count(report.points as usize, "point"));
        let headline = match report.outcome {
            Outcome::Pass => format!("Passed: {points}"),
            Outcome::NotRun => "Not judged: no checkpoint of this task can be judged here".to_owned(),
            Outcome::Inconclusive | Outcome::Error => format!("Provisional: {points} so far"),
            Outcome::Fail | Outcome::Blocked => format!("Not yet: {points}"),
        };
        let mut parts = Vec::new();
        if tally.fail > 0 {
            parts.push(format!("{} to fix", count(tally.fail, "checkpoint")));
        }
        match (tally.blocked, tally.fail) {
            (0, _) => {}
            (1, 1) => parts.push("1 waits for it".to_owned()),
            (1, 2..) => parts.push("1 waits for them".to_owned()),
            (n, 1) => parts.push(format!("{n} wait for it")),
            (n, 2..) => parts.push(format!("{n} wait for them")),
            (1, 0) => parts.push("1 checkpoint waits".to_owned()),
            (n, 0) => parts.push(format!("{n} checkpoints wait")),
        }
        if tally.ours > 0 {
            parts.push(format!("{} could not be judged, which is ours", count(tally.ours, "checkpoint")));
        }
        if tally.not_run > 0 && report.outcome != Outcome::NotRun {
            parts.push(format!("{} not judged here", tally.not_run));
        }
        Self { headline, rest: parts.join(", ") }
    }
}

/// `1 of 2` or, where cases give the points, `1 of 2, 3 of 7 cases right`.
pub fn points(checkpoint: &CheckpointResult) -> String {
    let mut text = format!("{} of {}", checkpoint.score, checkpoint.points);
    if let Some((right, all)) = checkpoint.cases {
        text.push_str(&format!(", {right} of {} right", count(all as usize, "case")));
    }
    text
}

/// A checkpoint as a command names it: with its task where another of the tasks has one of the same name.
pub fn called<'r>(reports: impl Iterator<Item = &'r Report>, task: &TaskId, id: &CheckpointId) -> String {
    let mut others = reports.filter(|report| report.task != *task).flat_map(|report| &report.checkpoints);
    if others.any(|result| result.id == *id) { format!("{task}/{id}") } else { id.to_string() }
}
