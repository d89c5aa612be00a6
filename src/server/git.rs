//! Smart HTTP: `git upload-pack` and `git receive-pack` behind axum, streaming both ways.
//!
//! What a client sends goes into the child's input as it arrives (unpacked when it is gzip), what the child writes goes
//! out as it comes. The child belongs to a task of its own and not to the request: a learner who closes the laptop in
//! the middle of a push leaves a push that is either whole or not there. After each `receive-pack` the fork's refs are
//! compared with its pull requests, so that a hook that was killed costs nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::write::MultiGzDecoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::App;
use crate::course::id::{CourseId, Learner};
use crate::forge::local::git::MAX_PACK;
use crate::forge::local::hook;
use crate::forge::pull::Branch;
use crate::submission::sha::CommitId;

/// Largest request after unpacking: a pack and what goes with it.
const MAX_REQUEST: u64 = MAX_PACK + (1 << 20);

/// Longest silence of a client that is sending.
const IDLE: Duration = Duration::from_secs(60);

/// Longest life of one call; above the hook's patience and any pack over a slow line.
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
    let mut command = command(&app, &named, service, &headers);
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
    let mut body = packet(&format!("# service=git-{}\n", service.word())).into_bytes();
    body.extend_from_slice(b"0000");
    body.extend_from_slice(refs);
    let kind = format!("application/x-git-{}-advertisement", service.word());
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache".to_owned())], body).into_response()
}

/// What `git receive-pack` would say of itself: every push begins with it, and asking git takes two processes (the
/// second lists upstream's refs, which a fork's `main` stands for). Only capabilities that every git of the last ten
/// years has on both sides.
const RECEIVE_PACK: &str = "report-status delete-refs side-band-64k quiet ofs-delta agent=gradus";

/// The branches that a push may move, in Git's format: the first line carries the capabilities.
fn receivable(branches: &BTreeMap<Branch, CommitId>) -> Vec<u8> {
    let mut list = String::new();
    for (branch, head) in branches {
        let capabilities = if list.is_empty() { format!("\0{RECEIVE_PACK}") } else { String::new() };
        list += &packet(&format!("{head} refs/heads/{branch}{capabilities}\n"));
    }
    if list.is_empty() {
        list = packet(&format!("{} capabilities^{{}}\0{RECEIVE_PACK}\n", "0".repeat(40)));
    }
    (list + "0000").into_bytes()
}

/// A line in Git's framing: its length in four hexadecimal digits, which count themselves.
fn packet(line: &str) -> String {
    format!("{:04x}{line}", line.len() + 4)
}

async fn upload_pack(app: State<App>, names: Path<(String, String)>, headers: HeaderMap, body: Body) -> Response {
    serve(app, names, headers, body, Service::UploadPack).await
}

async fn receive_pack(app: State<App>, names: Path<(String, String)>, headers: HeaderMap, body: Body) -> Response {
    serve(app, names, headers, body, Service::ReceivePack).await
}

async fn serve(
    State(app): State<App>,
    Path(names): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
    service: Service,
) -> Response {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if value(header::CONTENT_TYPE) != format!("application/x-git-{}-request", service.word()) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this address is for git");
    }
    if value(header::CONTENT_LENGTH).parse::<u64>().is_ok_and(|length| length > MAX_REQUEST) {
        return refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "this push is too large: push text files, not archives or images",
        );
    }
    let input = match value(header::CONTENT_ENCODING) {
        "" | "identity" => Input::Plain,
        "gzip" | "x-gzip" => Input::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
        _ => return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the request plain or as gzip"),
    };
    let named = match find(&app, names).await {
        Ok(named) => named,
        Err((status, message)) => return refuse(status, &message),
    };
    let mut command = command(&app, &named, service, &headers);
    command.arg(&named.path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::error!(%error, "cannot start git");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "git could not be started: see the log of `gradus up`");
        }
    };
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let alive = tokio::time::timeout(LIFETIME, run(child, input, body, sender)).await;
        match alive {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::info!(%error, learner = %named.learner, service = service.word(), "git ended early")
            }
            Err(_) => tracing::warn!(learner = %named.learner, service = service.word(), "git took too long"),
        }
        if service == Service::ReceivePack {
            app.recheck(&named.learner, &named.course).await;
        }
    });
    let kind = format!("application/x-git-{}-result", service.word());
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache".to_owned())], body).into_response()
}

/// Feeds the child and passes on what it says, until it has ended.
async fn run(
    mut child: Child,
    input: Input,
    body: Body,
    sender: mpsc::Sender<std::io::Result<Bytes>>,
) -> std::io::Result<()> {
    let group = Group(child.id());
    let no_pipe = || std::io::Error::other("no pipe");
    let stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let mut stdout = child.stdout.take().ok_or_else(no_pipe)?;
    let feed = feed(stdin, input, body);
    let pass = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = stdout.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            // A client that went away does not stop the child.
            let _ = sender.send(Ok(Bytes::copy_from_slice(&buffer[..count]))).await;
        }
    };
    let done = async { tokio::try_join!(feed, pass) };
    let result = done.await;
    if let Err(error) = &result {
        let _ = sender.send(Err(std::io::Error::other(error.to_string()))).await;
        group.kill();
    }
    child.wait().await?;
    group.ended();
    result.map(|_| ())
}

/// The child's process group, killed with all it started unless it ended by itself.
struct Group(Option<u32>);

impl Group {
    fn kill(&self) {
        let pid = self.0.and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

enum Input {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

async fn feed(mut stdin: ChildStdin, mut input: Input, body: Body) -> std::io::Result<()> {
    let mut stream = body.into_data_stream();
    let mut left = MAX_REQUEST;
    loop {
        let next = tokio::time::timeout(IDLE, stream.next()).await;
        let chunk = match next.map_err(|_| std::io::Error::other("the client fell silent"))? {
            Some(chunk) => chunk.map_err(std::io::Error::other)?,
            None => break,
        };
        match &mut input {
            Input::Plain => write(&mut stdin, &chunk, &mut left).await?,
            Input::Gzip(decoder) => {
                // In small bites: a bomb is noticed before it fills the memory.
                for bite in chunk.chunks(4 << 10) {
                    decoder.write_all(bite)?;
                    let plain = std::mem::take(decoder.get_mut());
                    write(&mut stdin, &plain, &mut left).await?;
                }
            }
        }
    }
    if let Input::Gzip(decoder) = input {
        let rest = decoder.finish()?;
        write(&mut stdin, &rest, &mut left).await?;
    }
    stdin.shutdown().await
}

async fn write(stdin: &mut ChildStdin, bytes: &[u8], left: &mut u64) -> std::io::Result<()> {
    *left = left.checked_sub(bytes.len() as u64).ok_or_else(|| std::io::Error::other("the request is too large"))?;
    match stdin.write_all(bytes).await {
        // The child has read all it wants and says why in its answer.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
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

fn command(app: &App, named: &Named, service: Service, headers: &HeaderMap) -> Command {
    let mut command = app.git.command();
    command.env(hook::LEARNER, named.learner.as_str()).env(hook::COURSE, named.course.as_str());
    // Only the version, in our own words: the header is the client's.
    if service == Service::UploadPack && headers.get("git-protocol").is_some_and(|value| value == "version=2") {
        command.env("GIT_PROTOCOL", "version=2");
    }
    command.arg(service.word()).arg("--stateless-rpc");
    command
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{message}\n")).into_response()
}
