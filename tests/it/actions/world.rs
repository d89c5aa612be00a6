//! A workspace on the fake GitHub, with Git and the API on loopback, and act as the runner of its workflows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::course;
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};
use crate::fake_github::{Clock, Hub};
use crate::http;

/// What no log, summary, artifact or cache may hold, besides what is hidden.
pub const KEYS: [&str; 2] = ["canary-gradus-key-0123456789abcdef", "canary-deploy-key-0123456789abcdef"];

/// In files of a pull request: where this is on disk, a head was checked out.
pub const HEAD: &str = "canary-head-2d9c";

/// The SSH host key that the API names.
const HOST_KEY: &str = "ssh-ed25519 AAAACanaryHostKey";

/// A workspace with its course and its workflows.
pub struct World {
    pub hub: Hub,
    pub repo: RepoId,
    pub ada: UserId,
    pub bot: UserId,
    address: String,
    token: String,
    dir: TempDir,
}

/// What a run left behind.
pub struct Run {
    /// Whether the workflow succeeded.
    pub good: bool,
    /// What the runner shows.
    pub log: String,
    /// What gradus printed, before the runner masks anything.
    pub raw: String,
    /// The step's summary.
    pub summary: String,
    /// Names of all files that were seen on the runner while gradus ran.
    pub seen: String,
    /// How long the whole workflow took.
    pub took: Duration,
}

