//! Bare repositories over HTTP by git's own `http-backend`: what a push costs where nothing is graded.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

/// Serves the repositories of a directory for as long as it is kept.
pub struct Backend {
    /// As in `http://127.0.0.1:4711`.
    pub address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Backend {
    /// Of this directory.
    pub fn new(dir: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let router = Router::new().fallback(answer).with_state(dir.to_owned());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, _runtime: runtime }
    }
}

/// One request, as a web server hands it to a CGI program.
async fn answer(State(dir): State<PathBuf>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a small push");
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut backend = Command::new("git");
    backend
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", dir)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "learner");
    backend.env("REQUEST_METHOD", head.method.as_str()).env("PATH_INFO", head.uri.path());
    backend.env("QUERY_STRING", head.uri.query().unwrap_or_default()).env("CONTENT_TYPE", header("content-type"));
    backend.env("HTTP_CONTENT_ENCODING", header("content-encoding")).env("GIT_PROTOCOL", header("git-protocol"));
    backend.env("CONTENT_LENGTH", body.len().to_string());
    let mut child = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git is here");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(&body).await.expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends").stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => response = response.status(&status[..3]),
            Some((name, value)) => response = response.header(name, value),
            None => {}
        }
    }
    response.body(Body::from(output[end + 4..].to_vec())).expect("a response")
}
