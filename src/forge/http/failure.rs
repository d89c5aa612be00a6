//! What a forge did not do, and what that means (`reference/forges.md` §14.17 to 19).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;

use super::{Response, TransportError};
use crate::forge::budget::BudgetError;
use crate::forge::{ErrorClass, ForgeError};
use crate::review::safe;
use crate::store::StoreError;
use crate::store::time::Time;

/// Longest message of a forge that is shown, in characters.
const MAX_MESSAGE: usize = 300;

/// A request did not have its answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// No answer, or not the whole of it; a write may have taken effect.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer that is no success.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// Not asked at all: the forge wants to be left alone, or our budget is used up.
    #[error("the limits allow it from {0} on")]
    Throttled(Time),
    /// A success that is not what the API promises.
    #[error("the answer of {host} is not what its API promises: {why}{request}")]
    Unreadable {
        /// Of the forge.
        host: String,
        /// What is wrong with it.
        why: String,
        /// For the forge's support.
        request: RequestId,
    },
    /// A link that a token must not follow.
    #[error(
        "{host} answers with a link to {to}: set the address of the API to the one that the server itself uses for it"
    )]
    Elsewhere {
        /// Of the forge.
        host: String,
        /// Scheme, host and port of the link.
        to: String,
    },
    /// We cannot say who we are.
    #[error("cannot get a token: {0}")]
    Credentials(String),
    /// About our database.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl From<BudgetError> for Failure {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Throttled(until) => Failure::Throttled(until),
            BudgetError::Store(error) => Failure::Store(error.into()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(Box::new(refusal))
    }
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} answered {}: {message}{request}", status.as_u16())]
pub struct Refusal {
    /// Of the forge.
    pub host: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// What it means.
    pub kind: RefusalKind,
    /// What the forge says, one harmless line.
    pub message: String,
    /// For the forge's support.
    pub request: RequestId,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The forge's own trouble; a write may have taken effect.
    Trouble,
    /// A limit of the forge, and from when on it may be asked again when the answer says so.
    Limited(Option<Time>),
    /// It does not know us.
    Credentials,
    /// We may not.
    Rights,
    /// Not there, not there yet, or not for us to see.
    Missing,
    /// The repository or the API has moved.
    Moved,
    /// What we ask is wrong, or does not fit the state it meets: 400, 409, 422 and the like.
    Invalid,
}

/// The forge's name for a request; empty when it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Of an answer: GitHub's and Gitea's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let id = ["x-github-request-id", "x-request-id"].into_iter().find_map(|name| headers.get(name)?.to_str().ok());
        Self(id.map(|id| safe::plain(id, 80)).unwrap_or_default())
    }
}

/// As in ` (request FA4E:000012)`; nothing when there is none.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " (request {})", self.0) }
    }
}

impl Failure {
    /// What to do about it, where the caller knows no better.
    pub fn class(&self) -> ErrorClass {
        match self {
            Failure::Transport(TransportError::TooLarge { .. }) => ErrorClass::Permanent,
            Failure::Transport(_) | Failure::Store(_) => ErrorClass::Retry,
            Failure::Throttled(until) => ErrorClass::Throttled(*until),
            Failure::Unreadable { .. } => ErrorClass::Retry,
            Failure::Elsewhere { .. } | Failure::Credentials(_) => ErrorClass::Config,
            Failure::Refused(refusal) => match refusal.kind {
                // A read that lags behind; later it is there, or the caller knows that it is gone.
                RefusalKind::Trouble | RefusalKind::Missing => ErrorClass::Retry,
                // Without a time only until the budget has said one.
                RefusalKind::Limited(until) => until.map_or(ErrorClass::Retry, ErrorClass::Throttled),
                RefusalKind::Credentials | RefusalKind::Rights | RefusalKind::Moved => ErrorClass::Config,
                RefusalKind::Invalid => ErrorClass::Permanent,
            },
        }
    }

    /// Whether a write may have taken effect all the same.
    pub fn in_doubt(&self) -> bool {
        match self {
            Failure::Transport(error) => !matches!(error, TransportError::Connect { .. }),
            Failure::Refused(refusal) => refusal.kind == RefusalKind::Trouble,
            // It was a success that we could not read.
            Failure::Unreadable { .. } => true,
            Failure::Throttled(_) | Failure::Elsewhere { .. } | Failure::Credentials(_) | Failure::Store(_) => false,
        }
    }

    /// The same of a read: one that is refused as invalid is trouble of the forge, and never what makes a write impossible.
    pub fn of_a_read(self) -> Self {
        match self {
            Failure::Refused(refusal) if refusal.kind == RefusalKind::Invalid => {
                Failure::from(Refusal { kind: RefusalKind::Trouble, ..*refusal })
            }
            other => other,
        }
    }

