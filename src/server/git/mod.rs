//! Smart HTTP: fetches by `git upload-pack`, pushes by `push`, streaming both ways.
//!
//! What a client sends is taken as it arrives (unpacked when it is gzip), what there is to say goes out as it comes.

mod incoming;
mod process;
mod push;
mod verdict;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use crate::course::id::{CourseId, Learner};
use crate::forge::local::packet::{FLUSH, packet};
use crate::forge::pull::Branch;
use crate::submission::sha::CommitId;
use incoming::{Encoding, IDLE, Incoming, MAX_REQUEST};
use process::Running;

/// Longest life of one fetch; above any pack over a slow line.
const LIFETIME: Duration = Duration::from_secs(600);

/// Largest list of refs that is collected before it is sent.
const MAX_REFS: u64 = 16 << 20;

/// Bytes read from the child at once.
const CHUNK: usize = 64 << 10;

/// The routes below `/git`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/git/{learner}/{repository}/info/refs", get(info_refs))
        .route("/git/{learner}/{repository}/git-upload-pack", post(upload_pack))
        .route("/git/{learner}/{repository}/git-receive-pack", post(receive_pack))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn word(self) -> &'static str {
        match self {
            Service::UploadPack => "upload-pack",
            Service::ReceivePack => "receive-pack",
        }
    }
}

/// A fork as named in an address, `/git/LEARNER/COURSE.git`.
struct Named {
    learner: Learner,
    course: CourseId,
    path: std::path::PathBuf,
}

async fn info_refs(
    State(app): State<App>,
    Path(names): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let service = match query.as_deref() {
        Some("service=git-upload-pack") => Service::UploadPack,
        Some("service=git-receive-pack") => Service::ReceivePack,
        // The dumb protocol would hand out files as they lie.
        _ => return refuse(StatusCode::FORBIDDEN, "this server speaks Git's smart protocol: use git 1.6.6 or newer"),
    };
    let named = match find(&app, names).await {
        Ok(named) => named,
        Err((status, message)) => return refuse(status, &message),
    };
    if service == Service::ReceivePack {
        return match app.forge.branches(&named.learner, &named.course).await {
            Ok(branches) => advertise(service, &receivable(&branches)),
            Err(error) => {
                tracing::error!(%error, path = %named.path.display(), "cannot list refs");
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "the fork cannot be read: see the log of `gradus up`")
            }
        };
    }
    let mut command = upload_pack_command(&app, &headers);
    command.arg("--advertise-refs").arg(&named.path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let listing = async {
        let mut child = command.spawn()?;
        let mut refs = Vec::new();
        let mut out = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?.take(MAX_REFS);
        out.read_to_end(&mut refs).await?;
        let status = child.wait().await?;
        if status.success() { Ok(refs) } else { Err(std::io::Error::other(format!("git ended with {status}"))) }
    };
    let refs = match tokio::time::timeout(IDLE, listing).await {
        Ok(Ok(refs)) => refs,
        Ok(Err(error)) => {
            tracing::error!(%error, path = %named.path.display(), "cannot list refs");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "git failed: see the log of `gradus up`");
        }
        Err(_) => return refuse(StatusCode::GATEWAY_TIMEOUT, "git took too long: try again"),
    };
    advertise(service, &refs)
}

fn advertise(service: Service, refs: &[u8]) -> Response {
    let title = packet(format!("# service=git-{}\n", service.word()).as_bytes());
    let body = [&title, FLUSH, refs].concat();
    let kind = format!("application/x-git-{}-advertisement", service.word());
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache".to_owned())], body).into_response()
}

/// What a push may ask of us. Only capabilities that every git of the last ten years has.
const RECEIVE_PACK: &str = "report-status delete-refs side-band-64k quiet ofs-delta agent=gradus";

/// The branches that a push may move, in Git's format: the first line carries the capabilities.
fn receivable(branches: &BTreeMap<Branch, CommitId>) -> Vec<u8> {
    let mut list = Vec::new();
    for (branch, head) in branches {
        let capabilities = if list.is_empty() { format!("\0{RECEIVE_PACK}") } else { String::new() };
        list.extend(packet(format!("{head} refs/heads/{branch}{capabilities}\n").as_bytes()));
    }
    if list.is_empty() {
        list = packet(format!("{} capabilities^{{}}\0{RECEIVE_PACK}\n", "0".repeat(40)).as_bytes());
    }
    list.extend_from_slice(FLUSH);
    list
}

