//! A real `git http-backend` for tests, behind a router: no sockets but its pipes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use tokio::io::AsyncWriteExt;

use super::super::http::base::{Base, Plain};
use super::super::http::{Limits, Transport};
use super::{Need, Remote, basic};

/// Where the repository of a backend is.
pub const PATH: &str = "/acme/cnpe.git";

/// What the server was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As in `POST git-upload-pack`.
    pub what: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// How long the answer was.
    pub length: usize,
}

/// Whose token is good for what.
#[derive(Debug, Clone, Copy)]
pub enum Doors {
    /// Everybody may do everything.
    Open,
    /// This token reads and writes, and that one only reads.
    Tokens(&'static str, &'static str),
}

/// What happens between the list of references and a push.
type Meanwhile = Arc<dyn Fn(&Path) + Send + Sync>;

/// One repository.
#[derive(Clone)]
pub struct Backend {
    repository: PathBuf,
    doors: Doors,
    meanwhile: Option<Meanwhile>,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Backend {
    pub fn new(repository: &Path, doors: Doors) -> Self {
        Self { repository: repository.to_owned(), doors, meanwhile: None, log: Arc::default() }
    }

    /// Does this to the repository before each push.
    pub fn meanwhile(self, work: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        Self { meanwhile: Some(Arc::new(work)), ..self }
    }

    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub fn transport(&self, limits: Limits) -> Transport {
        Transport::over(self.router(), limits)
    }

    /// The repository as we speak to it.
    pub fn remote(&self) -> Remote {
        Remote::new(self.transport(Limits::default()), address(), Need::ReadAndWrite)
    }

    /// What was asked since the last look.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn refuses(&self, authorization: Option<&str>, writes: bool) -> Option<StatusCode> {
        let Doors::Tokens(writer, reader) = self.doors else { return None };
        let is = |token: &str| authorization.is_some_and(|shown| basic(token).unwrap() == shown);
        match (is(writer), is(reader)) {
            (true, _) => None,
            (_, true) => writes.then_some(StatusCode::FORBIDDEN),
            _ => Some(StatusCode::UNAUTHORIZED),
        }
    }
}

/// The address of the repository.
pub fn address() -> Base {
    Base::parse(&format!("https://forge.test{PATH}"), Plain::Loopback).unwrap()
}

async fn answer(State(backend): State<Backend>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let path = head.uri.path().strip_prefix(PATH).unwrap().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let header = |name: http::HeaderName| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let authorization = header(AUTHORIZATION);
    let writes = path.ends_with("receive-pack") || query.ends_with("receive-pack");
    let (status, bytes) = match backend.refuses(authorization.as_deref(), writes) {
        Some(status) => (status, Bytes::new()),
        None => {
            if let Some(work) = backend.meanwhile.as_ref().filter(|_| path.ends_with("receive-pack")) {
                work(&backend.repository);
            }
            let mut git = tokio::process::Command::new("git");
            git.arg("http-backend").env_clear().env("PATH", std::env::var_os("PATH").unwrap());
            git.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/nonexistent").env("GIT_HTTP_EXPORT_ALL", "1");
            // It takes pushes of whoever the server in front of it knows.
            git.env("REMOTE_USER", "bot").env("PATH_TRANSLATED", format!("{}{path}", backend.repository.display()));
            git.env("REQUEST_METHOD", head.method.as_str()).env("QUERY_STRING", query);
            git.env("CONTENT_TYPE", header(CONTENT_TYPE).unwrap()).env("CONTENT_LENGTH", body.len().to_string());
            git.env("GIT_PROTOCOL", header(super::GIT_PROTOCOL).unwrap_or_default());
            run(git, &body).await
        }
    };
    let what = format!("{} {}", head.method, path.trim_start_matches('/'));
    backend.log.lock().unwrap().push(Asked { what, authorization, length: bytes.len() });
    (status, Body::from(bytes)).into_response()
}

/// Runs a program that answers as CGI has it.
async fn run(mut cgi: tokio::process::Command, body: &[u8]) -> (StatusCode, Bytes) {
    let mut cgi = cgi.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    cgi.stdin.take().unwrap().write_all(body).await.unwrap();
    let output = Bytes::from(cgi.wait_with_output().await.unwrap().stdout);
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&output[..end]).unwrap().lines().find_map(|line| line.strip_prefix("Status: "));
    let status = status.map_or(StatusCode::OK, |status| status[..3].parse().unwrap());
    (status, output.slice(end + 4..))
}
