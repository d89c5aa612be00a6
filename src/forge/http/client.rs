//! The transport over sockets: HTTP/1.1 with connections kept open, TLS by rustls with this machine's certificates.

use std::time::Duration;

use axum::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{Request, Sending, Transport, TransportError, innermost};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for the head of an answer. Gitea computes diffs of large pull requests while one waits.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Who we say we are; GitHub refuses requests without it.
const USER_AGENT: &str = concat!("gradus/", env!("CARGO_PKG_VERSION"));

/// A client that dialects share; a clone uses the same connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

/// This machine trusts nobody.
#[derive(Debug, thiserror::Error)]
#[error("cannot read this machine's certificates: install ca-certificates: {0}")]
pub struct NoCertificates(#[from] std::io::Error);

impl HttpClient {
    /// With the certificates that this machine trusts.
    pub fn new() -> Result<Self, NoCertificates> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(https) })
    }
}

impl Transport for HttpClient {
    fn send(&self, mut request: Request) -> Sending<'_> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        request
            .headers_mut()
            .entry(axum::http::header::USER_AGENT)
            .or_insert(axum::http::HeaderValue::from_static(USER_AGENT));
        Box::pin(async move {
            match tokio::time::timeout(HEAD_TIMEOUT, self.client.request(request)).await {
                Ok(Ok(response)) => Ok(response.map(Body::new)),
                Ok(Err(error)) if error.is_connect() => Err(TransportError::Connect { host, why: innermost(&error) }),
                Ok(Err(error)) => Err(TransportError::Broken { host, why: innermost(&error) }),
                Err(_) => Err(TransportError::Late { host, after: HEAD_TIMEOUT }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::read;
    use super::*;

    fn get(uri: &str) -> Request {
        axum::http::Request::builder().uri(uri.parse::<Uri>().unwrap()).body(Body::empty()).unwrap()
    }

    /// Answers one connection with these bytes, and gives what was asked.
    async fn once(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (address, asked)
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (address, asked) = once(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmove",
        )
        .await;
        let response = HttpClient::new().unwrap().send(get(&address)).await.unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(read(response.into_body(), 10).await.unwrap(), b"move");
        assert!(asked.await.unwrap().contains("user-agent: gradus/"));
    }

    #[tokio::test]
    async fn a_request_that_never_left_is_told_from_one_that_may_have_arrived() {
        let client = HttpClient::new().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = client.send(get(&format!("http://{free}/"))).await.unwrap_err();
        assert!(matches!(error, TransportError::Connect { .. }), "{error}");

        let (address, _asked) = once("").await;
        let error = client.send(get(&address)).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken { .. }), "{error}");

        let (address, _asked) = once("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf").await;
        let response = client.send(get(&address)).await.unwrap();
        let error = read(response.into_body(), 10).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    }
}
