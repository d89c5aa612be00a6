//! A pull request and a grading for the unit tests of this room; a test changes what it is about.

use std::collections::BTreeSet;

use super::grader::{GradedTask, Grading};
use crate::forge::pull::{Pull, PullKey, PullNumber, PullState, Readiness, User, Workspace};
use crate::grade::report::CourseRef;
use crate::review::{Review, ReviewEvent, Status, StatusState};
use crate::store::time::Time;

pub(super) fn ada() -> User {
    User::local("ada".parse().unwrap())
}

/// Ada's open pull request 1; its head is forty times this letter.
pub(super) fn pull(head: &str) -> Pull {
    Pull {
        number: PullNumber(1),
        author: ada(),
        course: "hello".parse().unwrap(),
        branch: "fix".parse().unwrap(),
        head: head.repeat(40).parse().unwrap(),
        base: None,
        state: PullState::Open,
        readiness: Readiness::Ready,
        labels: BTreeSet::new(),
        opened_at: Time(0),
        updated_at: Time(0),
    }
}

pub(super) fn key() -> PullKey {
    PullKey { workspace: Workspace("local".into()), number: PullNumber(1) }
}

/// A grading that failed, with an empty review.
pub(super) fn grading(course: CourseRef, tasks: Vec<GradedTask>) -> Grading {
    Grading {
        course,
        tasks,
        passed_before: Vec::new(),
        review: Review {
            event: ReviewEvent::Comment,
            body: String::new(),
            comments: Vec::new(),
            status: Status { state: StatusState::Failure, description: String::new() },
        },
        terminal: String::new(),
        practice: false,
        quiet: false,
        human: Vec::new(),
        again_at: None,
    }
}
