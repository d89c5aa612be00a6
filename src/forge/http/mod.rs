//! HTTP to forges: the transport that dialects share, and on top of it [`api::Api`].
//!
//! A transport only carries. It follows no redirect (a token would go to wherever it points), repeats nothing (a write may
//! have taken effect), and knows no forge. It takes any tower service, so tests put a router in its place and need no
//! socket.

pub mod api;
pub mod base;
mod cache;
pub mod client;
pub mod date;
pub mod doubt;
pub mod failure;
mod pages;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderValue;
use http::header::USER_AGENT;
use http_body_util::BodyExt;
use tower::ServiceExt;

/// What is asked; the address is absolute.
pub type Request = http::Request<Bytes>;

/// An answer, whole.
pub type Response = http::Response<Bytes>;

type Sending = Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>>;

/// How much of an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait for the head of an answer. Gitea computes diffs of large pull requests while one waits.
    pub head: Duration,
    /// Longest wait for the body once it has begun.
    pub body: Duration,
    /// Most bytes of a body. A page of 100 pull requests with long descriptions stays below 8 MB.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), body: Duration::from_secs(60), bytes: 16 << 20 }
    }
}

/// No answer, or not the whole of it. Except for [`TransportError::Connect`] the request may have taken effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// There is no connection: nothing was asked.
    #[error("cannot connect to {host}: {why}")]
    Connect {
        /// As in `git.example.org`.
        host: String,
        /// The innermost reason, as in `Connection refused`.
        why: String,
    },
    /// The connection broke.
    #[error("the connection to {host} broke: {why}")]
    Broken {
        /// As in `git.example.org`.
        host: String,
        /// The innermost reason.
        why: String,
    },
    /// Took too long.
    #[error("{host} did not answer within {} s", after.as_secs())]
    Late {
        /// As in `git.example.org`.
        host: String,
        /// How long we waited.
        after: Duration,
    },
    /// Longer than we read.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLarge {
        /// As in `git.example.org`.
        host: String,
        /// In bytes.
        limit: usize,
    },
}

/// Carries requests to forges. A clone uses the same connections.
#[derive(Clone)]
pub struct Transport(Arc<dyn Fn(Request) -> Sending + Send + Sync>);

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl Transport {
    /// Over this service: a client over sockets, or a router in the same process.
    pub fn over<S, B>(service: S, limits: Limits) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send,
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self(Arc::new(move |request| Box::pin(carry(service.clone(), limits, request))))
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, mut request: Request) -> Result<Response, TransportError> {
        // GitHub refuses requests that do not say who asks.
        let who = HeaderValue::from_static(concat!("gradus/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(who);
        (self.0)(request).await
    }
}

async fn carry<S, B>(service: S, limits: Limits, request: Request) -> Result<Response, TransportError>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let host = request.uri().host().unwrap_or_default().to_owned();
    let late = |after| TransportError::Late { host: host.clone(), after };
    let broken = |why| TransportError::Broken { host: host.clone(), why };
    let asked = tokio::time::timeout(limits.head, service.oneshot(request.map(Body::from)));
    let response = match asked.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let error = error.into();
            return Err(match client::never_left(&*error) {
                true => TransportError::Connect { host, why: innermost(&*error) },
                false => broken(innermost(&*error)),
            });
        }
        Err(_) => return Err(late(limits.head)),
    };
    let (head, body) = response.into_parts();
    let reading = async {
        let mut body = std::pin::pin!(body);
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(innermost(&*error.into())))?;
            let Ok(mut data) = frame.into_data() else { continue };
            if whole.len() + data.remaining() > limits.bytes {
                return Err(TransportError::TooLarge { host: host.clone(), limit: limits.bytes });
            }
            whole.put(&mut data);
        }
        Ok(whole.freeze())
    };
    let whole = tokio::time::timeout(limits.body, reading).await.unwrap_or_else(|_| Err(late(limits.body)))?;
    Ok(http::Response::from_parts(head, whole))
}

/// The reason at the bottom: the layers above only say that something below them failed.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;

    fn ask(path: &str) -> Request {
        http::Request::get(format!("http://forge.test{path}")).body(Bytes::new()).unwrap()
    }

    fn short() -> Limits {
        Limits { head: Duration::from_millis(20), body: Duration::from_millis(20), bytes: 5 }
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit() {
        let router = Router::new().route("/five", get(|| async { "12345" })).route("/six", get(|| async { "123456" }));
        let transport = Transport::over(router, short());
        assert_eq!(transport.send(ask("/five")).await.unwrap().into_body(), "12345");
        let error = transport.send(ask("/six")).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer of forge.test is longer than 5 bytes");
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_or_never_ends_is_given_up() {
        let endless = || async { Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>()) };
        let never = || std::future::pending::<&'static str>();
        let router = Router::new().route("/endless", get(endless)).route("/never", get(never));
        let transport = Transport::over(router, short());
        for path in ["/endless", "/never"] {
            let error = transport.send(ask(path)).await.unwrap_err();
            assert!(matches!(error, TransportError::Late { .. }), "{path}: {error}");
        }
    }

    #[tokio::test]
    async fn every_request_says_who_asks() {
        let echo = |headers: http::HeaderMap| async move { headers[USER_AGENT].to_str().unwrap().to_owned() };
        let transport = Transport::over(Router::new().route("/", get(echo)), Limits::default());
        let answer = transport.send(ask("/")).await.unwrap().into_body();
        assert_eq!(answer, concat!("gradus/", env!("CARGO_PKG_VERSION")));
    }
}