async fn upload_pack(
    State(app): State<App>,
    Path(names): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (named, mut incoming) = match accept(&app, names, &headers, body, Service::UploadPack).await {
        Ok(accepted) => accepted,
        Err(response) => return response,
    };
    let mut command = upload_pack_command(&app, &headers);
    command.arg(&named.path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut git = match command.spawn() {
        Ok(child) => Running::new(child),
        Err(error) => {
            tracing::error!(%error, "cannot start git");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "git could not be started: see the log of `gradus up`");
        }
    };
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(4);
    tokio::spawn(async move {
        let stdout = git.child().stdout.take();
        let listen = async {
            let mut stdout = stdout.ok_or_else(|| std::io::Error::other("no pipe"))?;
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = stdout.read(&mut buffer).await?;
                if count == 0 {
                    return Ok(());
                }
                // Who went away needs no more of it.
                let sent = sender.send(Ok(Bytes::copy_from_slice(&buffer[..count]))).await;
                sent.map_err(|_| std::io::Error::other("the client went away"))?;
            }
        };
        let learner = &named.learner;
        match tokio::time::timeout(LIFETIME, git.run(&[], &mut incoming, listen)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::info!(%error, %learner, "a fetch ended early");
                let _ = sender.send(Err(std::io::Error::other(error.to_string()))).await;
            }
            Err(_) => tracing::warn!(%learner, "a fetch took too long"),
        }
    });
    answer(Service::UploadPack, receiver)
}

async fn receive_pack(
    State(app): State<App>,
    Path(names): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (named, incoming) = match accept(&app, names, &headers, body, Service::ReceivePack).await {
        Ok(accepted) => accepted,
        Err(response) => return response,
    };
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(push::serve(app, named, incoming, sender));
    answer(Service::ReceivePack, receiver)
}

fn answer(service: Service, receiver: mpsc::Receiver<std::io::Result<Bytes>>) -> Response {
    let kind = format!("application/x-git-{}-result", service.word());
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache".to_owned())], body).into_response()
}

/// What a request is about, and what it brings; or why it is refused.
async fn accept(
    app: &App,
    names: (String, String),
    headers: &HeaderMap,
    body: Body,
    service: Service,
) -> Result<(Named, Incoming), Response> {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if value(header::CONTENT_TYPE) != format!("application/x-git-{}-request", service.word()) {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this address is for git"));
    }
    // Git shows nothing of such an answer, so that a push is read to its end and answered as a push.
    let is_fetch = matches!(service, Service::UploadPack);
    if is_fetch && value(header::CONTENT_LENGTH).parse::<u64>().is_ok_and(|length| length > MAX_REQUEST) {
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "this request is too large"));
    }
    let encoding = match value(header::CONTENT_ENCODING) {
        "" | "identity" => Encoding::Plain,
        "gzip" | "x-gzip" => Encoding::Gzip,
        _ => return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the request plain or as gzip")),
    };
    let named = find(app, names).await.map_err(|(status, message)| refuse(status, &message))?;
    Ok((named, Incoming::new(body, encoding)))
}

/// The fork that an address names, or why there is none.
async fn find(app: &App, (learner, repository): (String, String)) -> Result<Named, (StatusCode, String)> {
    let missing = |message: String| (StatusCode::NOT_FOUND, message);
    let no_learner = |_| missing("no such learner: a name is 1 to 63 of a-z, 0-9 and `-`".to_owned());
    let no_course = || missing(format!("no such course: there are {}", app.course_names()));
    let learner: Learner = learner.parse().map_err(no_learner)?;
    let course: CourseId = repository.strip_suffix(".git").unwrap_or(&repository).parse().map_err(|_| no_course())?;
    let path = app.forge.fork(&learner, &course).await.map_err(|error| {
        tracing::error!(%error, %learner, %course, "cannot make a fork");
        (StatusCode::INTERNAL_SERVER_ERROR, "the fork cannot be made: see the log of `gradus up`".to_owned())
    })?;
    Ok(Named { path: path.ok_or_else(no_course)?, learner, course })
}

fn upload_pack_command(app: &App, headers: &HeaderMap) -> Command {
    let mut command = app.git.command();
    // Only the version, in our own words: the header is the client's.
    if headers.get("git-protocol").is_some_and(|value| value == "version=2") {
        command.env("GIT_PROTOCOL", "version=2");
    }
    command.args(["upload-pack", "--stateless-rpc"]);
    command
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{message}\n")).into_response()
}
