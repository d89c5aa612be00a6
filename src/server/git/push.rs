//! A push: read what it asks, let git unpack it into quarantine, look at it, move the branches, tell the learner.
//!
//! It belongs to a task of its own and not to the request: a learner who closes the laptop in the middle of a push
//! leaves a push that is either whole or not there.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::incoming::Incoming;
use super::process::Running;
use super::{Named, verdict};
use crate::forge::local::data::DataDir;
use crate::forge::local::git::MAX_PACK;
use crate::forge::local::push::{Asked, MAX_ASKED, Moved, PackHeader, Quarantine, Voice, look, move_branches};
use crate::forge::local::{Received, Update};
use crate::server::App;
use crate::submission::upstream::PUBLISHED;

/// Longest time from the first byte of a push to the end of its answer; above any pack over a slow line.
const LIFETIME: Duration = Duration::from_secs(600);

/// Most bytes of git's complaint about a pack that are passed on.
const MAX_COMPLAINT: u64 = 8 << 10;

/// What git says of a pack that is larger than it may be (`builtin/index-pack.c`, `builtin/unpack-objects.c`).
const TOO_LARGE: &str = "exceeds maximum allowed size";

/// What is said of a reference that may not move because of what is in the push; the reasons stand above it.
const REFUSED: &str = "refused, see above";

/// Where the answer goes. A client that went away does not stop a push.
pub struct Out(mpsc::Sender<Result<Bytes>>);

impl Out {
    /// Sends bytes on.
    pub async fn send(&self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            let _ = self.0.send(Ok(bytes)).await;
        }
    }

    async fn broken(&self, error: &Error) {
        let _ = self.0.send(Err(Error::other(error.to_string()))).await;
    }
}

/// Takes a push to its end, whatever becomes of the client.
pub async fn serve(app: App, named: Named, incoming: Incoming, sender: mpsc::Sender<Result<Bytes>>) {
    let out = Out(sender);
    match tokio::time::timeout(LIFETIME, take(&app, &named, incoming, &out)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::info!(%error, learner = %named.learner, "a push ended early");
            out.broken(&error).await;
        }
        Err(_) => tracing::warn!(learner = %named.learner, "a push took too long"),
    }
}

/// # Errors
/// The client went away or sent what git does not send.
async fn take(app: &App, named: &Named, mut incoming: Incoming, out: &Out) -> Result<()> {
    let Some((asked, rest)) = read(&mut incoming).await? else { return Ok(()) };
    let voice = Voice::of(&asked);
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, learner = %named.learner, course = %named.course, "a push could not be taken");
        voice.fatal("the push could not be taken, nothing of it was kept: push again; the log of `gradus up` says more")
    };
    let moved = match asked.moved.clone() {
        Ok(moved) => moved,
        Err(refusal) => {
            incoming.drain().await?;
            return refuse(out, voice, &asked, &[refusal.to_string()]).await;
        }
    };
    let brings = moved.iter().any(|moved| moved.new.is_some());
    let quarantine = if brings {
        let unpacked = match unpack(app, named, &rest, &mut incoming).await {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                incoming.discard().await?;
                return refuse(out, voice, &asked, &[too_large()]).await;
            }
            other => other?,
        };
        match unpacked {
            Ok(quarantine) => Some(quarantine),
            Err(Unpacked::Refused(complaint)) if complaint.contains(TOO_LARGE) => {
                return refuse(out, voice, &asked, &[too_large()]).await;
            }
            Err(Unpacked::Refused(complaint)) => {
                out.send(voice.text(&complaint)).await;
                let became = asked.names.iter().map(|name| (name.as_slice(), Err("unpacker error".to_owned())));
                out.send(voice.report(Some("git could not unpack the objects"), became)).await;
                out.send(voice.end()).await;
                return Ok(());
            }
            Err(Unpacked::Failed(error)) => {
                out.send(failed(&error)).await;
                return Ok(());
            }
        }
    } else {
        incoming.drain().await?;
        None
    };
    let became = match blocking({
        let (app, fork, moved) = (app.clone(), named.path.clone(), moved.clone());
        move || settle(app.forge.data(), &fork, quarantine, &moved)
    })
    .await
    {
        Ok(Settled::Refused(reasons)) => return refuse(out, voice, &asked, &reasons).await,
        Ok(Settled::Moved(became)) => became,
        Err(error) => {
            out.send(failed(&error)).await;
            return Ok(());
        }
    };
    let updates = moved.iter().zip(&became).filter(|(_, became)| became.is_ok());
    let updates = updates.map(|(moved, _)| Update { branch: moved.branch.clone(), head: moved.new.clone() }).collect();
    out.send(voice.report(None, asked.names.iter().map(Vec::as_slice).zip(became.iter().cloned()))).await;
    let received = Received { learner: named.learner.clone(), course: named.course.clone(), updates };
    if let Err(error) = verdict::tell(app, &received, voice, out).await {
        tracing::error!(%error, "cannot answer a push; the sweep will find it");
        // The push itself went well; only its answer is late.
        let late = "gradus: pushed. The grader cannot answer just now; the review will follow.\n";
        out.send(voice.text(late)).await;
    }
    out.send(voice.end()).await;
    Ok(())
}

