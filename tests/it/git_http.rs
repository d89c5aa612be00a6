//! Git over HTTP for fetching, as forges serve it: git's own upload-pack behind a router.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Bare repositories by their names, as in `acme/cnpe`.
pub type Repositories = Arc<Mutex<BTreeMap<String, PathBuf>>>;

/// Serves `/OWNER/NAME.git`.
pub fn router(repositories: Repositories) -> Router {
    Router::new()
        .route("/{owner}/{name}/info/refs", get(refs))
        .route("/{owner}/{name}/git-upload-pack", post(pack))
        .with_state(repositories)
}

type Named = Path<(String, String)>;

async fn refs(State(repositories): State<Repositories>, path: Named, headers: HeaderMap) -> Response {
    let mut answer = b"001e# service=git-upload-pack\n0000".to_vec();
    match run(&repositories, path, &headers, &["--advertise-refs"], Bytes::new()).await {
        Ok(refs) => {
            answer.extend(refs);
            ([(header::CONTENT_TYPE, "application/x-git-upload-pack-advertisement")], answer).into_response()
        }
        Err(status) => status.into_response(),
    }
}

async fn pack(State(repositories): State<Repositories>, path: Named, headers: HeaderMap, body: Bytes) -> Response {
    match run(&repositories, path, &headers, &[], body).await {
        Ok(pack) => ([(header::CONTENT_TYPE, "application/x-git-upload-pack-result")], pack).into_response(),
        Err(status) => status.into_response(),
    }
}

async fn run(
    repositories: &Repositories,
    Path((owner, name)): Named,
    headers: &HeaderMap,
    more: &[&str],
    input: Bytes,
) -> Result<Vec<u8>, StatusCode> {
    let name = format!("{owner}/{}", name.trim_end_matches(".git"));
    let path = repositories.lock().unwrap().get(&name).cloned().ok_or(StatusCode::NOT_FOUND)?;
    let protocol = headers.get("git-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut git = Command::new("git")
        .args(["-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack", "--stateless-rpc"])
        .args(more)
        .arg(path)
        .env("GIT_PROTOCOL", protocol)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = git.stdin.take().unwrap();
    let (output, _) = tokio::join!(git.wait_with_output(), async move {
        // It may have heard enough before the end.
        let _ = stdin.write_all(&input).await;
        drop(stdin);
    });
    Ok(output.unwrap().stdout)
}
