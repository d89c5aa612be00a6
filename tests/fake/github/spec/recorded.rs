//! Webhook payloads that GitHub really sent, collected by the Octokit project.

use std::fs;

use serde_json::Value;

use super::cache;

/// A payload that GitHub sent.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `X-GitHub-Event`.
    pub event: String,
    /// `action` of the payload.
    pub action: Option<String>,
    /// The body.
    pub payload: Value,
}

/// The recorded payloads of an event, as in `pull_request`. None for an event that nobody recorded.
pub fn recorded_payloads(event: &str) -> Vec<Recorded> {
    let dir = cache::PAYLOADS.directory().join("api.github.com");
    let text = fs::read(dir.join("index.json")).expect("npm just unpacked it");
    let index: Vec<Value> = serde_json::from_slice(&text).expect("the index is a list");
    let of_event = index.iter().filter(|entry| entry["name"] == event);
    let examples = of_event.flat_map(|entry| entry["examples"].as_array().into_iter().flatten());
    examples
        .map(|payload| Recorded {
            event: event.to_owned(),
            action: payload["action"].as_str().map(str::to_owned),
            payload: payload.clone(),
        })
        .collect()
}
