//! The scenarios on the fake GitHub: the API and Git's HTTP in process, heads that are real commits.

use std::path::PathBuf;
use std::sync::Arc;

use gradus::course::id::CourseId;
use gradus::forge::budget::WritePolicy;
use gradus::forge::github::auth::{App, AppKey};
use gradus::forge::github::{Access, GITHUB_COM, GitHub, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::pull::{PullNumber, Workspace};
use gradus::forge::seal::Seal;
use gradus::reconcile::courses::OpenCourse;
use gradus::reconcile::policy::Policy;
use gradus::store::Store;
use gradus::store::time::{Clock, ManualClock, Time};
use tempfile::TempDir;

use super::{Desk, Files, Shown, Stage};
use crate::fake_github::faults::Dice;
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};
use crate::git_http::{self, Repositories};
use crate::up::world;

struct FakeHub {
    dir: TempDir,
    hub: Hub,
    clock: Arc<ManualClock>,
    app: AppHandle,
    ada: UserId,
    repo: RepoId,
    course: Arc<OpenCourse>,
    repositories: Repositories,
    /// Most that one fetch brings.
    fetch: usize,
}

super::play!(FakeHub);

#[tokio::test]
async fn a_history_that_is_too_large_to_be_fetched_is_answered_with_what_to_do() {
    let mut stage = FakeHub::new().await;
    stage.fetch = 64 << 10;
    let desk = Desk::open(&stage, "one").await;
    // Nothing that compression makes small.
    let mut dice = Dice::new(1);
    let large: String = (0..400_000).map(|_| char::from(b' ' + dice.below(95) as u8)).collect();
    let number = stage.open("first", &[("tasks/first/large.txt", &large)]).await;
    desk.settle(&stage).await;
    let (state, says) = stage.status(number, &stage.head(number).await).await.unwrap();
    assert_eq!(state, "failure", "{says}");
    let reviews = stage.reviews(number).await;
    assert_eq!(reviews.len(), 1, "{reviews:#?}");
    assert!(reviews[0].body.contains("adds more than 64 MiB"), "{}", reviews[0].body);
    assert!(reviews[0].body.contains("git switch -c first-again FETCH_HEAD"), "{}", reviews[0].body);
    // Asked again, the answer is the same; without the file it is graded.
    stage.say(number, "/regrade").await;
    desk.settle(&stage).await;
    let answers = stage.answers(number).await;
    assert!(answers[0].contains("with the same result"), "{answers:?}");
    stage.force_push(number, &[("tasks/first/deployment.yaml", "kind: Deployment\n")]).await;
    desk.settle(&stage).await;
    let reviews = stage.reviews(number).await;
    assert_eq!(reviews.len(), 2, "{reviews:#?}");
    assert!(reviews[1].body.contains("points"), "{}", reviews[1].body);
    stage.finish().await;
}

impl FakeHub {
    fn at(&self, number: PullNumber) -> IssueRef {
        IssueRef { repo: self.repo, number: u64::try_from(number.0).unwrap() }
    }

    /// What the workspace ships, with these files changed: the fake's commits hold whole trees.
    fn whole(&self, files: Files<'_>) -> Vec<(String, String)> {
        let shipped = self.course.workspace.paths().filter_map(|path| {
            let text = self.course.workspace.file(path)?;
            Some((path.to_owned(), String::from_utf8_lossy(text).into_owned()))
        });
        let mut all: std::collections::BTreeMap<String, String> = shipped.collect();
        all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        all.into_iter().collect()
    }
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}

