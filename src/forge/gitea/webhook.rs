//! Webhooks of Gitea and Forgejo: which signature they carry, and which pull request they tell of. Pure.
//!
//! Both send every header in several spellings, GitHub's among them, so a receiver has to know who sends (measured on
//! Gitea 1.26.0, `docs/gitea.md`). The signature is over the body alone and never expires, so a delivery may be played
//! back: all it does is cause a look.

use http::{HeaderMap, HeaderName};
use serde::Deserialize;

use super::super::hint::{HintKind, WebhookHint};
use super::super::pull::PullNumber;

/// Headers that hold the HMAC-SHA256 of the body in hexadecimal, the sender's own first.
const SIGNATURES: [&str; 3] = ["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"];

/// Headers that name the event exactly: a push to a pull request is `pull_request_sync` here and `pull_request` in the
/// shorter spelling.
const EVENT_TYPES: [&str; 2] = ["x-forgejo-event-type", "x-gitea-event-type"];

/// Headers that name the event roughly; the exact ones came with Gitea 1.15.
const EVENTS: [&str; 2] = ["x-forgejo-event", "x-gitea-event"];

/// Headers that name the delivery, for logs.
const DELIVERIES: [&str; 2] = ["x-forgejo-delivery", "x-gitea-delivery"];

/// What the sender claims to be the HMAC-SHA256 of the body; none when it claims nothing that could be one. Without a
/// secret the headers are there and empty.
pub fn signature(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = first(headers, &SIGNATURES)?;
    let mut tag = [0; 32];
    hex::decode_to_slice(text.strip_prefix("sha256=").unwrap_or(text), &mut tag).ok()?;
    Some(tag)
}

/// The name of the delivery, for logs only: a repeated one may be the only one that arrives whole.
pub fn delivery(headers: &HeaderMap) -> Option<&str> {
    first(headers, &DELIVERIES)
}

/// Which pull request a delivery is about; none when it is about something else or cannot be read. The body must be JSON:
/// `application/json` is what the webhook is to be set to.
pub fn hint(headers: &HeaderMap, body: &[u8]) -> Option<WebhookHint> {
    let event = first(headers, &EVENT_TYPES).or_else(|| first(headers, &EVENTS))?;
    let payload: Payload = serde_json::from_slice(body).ok()?;
    let action = payload.action.as_str();
    let (number, kind) = match event {
        "pull_request" | "pull_request_sync" => (payload.number, pull_request(action)),
        "issue_comment" | "pull_request_comment" if payload.comment.is_some() => {
            let issue = payload.issue.filter(|issue| payload.is_pull || issue.pull_request.is_some())?;
            (issue.number, if action == "created" { HintKind::Action } else { HintKind::Other })
        }
        "pull_request_approved"
        | "pull_request_rejected"
        | "pull_request_comment"
        | "pull_request_review_approved"
        | "pull_request_review_rejected"
        | "pull_request_review_comment" => (payload.number, HintKind::Action),
        _ if event.starts_with("pull_request") => (payload.number, HintKind::Other),
        _ => return None,
    };
    let number = PullNumber(i64::from(u32::try_from(number).ok().filter(|number| *number > 0)?));
    Some(WebhookHint { repository: payload.repository.full_name.parse().ok()?, number, kind })
}

fn pull_request(action: &str) -> HintKind {
    match action {
        // `edited` may be what makes a draft ready: its title begins with `WIP:` until then.
        "opened" | "reopened" | "synchronized" | "synchronize" | "edited" => HintKind::NewHead,
        "closed" | "reviewed" => HintKind::Action,
        _ => HintKind::Other,
    }
}

