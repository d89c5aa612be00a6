//! Webhook deliveries, and what happened to them.

use super::super::clock::Millis;

/// Whose webhook an event goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The App's.
    App(u64),
    /// A repository's.
    Hook(u64),
}

/// One event on its way: a test delivers it, once, twice, late or never.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id: another one for each attempt.
    pub id: u64,
    /// `X-GitHub-Delivery`: the same for each attempt.
    pub guid: String,
    /// Whose webhook.
    pub target: Target,
    /// The address.
    pub url: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// `action` of the payload.
    pub action: Option<String>,
    /// Name and value of each header.
    pub headers: Vec<(String, String)>,
    /// The bytes that the signature is about.
    pub body: Vec<u8>,
    /// When it was sent.
    pub at: Millis,
    /// Whether somebody asked for it again.
    pub redelivery: bool,
    /// What the receiver answered; none as long as nobody said.
    pub status: Option<u16>,
}
