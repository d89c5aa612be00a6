//! A real Gitea on loopback, one for all tests of the program.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{http, kept};

/// Everybody's password.
const PASSWORD: &str = "correct horse battery staple";

/// What is run.
struct Program {
    path: PathBuf,
    /// Its templates and so on, where they are not within it.
    files: Option<PathBuf>,
}

impl Program {
    /// A release that `GRADUS_TEST_GITEA` names, of Forgejo too; else the one that is built here.
    fn find() -> Self {
        if let Some(path) = std::env::var_os("GRADUS_TEST_GITEA") {
            return Self { path: path.into(), files: None };
        }
        let built = kept::built("gitea");
        Self { path: built.join("gitea"), files: Some(built.join("static")) }
    }
}

/// A running Gitea.
pub struct Server {
    /// As in `127.0.0.1:4711`.
    pub authority: String,
    /// The bot's token, with no more scopes than `docs/gitea.md` asks for.
    pub bot: String,
    /// A token of the administrator, for what a person would do in the browser.
    root: String,
    database: PathBuf,
    /// Held open while we live; none where somebody else keeps it.
    _keeper: Option<Child>,
}

impl Server {
    /// The one of this program; started by whoever asks first.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let program = Program::find();
        (0..3).find_map(|_| Self::try_start(&program)).expect("Gitea starts on a free port")
    }

    fn try_start(program: &Program) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("gradus-gitea-").tempdir().unwrap().keep();
        let config = dir.join("app.ini");
        let configure = |port| fs::write(&config, settings(&dir, port, program.files.as_deref())).unwrap();
        configure(0);
        let alone = |mut command: Command| {
            command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &dir);
            command.env("GITEA_WORK_DIR", &dir).env("GIT_CONFIG_NOSYSTEM", "1");
            // Build machines run the tests as root; what it serves on loopback for a minute is our own.
            command.env("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true");
            command
        };
        let admin = |args: &[&str]| {
            let mut command = alone(Command::new(&program.path));
            let output = command.args(args).arg("--config").arg(&config).output().unwrap();
            assert!(output.status.success(), "gitea {args:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        admin(&["migrate"]);
        let named = ["--username", "root", "--email", "root@example.org", "--password", PASSWORD];
        let token = ["--admin", "--must-change-password=false", "--access-token", "--access-token-scopes", "all"];
        let made = admin(&[&["admin", "user", "create"][..], &named, &token].concat());
        let root = made.split_whitespace().find(|word| word.len() == 40).expect("a token is printed").to_owned();
        // As late as can be: another program may take it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        configure(port);
        let args = [OsStr::new("web"), OsStr::new("--config"), config.as_os_str()];
        let keeper = alone(kept::command(&dir, &program.path, args)).spawn().unwrap();
        let (authority, bot, database) = (format!("127.0.0.1:{port}"), String::new(), dir.join("gitea.db"));
        let mut server = Self { authority, bot, root, database, _keeper: Some(keeper) };
        let mut ended = false;
        eventually("Gitea", || {
            ended = server._keeper.as_mut().is_some_and(|keeper| keeper.try_wait().unwrap().is_some());
            ended || server.answers()
        });
        if ended {
            return None;
        }
        server.settle("gradus");
        Some(server)
    }

    /// One that runs already, with a token of its administrator.
    pub fn at(authority: String, root: String) -> Self {
        let mut server = Self { authority, bot: String::new(), root, database: PathBuf::new(), _keeper: None };
        server.settle(&format!("gradus-{}", std::process::id()));
        server
    }

    fn settle(&mut self, token: &str) {
        for user in ["bot", "teacher", "ada", "bob", "eve"] {
            let known = self.api("root", "GET", &format!("/users/{user}"), None).0 == 200;
            if !known {
                self.add(user);
            }
        }
        self.bot = self.token("bot", token, &["write:repository", "write:issue", "read:user"]);
    }

    /// Adds a user.
    pub fn add(&self, user: &str) {
        // A renamed user keeps the address.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let email = format!("{user}-{}@example.org", NUMBER.fetch_add(1, Ordering::Relaxed));
        let user = json!({"username": user, "email": email, "password": PASSWORD, "must_change_password": false});
        self.ask("root", "POST", "/admin/users", Some(user), 201);
    }

    /// Changes the database, as time or trouble would. All tests of the program share it: a statement is about one
    /// workspace only.
    pub async fn sql(&self, statement: String) {
        use sqlx::Connection;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&self.database);
        let options = options.busy_timeout(Duration::from_secs(10));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect(&self.authority).is_ok()
            && http::request(&self.authority, "GET", "/api/v1/version", &[], "").is_ok_and(|(status, _)| status == 200)
    }

    /// Where it is, as in `http://127.0.0.1:4711`.
    pub fn address(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// The address of a repository with the name and password of whoever pushes to it.
    pub fn remote(&self, user: &str, repository: &str) -> String {
        format!("http://{user}:{}@{}/{repository}.git", PASSWORD.replace(' ', "%20"), self.authority)
    }

    /// A request of the API in somebody's name; status and answer.
    pub fn api(&self, user: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let authorization = match user {
            "root" => format!("token {}", self.root),
            user => format!("Basic {}", base64(&format!("{user}:{PASSWORD}"))),
        };
        self.authorized(&authorization, method, path, body)
    }

    /// The same with a header `Authorization` of its own.
    pub fn authorized(&self, authorization: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let headers = [("Authorization", authorization), ("Content-Type", "application/json")];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let path = format!("/api/v1{path}");
        let (status, answer) = http::request(&self.authority, method, &path, &headers, &body).unwrap();
        let answer =
            if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap_or(json!(answer)) };
        (status, answer)
    }

    /// A request that must be answered with this status.
    pub fn ask(&self, user: &str, method: &str, path: &str, body: Option<Value>, expected: u16) -> Value {
        let (status, answer) = self.api(user, method, path, body);
        assert_eq!(status, expected, "{user}: {method} {path}: {answer}");
        answer
    }

    /// A token of a user with these scopes, as in `write:repository`.
    pub fn token(&self, user: &str, name: &str, scopes: &[&str]) -> String {
        let body = json!({"name": name, "scopes": scopes});
        let made = self.ask(user, "POST", &format!("/users/{user}/tokens"), Some(body), 201);
        made["sha1"].as_str().unwrap().to_owned()
    }
}

/// Waits for something that Gitea does in the background.
pub fn eventually(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !there() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn settings(dir: &Path, port: u16, files: Option<&Path>) -> String {
    let files = files.map(|files| format!("STATIC_ROOT_PATH = {}", files.display())).unwrap_or_default();
    format!(
        "RUN_MODE = prod
WORK_PATH = {dir}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
{files}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
SQLITE_TIMEOUT = 20000
MAX_OPEN_CONNS = 1
[repository]
ROOT = {dir}/repositories
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2$1$10
[webhook]
ALLOWED_HOST_LIST = loopback
[api]
MAX_RESPONSE_ITEMS = 5
DEFAULT_PAGING_NUM = 3
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[actions]
ENABLED = false
[log]
LEVEL = Warn
",
        dir = dir.display(),
    )
}
