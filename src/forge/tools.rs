//! What dialects over HTTP are made with.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::http::Transport;
use super::seal::Seal;
use crate::store::Store;
use crate::store::time::Clock;

/// What several workspaces share.
#[derive(Clone)]
pub struct Tools {
    /// Carries requests to the API.
    pub transport: Transport,
    /// Carries fetches: its limit on an answer is the limit on a learner's history.
    pub fetches: Transport,
    /// Makes and believes markers.
    pub seal: Seal,
    /// Holds the budget, and says who waits for a write.
    pub store: Store,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The token cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token holds characters that no token has: give it as the forge showed it, on one line")]
pub struct InvalidToken;

/// The first digits of a digest: names a token without telling it.
pub(super) fn fingerprint(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret.trim())[..6])
}
