//! A published workspace on the real Gitea, and learners who work on it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Server, eventually};
use crate::up::world::{self, Clone, text};

/// One test's workspace `teacher/NAME`; the bot is its administrator, everybody may read it.
pub struct Academy {
    pub server: &'static Server,
    pub name: String,
    dir: TempDir,
}

/// A learner with a fork and a clone of it.
pub struct Learner<'a> {
    academy: &'a Academy,
    pub name: String,
    pub clone: Clone,
}

impl Academy {
    /// Publishes the course `tiny` with `gradus publish` and pushes it to a repository of this name.
    pub fn new(name: &str) -> Self {
        let server = Server::shared();
        let academy = Self { server, name: name.to_owned(), dir: tempfile::tempdir().unwrap() };
        server.ask("teacher", "POST", "/user/repos", Some(json!({"name": name, "default_branch": "main"})), 201);
        academy.ask("teacher", "PUT", "/collaborators/bot", Some(json!({"permission": "admin"})), 204);
        world::course(&academy.path("tiny"));
        academy.publish();
        // Gitea notes a while after the first push that the repository is no longer empty; until then there are no pulls.
        eventually("the workspace", || academy.ask("bot", "GET", "", None, 200)["empty"] == false);
        academy
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn publish(&self) {
        let workspace = self.path("workspace.git");
        let mut publish = Command::new(env!("CARGO_BIN_EXE_gradus"));
        publish.arg("publish").arg(self.path("tiny")).arg("--to").arg(&workspace);
        publish.args(["--address", &format!("{}/teacher/{}.git", self.server.address(), self.name)]);
        let output = publish.output().unwrap();
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
    pub fn learner(&self, name: &str) -> Learner<'_> {
        self.ask(name, "POST", "/forks", Some(json!({})), 202);
        let dir = self.path(name);
        let remote = self.server.remote(name, &format!("{name}/{}", self.name));
        let output = world::git(self.dir.path(), &["clone", "-q", &remote, &dir.to_string_lossy()]);
        assert!(output.status.success(), "{}", text(&output));
        let clone = Clone { dir };
        clone.git(&["config", "user.name", name]);
        clone.git(&["config", "user.email", &format!("{name}@example.org")]);
        Learner { academy: self, name: name.to_owned(), clone }
    }
}

impl Learner<'_> {
    /// Commits everything, pushes the branch and opens a pull request from it; its number.
    pub fn open(&self, branch: &str) -> i64 {
        self.clone.hand_in();
        let body = json!({"head": format!("{}:{branch}", self.name), "base": "main", "title": branch});
        self.academy.ask(&self.name, "POST", "/pulls", Some(body), 201)["number"].as_i64().unwrap()
    }
}
