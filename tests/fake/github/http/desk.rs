//! What GitHub keeps beside its data: tokens and meters. Never served from the past.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::super::state::account::{Actor, Token, TokenShape};
use super::limits::{Limits, Meters};

/// Tokens and meters.
pub struct Desk {
    /// By secret.
    pub tokens: BTreeMap<String, Token>,
    /// The shape of the next installation token.
    pub shape: TokenShape,
    /// How much an identity may do.
    pub limits: Limits,
    /// What each has used.
    pub meters: Meters,
}

impl Desk {
    /// Without tokens, with GitHub's limits.
    pub fn new() -> Self {
        Self { tokens: BTreeMap::new(), shape: TokenShape::Short, limits: Limits::github(), meters: Meters::default() }
    }

    /// Hands out a token. Secrets are the same in each run, so that a failing schedule can be run again.
    pub fn issue(&mut self, token: Token) -> String {
        let noise = |salt: &str| Sha256::digest(format!("{salt} {}", self.tokens.len()));
        let part = |salt: &str| URL_SAFE_NO_PAD.encode(noise(salt));
        let letters = |count: usize| hex::encode([noise("a"), noise("b")].concat())[..count].to_owned();
        let secret = match (token.actor, self.shape) {
            (Actor::Installation(_), TokenShape::Short) => format!("ghs_{}", letters(36)),
            (Actor::Installation(id), TokenShape::Long) => {
                let claims: String = (0..8).map(|n| part(&n.to_string())).collect();
                format!("ghs_{id}_{}.{claims}.{}{}", part("header"), part("s"), part("t"))
            }
            _ => format!("ghp_{}", letters(36)),
        };
        self.tokens.insert(secret.clone(), token);
        secret
    }
}
