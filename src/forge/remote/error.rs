//! Why a server did not do what was asked of it, and what is to be done about that.

use std::fmt;
use std::path::PathBuf;

use http::StatusCode;

use super::wire::WireError;
use crate::forge::ErrorClass;
use crate::forge::http::TransportError;
use crate::submission::sha::CommitId;

/// What we have to be able to do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Fetch.
    Read,
    /// Fetch and push.
    ReadAndWrite,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Read => "read",
            Need::ReadAndWrite => "read and write",
        })
    }
}

/// What we showed of ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A token.
    Token,
    /// None is configured.
    Nothing,
}

/// An answer that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// What we showed.
    pub token: Shown,
    /// What we have to be able to do.
    pub need: Need,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { status, token, need } = self;
        let number = status.as_u16();
        match (number, token) {
            (401, Shown::Token) => write!(
                f,
                "the server does not take the token ({number}): give one that is in force and able to {need} this repository"
            ),
            (401, Shown::Nothing) => {
                write!(f, "the server asks for a token ({number}): give one that is able to {need} this repository")
            }
            (403, _) => {
                write!(f, "the server does not allow it ({number}): the token must be able to {need} this repository")
            }
            (404 | 410, _) => write!(
                f,
                "the server shows no such repository ({number}): check its address, and that the token is able to {need} it"
            ),
            (300..=399, _) => write!(f, "the repository has moved ({number}): give the address where it is now"),
            (413, _) => write!(f, "the server takes no push of this size ({number}): raise its limit on requests"),
            _ => write!(f, "the server answers {number}: try again later"),
        }
    }
}

/// Why something is not here, or not there.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No answer, or one that is too long: then the history is larger than is taken.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server refuses.
    #[error("{0}")]
    Refused(Refused),
    /// The server answers something that is not Git.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server has no such commit (any more).
    #[error("the server has no commit {0}")]
    NoCommit(CommitId),
    /// The repository on this machine cannot be read or written.
    #[error("cannot use the repository at {}: {}", path.display(), .source.message())]
    Git {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: git2::Error,
    },
}

impl RemoteError {
    /// What to do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            RemoteError::Transport(TransportError::TooLarge { .. }) => ErrorClass::Permanent,
            // A force push takes commits away.
            RemoteError::NoCommit(_) => ErrorClass::Superseded,
            RemoteError::Refused(Refused { status, .. })
                if !status.is_server_error() && *status != StatusCode::TOO_MANY_REQUESTS =>
            {
                ErrorClass::Config
            }
            RemoteError::Wire(WireError::Old) => ErrorClass::Config,
            RemoteError::Transport(_) | RemoteError::Refused(_) | RemoteError::Wire(_) | RemoteError::Git { .. } => {
                ErrorClass::Retry
            }
        }
    }
}

/// What may go wrong with a repository on this machine.
pub(in crate::forge) enum Failure {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_token_must_be_able_to_do() {
        let said = |status, token, need| {
            let status = StatusCode::from_u16(status).unwrap();
            RemoteError::Refused(Refused { status, token, need }).to_string()
        };
        for (status, token, need, expected) in [
            (
                401,
                Shown::Token,
                Need::ReadAndWrite,
                "does not take the token (401): give one that is in force and able to read and write",
            ),
            (401, Shown::Nothing, Need::Read, "asks for a token (401): give one that is able to read this"),
            (403, Shown::Token, Need::ReadAndWrite, "the token must be able to read and write"),
            (404, Shown::Token, Need::Read, "no such repository (404): check its address"),
            (301, Shown::Token, Need::Read, "has moved (301): give the address where it is now"),
            (503, Shown::Token, Need::Read, "answers 503: try again later"),
        ] {
            let said = said(status, token, need);
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn what_an_operator_has_to_mend_is_not_tried_again_and_what_passes_is() {
        let class = |status| {
            let status = StatusCode::from_u16(status).unwrap();
            RemoteError::Refused(Refused { status, token: Shown::Token, need: Need::Read }).class()
        };
        for status in [301, 401, 403, 404] {
            assert_eq!(class(status), ErrorClass::Config, "{status}");
        }
        for status in [429, 500, 503] {
            assert_eq!(class(status), ErrorClass::Retry, "{status}");
        }
    }
}