    /// The refusal, when it is of this status.
    pub fn refused(&self, status: StatusCode) -> Option<&Refusal> {
        match self {
            Failure::Refused(refusal) if refusal.status == status => Some(refusal),
            _ => None,
        }
    }

    /// As an error of the port.
    pub fn forge(self, what: &'static str) -> ForgeError {
        let class = self.class();
        self.classed(what, class)
    }

    /// As an error of the port, by somebody who knows better what to do.
    pub fn classed(self, what: &'static str, class: ErrorClass) -> ForgeError {
        ForgeError { what, class, source: Box::new(self) }
    }
}

/// Whether an answer is a success; `now` is our time.
pub fn check(host: &str, answer: &Response, now: Time) -> Result<(), Refusal> {
    let status = answer.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(());
    }
    let said = message(answer);
    let kind = match status.as_u16() {
        500.. | 408 => RefusalKind::Trouble,
        429 => RefusalKind::Limited(again_at(answer.headers(), now)),
        403 if is_limit(answer.headers(), &said) => RefusalKind::Limited(again_at(answer.headers(), now)),
        401 => RefusalKind::Credentials,
        403 | 451 => RefusalKind::Rights,
        404 => RefusalKind::Missing,
        300..=399 => RefusalKind::Moved,
        _ => RefusalKind::Invalid,
    };
    let message = match (kind, said.is_empty()) {
        (RefusalKind::Moved, _) => {
            "what was asked has moved: name it in the configuration as it is called now".to_owned()
        }
        (_, true) => status.canonical_reason().unwrap_or("it says nothing").to_owned(),
        (_, false) => said,
    };
    Err(Refusal { host: host.to_owned(), status, kind, message, request: RequestId::of(answer.headers()) })
}

/// From when on the forge may be asked again, when an answer that is a success says that nothing is left.
pub fn used_up(answer: &Response, now: Time) -> Option<Time> {
    let headers = answer.headers();
    let core = text(headers, "x-ratelimit-resource").is_none_or(|resource| resource == "core");
    if core && is_none_left(headers) { reset(headers, now) } else { None }
}

fn is_limit(headers: &HeaderMap, said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    headers.contains_key(RETRY_AFTER) || is_none_left(headers) || said.contains("rate limit") || said.contains("abuse")
}

fn is_none_left(headers: &HeaderMap) -> bool {
    text(headers, "x-ratelimit-remaining") == Some("0")
}

/// `retry-after`, else the reset when nothing is left.
fn again_at(headers: &HeaderMap, now: Time) -> Option<Time> {
    if let Some(after) = text(headers, RETRY_AFTER.as_str()) {
        return match after.parse::<u64>() {
            Ok(seconds) => Some(now.plus(Duration::from_secs(seconds))),
            Err(_) => http_date(after).map(|at| ours(headers, at, now)),
        };
    }
    if is_none_left(headers) { reset(headers, now) } else { None }
}

fn reset(headers: &HeaderMap, now: Time) -> Option<Time> {
    let seconds: i64 = text(headers, "x-ratelimit-reset")?.parse().ok()?;
    // Theirs is cut to seconds.
    Some(ours(headers, Time(seconds.checked_mul(1000)?), now).plus(Duration::from_secs(1)))
}

/// A time of the forge's clock on ours, by the date of its answer.
fn ours(headers: &HeaderMap, theirs: Time, now: Time) -> Time {
    let their_now = text(headers, DATE.as_str()).and_then(http_date).unwrap_or(now);
    now.plus(theirs.since(their_now))
}

fn http_date(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| Time(at.timestamp_millis()))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(HeaderName::from_bytes(name.as_bytes()).ok()?)?.to_str().ok()
}

