//! A running `gradus up` on a small course, and a learner with git.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gradus");

/// A running daemon; killed when it is dropped.
pub struct Up {
    child: Child,
    out: BufReader<ChildStdout>,
    /// As in `http://127.0.0.1:4711`.
    pub address: String,
    /// The lines after the first one that were printed at the start.
    pub greeting: Vec<String>,
}

/// Directories of one test: a course, a data directory, clones.
pub struct World {
    dir: TempDir,
}

impl World {
    /// With the course `tiny` and nothing running.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        course(&dir.path().join("tiny"));
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The command `gradus up`, not started.
    pub fn command(&self, listen: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_remove("GRADUS_ALLOW_REMOTE").env_remove("GRADUS_INSTRUCTOR").env_remove("GRADUS_LOG");
        command.current_dir(self.dir.path()).args(["up", "--course", "tiny", "--data"]).arg(self.data());
        // A busy machine takes longer than a learner would wait.
        command.args(["--listen", listen, "--learner", "ada", "--push-waits", "120"]);
        command
    }

    /// Starts the daemon and reads its greeting.
    pub fn up(&self) -> Up {
        Up::start(self.command("127.0.0.1:0"))
    }

    /// A fresh clone of a learner's fork, configured to commit.
    pub fn clone(&self, up: &Up, learner: &str, name: &str) -> Clone {
        let dir = self.path(name);
        let url = format!("{}/git/{learner}/tiny.git", up.address);
        let output = git(self.dir.path(), &["clone", "-q", &url, &dir.to_string_lossy()]);
        assert!(output.status.success(), "{}", text(&output));
        let clone = Clone { dir };
        clone.git(&["config", "user.name", "Ada"]);
        clone.git(&["config", "user.email", "ada@example.org"]);
        clone
    }

    /// A statement on the database of a daemon that is not running, or only reads.
    pub fn sql(&self, statement: &'static str) -> Vec<String> {
        let path = self.data().join("gradus.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            use sqlx::{Connection, Row};
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5));
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            let rows = sqlx::query(statement).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows.iter().map(|row| row.try_get::<String, _>(0).unwrap()).collect()
        })
    }
}

impl Up {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let Some(address) = first.strip_prefix("listening ") else {
            child.kill().unwrap();
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            child.wait().unwrap();
            panic!("no address: {first:?}, standard error: {err}");
        };
        let address = address.trim_end().to_owned();
        // Whatever is printed next comes in one piece with it.
        let mut greeting = Vec::new();
        while !greeting.last().is_some_and(|line: &String| line.starts_with("first task")) {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "the greeting ends early: {greeting:?}");
            greeting.push(line.trim_end().to_owned());
        }
        Self { child, out, address, greeting }
    }

    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    /// Sends a signal and waits for the end; how it ended and what it said.
    pub fn stop(mut self, signal: &str) -> Output {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), pid]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(15);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.out.read_to_end(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status: self.child.wait().unwrap(), stdout, stderr }
    }

    /// Lifts the limit on its files.
    pub fn give_room(&self) {
        use rustix::process::{Pid, Resource, getrlimit, prlimit};
        prlimit(Pid::from_raw(self.child.id() as i32), Resource::Fsize, getrlimit(Resource::Fsize)).unwrap();
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// An answer of the API.
    pub fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, &[], "")
    }

    /// A comment through the API, and the answer of the grader.
    pub fn ask(&self, number: u32, comment: &str) -> String {
        self.ask_with(number, &serde_json::json!({ "body": comment }))
    }

    /// [`Up::ask`] in somebody's name.
    pub fn ask_as(&self, author: &str, number: u32, comment: &str) -> String {
        self.ask_with(number, &serde_json::json!({ "body": comment, "author": author }))
    }

    fn ask_with(&self, number: u32, comment: &Value) -> String {
        let path = format!("/api/v1/pulls/{number}/comments");
        let (status, answer) = self.post(number, comment);
        assert_eq!(status, 201, "{answer}");
        let asked = serde_json::from_str::<Value>(&answer).unwrap()["id"].as_i64().unwrap();
        self.eventually("an answer", || {
            let comments = self.json(&path);
            let after = |comment: &&Value| comment["id"].as_i64().unwrap() > asked && comment["author"].is_null();
            Some(comments.as_array().unwrap().iter().find(after)?["body"].as_str().unwrap().to_owned())
        })
    }

    /// What comes of a comment, taken or not.
    pub fn comment(&self, number: u32, comment: &str) -> (u16, String) {
        self.post(number, &serde_json::json!({ "body": comment }))
    }

    fn post(&self, number: u32, comment: &Value) -> (u16, String) {
        let path = format!("/api/v1/pulls/{number}/comments");
        self.request("POST", &path, &[("Content-Type", "application/json")], &comment.to_string())
    }

    /// Bodies of the reviews of a pull request, oldest first.
    pub fn reviews(&self, number: u32) -> Vec<String> {
        let reviews = self.json(&format!("/api/v1/pulls/{number}/reviews"));
        reviews.as_array().unwrap().iter().map(|review| review["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for something that happens by itself.
    pub fn eventually<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} does not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A plain HTTP/1.1 request; headers given replace `Host`.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let authority = self.address.strip_prefix("http://").unwrap();
        http::request(authority, method, path, headers, body).unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A learner's clone.
pub struct Clone {
    pub dir: PathBuf,
}

impl Clone {
    /// Runs git, which must succeed; what it printed.
    pub fn git(&self, args: &[&str]) -> String {
        let output = self.try_git(args);
        assert!(output.status.success(), "git {args:?}: {}", text(&output));
        text(&output)
    }

    pub fn try_git(&self, args: &[&str]) -> Output {
        git(&self.dir, args)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// A branch from the published `main`.
    pub fn branch(&self, name: &str) {
        self.git(&["switch", "-q", "--no-track", "-c", name, "origin/main"]);
    }

    pub fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "work"]);
    }

    /// Commits everything and pushes the branch; what the remote printed.
    pub fn hand_in(&self) -> String {
        self.commit();
        self.git(&["push", "origin", "HEAD"])
    }

    /// The answer to the task `first`.
    pub fn answer(&self, replicas: &str, team: &str) {
        self.write("tasks/first/deployment.yaml", deployment(replicas, team));
    }
}

