//! A Git server reached over HTTP: where a reference is, commits by their id, and a push of one branch.
//!
//! Git's protocol is spoken over our own [`Transport`] and libgit2 only keeps the objects: its network side cannot be given
//! a timeout without `unsafe`, so that one silent server would hold its caller for ever, it lists every reference on each
//! fetch (two per pull request), and it would bring a second TLS library that every start of the program waits for. A
//! commit is asked for by its id, which version 2 of the protocol allows for whatever the server has; so what comes is
//! what was asked for, and a token is in a header and nowhere on disk.
//!
//! It knows no forge. Answers are held in memory: the transport's limit on an answer is the limit on what one fetch brings.

mod error;
mod pack;
mod push;
#[cfg(test)]
pub(crate) mod testing;
mod wire;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use git2::Repository;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::http::base::Base;
use super::http::{Request, Transport};
use crate::submission::sha::CommitId;
use error::Failure;
pub use error::{Need, Refused, RemoteError, Shown};
use pack::Incoming;
pub use push::{Pushed, Update};
pub use wire::WireError;

/// Says which version of the protocol is meant.
const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// What a server does for us: named in addresses and media types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Fetch,
    Push,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::Fetch => "git-upload-pack",
            Service::Push => "git-receive-pack",
        }
    }
}

