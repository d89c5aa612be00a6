//! The scenarios on a real Gitea.

use std::path::PathBuf;
use std::sync::Arc;

use gradus::course::id::CourseId;
use gradus::forge::gitea::Gitea;
use gradus::forge::http::Limits;
use gradus::forge::pull::PullNumber;
use gradus::reconcile::courses::OpenCourse;
use gradus::reconcile::policy::Policy;
use gradus::store::Store;
use gradus::store::time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{Files, Shown, Stage};
use crate::gitea::academy::{Academy, Learner};

struct OnGitea {
    academy: Arc<Academy>,
    ada: Learner,
    course: Arc<OpenCourse>,
}

super::play!(OnGitea);

impl OnGitea {
    fn write(&self, files: Files<'_>) {
        for (path, text) in files {
            self.ada.clone.write(path, text);
        }
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let pages = (1..=10).map(|page| {
            let found = self.academy.ask("ada", "GET", &format!("{path}?limit=5&page={page}"), None, 200);
            found.as_array().cloned().unwrap_or_default()
        });
        pages.flatten().collect()
    }
}

impl Stage for OnGitea {
    type Forge = Gitea;

    async fn new() -> Self {
        let academy = Academy::new();
        let ada = academy.learner("ada");
        let (upstream, address) = (academy.path("graded.git"), academy.address());
        std::fs::create_dir(academy.path("daemons")).unwrap();
        let course =
            OpenCourse::open(&academy.path("tiny"), |_: &CourseId| upstream.clone(), |_: &CourseId| address.clone(), 0);
        Self { academy, ada, course: Arc::new(course.unwrap()) }
    }

    fn course(&self) -> Arc<OpenCourse> {
        self.course.clone()
    }

    fn dir(&self) -> PathBuf {
        self.academy.path("daemons")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn policy(&self) -> Policy {
        Policy::forge(self.academy.address())
    }

    async fn forge(&self, store: &Store) -> Gitea {
        self.academy.gitea(store, "daemon", &self.academy.server.bot, Limits::default())
    }

    async fn open(&self, branch: &str, files: Files<'_>) -> PullNumber {
        self.ada.clone.branch(branch);
        self.write(files);
        PullNumber(self.ada.open(branch))
    }

    async fn push(&self, number: PullNumber, files: Files<'_>) -> String {
        self.write(files);
        self.ada.clone.hand_in();
        self.ada.arrived(number.0)
    }

    async fn force_push(&self, number: PullNumber, files: Files<'_>) -> String {
        self.ada.clone.git(&["reset", "-q", "--hard", "origin/main"]);
        self.write(files);
        self.ada.clone.commit();
        self.ada.clone.git(&["push", "-q", "-f", "origin", "HEAD"]);
        self.ada.arrived(number.0)
    }

    async fn force_push_back(&self, number: PullNumber, head: &str) {
        self.ada.clone.git(&["reset", "-q", "--hard", head]);
        self.ada.clone.git(&["push", "-q", "-f", "origin", "HEAD"]);
        self.ada.arrived(number.0);
    }

    async fn head(&self, number: PullNumber) -> String {
        let pull = self.academy.ask("ada", "GET", &format!("/pulls/{number}"), None, 200);
        pull["head"]["sha"].as_str().unwrap().to_owned()
    }

    async fn close(&self, number: PullNumber) {
        self.academy.ask("ada", "PATCH", &format!("/pulls/{number}"), Some(json!({"state": "closed"})), 201);
    }

    async fn say(&self, number: PullNumber, text: &str) {
        self.academy.ask("ada", "POST", &format!("/issues/{number}/comments"), Some(json!({"body": text})), 201);
    }

    async fn reviews(&self, number: PullNumber) -> Vec<Shown> {
        let posted = self.academy.reviews(number.0);
        let shown = self.academy.shown(number.0);
        let read = |(id, head, _, _): (i64, String, String, u64)| {
            let (_, body) = shown.iter().find(|(shown, _)| *shown == id).expect("it is on the page").clone();
            let lines = self.academy.line_comments(number.0, id).into_iter().map(|(path, line, _)| (path, line));
            Shown { head, folded: body.starts_with("<details><summary>Out of date"), body, lines: lines.collect() }
        };
        posted.into_iter().map(read).collect()
    }

    async fn answers(&self, number: PullNumber) -> Vec<String> {
        let all = self.academy.ask("ada", "GET", &format!("/issues/{number}/comments"), None, 200);
        let ours = all.as_array().unwrap().iter().filter(|comment| comment["user"]["login"] == "bot");
        ours.map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }

    async fn status(&self, _: PullNumber, head: &str) -> Option<(String, String)> {
        let all = self.list(&format!("/statuses/{head}"));
        let newest =
            all.iter().filter(|status| status["context"] == "gradus").max_by_key(|status| status["id"].as_i64())?;
        let text = |field: &str| newest[field].as_str().unwrap().to_owned();
        Some((text("status"), text("description")))
    }

    async fn finish(self) {
        for pull in self.list("/pulls") {
            assert_eq!(self.academy.pending(pull["number"].as_i64().unwrap()), 0, "a review is left half done");
        }
    }
}
