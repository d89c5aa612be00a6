//! One bare repository per workspace, into which heads are fetched from upstream by commit.
//!
//! Git's protocol is spoken over the dialects' own [`Transport`] and libgit2 only keeps the objects: its network side
//! cannot be given a timeout without `unsafe`, so that one silent server would hold a workspace for ever, it lists every
//! reference on each fetch (two per pull request), and it would bring a second TLS library. A commit is asked for by its
//! id, which version 2 of the protocol allows for whatever the server has; so what comes is what was asked for, and a
//! token is in a header and nowhere on disk.
//!
//! The mirror is a cache: it may be deleted at any time.

mod pack;
mod wire;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use git2::{Repository, RepositoryInitOptions};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::ErrorClass;
use super::http::base::Base;
use super::http::{Request, Transport, TransportError};
use super::pull::PullNumber;
use crate::submission::sha::CommitId;
use pack::Incoming;
pub use wire::WireError;

/// Asks for version 2 of the protocol.
const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// Where the newest fetched base stands in the mirror.
pub const BASE: &str = "refs/gradus/base";

/// Why a head is not in the mirror.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// No answer, or one that is too long: then the history is larger than is taken.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server refuses.
    #[error("the server answers {0} to a fetch")]
    Status(StatusCode),
    /// The server answers something that is no pack.
    #[error(transparent)]
    Wire(WireError),
    /// The server has no such commit (any more).
    #[error("the server has no commit {0}")]
    NoCommit(CommitId),
    /// The mirror cannot be read or written.
    #[error("cannot use the mirror at {path}")]
    Git {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: git2::Error,
    },
}

impl MirrorError {
    /// What to do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            MirrorError::Transport(TransportError::TooLarge { .. }) => ErrorClass::Permanent,
            // A force push takes commits away.
            MirrorError::NoCommit(_) => ErrorClass::Superseded,
            MirrorError::Status(status) if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS => {
                ErrorClass::Config
            }
            MirrorError::Wire(WireError::Old) => ErrorClass::Config,
            MirrorError::Transport(_) | MirrorError::Status(_) | MirrorError::Wire(_) | MirrorError::Git { .. } => {
                ErrorClass::Retry
            }
        }
    }
}

enum Failure {
    Wire(WireError),
    Git(git2::Error),
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Failure::Wire(error)
    }
}

impl From<git2::Error> for Failure {
    fn from(error: git2::Error) -> Self {
        Failure::Git(error)
    }
}

/// The mirror of a workspace.
#[derive(Debug)]
pub struct Mirror {
    transport: Transport,
    repository: Base,
    path: PathBuf,
    /// One fetch at a time; true once the server said that it speaks version 2.
    greeted: tokio::sync::Mutex<bool>,
}

impl Mirror {
    /// Of the repository at this address, as in `https://git.example.org/acme/cnpe.git`, kept at this path. The
    /// transport's limit on an answer is the limit on what one fetch brings.
    pub fn new(transport: Transport, repository: Base, path: PathBuf) -> Self {
        Self { transport, repository, path, greeted: tokio::sync::Mutex::new(false) }
    }

    /// Brings head and base of a pull request into the mirror, as far as they are not there yet. Where the mirror is.
    pub async fn fetch(
        &self,
        number: PullNumber,
        head: &CommitId,
        base: &CommitId,
        authorization: Option<&HeaderValue>,
    ) -> Result<PathBuf, MirrorError> {
        let mut greeted = self.greeted.lock().await;
        let seen = {
            let (wanted, pull) = ([head.clone(), base.clone()], pull_reference(number));
            self.git(move |path| look(path, &wanted, &pull)).await?
        };
        if !seen.missing.is_empty() {
            if !*greeted {
                self.greet(authorization).await?;
                *greeted = true;
            }
            let wants: Vec<&CommitId> = seen.missing.iter().collect();
            let answer = self.post(wire::ask_pack(&wants, &seen.known), authorization).await?;
            match self.git(move |path| Ok(store(path, &answer))).await? {
                Ok(()) => {}
                // A server that says no to a commit names it, or none: this is what Git says.
                Err(Failure::Wire(WireError::Said(words))) if words.contains("not our ref") => {
                    return Err(MirrorError::NoCommit(head.clone()));
                }
                Err(Failure::Wire(error)) => return Err(MirrorError::Wire(error)),
                Err(Failure::Git(source)) => return Err(MirrorError::Git { path: self.path.clone(), source }),
            }
        }
        let (both, pull) = ([head.clone(), base.clone()], pull_reference(number));
        let there = self.git(move |path| note(path, &both, &pull)).await?;
        if there { Ok(self.path.clone()) } else { Err(MirrorError::NoCommit(head.clone())) }
    }