/// A token as Git over HTTP takes it: as the password of a user whose name says that it is one. GitHub wants this name
/// beside an App's token, the others take any.
pub fn basic(token: &str) -> Option<HeaderValue> {
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", BASE64.encode(format!("x-access-token:{token}")))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A repository on a server.
#[derive(Debug)]
pub struct Remote {
    transport: Transport,
    address: Base,
    need: Need,
    /// The server said that it speaks version 2.
    greeted: AtomicBool,
}

impl Remote {
    /// The repository at this address, as in `https://git.example.org/acme/cnpe.git`, of which we need this much.
    pub fn new(transport: Transport, address: Base, need: Need) -> Self {
        Self { transport, address, need, greeted: AtomicBool::new(false) }
    }

    /// Which commit a reference is at, as in `refs/heads/main`; none when there is no such.
    pub async fn reference(
        &self,
        name: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Option<CommitId>, RemoteError> {
        self.greet(authorization).await?;
        let answer = self.post(Service::Fetch, wire::ask_references(name), authorization).await?;
        Ok(wire::reference(&answer, name)?)
    }

    /// Brings commits with the history that leads to them into the bare repository at this path, less what leads to those
    /// that are known to be there.
    pub async fn fetch(
        &self,
        into: &Path,
        wanted: &[CommitId],
        known: &[CommitId],
        authorization: Option<&HeaderValue>,
    ) -> Result<(), RemoteError> {
        let [first, ..] = wanted else { return Ok(()) };
        self.greet(authorization).await?;
        let answer = self.post(Service::Fetch, wire::ask_pack(wanted, known), authorization).await?;
        let stored = {
            let wanted = wanted.to_vec();
            git(into, move |path| store(path, &answer, &wanted)).await
        };
        match stored {
            Ok(None) => Ok(()),
            Ok(Some(missing)) => Err(RemoteError::NoCommit(missing)),
            // This is what Git says; it may name the commit.
            Err(RemoteError::Wire(WireError::Said(words))) if words.contains("not our ref") => {
                let named = wanted.iter().find(|id| words.contains(id.as_str()));
                Err(RemoteError::NoCommit(named.unwrap_or(first).clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a reference to a commit of the bare repository at this path. Never by force: when it is elsewhere than the
    /// update says, here or on the server in the end, nothing happens.
    pub async fn push(
        &self,
        from: &Path,
        update: &Update,
        authorization: Option<&HeaderValue>,
    ) -> Result<Pushed, RemoteError> {
        let answer = self.ask(Method::GET, Service::Push, Bytes::new(), authorization).await?;
        let there = push::advertised(&answer)?;
        if there.at(&update.reference) != update.old.as_ref() {
            return Ok(Pushed::Behind);
        }
        let pack = {
            let (update, known) = (update.clone(), there.known());
            git(from, move |path| outgoing(path, &update, &known)).await?
        };
        let Some(pack) = pack else { return Ok(Pushed::Behind) };
        let answer = self.post(Service::Push, push::ask(update, &there, &pack)?, authorization).await?;
        Ok(push::outcome(&answer, &update.reference, there.bands())?)
    }

    /// Asks once whether the server speaks version 2.
    async fn greet(&self, authorization: Option<&HeaderValue>) -> Result<(), RemoteError> {
        if !self.greeted.load(Ordering::Relaxed) {
            let answer = self.ask(Method::GET, Service::Fetch, Bytes::new(), authorization).await?;
            wire::offers_version_2(&answer)?;
            self.greeted.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn post(
        &self,
        service: Service,
        body: Bytes,
        authorization: Option<&HeaderValue>,
    ) -> Result<Bytes, RemoteError> {
        self.ask(Method::POST, service, body, authorization).await
    }

    /// GET is about what a service offers, POST is the service.
    async fn ask(
        &self,
        method: Method,
        service: Service,
        body: Bytes,
        authorization: Option<&HeaderValue>,
    ) -> Result<Bytes, RemoteError> {
        let name = service.name();
        let address = match method {
            Method::GET => {
                let mut address = self.address.at(&["info", "refs"]);
                address.set_query(Some(&format!("service={name}")));
                address
            }
            _ => self.address.at(&[name]),
        };
        let refused = |status| {
            let token = authorization.map_or(Shown::Nothing, |_| Shown::Token);
            RemoteError::Refused(Refused { status, token, need: self.need })
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = address.as_str().parse().map_err(|_| refused(StatusCode::BAD_REQUEST))?;
        let headers = request.headers_mut();
        let (asks, takes) = match service {
            Service::Fetch => {
                headers.insert(GIT_PROTOCOL, HeaderValue::from_static("version=2"));
                ("application/x-git-upload-pack-request", "application/x-git-upload-pack-result, */*;q=0.1")
            }
            // There is no version 2 of pushing.
            Service::Push => {
                ("application/x-git-receive-pack-request", "application/x-git-receive-pack-result, */*;q=0.1")
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(asks));
        headers.insert(ACCEPT, HeaderValue::from_static(takes));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let answer = self.transport.send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(refused(status)),
        }
    }
}

/// Works on the repository at this path, where blocking is allowed.
pub(super) async fn git<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, Failure> + Send + 'static,
) -> Result<T, RemoteError> {
    let owned = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&owned)).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map_err(|failure| match failure {
        Failure::Wire(error) => RemoteError::Wire(error),
        Failure::Git(source) => RemoteError::Git { path: path.to_owned(), source },
    })
}

/// Puts the pack of an answer into a repository. The first of the wanted commits that is not there all the same.
fn store(path: &Path, answer: &[u8], wanted: &[CommitId]) -> Result<Option<CommitId>, Failure> {
    let repository = Repository::open_bare(path)?;
    let odb = repository.odb()?;
    let mut incoming = Incoming::new(&repository, &odb)?;
    wire::pack(answer, |slice| incoming.take(slice).map_err(Failure::Git))?;
    incoming.finish()?;
    Ok(wanted.iter().find(|id| !has(&repository, id)).cloned())
}

/// The pack of an update; none when the new commit does not follow from the old one.
fn outgoing(path: &Path, update: &Update, known: &[CommitId]) -> Result<Option<Vec<u8>>, Failure> {
    let repository = Repository::open_bare(path)?;
    let new = update.new.as_str().parse()?;
    if let Some(old) = &update.old {
        let old = old.as_str().parse()?;
        if new != old && !repository.graph_descendant_of(new, old)? {
            return Ok(None);
        }
    }
    Ok(Some(pack::outgoing(&repository, new, known)?))
}

/// Whether a repository has this commit.
pub(super) fn has(repository: &Repository, id: &CommitId) -> bool {
    id.as_str().parse().is_ok_and(|id| repository.find_commit(id).is_ok())
}

#[cfg(test)]
mod tests;