impl Stage for FakeHub {
    type Forge = GitHub;

    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        world::course(&dir.path().join("tiny"));
        let upstream = |_: &CourseId| dir.path().join("published.git");
        let address = |_: &CourseId| "https://github.com/acme/tiny.git".to_owned();
        let course = Arc::new(OpenCourse::open(&dir.path().join("tiny"), upstream, address, 0).unwrap());
        let clock = Arc::new(ManualClock::at(Time(1_795_507_200_000)));
        let read = clock.clone();
        let hub = Hub::new(crate::fake_github::Clock::new(move || read.now().0));
        let owner = hub.organization("acme");
        let ada = hub.user("ada");
        let repo = hub.repository(owner, "tiny");
        let app = hub.app("gradus", owner);
        hub.install(&app, &[repo]);
        let bare = dir.path().join("tiny.git");
        let repositories = Repositories::default();
        repositories.lock().unwrap().insert("acme/tiny".to_owned(), bare.clone());
        let stage = Self { dir, hub, clock, app, ada, repo, course, repositories, fetch: Limits::default().bytes };
        let shipped = stage.whole(&[]);
        stage.hub.with_git(repo, &bare, &borrowed(&shipped));
        stage
    }

    fn course(&self) -> Arc<OpenCourse> {
        self.course.clone()
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn policy(&self) -> Policy {
        Policy::forge("https://github.com/acme/tiny.git".to_owned())
    }

    async fn forge(&self, store: &Store) -> GitHub {
        let settings = Settings {
            api: Base::parse(GITHUB_COM, Plain::Loopback).unwrap(),
            workspace: Workspace("github.com/acme/tiny".to_owned()),
            repository: "acme/tiny".parse().unwrap(),
            course: "tiny".parse().unwrap(),
            writes: WritePolicy::GITHUB,
            status_page: None,
            mirror: self.dir.path().join("mirror"),
        };
        let tools = Tools {
            transport: Transport::over(self.hub.service(), Limits::default()),
            fetches: Transport::over(
                git_http::router(self.repositories.clone()),
                Limits { bytes: self.fetch, ..Limits::default() },
            ),
            seal: Seal::with_keys("the-key-of-the-operator-of-acme").unwrap(),
            store: store.clone(),
            clock: self.clock.clone(),
        };
        let key = AppKey::from_pem(self.app.pem).unwrap();
        GitHub::new(settings, Access::App(App { id: self.app.id.to_string(), key, installation: None }), tools).unwrap()
    }

    async fn open(&self, branch: &str, files: Files<'_>) -> PullNumber {
        let whole = self.whole(files);
        let at = self.hub.open_pull_with(self.repo, self.ada, branch, &borrowed(&whole));
        PullNumber(i64::try_from(at.number).unwrap())
    }

    async fn push(&self, number: PullNumber, files: Files<'_>) -> String {
        let whole = self.whole(files);
        self.hub.push_files(self.at(number), &borrowed(&whole))
    }

    async fn force_push(&self, number: PullNumber, files: Files<'_>) -> String {
        let whole = self.whole(files);
        self.hub.force_push_files(self.at(number), &borrowed(&whole))
    }

    async fn force_push_back(&self, number: PullNumber, head: &str) {
        self.hub.force_push(self.at(number), head);
    }

    async fn head(&self, number: PullNumber) -> String {
        self.hub.pull(self.at(number)).head_sha
    }

    async fn close(&self, number: PullNumber) {
        self.hub.close(self.at(number));
    }

    async fn say(&self, number: PullNumber, text: &str) {
        self.hub.comment(self.at(number), self.ada, text);
    }

    async fn reviews(&self, number: PullNumber) -> Vec<Shown> {
        let threads = self.hub.threads(self.at(number));
        let lines = |review: u64| {
            let of = threads.iter().filter(|thread| thread.comments.iter().any(|comment| comment.review == review));
            of.map(|thread| (thread.anchor.path.clone(), thread.anchor.line)).collect()
        };
        let shown = |review: crate::fake_github::state::issue::Review| Shown {
            lines: lines(review.id),
            head: review.commit_id,
            body: review.body,
            folded: review.minimized.is_some(),
        };
        self.hub.reviews_by(self.at(number), self.app.bot).into_iter().map(shown).collect()
    }

    async fn answers(&self, number: PullNumber) -> Vec<String> {
        let all = self.hub.comments(self.at(number)).into_iter();
        all.filter(|comment| comment.user == self.app.bot).map(|comment| comment.body).collect()
    }

    async fn status(&self, _: PullNumber, head: &str) -> Option<(String, String)> {
        let newest = self.hub.statuses(self.repo, head).into_iter().next()?;
        Some((newest.state, newest.description.unwrap_or_default()))
    }

    async fn finish(self) {
        self.hub.finish();
    }
}
