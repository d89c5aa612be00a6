//! The Gitea dialect against a real Gitea.

pub mod academy;
mod posting;
mod reading;
pub mod server;
mod talking;
mod walk;
mod webhook;

use std::sync::Arc;

use academy::{Academy, Learner};
use gradus::forge::pull::{Marker, PullNumber};
use gradus::review::{LineComment, Review, ReviewEvent, Status, StatusState};

/// A workspace, a learner, and a pull request with one wrong answer in it.
struct Case {
    academy: Arc<Academy>,
    ada: Learner,
    pull: PullNumber,
}

impl Case {
    fn new() -> Self {
        let academy = Academy::new();
        let ada = academy.learner("ada");
        ada.clone.branch("work");
        ada.clone.answer("2", "aurora");
        let pull = PullNumber(ada.open("work"));
        Self { academy, ada, pull }
    }

    fn head(&self) -> String {
        self.ada.arrived(self.pull.0)
    }
}

fn marker() -> Marker {
    Marker { key: "head:digest".to_owned(), record: Some(r#"{"attempt":1}"#.to_owned()) }
}

/// A review with line comments on these lines of the answer.
fn review(body: &str, lines: &[u32]) -> Review {
    let comment = |line: &u32| LineComment {
        path: "tasks/first/deployment.yaml".to_owned(),
        start_line: *line,
        line: *line,
        body: format!("About line {line}."),
    };
    Review {
        event: ReviewEvent::Comment,
        body: body.to_owned(),
        comments: lines.iter().map(comment).collect(),
        status: Status { state: StatusState::Failure, description: "Not yet".to_owned() },
    }
}