    /// Asks whether the server speaks version 2.
    async fn greet(&self, authorization: Option<&HeaderValue>) -> Result<(), MirrorError> {
        let mut address = self.repository.at(&["info", "refs"]);
        address.set_query(Some(&format!("service={}", wire::SERVICE)));
        let answer = self.ask(Method::GET, address, Bytes::new(), authorization).await?;
        wire::offers_version_2(&answer).map_err(MirrorError::Wire)
    }

    async fn post(&self, body: Bytes, authorization: Option<&HeaderValue>) -> Result<Bytes, MirrorError> {
        self.ask(Method::POST, self.repository.at(&[wire::SERVICE]), body, authorization).await
    }

    async fn ask(
        &self,
        method: Method,
        address: url::Url,
        body: Bytes,
        authorization: Option<&HeaderValue>,
    ) -> Result<Bytes, MirrorError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = address.as_str().parse().map_err(|_| MirrorError::Status(StatusCode::BAD_REQUEST))?;
        let headers = request.headers_mut();
        headers.insert(GIT_PROTOCOL, HeaderValue::from_static("version=2"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-git-upload-pack-request"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/x-git-upload-pack-result, */*;q=0.1"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let answer = self.transport.send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(MirrorError::Status(status)),
        }
    }

    async fn git<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, git2::Error> + Send + 'static,
    ) -> Result<T, MirrorError> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || work(&path))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
            .map_err(|source| MirrorError::Git { path: self.path.clone(), source })
    }
}

/// Where the newest fetched head of a pull request stands in the mirror.
fn pull_reference(number: PullNumber) -> String {
    format!("refs/pull/{number}/head")
}

/// What is to be asked for, and what may be left out because it is here.
struct Seen {
    missing: Vec<CommitId>,
    known: Vec<CommitId>,
}

fn look(path: &Path, wanted: &[CommitId], pull: &str) -> Result<Seen, git2::Error> {
    let repository = open(path)?;
    let missing = |id: &&CommitId| !has(&repository, id);
    let known = |name: &str| repository.refname_to_id(name).ok().map(CommitId::from);
    Ok(Seen {
        missing: wanted.iter().filter(missing).cloned().collect(),
        known: [BASE, pull].into_iter().filter_map(known).collect(),
    })
}

fn store(path: &Path, answer: &[u8]) -> Result<(), Failure> {
    let repository = open(path)?;
    let odb = repository.odb()?;
    let mut incoming = Incoming::new(&repository, &odb)?;
    wire::pack(answer, |slice| incoming.take(slice).map_err(Failure::Git))?;
    Ok(incoming.finish()?)
}

/// Notes what is here now; false when one of the two is not.
fn note(path: &Path, [head, base]: &[CommitId; 2], pull: &str) -> Result<bool, git2::Error> {
    let repository = open(path)?;
    if !has(&repository, head) || !has(&repository, base) {
        return Ok(false);
    }
    for (name, id) in [(BASE, base), (pull, head)] {
        let id = id.as_str().parse()?;
        if repository.refname_to_id(name).ok() != Some(id) {
            repository.reference(name, id, true, "fetched")?;
        }
    }
    Ok(true)
}

fn has(repository: &Repository, id: &CommitId) -> bool {
    id.as_str().parse().is_ok_and(|id| repository.find_commit(id).is_ok())
}

fn open(path: &Path) -> Result<Repository, git2::Error> {
    match Repository::open_bare(path) {
        Err(error) if error.code() == git2::ErrorCode::NotFound => {
            let options = &mut RepositoryInitOptions::new();
            Repository::init_opts(path, options.bare(true).mkpath(true).external_template(false))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
