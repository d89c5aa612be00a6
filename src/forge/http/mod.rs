//! HTTP to forges: the transport that dialects share, and reading answers within limits.
//!
//! A transport only carries. It follows no redirect (a token would go to wherever it points), repeats nothing (a write
//! may have taken effect), and knows no forge. Tests put a router in its place and need no socket.

pub mod client;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use tokio_stream::StreamExt;

/// What is asked; the address is absolute.
pub type Request = axum::http::Request<Body>;

/// An answer whose body is still coming in; read it with [`read`].
pub type Response = axum::http::Response<Body>;

/// What [`Transport::send`] returns.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>>;

/// Bytes of a JSON answer that are read. A page of 50 pull requests with long descriptions stays below 5 MB.
pub const MAX_ANSWER: usize = 16 << 20;

/// Longest wait for the body of an answer once it has begun.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Carries requests to forges.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and waits for the head of the answer.
    fn send(&self, request: Request) -> Sending<'_>;
}

/// No answer, or not the whole of it. Except for [`TransportError::Connect`] the request may have taken effect.
#[derive(Debug, thiserror::Error)]
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
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
}

/// The body of an answer, up to so many bytes.
pub async fn read(body: Body, limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut whole = Vec::new();
    receive(body, limit, BODY_TIMEOUT, |chunk| {
        whole.extend_from_slice(chunk);
        true
    })
    .await?;
    Ok(whole)
}

/// Hands on the body of an answer as it comes in, up to so many bytes; false from `take` ends it early.
pub async fn receive(
    body: Body,
    limit: usize,
    within: Duration,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(), TransportError> {
    let host = || "the forge".to_owned();
    let chunks = async {
        let mut received = 0;
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| TransportError::Broken { host: host(), why: innermost(&error) })?;
            received += chunk.len();
            if received > limit {
                return Err(TransportError::TooLarge { limit });
            }
            if !take(&chunk) {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(within, chunks)
        .await
        .unwrap_or_else(|_| Err(TransportError::Late { host: host(), after: within }))
}

/// The reason at the bottom: the layers above only say that something below them failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap(), b"12345");
        let error = read(Body::from("123456"), 5).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer is longer than 5 bytes");
    }

    #[tokio::test]
    async fn an_answer_that_never_ends_is_given_up() {
        let endless = Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let error = receive(endless, 5, Duration::from_millis(1), |_| true).await.unwrap_err();
        assert!(matches!(error, TransportError::Late { .. }), "{error}");
    }
}