/// Git without this machine's settings.
pub fn git(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    // A hook of whoever runs the tests names its own repository.
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command.current_dir(dir).args(args).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").output().unwrap()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn deployment(replicas: &str, team: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    team: {team}\nspec:\n  replicas: {replicas}\n"
    )
}

/// Two tasks: `first` (two checkpoints, hints) and `second`.
pub fn course(dir: &Path) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "course.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Course\nmetadata: {id: tiny, title: Tiny}\nspec:\n  description: For tests.\n  \
         salt: grain\n  domains: [{id: basics, title: Basics, points: 9}]\n  modules: [start]\n",
    );
    write(
        "basics/start/module.yaml",
        "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {id: start, title: Start}\nspec: {tasks: [first, second]}\n",
    );
    write("basics/start/lessons/01-hello.md", "# Hello\n\nRead this.\n");
    let first = "basics/start/tasks/first";
    write(
        &format!("{first}/task.yaml"),
        r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: first, title: Three copies}
spec:
  points: 7
  minutes: 3
  checkpoints:
    - id: replicas
      title: Three copies run
      points: 4
      hints: [{after: 1, text: "Look at the spec."}, {after: 2, text: "Count the copies."}]
      manifest: {select: {kind: Deployment}, match: {spec: {replicas: 3}}}
    - id: team
      title: The team is named
      points: 3
      manifest: {select: {kind: Deployment}, match: {metadata: {labels: {team: aurora}}}}
"#,
    );
    write(&format!("{first}/brief.md"), "# Three copies\n\nRun three copies, for the team aurora.\n");
    write(&format!("{first}/debrief.md"), "# Why\n\nThe debrief of the first task.\n");
    write(&format!("{first}/starter/deployment.yaml"), &deployment("1", "none"));
    write(&format!("{first}/solution/deployment.yaml"), &deployment("3", "aurora"));
    let second = "basics/start/tasks/second";
    write(
        &format!("{second}/task.yaml"),
        r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: second, title: A note}
spec:
  points: 2
  minutes: 1
  checkpoints:
    - id: note
      title: There is a note
      points: 2
      file: {path: note.txt, text: {contains: [done]}}
"#,
    );
    write(&format!("{second}/brief.md"), "# A note\n\nLeave a note that says done.\n");
    write(&format!("{second}/debrief.md"), "# Why\n\nNotes help.\n");
    write(&format!("{second}/starter/README.md"), "A place for a note.\n");
    write(&format!("{second}/solution/note.txt"), "done\n");
}