/// What is asked, and what was read of the pack; none when nothing is asked, which is how git tries whether it may push.
async fn read(incoming: &mut Incoming) -> Result<Option<(Asked, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some((asked, end)) = Asked::read(&bytes).map_err(Error::other)? {
            return Ok((!asked.names.is_empty()).then(|| (asked, bytes.split_off(end))));
        }
        if bytes.len() > MAX_ASKED {
            return Err(Error::other("the list of references is too long"));
        }
        match incoming.next().await? {
            Some(more) => bytes.extend_from_slice(&more),
            None if bytes.is_empty() => return Ok(None),
            None => return Err(Error::other("the request ends in the middle")),
        }
    }
}

async fn refuse(out: &Out, voice: Voice, asked: &Asked, reasons: &[String]) -> Result<()> {
    out.send(voice.sentences(reasons)).await;
    out.send(voice.report(None, asked.names.iter().map(|name| (name.as_slice(), Err(REFUSED.to_owned()))))).await;
    out.send(voice.end()).await;
    Ok(())
}

fn too_large() -> String {
    format!(
        "this push is larger than {} MiB, which is the limit. `git diff --stat origin/{PUBLISHED} HEAD` shows large files \
         that are there now. Begin again before them: `git reset --soft $(git merge-base HEAD origin/{PUBLISHED})`, `git \
         restore --staged FILE` for each of them, `git commit`, and push",
        MAX_PACK >> 20
    )
}

/// Why there is nothing in quarantine.
enum Unpacked {
    /// Git says what is wrong with the pack.
    Refused(String),
    /// Ours.
    Failed(Error),
}

/// Lets git unpack what follows. The outer error is the client's.
async fn unpack(
    app: &App,
    named: &Named,
    rest: &[u8],
    incoming: &mut Incoming,
) -> Result<std::result::Result<Quarantine, Unpacked>> {
    let mut first = rest.to_vec();
    let header = loop {
        if let Some(bytes) = first.first_chunk() {
            break PackHeader::read(bytes).ok_or_else(|| Error::other("the objects are not in a pack"))?;
        }
        let more = incoming.next().await?.ok_or_else(|| Error::other("the request ends before its pack"))?;
        first.extend_from_slice(&more);
    };
    let start = || {
        let quarantine = Quarantine::new(&named.path)?;
        let mut command = quarantine.unpacker(&app.git, header);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok((quarantine, Running::new(command.spawn()?)))
    };
    let (quarantine, mut git) = match start() {
        Ok(started) => started,
        Err(error) => return Ok(Err(Unpacked::Failed(error))),
    };
    let mut complaint = Vec::new();
    let stderr = git.child().stderr.take();
    let listen = async {
        let Some(mut stderr) = stderr else { return Ok(()) };
        (&mut stderr).take(MAX_COMPLAINT).read_to_end(&mut complaint).await?;
        // What is too much is read all the same, so that it can end.
        tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await.map(drop)
    };
    Ok(match git.run(&first, incoming, listen).await? {
        true => Ok(quarantine),
        false => Err(Unpacked::Refused(shown(&complaint))),
    })
}

/// Git's words without what would move a cursor.
fn shown(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    text.lines().map(|line| line.chars().filter(|c| !c.is_control()).chain(['\n']).collect::<String>()).collect()
}

/// What became of a push.
enum Settled {
    /// Nothing of it is kept, for these reasons.
    Refused(Vec<String>),
    /// Each branch moved, or did not for its own reason.
    Moved(Vec<std::result::Result<(), String>>),
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn settle(
    data: &DataDir,
    fork: &Path,
    quarantine: Option<Quarantine>,
    moved: &[Moved],
) -> std::result::Result<Settled, Failure> {
    let reasons = look(fork, quarantine.as_ref().map(Quarantine::path), moved)?;
    if !reasons.is_empty() {
        return Ok(Settled::Refused(reasons));
    }
    quarantine.map(Quarantine::admit).transpose()?;
    Ok(Settled::Moved(move_branches(&*data.repository(fork)?, moved)))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
