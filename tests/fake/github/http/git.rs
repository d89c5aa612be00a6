//! Git over HTTP, for repositories that have a real one behind them: `git fetch`, by reference and by commit, and `git push`.
//!
//! `git upload-pack` and `git receive-pack` do the work, as they do on a forge.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;

use super::super::hub::Inner;
use super::super::state::account::{Access, Actor, Token};
use super::super::state::ids::RepoId;
use super::super::state::refusal::Refusal;
use super::super::state::repo::Role;
use super::call::Call;
use super::reply::Reply;

/// What refs there are.
pub const ADVERTISE: &str = "git/advertise";
/// Objects, please.
pub const FETCH: &str = "git/upload-pack";
/// Objects, and where references are to be.
pub const PUSH: &str = "git/receive-pack";

/// The operation, owner and repository, when this is Git's part of the site.
pub fn locate(method: &str, path: &str) -> Option<(&'static str, String, String)> {
    let (owner, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (repo, rest) = rest.split_once(".git/")?;
    let operation = match (method, rest) {
        ("GET", "info/refs") => ADVERTISE,
        ("POST", "git-upload-pack") => FETCH,
        ("POST", "git-receive-pack") => PUSH,
        _ => return None,
    };
    Some((operation, owner.to_owned(), repo.to_owned()))
}

/// Answers a request of a Git client.
pub fn answer(inner: &mut Inner, call: &Call, actor: Actor, token: Option<&Token>) -> Result<Reply, Refusal> {
    let repo = inner.state.repo_named(call.parameter("owner"), call.parameter("repo"));
    let repo = repo.ok_or_else(Refusal::not_found)?.id;
    let pushes = call.operation == PUSH || call.query("service") == Some("git-receive-pack");
    let (access, role) = if pushes { (Access::Write, Role::Write) } else { (Access::Read, Role::Read) };
    if actor == Actor::Anonymous && (pushes || !may(inner, repo, actor, token, Access::Read, Role::Read)) {
        // GitHub asks for a password before it says that there is nothing.
        let reply = Reply::from(Refusal::unauthorised("Repository not found."));
        return Ok(reply.with("www-authenticate", "Basic realm=\"GitHub\""));
    }
    if !may(inner, repo, actor, token, Access::Read, Role::Read) {
        return Err(Refusal::not_found());
    }
    if !may(inner, repo, actor, token, access, role) {
        return Err(Refusal::forbidden("Write access to repository not granted."));
    }
    let path = inner.git(repo).ok_or_else(Refusal::not_found)?.to_owned();
    let program = if pushes { "receive-pack" } else { "upload-pack" };
    let version_2 = !pushes && call.header("git-protocol").is_some_and(|version| version.contains("version=2"));
    let (mut bytes, kind) = match call.operation {
        // Version 2 leaves the service out, as `git http-backend` does.
        ADVERTISE if version_2 => (Vec::new(), "advertisement"),
        ADVERTISE => {
            let line = format!("# service=git-{program}\n");
            (format!("{:04x}{line}0000", line.len() + 4).into_bytes(), "advertisement")
        }
        _ => (Vec::new(), "result"),
    };
    let failed = |error: std::io::Error| Refusal { status: 500, ..Refusal::forbidden(error.to_string()) };
    bytes.extend(run(program, &path, call).map_err(failed)?);
    if call.operation == PUSH {
        let branches = super::super::git::branches(&path);
        let repo = inner.state.repo_mut(repo);
        repo.commits.extend(branches.iter().map(|(_, sha)| sha.clone()));
        repo.branches = branches.into_iter().collect();
        inner.changed();
    }
    let reply = Reply { written: Some(bytes.into()), ..Reply::empty(200) };
    Ok(reply.with("content-type", format!("application/x-git-{program}-{kind}")).with("cache-control", "no-cache"))
}

fn may(inner: &Inner, repo: RepoId, actor: Actor, token: Option<&Token>, access: Access, role: Role) -> bool {
    let contents = match actor {
        Actor::Installation(_) => {
            let held = token.and_then(|token| token.permissions.as_ref());
            held.is_some_and(|held| held.get("contents") >= Some(&access))
        }
        _ => true,
    };
    let public = role == Role::Read && !inner.state.repo(repo).private;
    inner.state.role_of(actor, repo) >= role && (contents || public)
}

fn run(program: &str, path: &Path, call: &Call) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    if call.header("content-encoding") == Some("gzip") {
        GzDecoder::new(call.raw.as_ref()).read_to_end(&mut request)?;
    } else {
        request.extend_from_slice(&call.raw);
    }
    let mut git = Command::new("git");
    git.args([program, "--stateless-rpc"]);
    if call.operation == ADVERTISE {
        git.arg("--advertise-refs");
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        git.env_remove(name);
    }
    if let Some(version) = call.header("git-protocol") {
        git.env("GIT_PROTOCOL", version);
    }
    let mut child = git.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // It reads the whole request before it answers.
        input.write_all(&request)?;
    }
    Ok(child.wait_with_output()?.stdout)
}
