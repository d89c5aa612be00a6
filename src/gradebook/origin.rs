//! The repository that a gradebook is shared through: its address, our token, and the way there.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use git2::{FetchOptions, Oid, PushOptions, RemoteCallbacks, Repository};
use http::HeaderValue;
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::forge::http::base::{Base, InvalidBase, Plain};
use crate::forge::http::client::NoCertificates;
use crate::forge::http::{Limits, Transport};
use crate::forge::remote::{Need, Pushed, Remote, RemoteError, Update, basic};
use crate::submission::sha::CommitId;

/// How long a server is waited for, which may run checks on what it is given, and how large a whole gradebook with its
/// history may be: far larger than that of any cohort.
const LIMITS: Limits = Limits { head: Duration::from_secs(60), body: Duration::from_secs(60), bytes: 256 << 20 };

/// Gives the token when a server asks for it: one that expires is asked for each time.
pub type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// A private repository with a branch for the gradebook.
#[derive(Clone)]
pub struct Origin {
    address: String,
    branch: String,
    place: Place,
}

#[derive(Clone)]
enum Place {
    /// On this machine.
    Here,
    /// Somewhere else.
    Server { remote: Arc<Remote>, token: Option<Token> },
}

/// The text is not the address of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// It would stand in errors and logs.
    #[error("the gradebook's address holds a user or a password: leave them away and give the token by itself")]
    Credentials,
    /// A token would cross the network readable.
    #[error("`{0}` has no TLS, so that everybody on the way could read grades and token: use `https://`")]
    Plain(String),
    /// Nothing that can be fetched from here.
    #[error(
        "`{0}` is not a repository that can be reached: write `https://…`, with a token beside it, or the path of a \
         bare repository on this machine; `ssh` is not spoken here"
    )]
    Scheme(String),
    /// Not the name of a branch.
    #[error("`{}` is not the name of a branch", .0.escape_debug())]
    Branch(String),
    /// No server can be told from another one.
    #[error("{0}")]
    Certificates(String),
}

impl From<NoCertificates> for InvalidOrigin {
    fn from(error: NoCertificates) -> Self {
        InvalidOrigin::Certificates(error.to_string())
    }
}

impl Origin {
    /// Reads an address: `https://…`, or the path of a bare repository on this machine.
    pub fn new(address: &str, branch: &str, token: Option<Token>) -> Result<Self, InvalidOrigin> {
        Self::over(address, branch, token, || Ok(Transport::sockets(LIMITS)?))
    }

    /// The same over another transport, made when it is needed.
    pub(super) fn over(
        address: &str,
        branch: &str,
        token: Option<Token>,
        transport: impl FnOnce() -> Result<Transport, InvalidOrigin>,
    ) -> Result<Self, InvalidOrigin> {
        let place = match Url::parse(address) {
            Ok(url) if url.scheme() == "file" => Place::Here,
            Ok(_) => {
                let base = Base::parse(address, Plain::Loopback).map_err(|error| invalid(error, address))?;
                let remote = Remote::new(transport()?, base, Need::ReadAndWrite);
                Place::Server { remote: remote.into(), token }
            }
            Err(_) if address.contains('@') && address.contains(':') => {
                return Err(InvalidOrigin::Scheme(address.to_owned()));
            }
            Err(_) => Place::Here,
        };
        if !git2::Branch::name_is_valid(branch).unwrap_or(false) {
            return Err(InvalidOrigin::Branch(branch.to_owned()));
        }
        Ok(Self { address: address.to_owned(), branch: branch.to_owned(), place })
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// The way there, for one exchange. Blocks, on any thread that may: it waits for the network by itself, so that it
    /// works without a runtime around it too, and comes to its own end when the program does.
    pub(super) fn reach(&self) -> io::Result<Reach<'_>> {
        let way = match &self.place {
            Place::Here => Way::Here,
            Place::Server { remote, token } => Way::Server {
                remote,
                authorization: token.as_ref().and_then(|token| token()).and_then(|token| basic(&token)),
                runtime: Builder::new_current_thread().enable_all().build()?,
            },
        };
        Ok(Reach { origin: self, way })
    }
}

fn invalid(error: InvalidBase, address: &str) -> InvalidOrigin {
    match error {
        InvalidBase::Credentials => InvalidOrigin::Credentials,
        InvalidBase::Plain(_) => InvalidOrigin::Plain(address.to_owned()),
        InvalidBase::NotAnAddress(_) | InvalidBase::Extra(_) => InvalidOrigin::Scheme(address.to_owned()),
    }
}