impl World {
    /// The workspace `acme/hello`, published from the course and with the workflows of `docs/actions/`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        course::write(&dir.path().join("courses"));
        let hub = Hub::new(Clock::new(|| {
            i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
        }));
        let (owner, ada) = (hub.organization("acme"), hub.user("ada"));
        let repo = hub.repository(owner, "hello");
        let app = hub.app("github-actions", owner);
        let installation = hub.install(&app, &[repo]);
        let (address, authority) = serve(&hub, dir.path());
        let world = Self { repo, ada, bot: app.bot, address, token: String::new(), dir, hub };
        world.publish();
        let path = format!("/app/installations/{installation}/access_tokens");
        let jwt = format!("Bearer {}", world.hub.jwt(&app));
        let headers = [("Authorization", &*jwt), ("User-Agent", "a runner"), ("Content-Type", "application/json")];
        let (status, answer) = http::request(&authority, "POST", &path, &headers, "{}").unwrap();
        assert_eq!(status, 201, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let token = answer["token"].as_str().unwrap().to_owned();
        world.tools();
        Self { token, ..world }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes the course a repository of its own, publishes it, and adds the workflows as an owner would.
    fn publish(&self) {
        let courses = self.path("courses");
        for args in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "course"]] {
            git(&courses, args);
        }
        git(self.dir.path(), &["clone", "-q", "--bare", "courses", "ssh/acme/hello-course.git"]);
        let mut publish = Command::new(env!("CARGO_BIN_EXE_gradus"));
        publish.arg("publish").arg(courses.join("hello")).arg("--to").arg(self.path("published.git"));
        let published = publish.args(["--address", "https://github.com/acme/hello.git"]).output().unwrap();
        assert!(published.status.success(), "{published:?}");
        git(self.dir.path(), &["clone", "-q", "published.git", "workspace"]);
        let workspace = self.path("workspace");
        for name in ["gradus", "check"] {
            let text = fs::read_to_string(format!("{}/docs/actions/{name}.yml", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let text = text
                .replace("version: v0.1.0", &format!("path: {}", self.path("gradus").display()))
                .replace("acme/cnpe-course", "acme/hello-course")
                .replace("course-directory: courses/cnpe", "course-directory: hello");
            let path = workspace.join(format!(".github/workflows/{name}.yml"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = files(&workspace);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        // What GitHub has; the runner's checkout of the base follows it.
        self.hub.with_git(self.repo, &self.path("git/acme/hello.git"), &files);
        // What the runner reads workflows from: the base branch as GitHub has it.
        fs::remove_dir_all(&workspace).unwrap();
        git(self.dir.path(), &["clone", "-q", "git/acme/hello.git", "workspace"]);
        let remote = format!("{}/acme/hello", self.address);
        git(&workspace, &["remote", "set-url", "origin", &remote]);
    }

    /// Changes a workflow of the base branch, as an owner would.
    pub fn edit_workflow(&self, name: &str, from: &str, to: &str) {
        let path = self.path("workspace").join(format!(".github/workflows/{name}.yml"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// The files of the base branch with these changes.
    pub fn with(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut files = files(&self.path("workspace"));
        for (path, text) in changes {
            files.retain(|(known, _)| known != path);
            files.push(((*path).to_owned(), (*text).to_owned()));
        }
        files
    }

    /// Opens a pull request of these changes.
    pub fn open(&self, changes: &[(&str, &str)]) -> IssueRef {
        let files = self.with(changes);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        self.hub.open_pull_with(self.repo, self.ada, "work", &files)
    }

    /// Pushes another commit of these changes.
    pub fn push(&self, at: IssueRef, changes: &[(&str, &str)]) -> String {
        let files = self.with(changes);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        self.hub.push_files(at, &files)
    }

    /// A stand-in for gradus that watches the disk, and one for ssh that knows one deploy key.
    fn tools(&self) {
        let root = self.dir.path().display().to_string();
        let real = env!("CARGO_BIN_EXE_gradus");
        script(
            &self.path("gradus"),
            &format!(
                r#"out={root}/out
mkdir -p $out
( while :; do find "$GITHUB_WORKSPACE" "$RUNNER_TEMP" >>$out/seen 2>/dev/null || true; sleep 0.05; done ) &
watch=$!
code=0
{real} "$@" >$out/raw 2>&1 || code=$?
kill $watch || true; wait $watch 2>/dev/null || true
grep -rlF '{HEAD}' "$GITHUB_WORKSPACE" "$RUNNER_TEMP" >>$out/heads || true
cp "$GITHUB_STEP_SUMMARY" $out/summary
cat $out/raw
exit $code"#
            ),
        );
        let key = KEYS[1];
        script(
            &self.path("bin/ssh"),
            &format!(
                r#"key= command=
while [ $# -gt 0 ]; do
  case $1 in
    -i) key=$2; shift ;;
    -o) options="${{options:-}} $2"; shift ;;
    -F) shift ;;
    -*) ;;
    *) command=$1 ;;
  esac
  shift
done
[ "$(cat "$key")" = '{key}' ] && [ "$(stat -c %a "$key")" = 600 ] || {{ echo 'Permission denied (publickey).' >&2; exit 255; }}
case $options in *StrictHostKeyChecking=yes*) ;; *) exit 254 ;; esac
hosts=${{options#*UserKnownHostsFile=}}; hosts=${{hosts%% *}}
grep -qF '127.0.0.1 {HOST_KEY}' "$hosts" || {{ echo 'Host key verification failed.' >&2; exit 255; }}
cd {root}/ssh
set -- ${{command//\'/}}
exec git upload-pack ".$2""#
            ),
        );
    }

    /// Runs a workflow of the base branch for an event, as GitHub would.
    pub fn run(&self, workflow: &str, event: &str, payload: Value) -> Run {
        let out = self.path("out");
        let _ = fs::remove_dir_all(&out);
        for dir in ["out", "home", "artifacts", "cache"] {
            fs::create_dir_all(self.path(dir)).unwrap();
        }
        // act copies the whole repository of an action: ours without what is built.
        let ours = self.path("ours");
        if !ours.exists() {
            copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".github"), &ours.join(".github"));
        }
        fs::write(self.path("event.json"), payload.to_string()).unwrap();
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut act = Command::new(act());
        act.env_clear().env("PATH", path).env("HOME", self.path("home")).env("LC_ALL", "C");
        act.arg(event).arg("-W").arg(format!(".github/workflows/{workflow}.yml"));
        act.arg("-C").arg(self.path("workspace")).arg("-e").arg(self.path("event.json"));
        act.args(["-P", "ubuntu-24.04=-self-hosted", "--local-repository"]);
        act.arg(format!("gradus-dev/gradus@v0={}", ours.display()));
        for (name, value) in [
            ("GITHUB_API_URL", &*self.address),
            ("GITHUB_SERVER_URL", &*self.address),
            ("GITHUB_REPOSITORY", "acme/hello"),
        ] {
            act.arg("--env").arg(format!("{name}={value}"));
        }
        for (name, value) in [("GITHUB_TOKEN", &*self.token), ("GRADUS_KEY", KEYS[0]), ("COURSE_KEY", KEYS[1])] {
            act.arg("-s").arg(format!("{name}={value}"));
        }
        act.arg("--artifact-server-path").arg(self.path("artifacts")).args(["--artifact-server-port", "0"]);
        act.arg("--cache-server-path").arg(self.path("cache"));
        act.args(["--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1"]);
        let began = Instant::now();
        let done = act.stdin(Stdio::null()).output().unwrap();
        let took = began.elapsed();
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
        assert_eq!(read("heads"), "", "nothing of the head is on the runner's disk");
        Run {
            good: done.status.success(),
            log: String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
            raw: read("raw"),
            summary: read("summary"),
            seen: read("seen"),
            took,
        }
    }

    /// The payload of an event about a pull request, as far as anybody may believe it.
    pub fn payload(&self, at: IssueRef, action: &str) -> Value {
        let pull = self.hub.pull(at);
        json!({
            "action": action,
            "repository": {"full_name": "acme/hello", "fork": false},
            "pull_request": {
                "number": at.number,
                "base": {"ref": "main"},
                "head": {"ref": "work", "sha": pull.head_sha, "repo": {"full_name": "ada/hello"}},
                "user": {"id": self.ada.0, "login": "ada"},
            },
        })
    }

    /// Fails when something that nobody may see stands in any of these, in artifacts, cache, or whatever the runner kept.
    pub fn assert_discreet(&self, run: &Run) {
        let (token, key) = (&*self.token, KEYS);
        let secret = course::HIDDEN.iter().copied().chain(key).chain([token]);
        for secret in secret {
            for (what, text) in [("log", &run.log), ("output", &run.raw), ("summary", &run.summary)] {
                assert!(!text.contains(secret), "{secret} in the {what}:\n{text}");
            }
            for dir in ["artifacts", "cache", "home"] {
                let found = Command::new("grep").args(["-rlF", secret]).arg(self.path(dir)).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{secret} in {dir}");
            }
        }
    }
}

/// The program, built by its script when it is not there.
fn act() -> PathBuf {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/environments/components/act/build");
    let built = Command::new(build).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "act cannot be built: see above");
    Path::new(String::from_utf8(built.stdout).unwrap().trim_end()).join("act")
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/usr/bin/env bash\nset -euo pipefail\n{text}\n")).unwrap();
    assert!(Command::new("chmod").arg("755").arg(path).status().unwrap().success());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(["-c", "user.name=Owner", "-c", "user.email=owner@example.org"]).args(args);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
    let done = command.output().unwrap();
    assert!(done.status.success(), "git {args:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// All files of a checkout, with their texts.
fn files(dir: &Path) -> Vec<(String, String)> {
    let listed = git(dir, &["ls-files", "-z", "--cached", "--others"]);
    let names = listed.split('\0').filter(|name| !name.is_empty());
    names.map(|name| (name.to_owned(), fs::read_to_string(dir.join(name)).unwrap())).collect()
}

/// The fake with Git beside it, in a thread of its own until the test program ends. Its address and authority.
fn serve(hub: &Hub, dir: &Path) -> (String, String) {
    let (tell, told) = std::sync::mpsc::channel();
    let meta = get(|| async { axum::Json(json!({"ssh_keys": [HOST_KEY]})) });
    let repositories = any(backend).with_state(dir.join("git"));
    let router = Router::new()
        .route("/meta", meta)
        .route("/acme/hello.git/{*rest}", repositories.clone())
        .route("/acme/hello/{*rest}", repositories)
        .fallback_service(hub.router());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().to_string()).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    let authority = told.recv().unwrap();
    (format!("http://{authority}"), authority)
}

/// `git http-backend`, for whoever shows a token, as a private repository.
async fn backend(State(root): State<PathBuf>, request: Request<Body>) -> Response<Body> {
    let (request, body) = request.into_parts();
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    if header("authorization").is_empty() {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::UNAUTHORIZED;
        return answer;
    }
    let path = request.uri.path().replacen("/acme/hello/", "/acme/hello.git/", 1);
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("PATH_INFO", path).env("QUERY_STRING", request.uri.query().unwrap_or_default());
    command.env("REQUEST_METHOD", request.method.as_str()).env("CONTENT_TYPE", header("content-type"));
    command.env("HTTP_CONTENT_ENCODING", header("content-encoding")).env("GIT_PROTOCOL", header("git-protocol"));
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let output = tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&body).unwrap();
        child.wait_with_output().unwrap().stdout
    });
    let output = output.await.unwrap();
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let mut answer = Response::new(Body::from(output[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            *answer.status_mut() = value.split(' ').next().unwrap().parse().unwrap();
        } else {
            answer.headers_mut().insert(axum::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
    }
    answer
}
