//! The real program as `gradus serve` against the fake GitHub on loopback, with real commits behind it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gradus::submission::tree::Entry;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::fake_github::http::limits::Limits;
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};
use crate::fake_github::{Clock, webhooks};
use crate::http;
use crate::up::world::course;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gradus");

/// In every secret of a world: found nowhere but where secrets are kept.
pub const CANARY: &str = "canary";

/// How long something that happens within seconds is waited for; this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(150);

const FIRST: &str = "tasks/first/deployment.yaml";

/// A GitHub with the workspace `acme/tiny`, and everything that a daemon needs to serve it.
pub struct World {
    pub hub: Hub,
    pub app: AppHandle,
    pub installation: u64,
    pub repo: RepoId,
    /// Of the fake, with Git behind it: as in `http://127.0.0.1:4711`.
    pub base: String,
    workspace: Vec<(String, String)>,
    dir: TempDir,
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        course(&dir.path().join("tiny"));
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let hub = Hub::new(Clock::new(now));
        hub.limits(Limits::off());
        let owner = hub.organization("acme");
        let repo = hub.repository(owner, "tiny");
        let base = serve(&hub).await;
        let workspace = published(&dir.path().join("tiny"), &format!("{base}/acme/tiny.git"));
        let files: Vec<(&str, &str)> = workspace.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        hub.with_git(repo, &dir.path().join("acme-tiny.git"), &files);
        let app = hub.app("gradus", owner);
        let installation = hub.install(&app, &[repo]);
        let world = Self { hub, app, installation, repo, base, workspace, dir };
        world.write("key.pem", world.app.pem);
        world.write("hook", &world.hook());
        world.write("gradus.yaml", &world.config(""));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        // In one step: a daemon may be reading it.
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&new, mode).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// The secret of the webhooks.
    pub fn hook(&self) -> String {
        format!("{CANARY}-of-the-webhooks")
    }

    /// A configuration that sweeps every second, with further fields.
    pub fn config(&self, more: &str) -> String {
        let (base, id) = (&self.base, self.app.id);
        let sweep = if more.contains("sweep:") { "" } else { "sweep: {recent: 1s, full: 1h}\n" };
        format!(
            "apiVersion: gradus.dev/v1alpha1\nkind: Config\nforges:\n  - name: hub\n    kind: github\n    address: {base}\n    \
             api: {base}\n    auth: {{app: {{id: {id}, key: {{file: key.pem}}}}}}\n    webhook: {{secrets: [{{file: hook}}]}}\n    \
             budget: {{perMinute: 100000, perHour: 100000, spacing: 0s, reviewSpacing: 0s}}\ncourses:\n  - {{id: tiny, source: \
             {{dir: tiny}}}}\nworkspaces:\n  - {{forge: hub, repository: acme/tiny, course: tiny}}\nlisten: 127.0.0.1:0\n{sweep}{more}"
        )
    }

    /// `gradus` with these arguments, as an operator calls it.
    pub fn gradus(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.dir.path());
        command.env_remove("GRADUS_CONFIG").env_remove("GRADUS_LOG_FORMAT");
        command
            .env("GRADUS_KEY", format!("{CANARY}-of-the-operator-0123456789"))
            .env("GRADUS_LOG", "warn,gradus=debug");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.gradus(arguments).output().unwrap()
    }

    /// Starts a daemon and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> Serve {
        let all: Vec<&str> = ["serve"].iter().chain(arguments).copied().collect();
        Serve::start(self.gradus(&all))
    }

    /// Somebody opens a pull request with an answer to the task `first`.
    pub fn open(&self, login: &str, replicas: u32, team: &str) -> IssueRef {
        let author = self.user(login);
        let files = self.answer(replicas, team);
        self.hub.open_pull_with(self.repo, author, &format!("work-{login}"), &borrowed(&files))
    }

    /// A fork of the workspace, with Git behind it; nobody let the App in yet.
    pub fn fork(&self, login: &str) -> RepoId {
        let fork = self.hub.fork(self.repo, self.user(login));
        let path = self.path(&format!("fork-{}.git", fork.0));
        self.hub.with_git(fork, &path, &borrowed(&self.workspace));
        fork
    }

    /// A fork whose owner installed the App on it.
    pub fn fork_with_app(&self, login: &str) -> RepoId {
        let fork = self.fork(login);
        self.hub.install(&self.app, &[fork]);
        fork
    }

    /// Somebody opens a pull request inside of a fork, with an answer to the task `first`.
    pub fn open_in(&self, fork: RepoId, login: &str, replicas: u32, team: &str) -> IssueRef {
        self.hub.open_pull_with(fork, self.user(login), "work", &borrowed(&self.answer(replicas, team)))
    }

    pub fn push(&self, at: IssueRef, replicas: u32, team: &str) -> String {
        self.hub.push_files(at, &borrowed(&self.answer(replicas, team)))
    }

    /// Somebody of this name, there or new.
    pub fn user(&self, login: &str) -> UserId {
        let known = self.hub.state().user_named(login).map(|user| user.id);
        known.unwrap_or_else(|| self.hub.user(login))
    }

    fn answer(&self, replicas: u32, team: &str) -> Vec<(String, String)> {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    team: {team}\nspec:\n  replicas: \
             {replicas}\n"
        );
        let mut files = self.workspace.clone();
        let file = files.iter_mut().find(|(path, _)| path == FIRST).unwrap();
        file.1 = text;
        files
    }

    /// Bodies of our reviews that others see, oldest first.
    pub fn reviews(&self, at: IssueRef) -> Vec<String> {
        self.hub.reviews_by(at, self.app.bot).into_iter().map(|review| review.body).collect()
    }

    /// What was written on the forge.
    pub fn writes(&self) -> Vec<String> {
        let calls = self.hub.calls();
        // An App asks for its own token by POST, GraphQL for everything, and Git for what it fetches.
        let reads =
            |path: &str| path.ends_with("/access_tokens") || path == "/graphql" || path.ends_with("/git-upload-pack");
        let writes = calls.iter().filter(|call| call.asked.method != "GET" && !reads(&call.asked.path));
        writes.map(|call| format!("{} {}", call.asked.method, call.asked.path)).collect()
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a daemon has looked at everything that it was told of.
    pub async fn at_rest(&self, serve: &Serve) {
        let quiet = |_: &Self| {
            let page = serve.get("/metrics").1;
            let some = |line: &str| {
                let counts = ["gradus_queue_age_seconds{", "gradus_queue_in_work{", "gradus_posts_unsettled{"];
                counts.iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0")
            };
            !page.contains("class=\"live\"") && !page.lines().any(some)
        };
        self.until("the queue", quiet).await;
    }

    /// Waits until a pull request has so many reviews of ours, of which the last one says this.
    pub async fn reviewed(&self, at: IssueRef, count: usize, says: &str) {
        let holds = |world: &Self| {
            let reviews = world.reviews(at);
            reviews.len() >= count && reviews.last().is_some_and(|body| body.contains(says))
        };
        self.until(&format!("{count} reviews of #{}, the last with `{says}`", at.number), holds).await;
        assert_eq!(self.reviews(at).len(), count, "{:#?}", self.reviews(at));
    }

    /// Sends a webhook about a pull request, as GitHub does. The answer's status.
    pub fn deliver(&self, serve: &Serve, at: IssueRef, secret: &str) -> u16 {
        self.deliver_of(serve, "Acme/Tiny", at.number, secret)
    }

    /// Sends one about a pull request of any repository.
    pub fn deliver_of(&self, serve: &Serve, repository: &str, number: u64, secret: &str) -> u16 {
        let body = format!(
            r#"{{"action":"synchronize","pull_request":{{"number":{number}}},"repository":{{"full_name":"{repository}"}}}}"#
        );
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-github-event", "pull_request".to_owned()),
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned()),
            ("x-hub-signature-256", webhooks::signature(secret, body.as_bytes())),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // A daemon whose disk is busy asks to be told again.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, _) = http::request(&serve.authority, "POST", "/webhooks/hub", &headers, &body).unwrap();
            if status != 503 || Instant::now() > deadline {
                return status;
            }
        }
    }
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}

