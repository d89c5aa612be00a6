//! The repository that a gradebook is shared through: its address, our token, and what git2 does with them.

use std::fmt;
use std::sync::Arc;

use git2::{Cred, CredentialType, FetchOptions, Oid, ProxyOptions, PushOptions, RemoteCallbacks, RemoteRedirect};
use url::Url;

/// Gives the token when a server asks for it: one that expires is asked for each time.
pub type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// A private repository with a branch for the gradebook.
#[derive(Clone)]
pub struct Origin {
    address: String,
    branch: String,
    token: Option<Token>,
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
    #[error("`{0}` is not a repository that can be reached: write `https://…` or the path of a bare repository")]
    Scheme(String),
    /// Not the name of a branch.
    #[error("`{}` is not the name of a branch", .0.escape_debug())]
    Branch(String),
}

impl Origin {
    /// Reads an address: `https://…`, or the path of a bare repository on this machine.
    pub fn new(address: &str, branch: &str, token: Option<Token>) -> Result<Self, InvalidOrigin> {
        if let Ok(url) = Url::parse(address) {
            if !url.username().is_empty() || url.password().is_some() {
                return Err(InvalidOrigin::Credentials);
            }
            let loopback = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
            match url.scheme() {
                "https" | "file" => {}
                "http" if loopback => {}
                "http" => return Err(InvalidOrigin::Plain(address.to_owned())),
                _ => return Err(InvalidOrigin::Scheme(address.to_owned())),
            }
        } else if address.contains('@') && address.contains(':') {
            return Err(InvalidOrigin::Scheme(address.to_owned()));
        }
        if !git2::Branch::name_is_valid(branch).unwrap_or(false) {
            return Err(InvalidOrigin::Branch(branch.to_owned()));
        }
        Ok(Self { address: address.to_owned(), branch: branch.to_owned(), token })
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Brings the branch's commits here. Its tip; none when it has none yet.
    pub(super) fn fetch(&self, repository: &git2::Repository) -> Result<Option<Oid>, git2::Error> {
        let mut remote = repository.remote_anonymous(&self.address)?;
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.callbacks()).follow_redirects(RemoteRedirect::None);
        options.proxy_options(proxy()).download_tags(git2::AutotagOption::None);
        let reference = self.reference();
        remote.fetch(&[format!("+{reference}:refs/gradus/seen")], Some(&mut options), None)?;
        // What the remote has now, not what was fetched once: the branch may be gone.
        Ok(remote.list()?.iter().find(|head| head.name() == reference).map(git2::RemoteHead::oid))
    }

    /// Offers a commit; never by force.
    pub(super) fn push(&self, repository: &git2::Repository, commit: Oid) -> Result<Pushed, git2::Error> {
        const OFFERED: &str = "refs/gradus/offered";
        repository.reference(OFFERED, commit, true, "to be pushed")?;
        let mut refused = None;
        let mut callbacks = self.callbacks();
        callbacks.push_update_reference(|_, status| {
            refused = status.map(str::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks).follow_redirects(RemoteRedirect::None).proxy_options(proxy());
        let mut remote = repository.remote_anonymous(&self.address)?;
        let pushed = remote.push(&[format!("{OFFERED}:{}", self.reference())], Some(&mut options));
        drop(options);
        match (pushed, refused) {
            (Err(error), _) if error.code() == git2::ErrorCode::NotFastForward => Ok(Pushed::Behind),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Ok(Pushed::Offered),
            (Ok(()), Some(why)) => Ok(Pushed::Refused(why)),
        }
    }

    fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        let mut asked = false;
        callbacks.credentials(move |_, _, allowed| {
            // libgit2 asks again and again while the server refuses.
            if std::mem::replace(&mut asked, true) {
                return Err(git2::Error::from_str(
                    "the server refuses the gradebook's token: it must be able to read and write",
                ));
            }
            let token = self.token.as_ref().and_then(|token| token());
            match token {
                // GitHub wants this name beside an App's token, the others take any.
                Some(token) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                    Cred::userpass_plaintext("x-access-token", &token)
                }
                _ => Err(git2::Error::from_str("the server asks for a token and none is configured for the gradebook")),
            }
        });
        callbacks
    }
}

/// As `git` would.
fn proxy<'a>() -> ProxyOptions<'a> {
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    proxy
}

/// What became of an offer. Whether it stands shows at the next fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Nobody objected.
    Offered,
    /// Somebody else was faster.
    Behind,
    /// The server does not take it, now or ever.
    Refused(String),
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
