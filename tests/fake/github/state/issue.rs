//! Issues and pull requests. On GitHub a pull request is an issue with a branch.

use super::super::clock::Millis;
use super::diff::{Anchor, Diff};
use super::ids::{RepoId, UserId};

/// An issue; with `pull` a pull request.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Unique among all issues.
    pub id: u64,
    /// Unique in the repository.
    pub number: u64,
    /// What it is called.
    pub title: String,
    /// What it says.
    pub body: Option<String>,
    /// Whose it is.
    pub author: UserId,
    /// Open or closed.
    pub open: bool,
    /// Names of labels, in the order in which they were set.
    pub labels: Vec<String>,
    /// Comments of the conversation, oldest first.
    pub comments: Vec<Comment>,
    /// The branch, reviews and threads.
    pub pull: Option<Pull>,
    /// When.
    pub created_at: Millis,
    /// When something last happened to it.
    pub updated_at: Millis,
    /// When it was closed.
    pub closed_at: Option<Millis>,
}

/// A comment of the conversation.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Grows with time.
    pub id: u64,
    /// Who wrote it.
    pub user: UserId,
    /// Markdown.
    pub body: String,
    /// Why it is hidden.
    pub minimized: Option<String>,
    /// When.
    pub created_at: Millis,
    /// When it was last edited.
    pub updated_at: Millis,
}

/// What makes an issue a pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Unique among pull requests; not the issue's.
    pub id: u64,
    /// Where it comes from; none when the fork is gone.
    pub head_repo: Option<RepoId>,
    /// Whose repository it came from.
    pub head_owner: UserId,
    /// The branch it comes from.
    pub head_ref: String,
    /// The newest commit.
    pub head_sha: String,
    /// The branch it wants to go to.
    pub base_ref: String,
    /// That branch's commit.
    pub base_sha: String,
    /// Its commits, oldest first; the last one is the head.
    pub commits: Vec<String>,
    /// Not asking for review.
    pub draft: bool,
    /// When it was merged.
    pub merged_at: Option<Millis>,
    /// Where comments may be; none: anywhere.
    pub diff: Option<Diff>,
    /// Reviews, oldest first.
    pub reviews: Vec<Review>,
    /// Threads of line comments, oldest first.
    pub threads: Vec<Thread>,
}

impl Pull {
    /// The review with this id.
    pub fn review(&self, id: u64) -> Option<&Review> {
        self.reviews.iter().find(|review| review.id == id)
    }

    /// The comments of a review, with their threads.
    pub fn comments_of(&self, review: u64) -> impl Iterator<Item = (&Thread, &ReviewComment)> {
        self.line_comments().filter(move |(_, comment)| comment.review == review)
    }

    /// All line comments, with their threads.
    pub fn line_comments(&self) -> impl Iterator<Item = (&Thread, &ReviewComment)> {
        self.threads.iter().flat_map(|thread| thread.comments.iter().map(move |comment| (thread, comment)))
    }
}

/// How far a review got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReviewState {
    /// Its author alone sees it.
    Pending,
    /// Without a verdict.
    Commented,
    /// For.
    Approved,
    /// Against.
    ChangesRequested,
    /// Was for or against.
    Dismissed,
}

impl ReviewState {
    /// As in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Commented => "COMMENTED",
            Self::Approved => "APPROVED",
            Self::ChangesRequested => "CHANGES_REQUESTED",
            Self::Dismissed => "DISMISSED",
        }
    }
}

/// A review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its id.
    pub id: u64,
    /// Whose it is.
    pub user: UserId,
    /// Markdown.
    pub body: String,
    /// How far it got.
    pub state: ReviewState,
    /// The commit it looked at.
    pub commit_id: String,
    /// When it became visible.
    pub submitted_at: Option<Millis>,
    /// When it was begun.
    pub created_at: Millis,
    /// Why it is hidden.
    pub minimized: Option<String>,
}

/// Line comments at one place.
#[derive(Debug, Clone)]
pub struct Thread {
    /// Its id.
    pub id: u64,
    /// Where it was put.
    pub anchor: Anchor,
    /// Whether the line is gone from the diff.
    pub outdated: bool,
    /// Whether somebody said it is done.
    pub resolved: bool,
    /// Oldest first.
    pub comments: Vec<ReviewComment>,
}

/// A line comment.
#[derive(Debug, Clone)]
pub struct ReviewComment {
    /// Its id.
    pub id: u64,
    /// The review it belongs to.
    pub review: u64,
    /// Who wrote it.
    pub user: UserId,
    /// Markdown.
    pub body: String,
    /// The commit it was written for.
    pub commit_id: String,
    /// Why it is hidden.
    pub minimized: Option<String>,
    /// When.
    pub created_at: Millis,
}
