//! Gitea: its settings, its administrator, its process.

use std::ffi::OsString;
use std::time::Duration;

use super::{Command, Failing, File, GiteaAt, Process, Site, Step, local};
use crate::stack::part::Part;
use crate::stack::probe::Probe;

const ADMIN: &str = "gradus";

pub fn endpoint(site: &Site) -> GiteaAt {
    GiteaAt {
        address: format!("http://{}", local(site.ports.gitea)),
        user: ADMIN.to_owned(),
        token: site.path("gitea/token"),
    }
}

pub fn files(site: &Site) -> Vec<File> {
    vec![File { path: "gitea/app.ini".into(), content: settings(site) }]
}

fn settings(site: &Site) -> String {
    format!(
        "RUN_MODE = prod
WORK_PATH = {dir}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {files}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {dir}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
[webhook]
ALLOWED_HOST_LIST = loopback
[git.config]
uploadpack.allowAnySHA1InWant = true
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[log]
LEVEL = Warn
",
        dir = site.path("gitea").display(),
        port = site.ports.gitea,
        files = site.programs.gitea.join("static").display(),
    )
}

/// Its database, its administrator with a token, and itself.
pub fn steps(site: &Site) -> Vec<Step> {
    let program = site.programs.gitea.join("gitea");
    let args = |args: &[&str]| {
        let mut args: Vec<OsString> = args.iter().map(OsString::from).collect();
        args.extend(["--config".into(), site.path("gitea/app.ini").into()]);
        args
    };
    let run = |says, arguments: &[&str], token| {
        Step::Run(Command {
            says,
            program: program.clone(),
            args: args(arguments),
            env: env(site),
            token,
            failing: Failing::Final,
            within: Duration::from_secs(60),
        })
    };
    let create = [
        "admin",
        "user",
        "create",
        "--admin",
        "--username",
        ADMIN,
        "--email",
        "gradus@localhost.localdomain",
        "--random-password",
        "--must-change-password=false",
        "--access-token",
        "--access-token-scopes",
        "all",
    ];
    vec![
        run("the database of Gitea", &["migrate"], None),
        run("the administrator of Gitea", &create, Some(endpoint(site).token)),
        Step::Start(Process {
            part: Part::Gitea,
            program: program.clone(),
            args: args(&["web"]),
            env: env(site),
            ready: Probe::Http(format!("{}/api/healthz", endpoint(site).address)),
            within: Duration::from_secs(60),
            address: endpoint(site).address,
        }),
    ]
}

fn env(site: &Site) -> Vec<(&'static str, OsString)> {
    let mut env = site.env("gitea");
    env.extend([
        ("GITEA_WORK_DIR", site.path("gitea").into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        // Build machines run everything as root; what it serves on loopback for a while is our own. Others are not asked.
        ("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true".into()),
    ]);
    env
}