/// What an exchange does with the repository.
pub(super) struct Reach<'o> {
    origin: &'o Origin,
    way: Way<'o>,
}

enum Way<'o> {
    Here,
    Server { remote: &'o Remote, authorization: Option<HeaderValue>, runtime: Runtime },
}

/// Why the repository cannot be used.
#[derive(Debug)]
pub(super) enum OriginError {
    /// On this machine.
    Git(git2::Error),
    /// On a server.
    Server(RemoteError),
}

impl From<git2::Error> for OriginError {
    fn from(error: git2::Error) -> Self {
        OriginError::Git(error)
    }
}

impl From<RemoteError> for OriginError {
    fn from(error: RemoteError) -> Self {
        OriginError::Server(error)
    }
}

/// Where the newest fetched commit of the branch stands in the clone.
const SEEN: &str = "refs/gradus/seen";

impl Reach<'_> {
    /// Brings the branch's commits here. Its tip; none when it has none yet.
    pub fn fetch(&self, repository: &Repository) -> Result<Option<Oid>, OriginError> {
        let reference = self.origin.reference();
        let Way::Server { remote, authorization, runtime } = &self.way else {
            let mut remote = repository.remote_anonymous(&self.origin.address)?;
            let mut options = FetchOptions::new();
            options.download_tags(git2::AutotagOption::None);
            remote.fetch(&[format!("+{reference}:{SEEN}")], Some(&mut options), None)?;
            // What the remote has now, not what was fetched once: the branch may be gone.
            return Ok(remote.list()?.iter().find(|head| head.name() == reference).map(git2::RemoteHead::oid));
        };
        let authorization = authorization.as_ref();
        let Some(tip) = runtime.block_on(remote.reference(&reference, authorization))? else { return Ok(None) };
        let id = tip.as_str().parse()?;
        if repository.find_commit(id).is_err() {
            let known: Vec<CommitId> = repository.refname_to_id(SEEN).ok().map(CommitId::from).into_iter().collect();
            runtime.block_on(remote.fetch(repository.path(), &[tip], &known, authorization))?;
        }
        repository.reference(SEEN, id, true, "fetched")?;
        Ok(Some(id))
    }

    /// Offers a commit that follows from the tip which was fetched; never by force. Whether it stands shows at the next
    /// fetch.
    pub fn push(&self, repository: &Repository, tip: Option<Oid>, commit: Oid) -> Result<Pushed, OriginError> {
        let reference = self.origin.reference();
        if let Way::Server { remote, authorization, runtime } = &self.way {
            let update = Update { reference, old: tip.map(CommitId::from), new: commit.into() };
            return Ok(runtime.block_on(remote.push(repository.path(), &update, authorization.as_ref()))?);
        }
        const OFFERED: &str = "refs/gradus/offered";
        repository.reference(OFFERED, commit, true, "to be pushed")?;
        let mut refused = None;
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_update_reference(|_, status| {
            refused = status.map(str::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let mut remote = repository.remote_anonymous(&self.origin.address)?;
        let pushed = remote.push(&[format!("{OFFERED}:{reference}")], Some(&mut options));
        drop(options);
        match (pushed, refused) {
            (Err(error), _) if error.code() == git2::ErrorCode::NotFastForward => Ok(Pushed::Behind),
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Ok(Pushed::Taken),
            (Ok(()), Some(why)) => Ok(Pushed::Refused(why)),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("address", &self.address).field("branch", &self.branch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_secret_and_gives_none_away() {
        for (address, expected) in [
            ("https://forge.example/acme/grades.git", None),
            ("http://127.0.0.1:3000/acme/grades.git", None),
            ("/srv/git/grades.git", None),
            ("file:///srv/git/grades.git", None),
            ("https://x:t0ken@forge.example/acme/grades.git", Some(InvalidOrigin::Credentials)),
            ("http://forge.example/g.git", Some(InvalidOrigin::Plain("http://forge.example/g.git".into()))),
            ("ssh://forge.example/g.git", Some(InvalidOrigin::Scheme("ssh://forge.example/g.git".into()))),
            ("git@forge.example:g.git", Some(InvalidOrigin::Scheme("git@forge.example:g.git".into()))),
        ] {
            assert_eq!(Origin::new(address, "main", None).err(), expected, "{address}");
        }
        assert!(matches!(Origin::new("/x", "a..b", None), Err(InvalidOrigin::Branch(_))));
        let origin = Origin::new("/x", "main", Some(Arc::new(|| Some("t0ken".into())))).unwrap();
        assert!(!format!("{origin:?}").contains("t0ken"));
    }
}
