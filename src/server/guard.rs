//! Who may talk to a server on loopback: a browser does, on behalf of whatever page is open in it.
//!
//! A page of another site can make the browser send requests here (forms, images), and by rebinding its own name to
//! 127.0.0.1 even read the answers. So the name asked for must be ours, and what changes something must come from a page
//! of ours or from no page at all (git, curl).

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Refuses what `check` refuses.
pub async fn guard(request: Request, next: Next) -> Response {
    match check(request.method(), request.uri().host(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Longest time that a page or an API call may take.
const TIME: Duration = Duration::from_secs(30);

/// Ends what takes too long, a client that sends a byte a minute included.
pub async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "this took too long: try again\n").into_response(),
    }
}

/// Tells browsers to take answers for what they say they are, and other sites nothing of our addresses.
pub async fn harmless(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with it browsers send `Origin: null` from our own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is not ours.
    #[error("this server answers only to `localhost` and to addresses: use the one that `gradus up` printed")]
    Host,
    /// A page of another site sends it.
    #[error("this request comes from a page of another site: open the address that `gradus up` printed and try there")]
    Origin,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Refusal::Host => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Origin => StatusCode::FORBIDDEN,
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// Whether a request may pass. Rebinding needs a name of the attacker's, so a literal address in `Host` is harmless
/// whichever it is, and stays right behind a forwarded port.
fn check(method: &Method, authority: Option<&str>, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).or(authority).ok_or(Refusal::Host)?;
    if !is_ours(host) {
        return Err(Refusal::Host);
    }
    if method.is_safe() {
        return Ok(());
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => match origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://")) {
            Some(origin) if origin.eq_ignore_ascii_case(host) => Ok(()),
            _ => Err(Refusal::Origin),
        },
        // Browsers that leave `Origin` out say it here; anything else is no browser.
        None => match text(HeaderName::from_static("sec-fetch-site")) {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) => Err(Refusal::Origin),
        },
    }
}

fn is_ours(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
        Some(_) => return false,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_it(method: Method, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse::<HeaderValue>().unwrap()));
        check(&method, None, &headers.collect())
    }

    #[test]
    fn a_name_that_is_rebound_to_this_machine_is_refused() {
        for good in ["127.0.0.1:7421", "localhost:7421", "[::1]:7421", "LOCALHOST", "192.168.1.7:80", "localhost:9000"]
        {
            assert_eq!(try_it(Method::GET, &[("host", good)]), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:7421",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[::1].evil.example",
        ] {
            assert_eq!(try_it(Method::GET, &[("host", bad)]), Err(Refusal::Host), "{bad}");
        }
        assert_eq!(try_it(Method::GET, &[]), Err(Refusal::Host));
    }

    #[test]
    fn another_sites_page_changes_nothing() {
        let host = ("host", "127.0.0.1:7421");
        assert_eq!(try_it(Method::POST, &[host]), Ok(()), "git and curl send no origin");
        assert_eq!(try_it(Method::POST, &[host, ("origin", "http://127.0.0.1:7421")]), Ok(()));
        for bad in
            ["http://evil.example", "https://127.0.0.1:7421", "http://127.0.0.1:7422", "http://localhost:7421", "null"]
        {
            assert_eq!(try_it(Method::POST, &[host, ("origin", bad)]), Err(Refusal::Origin), "{bad}");
        }
        for bad in ["cross-site", "same-site"] {
            assert_eq!(try_it(Method::POST, &[host, ("sec-fetch-site", bad)]), Err(Refusal::Origin), "{bad}");
        }
        assert_eq!(try_it(Method::POST, &[host, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(try_it(Method::GET, &[host, ("origin", "http://evil.example")]), Ok(()), "reading is not changing");
    }
}