/// What GitHub and Gitea say in JSON: a message, and for some what is wrong with which field.
fn message(answer: &Response) -> String {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Said {
        message: String,
        errors: Vec<serde_json::Value>,
    }
    let said: Said = serde_json::from_slice(answer.body()).unwrap_or_default();
    let mut whole = said.message;
    for error in said.errors.iter().take(5) {
        let field = |name: &str| error.get(name).and_then(serde_json::Value::as_str);
        let part = match (error.as_str(), field("message"), field("field"), field("code")) {
            (Some(text), ..) | (_, Some(text), ..) => text.to_owned(),
            (_, _, Some(field), Some(code)) => format!("{field} {code}"),
            _ => continue,
        };
        whole = format!("{whole}; {part}");
    }
    safe::plain(&whole, MAX_MESSAGE)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const NOW: Time = Time(1_795_508_130_000);

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(Bytes::from(body.to_owned())).unwrap()
    }

    fn refusal(status: u16, headers: &[(&str, &str)], body: &str) -> Refusal {
        check("api.github.com", &answer(status, headers, body), NOW).unwrap_err()
    }

    fn class(status: u16, headers: &[(&str, &str)], body: &str) -> ErrorClass {
        Failure::from(refusal(status, headers, body)).class()
    }

    fn after(seconds: i64) -> ErrorClass {
        ErrorClass::Throttled(Time(NOW.0 + seconds * 1000))
    }

    #[test]
    fn each_answer_has_its_class() {
        for status in [500, 502, 503, 504, 408, 404] {
            assert_eq!(class(status, &[], ""), ErrorClass::Retry, "{status}");
        }
        for status in [401, 403, 301, 302, 307, 451] {
            assert_eq!(class(status, &[], r#"{"message":"Resource not accessible"}"#), ErrorClass::Config, "{status}");
        }
        for status in [400, 409, 410, 413, 415, 422] {
            assert_eq!(class(status, &[], ""), ErrorClass::Permanent, "{status}");
        }
        assert!(check("h", &answer(201, &[], ""), NOW).is_ok());
        assert!(check("h", &answer(304, &[], ""), NOW).is_ok());
    }

    #[test]
    fn a_limit_is_kept_as_long_as_it_says() {
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(class(403, &[("retry-after", "7")], ""), after(7));
        assert_eq!(class(429, &[("retry-after", "7"), ("x-ratelimit-remaining", "0")], ""), after(7));
        let none_left = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795508190")];
        assert_eq!(class(403, &none_left, ""), after(61));
        // No time: the budget counts a strike.
        assert_eq!(refusal(403, &[], secondary).kind, RefusalKind::Limited(None));
        assert_eq!(refusal(429, &[], "").kind, RefusalKind::Limited(None));
        let some_left = [("x-ratelimit-remaining", "4000"), ("x-ratelimit-reset", "1795508190")];
        assert_eq!(refusal(403, &some_left, secondary).kind, RefusalKind::Limited(None));
        assert_eq!(refusal(403, &some_left, r#"{"message":"Must have admin rights"}"#).kind, RefusalKind::Rights);
    }

    #[test]
    fn a_clock_of_theirs_that_is_wrong_changes_no_wait() {
        // Their clock is ten minutes ahead.
        let headers = [
            ("date", "Tue, 24 Nov 2026 08:25:30 GMT"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795508790"),
        ];
        assert_eq!(class(403, &headers, ""), after(61));
        let dated = [("date", "Tue, 24 Nov 2026 08:25:30 GMT"), ("retry-after", "Tue, 24 Nov 2026 08:25:40 GMT")];
        assert_eq!(class(429, &dated, ""), after(10));
        let absurd = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9223372036854775807")];
        assert_eq!(refusal(403, &absurd, "").kind, RefusalKind::Limited(None));
    }

    #[test]
    fn the_last_request_of_a_window_is_noticed_on_a_success() {
        let last = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795508190")];
        assert_eq!(used_up(&answer(200, &last, ""), NOW), Some(Time(NOW.0 + 61_000)));
        let other = [last[0], last[1], ("x-ratelimit-resource", "search")];
        assert_eq!(used_up(&answer(200, &other, ""), NOW), None);
        assert_eq!(used_up(&answer(200, &[("x-ratelimit-remaining", "1")], ""), NOW), None);
    }

    #[test]
    fn what_a_forge_says_is_one_harmless_line_with_the_request() {
        let body = r#"{"message":"Validation\nFailed\u001b[31m","errors":["one","two",{"message":"three"},{"field":"body","code":"missing"},7]}"#;
        let text = refusal(422, &[("x-github-request-id", "FA4E:12")], body).to_string();
        assert_eq!(
            text,
            "api.github.com answered 422: Validation Failed\\u{1b}[31m; one; two; three; body missing (request FA4E:12)"
        );
        let long = refusal(422, &[], &format!(r#"{{"message":"{}"}}"#, "x".repeat(10_000))).to_string();
        assert!(long.chars().count() < 400);
        assert_eq!(refusal(502, &[], "<html>").to_string(), "api.github.com answered 502: Bad Gateway");
    }

    #[test]
    fn only_what_may_have_taken_effect_is_in_doubt() {
        let transport = |error: TransportError| Failure::from(error).in_doubt();
        let host = || "h".to_owned();
        assert!(!transport(TransportError::Connect { host: host(), why: String::new() }));
        assert!(transport(TransportError::Broken { host: host(), why: String::new() }));
        assert!(transport(TransportError::Late { host: host(), after: Duration::ZERO }));
        assert!(Failure::from(refusal(502, &[], "")).in_doubt());
        assert!(!Failure::from(refusal(422, &[], "")).in_doubt());
        assert!(!Failure::Throttled(NOW).in_doubt());
    }

    #[test]
    fn a_read_that_is_refused_makes_nothing_impossible() {
        let read = |status| Failure::from(refusal(status, &[], "")).of_a_read().class();
        assert_eq!((read(422), read(404), read(403)), (ErrorClass::Retry, ErrorClass::Retry, ErrorClass::Config));
    }
}