fn first<'h>(headers: &'h HeaderMap, names: &[&'static str]) -> Option<&'h str> {
    names.iter().find_map(|name| headers.get(HeaderName::from_static(name))?.to_str().ok())
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    action: String,
    #[serde(default)]
    number: i64,
    #[serde(default)]
    is_pull: bool,
    #[serde(default)]
    issue: Option<Issue>,
    #[serde(default)]
    comment: Option<serde::de::IgnoredAny>,
    repository: Repository,
}

#[derive(Deserialize)]
struct Issue {
    number: i64,
    #[serde(default)]
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    /// As Gitea 1.26.0 sends it, less what is not read.
    fn told(event: &str, kind: &str, body: Value) -> Option<(i64, HintKind)> {
        let headers = headers(&[
            ("x-gitea-event", event),
            ("x-gitea-event-type", kind),
            ("x-github-event", event),
            ("x-gogs-event", event),
        ]);
        let hint = hint(&headers, body.to_string().as_bytes())?;
        assert_eq!(hint.repository.to_string(), "teacher/w");
        Some((hint.number.0, hint.kind))
    }

    fn pull(action: &str) -> Value {
        json!({"action": action, "number": 7, "pull_request": {"number": 7}, "repository": {"full_name": "teacher/w"},
            "sender": {"id": 4}, "commit_id": "", "review": null})
    }

    fn comment(action: &str, is_pull: bool) -> Value {
        json!({"action": action, "issue": {"number": 7, "pull_request": if is_pull { json!({}) } else { Value::Null }},
            "comment": {"id": 30}, "repository": {"full_name": "teacher/w"}, "is_pull": is_pull})
    }

    #[test]
    fn a_push_to_a_pull_request_is_a_new_head_in_every_spelling() {
        for action in ["synchronized", "synchronize", "opened", "reopened", "edited"] {
            assert_eq!(
                told("pull_request", "pull_request_sync", pull(action)),
                Some((7, HintKind::NewHead)),
                "{action}"
            );
            assert_eq!(told("pull_request", "pull_request", pull(action)), Some((7, HintKind::NewHead)), "{action}");
        }
        let short = headers(&[("x-gitea-event", "pull_request")]);
        let body = pull("synchronized").to_string();
        assert_eq!(hint(&short, body.as_bytes()).unwrap().kind, HintKind::NewHead);
        let forgejo = headers(&[("x-forgejo-event", "pull_request"), ("x-forgejo-event-type", "pull_request_sync")]);
        assert_eq!(hint(&forgejo, body.as_bytes()).unwrap().kind, HintKind::NewHead);
    }

    #[test]
    fn comments_count_on_pull_requests_and_when_they_are_new() {
        let seen = |action, is_pull| told("issue_comment", "pull_request_comment", comment(action, is_pull));
        assert_eq!(seen("created", true), Some((7, HintKind::Action)));
        assert_eq!(seen("edited", true), Some((7, HintKind::Other)));
        assert_eq!(seen("created", false), None);
    }

    #[test]
    fn reviews_closing_and_labels_are_told_apart() {
        let approved = told("pull_request_approved", "pull_request_review_approved", pull("reviewed"));
        assert_eq!(approved, Some((7, HintKind::Action)));
        let commented = told("pull_request_comment", "pull_request_review_comment", pull("reviewed"));
        assert_eq!(commented, Some((7, HintKind::Action)));
        // Without the exact header a review's event has the name that a comment's exact one has.
        let short = headers(&[("x-gitea-event", "pull_request_comment")]);
        assert_eq!(hint(&short, pull("reviewed").to_string().as_bytes()).unwrap().kind, HintKind::Action);
        assert_eq!(told("pull_request", "pull_request", pull("closed")), Some((7, HintKind::Action)));
        assert_eq!(told("pull_request", "pull_request_label", pull("label_updated")), Some((7, HintKind::Other)));
    }

    #[test]
    fn what_is_not_about_a_pull_request_tells_nothing() {
        let push = json!({"ref": "refs/heads/main", "repository": {"full_name": "teacher/w"}});
        assert_eq!(told("push", "push", push), None);
        assert_eq!(told("pull_request", "pull_request", json!({"action": "opened", "number": 7})), None);
        let nowhere = json!({"action": "opened", "number": 7, "repository": {"full_name": "../../etc"}});
        assert_eq!(told("pull_request", "pull_request", nowhere), None);
        for number in [0, -1, i64::MAX] {
            let mut body = pull("opened");
            body["number"] = json!(number);
            assert_eq!(told("pull_request", "pull_request", body), None, "{number}");
        }
        assert_eq!(hint(&headers(&[("x-github-event", "pull_request")]), pull("opened").to_string().as_bytes()), None);
        assert_eq!(hint(&headers(&[("x-gitea-event", "pull_request")]), b"payload=%7B%7D"), None);
    }

    #[test]
    fn the_signature_is_bare_hexadecimal_or_github_s() {
        let tag = "ab".repeat(32);
        for (name, value) in [
            ("x-gitea-signature", tag.clone()),
            ("x-forgejo-signature", tag.to_uppercase()),
            ("x-hub-signature-256", format!("sha256={tag}")),
        ] {
            assert_eq!(signature(&headers(&[(name, &value)])), Some([0xab; 32]), "{name}");
        }
        for value in ["", "sha256=", "ab", "sha1=abab", &"zz".repeat(32), &"ab".repeat(33)] {
            assert_eq!(signature(&headers(&[("x-gitea-signature", value)])), None, "{value}");
        }
        assert_eq!(signature(&HeaderMap::new()), None);
    }
}
