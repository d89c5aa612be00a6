//! Reviews: reports and history in, text, line comments and a status out. Pure; escapes all learner text.

pub mod input;
pub mod safe;

use serde::{Deserialize, Serialize};

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

/// Composes the review of a head.
pub fn compose(_input: &input::ReviewInput<'_>) -> Review {
    Review {
        event: ReviewEvent::Comment,
        body: String::new(),
        comments: Vec::new(),
        status: Status { state: StatusState::Pending, description: String::new() },
    }
}
