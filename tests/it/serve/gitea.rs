//! The same daemon on a real Gitea, with the webhooks that it sends itself.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::world::{CANARY, PROGRAM, Serve};
use crate::gitea::academy::{Academy, Learner};

/// Two daemons on one store, a workspace, a learner.
struct Case {
    academy: Arc<Academy>,
    ada: Learner,
    daemons: [Serve; 2],
}

impl Case {
    /// Daemons that look by themselves once an hour: what they see in a test was told to them.
    fn new() -> Self {
        let academy = Academy::new();
        let ada = academy.learner("ada");
        let write = |name: &str, text: &str| std::fs::write(academy.path(name), text).unwrap();
        write("token", &academy.server.bot);
        write("hook", &format!("{CANARY}-of-the-webhooks"));
        write(
            "gradus.yaml",
            &format!(
                "apiVersion: gradus.dev/v1alpha1\nkind: Config\nforges:\n  - name: git\n    kind: gitea\n    address: {}\n    auth: \
                 {{token: {{file: token}}}}\n    webhook: {{secrets: [{{file: hook}}]}}\ncourses:\n  - {{id: tiny, source: {{dir: \
                 tiny}}}}\nworkspaces:\n  - {{forge: git, repository: teacher/{}, course: tiny}}\nlisten: 127.0.0.1:0\nsweep: {{recent: 1h, \
                 full: 2h}}\n",
                academy.server.address(),
                academy.name
            ),
        );
        let daemons = [Self::serve(&academy), Self::serve(&academy)];
        for daemon in &daemons {
            within("the first sweep", || daemon.get("/healthz").1.contains("everything compared"));
            let config = json!({
                "url": format!("http://{}/webhooks/git", daemon.authority),
                "content_type": "json",
                "secret": format!("{CANARY}-of-the-webhooks"),
            });
            let events =
                ["pull_request", "pull_request_sync", "pull_request_comment", "issue_comment", "pull_request_review"];
            let hook = json!({"type": "gitea", "active": true, "config": config, "events": events});
            academy.ask("teacher", "POST", "/hooks", Some(hook), 201);
        }
        Self { academy, ada, daemons }
    }

    fn serve(academy: &Academy) -> Serve {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").current_dir(academy.path(""));
        command
            .env("GRADUS_KEY", format!("{CANARY}-of-the-operator-0123456789"))
            .env("GRADUS_LOG", "warn,gradus=debug");
        Serve::start(command)
    }

    /// Texts of our reviews that everybody sees, oldest first.
    fn reviews(&self, pull: i64) -> Vec<String> {
        self.academy.shown(pull).into_iter().map(|(_, body)| body).collect()
    }

    fn answer(&self, replicas: &str, team: &str) {
        self.ada.clone.answer(replicas, team);
    }
}

fn within(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 90 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_daemons_that_gitea_tells_of_each_push_review_it_once() {
    let case = Case::new();
    case.ada.clone.branch("work");
    case.answer("3", "none");
    let pull = case.ada.open("work");
    let says = |count: usize, text: &str| {
        let reviews = case.reviews(pull);
        reviews.len() >= count && reviews.iter().any(|body| body.contains(text))
    };
    within("the first review", || says(1, "Not yet: 4 of 7 points"));
    case.answer("3", "aurora");
    let head = case.ada.force_push(pull);
    within("the second review", || says(2, "7 of 7 points"));
    within("the status", || {
        let status = case.academy.ask("ada", "GET", &format!("/commits/{head}/status"), None, 200);
        status["state"] == "success"
    });
    case.academy.ask("ada", "POST", &format!("/issues/{pull}/comments"), Some(json!({"body": "/progress"})), 201);
    within("the answer", || {
        let comments = case.academy.ask("ada", "GET", &format!("/issues/{pull}/comments"), None, 200);
        comments.as_array().unwrap().iter().any(|comment| comment["user"]["login"] == "bot")
    });
    assert_eq!(case.reviews(pull).len(), 2, "{:#?}", case.reviews(pull));
    assert_eq!(case.academy.pending(pull), 0);
    for daemon in case.daemons {
        let (code, _, logged) = daemon.stop("TERM");
        assert_eq!(code, Some(0));
        assert!(!logged.contains(CANARY) && !logged.contains(&case.academy.server.bot), "{logged}");
    }
}
