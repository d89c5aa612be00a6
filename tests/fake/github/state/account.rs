//! Who acts: users, bots, Apps, installations, tokens.

use std::collections::BTreeMap;

use super::super::clock::Millis;
use super::ids::{RepoId, UserId};
use super::rendered::Rendered;

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person.
    User,
    /// An App's account; its login ends in `[bot]`.
    Bot,
    /// Owns repositories.
    Organization,
}

impl AccountKind {
    /// `type` in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Bot => "Bot",
            Self::Organization => "Organization",
        }
    }
}

/// An account.
#[derive(Debug, Clone)]
pub struct User {
    /// Its numeric id; what a client should know people by.
    pub id: UserId,
    /// The name, which its owner can change.
    pub login: String,
    /// What it is.
    pub kind: AccountKind,
    /// When it was made.
    pub created_at: Millis,
    /// How it is written.
    pub rendered: Rendered,
}

/// What an installation may do with a kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Look.
    Read,
    /// Change.
    Write,
}

impl Access {
    /// As in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// Reads what [`Self::word`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|access| access.word() == word)
    }
}

/// Permissions of an App or a token, as in `pull_requests: write`.
pub type Permissions = BTreeMap<String, Access>;

/// A GitHub App.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id: `iss` of its JWTs.
    pub id: u64,
    /// The other spelling of `iss`.
    pub client_id: String,
    /// As in `apps/SLUG`.
    pub slug: String,
    /// Its account, `SLUG[bot]`.
    pub bot: UserId,
    /// Who made it.
    pub owner: UserId,
    /// Checks the signature of its JWTs: PKCS #1 DER.
    pub public_key: Vec<u8>,
    /// What it asks of who installs it.
    pub permissions: Permissions,
    /// Where its events go, when it has a webhook.
    pub hook: Option<HookConfig>,
    /// When it was made.
    pub created_at: Millis,
}

/// Where events go, and with which secret they are signed.
#[derive(Debug, Clone)]
pub struct HookConfig {
    /// The address.
    pub url: String,
    /// The key of the signature.
    pub secret: String,
    /// Which events are sent.
    pub events: Vec<String>,
}

/// An App on an account's repositories.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Its id.
    pub id: u64,
    /// Which App.
    pub app: u64,
    /// On whose account.
    pub account: UserId,
    /// Which repositories it reaches.
    pub repos: Vec<RepoId>,
    /// What it was given.
    pub permissions: Permissions,
    /// When.
    pub created_at: Millis,
}

/// Whom a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// No credentials.
    Anonymous,
    /// A person, or a bot with a token of its own.
    User(UserId),
    /// An App by JWT; may do next to nothing.
    App(u64),
    /// An App on the repositories of an installation.
    Installation(u64),
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Whom it stands for.
    pub actor: Actor,
    /// When it ends; none for a personal one.
    pub expires_at: Option<Millis>,
    /// What it was narrowed to; none for a personal one.
    pub permissions: Option<Permissions>,
    /// Which repositories it was narrowed to.
    pub repos: Option<Vec<RepoId>>,
}

/// The two shapes of installation tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenShape {
    /// `ghs_` and 36 letters: 40 characters.
    Short,
    /// `ghs_`, the installation and a JWT: hundreds of characters, with dots and underscores.
    Long,
}
