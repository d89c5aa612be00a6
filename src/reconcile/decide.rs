//! From what is seen to the one next step. Pure: no clock, no forge, no store.
//!
//! Level-triggered: the whole state is looked at before each step, so it does not matter which hint led here, whether
//! some were lost, or where an earlier worker stopped. A step that was done leads to another one next time; when nothing
//! is left the pull request is at rest.

use std::time::Duration;

use super::command::{Command, parse};
use crate::forge::pull::{Author, Comment, CommentId, Pull, PullState};
use crate::store::heads::SeenHead;
use crate::store::journal::{GradingState, JournalEntry, JournalId, JournalState};
use crate::store::time::Time;

/// Waits before a provisional result is graded again; after the last one it is left to an instructor.
pub const RETRIES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];

/// After this time without a final result a provisional review is posted (design §7).
pub const PROVISIONAL_AFTER: Duration = Duration::from_secs(600);

/// What is seen of one pull request.
#[derive(Debug, Clone)]
pub struct Observed {
    /// As the forge has it; none when it has no such.
    pub pull: Option<Pull>,
    /// Heads in the order seen; the last one is the pull request's, unless it is closed.
    pub heads: Vec<SeenHead>,
    /// The newest grading of the head.
    pub grading: Option<GradingState>,
    /// All entries, oldest first.
    pub journal: Vec<JournalEntry>,
    /// Comments that were not looked at yet, oldest first.
    pub comments: Vec<Comment>,
    /// Now.
    pub now: Time,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Grade the head.
    Grade,
    /// Write a provisional review into the journal: the final result takes too long.
    Settle,
    /// Post what the journal holds.
    Post(JournalId),
    /// Do what follows from a posted review.
    Finish(JournalId),
    /// Take back what was never posted: the head moved on.
    Supersede(JournalId),
    /// The head was answered when it was here before.
    Answered(JournalId),
    /// Answer a command.
    Answer(CommentId, Command),
    /// Nothing is asked in this comment, nor in those before it.
    Skip(CommentId),
    /// Look again then, whatever happens until then.
    Wait(Time),
    /// Nothing is left to do.
    Rest,
}

/// The next step.
pub fn decide(seen: &Observed) -> Step {
    // What is on the forge must have its consequences, whatever became of the head.
    if let Some(entry) = seen.journal.iter().find(|entry| entry.state == JournalState::Posted) {
        return Step::Finish(entry.id);
    }
    let open = seen.pull.as_ref().filter(|pull| pull.state == PullState::Open);
    if let Some(entry) = seen.journal.iter().find(|entry| entry.state == JournalState::Intent) {
        return if open.is_some_and(|pull| pull.head == entry.head) {
            Step::Post(entry.id)
        } else {
            Step::Supersede(entry.id)
        };
    }
    let wait = match (open, seen.heads.last()) {
        (Some(_), Some(head)) => match on_head(seen, head) {
            Next::Step(step) => return step,
            Next::Wait(at) => Some(at),
            Next::Nothing => None,
        },
        _ => None,
    };
    if let Some(step) = on_comments(&seen.comments) {
        return step;
    }
    wait.map_or(Step::Rest, Step::Wait)
}

enum Next {
    Step(Step),
    Wait(Time),
    Nothing,
}

fn on_head(seen: &Observed, head: &SeenHead) -> Next {
    let Some(grading) = &seen.grading else { return Next::Step(Step::Grade) };
    let entry = seen.journal.iter().find(|entry| entry.head == head.head && entry.digest == grading.digest);
    let unanswered = head.answered_at.is_none();
    if !grading.provisional {
        return match entry {
            // Nothing for the learner to see twice: the review of this head stands, from when it was here before.
            Some(entry) if matches!(entry.state, JournalState::Done | JournalState::Failed) => {
                if unanswered {
                    Next::Step(Step::Answered(entry.id))
                } else {
                    Next::Nothing
                }
            }
            // Superseded before it was posted, and now the head is back; or graded by a worker that stopped right there.
            _ => Next::Step(Step::Settle),
        };
    }
    let retry = grading.tries.checked_sub(1).and_then(|tries| RETRIES.get(tries as usize));
    let retry = retry.map(|wait| grading.graded_at.plus(*wait));
    if retry.is_some_and(|at| at <= seen.now) {
        return Next::Step(Step::Grade);
    }
    let patience = grading.first_at.plus(PROVISIONAL_AFTER);
    let posted = entry.is_some_and(|entry| matches!(entry.state, JournalState::Done | JournalState::Failed));
    if unanswered && posted {
        return Next::Step(Step::Answered(entry.map_or(JournalId(0), |entry| entry.id)));
    }
    if unanswered && (patience <= seen.now || retry.is_none()) {
        return Next::Step(Step::Settle);
    }
    let patience = unanswered.then_some(patience);
    match retry.into_iter().chain(patience).min() {
        Some(at) => Next::Wait(at),
        None => Next::Nothing,
    }
}

fn on_comments(comments: &[Comment]) -> Option<Step> {
    let mut quiet = None;
    for comment in comments {
        let asked = match comment.author {
            Author::Grader => None,
            Author::Person(_) => parse(&comment.body),
        };
        match asked {
            // What comes before is skipped with it.
            Some(command) => return Some(Step::Answer(comment.id, command)),
            None => quiet = Some(Step::Skip(comment.id)),
        }
    }
    quiet
}
