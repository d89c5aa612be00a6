//! Reviews: reports and history in, text, line comments and a status out. Pure; escapes all learner text.

pub mod asked;
mod comments;
mod difference;
mod fit;
pub mod hints;
pub mod input;
mod reflow;
mod render;
pub mod safe;
pub mod terminal;
mod view;
pub mod words;

use input::ReviewInput;

use serde::{Deserialize, Serialize};

use crate::checkpoint::outcome::Outcome;
use crate::course::id::TaskId;

/// What is posted on a pull request for one head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// What the forge is told the review is.
    pub event: ReviewEvent,
    /// Markdown; at most [`MAX_BODY`] characters.
    pub body: String,
    /// At most [`MAX_COMMENTS`], each on a line that the diff shows.
    pub comments: Vec<LineComment>,
    /// The commit status that goes with it.
    pub status: Status,
}

/// Longest body in characters that GitHub accepts.
pub const MAX_BODY: usize = 65_536;

/// Most line comments of one review (design §7).
pub const MAX_COMMENTS: usize = 30;

/// What the forge is told a review is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewEvent {
    /// Neither approves nor blocks; the default.
    Comment,
    /// Opt-in by the course.
    Approve,
    /// Opt-in by the course.
    RequestChanges,
}

/// A comment on lines of the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineComment {
    /// Path from the top of the workspace.
    pub path: String,
    /// First line, from 1; equals `line` for one line.
    pub start_line: u32,
    /// Last line, from 1.
    pub line: u32,
    /// Markdown.
    pub body: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Colour.
    pub state: StatusState,
    /// At most 140 characters, GitHub's limit.
    pub description: String,
}

/// Colour of a commit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusState {
    /// Being graded, or provisional.
    Pending,
    /// Everything judged passed.
    Success,
    /// The learner has something to do.
    Failure,
    /// Something of ours.
    Error,
}

impl StatusState {
    /// The word that forges, the store and the API have for it.
    pub fn word(self) -> &'static str {
        match self {
            StatusState::Pending => "pending",
            StatusState::Success => "success",
            StatusState::Failure => "failure",
            StatusState::Error => "error",
        }
    }
}

/// Characters of the body kept free for what the poster adds below it: the authenticated marker.
pub const MARKER_ROOM: usize = 2_048;

/// Longest commit status description in characters that GitHub accepts.
pub const MAX_DESCRIPTION: usize = 140;

/// Composes the review of a head. Never fails and never returns something that a forge would refuse.
pub fn compose(input: &ReviewInput<'_>) -> Review {
    let where_else = match input.page {
        Some(page) => format!("All of it: {}", safe::code(page)),
        None => "`gradus grade` on your machine shows all of it.".to_owned(),
    };
    Review {
        event: ReviewEvent::Comment,
        body: fit::fit(render::review(&view::ReviewView::of(input)), MAX_BODY - MARKER_ROOM, &where_else),
        comments: comments::comments(input),
        status: status(input),
    }
}

/// The commit status: the worst of the tasks decides its colour.
fn status(input: &ReviewInput<'_>) -> Status {
    let (state, description) = match input.sections.as_slice() {
        [] if !input.refused.is_empty() => {
            let names: Vec<&str> = input.refused.iter().map(TaskId::as_str).collect();
            (StatusState::Failure, format!("Not graded here: hidden checkpoints in {}", names.join(", ")))
        }
        [] if input.near_misses.is_empty() && !input.passed_before.is_empty() => {
            (StatusState::Success, "Passed before: these files were graded already".to_owned())
        }
        [] => match input.near_misses.first() {
            Some(miss) => (StatusState::Failure, format!("Nothing to grade: {} ({})", miss.found, miss.why)),
            None => (StatusState::Failure, "Nothing to grade: no file below tasks/TASK-ID/ changed".to_owned()),
        },
        [one] => {
            let verdict = words::Verdict::of(one.report);
            let rest = if verdict.rest.is_empty() { String::new() } else { format!(", {}", verdict.rest) };
            (colour(one.report.outcome), verdict.headline + &rest)
        }
        several => {
            let worst = [Outcome::Error, Outcome::Inconclusive, Outcome::Fail, Outcome::NotRun];
            let outcome = worst.into_iter().find(|worst| several.iter().any(|s| s.report.outcome == *worst));
            let passed = several.iter().filter(|s| s.report.outcome == Outcome::Pass).count();
            let score: u32 = several.iter().map(|s| s.report.score).sum();
            let points: u32 = several.iter().map(|s| s.report.points).sum();
            let tasks = words::count(several.len(), "task");
            let description =
                format!("{passed} of {tasks} passed: {score} of {}", words::count(points as usize, "point"));
            (colour(outcome.unwrap_or(Outcome::Pass)), description)
        }
    };
    Status { state, description: safe::plain(&description, MAX_DESCRIPTION - 1) }
}

fn colour(outcome: Outcome) -> StatusState {
    match outcome {
        Outcome::Pass => StatusState::Success,
        Outcome::Fail | Outcome::Blocked => StatusState::Failure,
        Outcome::Inconclusive => StatusState::Pending,
        Outcome::NotRun | Outcome::Error => StatusState::Error,
    }
}

#[cfg(test)]
mod tests;
