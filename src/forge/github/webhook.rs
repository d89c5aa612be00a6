//! Webhooks of GitHub: which signature they carry, and which pull request they tell of. Pure.
//!
//! The signature is over the body alone and never expires, and the same delivery may be sent again by hand, days later and
//! in any order: all that one does is cause a look.

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::hint::{HintKind, WebhookHint};
use super::super::pull::PullNumber;

/// The HMAC-SHA256 of the body in hexadecimal, after `sha256=`. The older header with SHA-1 is not looked at.
const SIGNATURE: &str = "x-hub-signature-256";

/// What happened, as in `pull_request`.
const EVENT: &str = "x-github-event";

/// The name of the delivery; the same when it is sent again.
const DELIVERY: &str = "x-github-delivery";

/// What the sender claims to be the HMAC-SHA256 of the body; none when it claims nothing that could be one.
pub fn signature(headers: &HeaderMap) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    hex::decode_to_slice(text(headers, SIGNATURE)?.strip_prefix("sha256=")?, &mut tag).ok()?;
    Some(tag)
}

/// The name of the delivery, for logs only: a repeated one may be the only one that arrives whole.
pub fn delivery(headers: &HeaderMap) -> Option<&str> {
    text(headers, DELIVERY)
}

/// Which pull request a delivery is about; none when it is about something else or cannot be read. The body must be JSON:
/// `application/json` is what the webhook is to be set to.
pub fn hint(headers: &HeaderMap, body: &[u8]) -> Option<WebhookHint> {
    let event = text(headers, EVENT)?;
    // Most events that an App gets are about something else: not worth reading.
    if !matches!(event, "issue_comment" | "label" | "status") && !event.starts_with("pull_request") {
        return None;
    }
    let payload: Payload = serde_json::from_slice(body).ok()?;
    let action = payload.action.as_str();
    let (number, kind) = match event {
        "pull_request" => (payload.pull_request?.number, pull_request(action)),
        "issue_comment" => {
            let issue = payload.issue.filter(|issue| issue.pull_request.is_some())?;
            (issue.number, if action == "created" { HintKind::Action } else { HintKind::Other })
        }
        "pull_request_review" => {
            let kind = if action == "edited" { HintKind::Other } else { HintKind::Action };
            (payload.pull_request?.number, kind)
        }
        _ if event.starts_with("pull_request") => (payload.pull_request?.number, HintKind::Other),
        _ => return None,
    };
    let number = PullNumber(i64::from(u32::try_from(number).ok().filter(|number| *number > 0)?));
    Some(WebhookHint { repository: payload.repository.full_name.parse().ok()?, number, kind })
}

fn pull_request(action: &str) -> HintKind {
    match action {
        "opened" | "reopened" | "synchronize" | "ready_for_review" => HintKind::NewHead,
        "closed" | "converted_to_draft" => HintKind::Action,
        // Titles, labels, assignments: some of them are our own doing.
        _ => HintKind::Other,
    }
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    action: String,
    repository: Repository,
    pull_request: Option<Numbered>,
    issue: Option<Issue>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Numbered {
    number: i64,
}

#[derive(Deserialize)]
struct Issue {
    number: i64,
    /// There when it is a pull request.
    pull_request: Option<IgnoredAny>,
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    headers.get(HeaderName::from_static(name))?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn headers(event: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(EVENT), event.parse().unwrap())])
    }

    fn told(event: &str, action: &str, more: Value) -> Option<(i64, HintKind)> {
        let mut body = json!({"action": action, "repository": {"full_name": "acme/cnpe", "id": 1}, "new": [{}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let hint = hint(&headers(event), body.to_string().as_bytes())?;
        assert_eq!(hint.repository, "acme/cnpe".parse().unwrap());
        Some((hint.number.0, hint.kind))
    }

    #[test]
    fn events_about_a_pull_request_are_hints_and_how_urgent_they_are() {
        let pull = || json!({"number": 7, "pull_request": {"number": 7}});
        for action in ["opened", "reopened", "synchronize", "ready_for_review"] {
            assert_eq!(told("pull_request", action, pull()), Some((7, HintKind::NewHead)), "{action}");
        }
        for action in ["closed", "converted_to_draft"] {
            assert_eq!(told("pull_request", action, pull()), Some((7, HintKind::Action)), "{action}");
        }
        for action in ["labeled", "edited", "an action of next year"] {
            assert_eq!(told("pull_request", action, pull()), Some((7, HintKind::Other)), "{action}");
        }
        assert_eq!(told("pull_request_review", "submitted", pull()), Some((7, HintKind::Action)));
        assert_eq!(told("pull_request_review_thread", "resolved", pull()), Some((7, HintKind::Other)));
        let comment = json!({"issue": {"number": 8, "pull_request": {"url": "x"}}, "comment": {"id": 1}});
        assert_eq!(told("issue_comment", "created", comment.clone()), Some((8, HintKind::Action)));
        assert_eq!(told("issue_comment", "deleted", comment), Some((8, HintKind::Other)));
    }

    #[test]
    fn everything_else_is_no_hint() {
        assert_eq!(told("issue_comment", "created", json!({"issue": {"number": 8}})), None, "on an issue");
        assert_eq!(told("push", "", json!({"number": 7})), None);
        assert_eq!(told("pull_request", "opened", json!({"pull_request": {"number": -1}})), None);
        assert_eq!(told("pull_request", "opened", json!({"pull_request": {"number": 1_i64 << 40}})), None);
        assert_eq!(hint(&headers("pull_request"), b"not json"), None);
        assert_eq!(
            hint(&headers("pull_request"), br#"{"pull_request":{"number":1},"repository":{"full_name":"../x"}}"#),
            None
        );
        assert_eq!(hint(&HeaderMap::new(), b"{}"), None);
    }

    #[test]
    fn a_signature_is_a_whole_sha256_and_nothing_else() {
        let with = |value: &str| {
            signature(&HeaderMap::from_iter([(HeaderName::from_static(SIGNATURE), value.parse().unwrap())]))
        };
        assert_eq!(with(&format!("sha256={}", "ab".repeat(32))), Some([0xab; 32]));
        for bad in ["", "sha256=", "sha1=abab", &"ab".repeat(32), &format!("sha256={}", "ab".repeat(31))] {
            assert_eq!(with(bad), None, "{bad}");
        }
        assert_eq!(signature(&HeaderMap::new()), None);
    }
}
