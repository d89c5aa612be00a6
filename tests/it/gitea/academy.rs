//! A published workspace on the real Gitea, learners who work on it, and our dialect on top.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradus::forge::budget::WritePolicy;
use gradus::forge::gitea::{Gitea, Settings, Tools};
use gradus::forge::http::base::{Base, Plain};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::pull::Workspace;
use gradus::forge::seal::Seal;
use gradus::store::Store;
use gradus::store::time::SystemClock;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Server, eventually};
use crate::up::world::{self, Clone, text};

/// What markers are sealed with.
const KEY: &str = "a-key-for-tests-that-is-long-enough-to-seal";

/// One test's workspace `teacher/NAME`; the bot is its administrator, everybody may read it.
pub struct Academy {
    pub server: &'static Server,
    pub name: String,
    dir: TempDir,
}

/// A learner with a fork and a clone of it.
pub struct Learner {
    academy: Arc<Academy>,
    pub name: String,
    pub clone: Clone,
}

impl Academy {
    /// Publishes the course `tiny` with `gradus publish` and pushes it to a repository of its own.
    pub fn new() -> Arc<Self> {
        Self::of(Server::shared(), "tiny", world::course)
    }

    /// The same with a course of this id and content, on this server.
    pub fn of(server: &'static Server, id: &str, course: impl Fn(&std::path::Path)) -> Arc<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let name = format!("workspace-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        server.ask("teacher", "POST", "/user/repos", Some(json!({"name": name, "default_branch": "main"})), 201);
        let academy = Self { server, name, dir: tempfile::tempdir().unwrap() };
        academy.ask("teacher", "PUT", "/collaborators/bot", Some(json!({"permission": "admin"})), 204);
        course(&academy.path(id));
        academy.publish(id);
        // Gitea notes a while after the first push that the repository is no longer empty; until then there are no pulls.
        eventually("the workspace", || academy.ask("bot", "GET", "", None, 200)["empty"] == false);
        Arc::new(academy)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where learners fork it from.
    pub fn address(&self) -> String {
        format!("{}/teacher/{}.git", self.server.address(), self.name)
    }

    fn publish(&self, id: &str) {
        let workspace = self.path("workspace.git");
        let mut publish = Command::new(env!("CARGO_BIN_EXE_gradus"));
        publish.arg("publish").arg(self.path(id)).arg("--to").arg(&workspace);
        let output = publish.args(["--address", &self.address()]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let remote = self.server.remote("teacher", &format!("teacher/{}", self.name));
        let output = world::git(&workspace, &["push", "-q", &remote, "main"]);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// A request about the workspace's repository, as in `/pulls/1`, which must be answered with this status.
    pub fn ask(&self, user: &str, method: &str, path: &str, body: Option<Value>, expected: u16) -> Value {
        self.server.ask(user, method, &format!("/repos/teacher/{}{path}", self.name), body, expected)
    }

    /// Forks the workspace for a learner and clones the fork.
    pub fn learner(self: &Arc<Self>, name: &str) -> Learner {
        self.ask(name, "POST", "/forks", Some(json!({})), 202);
        let dir = self.path(name);
        let remote = self.server.remote(name, &format!("{name}/{}", self.name));
        let output = world::git(self.dir.path(), &["clone", "-q", &remote, &dir.to_string_lossy()]);
        assert!(output.status.success(), "{}", text(&output));
        let clone = Clone { dir };
        clone.git(&["config", "user.name", name]);
        clone.git(&["config", "user.email", &format!("{name}@example.org")]);
        Learner { academy: self.clone(), name: name.to_owned(), clone }
    }

    /// The dialect with a store of its own: a daemon of this name.
    pub async fn daemon(&self, name: &str) -> Gitea {
        let store = Store::open(&self.path(&format!("{name}.db"))).await.unwrap();
        self.gitea(&store, name, &self.server.bot, Limits::default())
    }

    /// The dialect over a store, as whoever has this token, reading answers within these limits.
    pub fn gitea(&self, store: &Store, name: &str, token: &str, limits: Limits) -> Gitea {
        let web = Base::parse(&self.server.address(), Plain::Loopback).unwrap();
        let settings = Settings {
            api: web.below(&["api", "v1"]),
            web,
            workspace: Workspace(format!("{}/teacher/{}", self.server.authority, self.name)),
            repository: format!("teacher/{}", self.name).parse().unwrap(),
            course: "tiny".parse().unwrap(),
            writes: WritePolicy::OFF,
            status_page: None,
            mirror: self.path(&format!("{name}-mirror")),
        };
        let tools = Tools {
            transport: Transport::sockets(limits).unwrap(),
            fetches: Transport::sockets(Limits::default()).unwrap(),
            seal: Seal::with_keys(KEY).unwrap(),
            store: store.clone(),
            clock: Arc::new(SystemClock),
        };
        Gitea::new(settings, token, tools).unwrap()
    }

    /// Reviews of the bot as everybody sees them: number, commit, text as it was posted, count of line comments.
    pub fn reviews(&self, pull: i64) -> Vec<(i64, String, String, u64)> {
        let mut all = Vec::new();
        for page in 1.. {
            let found = self.ask("ada", "GET", &format!("/pulls/{pull}/reviews?limit=5&page={page}"), None, 200);
            let found = found.as_array().unwrap().clone();
            let text = |review: &Value, field: &str| review[field].as_str().unwrap().to_owned();
            let bots = found.iter().filter(|review| review["user"]["login"] == "bot");
            all.extend(bots.map(|review| {
                let (id, count) = (review["id"].as_i64().unwrap(), review["comments_count"].as_u64().unwrap());
                (id, text(review, "commit_id"), text(review, "body"), count)
            }));
            if found.is_empty() {
                break;
            }
        }
        all
    }

    /// Reviews of the bot that only the bot sees.
    pub fn pending(&self, pull: i64) -> usize {
        let all = (1..=4).flat_map(|page| {
            let found = self.ask("bot", "GET", &format!("/pulls/{pull}/reviews?limit=5&page={page}"), None, 200);
            found.as_array().unwrap().clone()
        });
        all.filter(|review| review["state"] == "PENDING").count()
    }

    /// The numbers of its issues and pull requests in Gitea's database.
    fn issues(&self) -> String {
        let name = &self.name;
        format!(
            "(SELECT issue.id FROM issue JOIN repository ON repository.id = issue.repo_id WHERE repository.name = '{name}')"
        )
    }

    /// Makes pending reviews older than the time within which somebody may still be writing them.
    pub async fn age_pending(&self) {
        let older = "created_unix = created_unix - 31, updated_unix = updated_unix - 31";
        let statement = format!("UPDATE review SET {older} WHERE type = 0 AND issue_id IN {}", self.issues());
        self.server.sql(statement).await;
    }

    /// Makes the server answer 500 where it would store a comment of which this holds, an expression about `NEW`.
    pub async fn trouble(&self, when: &str) {
        let (name, issues) = (&self.name, self.issues());
        let when = format!("NEW.issue_id IN {issues} AND {when}");
        let body = "SELECT RAISE(ABORT, 'trouble')";
        let statement =
            format!("CREATE TRIGGER \"trouble in {name}\" BEFORE INSERT ON comment WHEN {when} BEGIN {body}; END");
        self.server.sql(statement).await;
    }

    /// Ends it.
    pub async fn end_of_trouble(&self) {
        self.server.sql(format!("DROP TRIGGER \"trouble in {}\"", self.name)).await;
    }

    /// Path, line and text of the line comments of a review.
    pub fn line_comments(&self, pull: i64, review: i64) -> Vec<(String, u64, String)> {
        let found = self.ask("ada", "GET", &format!("/pulls/{pull}/reviews/{review}/comments"), None, 200);
        let text = |comment: &Value, field: &str| comment[field].as_str().unwrap().to_owned();
        let read =
            |comment: &Value| (text(comment, "path"), comment["position"].as_u64().unwrap(), text(comment, "body"));
        found.as_array().unwrap().iter().map(read).collect()
    }

    /// What the page shows of the bot's reviews, oldest first, by the review's number. A page of this list leaves line
    /// comments out after it was counted, so that an empty one is not the last.
    pub fn shown(&self, pull: i64) -> Vec<(i64, String)> {
        let page = |page| self.ask("ada", "GET", &format!("/issues/{pull}/timeline?limit=5&page={page}"), None, 200);
        let entries = (1..=20).map(page).flat_map(|page| page.as_array().cloned().unwrap_or_default());
        let bots = entries.filter(|entry| entry["type"] == "review" && entry["user"]["login"] == "bot");
        bots.map(|entry| (entry["review_id"].as_i64().unwrap(), entry["body"].as_str().unwrap().to_owned())).collect()
    }
}

impl Learner {
    /// Commits everything, pushes the branch and opens a pull request from it; its number.
    pub fn open(&self, branch: &str) -> i64 {
        self.clone.hand_in();
        let body = json!({"head": format!("{}:{branch}", self.name), "base": "main", "title": branch});
        self.academy.ask(&self.name, "POST", "/pulls", Some(body), 201)["number"].as_i64().unwrap()
    }

    /// Waits until the forge has this commit as the head.
    pub fn arrived(&self, pull: i64) -> String {
        let head = self.clone.head();
        eventually("the push", || {
            self.academy.ask(&self.name, "GET", &format!("/pulls/{pull}"), None, 200)["head"]["sha"] == head.as_str()
        });
        head
    }

    /// Replaces the newest commit of the branch.
    pub fn force_push(&self, pull: i64) -> String {
        self.clone.git(&["add", "-A"]);
        self.clone.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "again"]);
        self.clone.git(&["push", "-q", "-f", "origin", "HEAD"]);
        self.arrived(pull)
    }
}
