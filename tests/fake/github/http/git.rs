//! Git over HTTP, for repositories that have a real one behind them: `git fetch`, by reference and by commit.
//!
//! `git upload-pack` does the work, as it does on a forge.

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

/// The operation, owner and repository, when this is Git's part of the site.
pub fn locate(method: &str, path: &str) -> Option<(&'static str, String, String)> {
    let (owner, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (repo, rest) = rest.split_once(".git/")?;
    let operation = match (method, rest) {
        ("GET", "info/refs") => ADVERTISE,
        ("POST", "git-upload-pack") => FETCH,
        _ => return None,
    };
    Some((operation, owner.to_owned(), repo.to_owned()))
}

/// Answers a request of a Git client.
pub fn answer(inner: &Inner, call: &Call, actor: Actor, token: Option<&Token>) -> Result<Reply, Refusal> {
    let repo = inner.state.repo_named(call.parameter("owner"), call.parameter("repo"));
    let repo = repo.ok_or_else(Refusal::not_found)?.id;
    if !reads(inner, repo, actor, token) {
        if actor == Actor::Anonymous {
            // GitHub asks for a password before it says that there is nothing.
            let reply = Reply::from(Refusal::unauthorised("Repository not found."));
            return Ok(reply.with("www-authenticate", "Basic realm=\"GitHub\""));
        }
        return Err(Refusal::not_found());
    }
    let path = inner.git(repo).ok_or_else(Refusal::not_found)?;
    if call.operation == ADVERTISE && call.query("service") != Some("git-upload-pack") {
        return Err(Refusal::forbidden("the fake takes no pushes over HTTP"));
    }
    let version_2 = call.header("git-protocol").is_some_and(|version| version.contains("version=2"));
    let (mut bytes, kind) = match call.operation {
        // Version 2 leaves the service out, as `git http-backend` does.
        ADVERTISE if version_2 => (Vec::new(), "advertisement"),
        ADVERTISE => (b"001e# service=git-upload-pack\n0000".to_vec(), "advertisement"),
        _ => (Vec::new(), "result"),
    };
    bytes.extend(
        upload_pack(path, call).map_err(|error| Refusal { status: 500, ..Refusal::forbidden(error.to_string()) })?,
    );
    let reply = Reply { written: Some(bytes.into()), ..Reply::empty(200) };
    Ok(reply.with("content-type", format!("application/x-git-upload-pack-{kind}")).with("cache-control", "no-cache"))
}

fn reads(inner: &Inner, repo: RepoId, actor: Actor, token: Option<&Token>) -> bool {
    let contents = match actor {
        Actor::Installation(_) => {
            let held = token.and_then(|token| token.permissions.as_ref());
            held.is_some_and(|held| held.get("contents") >= Some(&Access::Read))
        }
        _ => true,
    };
    inner.state.role_of(actor, repo) >= Role::Read && (contents || !inner.state.repo(repo).private)
}

fn upload_pack(path: &Path, call: &Call) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    if call.header("content-encoding") == Some("gzip") {
        GzDecoder::new(call.raw.as_ref()).read_to_end(&mut request)?;
    } else {
        request.extend_from_slice(&call.raw);
    }
    let mut git = Command::new("git");
    git.args(["upload-pack", "--stateless-rpc"]);
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