/// The files of the workspace of a course.
fn published(course: &Path, address: &str) -> Vec<(String, String)> {
    let course = gradus::course::locate::load_dir(course).unwrap().course;
    let tree = gradus::course::publish::workspace(&course, Some(address)).unwrap();
    let file = |(path, entry): (&str, &Entry)| {
        let Entry::File { bytes, .. } = entry else { panic!("{path} is no file") };
        (path.to_owned(), String::from_utf8(bytes.to_vec()).unwrap())
    };
    tree.iter().map(file).collect()
}

/// The fake, with Git behind it, on a port of its own.
async fn serve(hub: &Hub) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = hub.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

/// A running daemon; killed when it is dropped.
pub struct Serve {
    child: Child,
    /// As in `127.0.0.1:4711`.
    pub authority: String,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Serve {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        let (out, err) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(String::new())));
        let mut readers = vec![collect(child.stderr.take().unwrap(), err.clone())];
        stdout.read_line(&mut first).unwrap();
        let Some(address) = first.strip_prefix("listening http://") else {
            child.wait().unwrap();
            readers.pop().unwrap().join().unwrap();
            panic!("no address: {first:?}, standard error: {}", err.lock().unwrap());
        };
        let authority = address.trim_end().to_owned();
        readers.push(collect(stdout, out.clone()));
        Self { child, authority, out, err, readers }
    }

    /// What it printed so far, the first line left out.
    pub fn printed(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    /// What it logged so far.
    pub fn logged(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        http::request(&self.authority, "GET", path, &[], "").unwrap()
    }

    /// Sends a signal and waits for the end: exit code, what was printed, what was logged.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), pid]).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not stop: {}", self.logged());
            std::thread::sleep(Duration::from_millis(10));
        }
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (self.child.wait().unwrap().code(), self.printed(), self.logged())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the daemon\n{}", self.logged());
        }
    }
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    })
}
