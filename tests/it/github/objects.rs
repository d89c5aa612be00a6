//! Heads come by Git over HTTP, with the API's token, and only what was asked for.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gradus::forge::github::{GitHub, Tools};
use gradus::forge::http::{Limits, Transport};
use gradus::forge::{ErrorClass, Forge};
use tokio::io::AsyncWriteExt;

use super::world::{World, head, sha};

type Passwords = Arc<Mutex<Vec<String>>>;

/// `git upload-pack` behind HTTP, as GitHub runs it. Refuses the first so many requests as it does a token that ran out.
async fn upload_pack(
    repository: PathBuf,
    passwords: Passwords,
    refuse: usize,
    request: Request<Body>,
) -> std::io::Result<Response<Body>> {
    assert!(request.uri().to_string().starts_with("https://github.com/acme/cnpe.git/"), "{}", request.uri());
    let header = request.headers()["authorization"].to_str().unwrap();
    let decoded = BASE64.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
    passwords.lock().unwrap().push(String::from_utf8(decoded).unwrap());
    if passwords.lock().unwrap().len() <= refuse {
        return Ok(Response::builder().status(401).body(Body::empty()).unwrap());
    }
    let protocol = request.headers()["git-protocol"].to_str().unwrap().to_owned();
    let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mut git = tokio::process::Command::new("git");
    git.args(["-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack", "--stateless-rpc"]);
    if body.is_empty() {
        git.arg("--advertise-refs");
    }
    git.arg(repository).env("GIT_PROTOCOL", protocol);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    git.stdin.take().unwrap().write_all(&body).await?;
    let answer = git.wait_with_output().await?.stdout;
    Ok(Response::new(Body::from(answer)))
}

fn poster(world: &World, repository: PathBuf, passwords: &Passwords, refuse: usize) -> GitHub {
    let passwords = passwords.clone();
    let service = tower::service_fn(move |request| upload_pack(repository.clone(), passwords.clone(), refuse, request));
    let tools = world.tools(world.store.clone(), Duration::from_secs(10));
    let tools = Tools { fetches: Transport::over(service, Limits::default()), ..tools };
    GitHub::new(world.settings(), world.access(), tools).unwrap()
}

#[tokio::test]
async fn a_head_is_fetched_once_and_is_the_one_that_the_api_told_of() {
    let mut world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let upstream = dir.path().join("cnpe.git");
    world.hub.with_git(world.repo, &upstream, &[("README.md", "read me")]);
    world.at = world.hub.open_pull_with(world.repo, world.ada, "fix", &[("tasks/a/app.yaml", "replicas: 2\n")]);
    let passwords = Passwords::default();
    let forge = poster(&world, upstream, &passwords, 0);
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    let path = forge.objects(&pull).await.unwrap();
    let mirror = git2::Repository::open_bare(&path).unwrap();
    for id in [&pull.head, pull.base.as_ref().unwrap()] {
        assert!(mirror.find_commit(id.as_str().parse().unwrap()).is_ok(), "{id}");
    }
    let asked = passwords.lock().unwrap().len();
    assert!(passwords.lock().unwrap().iter().all(|password| password.starts_with("x-access-token:ghs_")));
    forge.objects(&pull).await.unwrap();
    assert_eq!(passwords.lock().unwrap().len(), asked, "nothing is asked for what is here");
    world.hub.finish();
}

#[tokio::test]
async fn a_head_that_git_does_not_have_yet_is_looked_for_again_and_a_token_that_ran_out_is_replaced() {
    let mut world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let upstream = dir.path().join("cnpe.git");
    world.hub.with_git(world.repo, &upstream, &[("README.md", "read me")]);
    world.at = world.hub.open_pull_with(world.repo, world.ada, "fix", &[("tasks/a/app.yaml", "replicas: 2\n")]);
    let passwords = Passwords::default();
    let forge = poster(&world, upstream, &passwords, 1);
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    forge.objects(&pull).await.unwrap();
    assert_eq!(world.hub.count("apps/create-installation-access-token"), 2);
    world.hub.push(world.at, &sha('e'));
    let pull = forge.pull(world.number()).await.unwrap().unwrap();
    assert_eq!(pull.head, head('e'));
    let error = forge.objects(&pull).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Retry, "{error}");
    world.hub.finish();
}
