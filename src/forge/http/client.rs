//! The transport over sockets: HTTP/1.1 with connections kept open, TLS by rustls with this machine's certificates.

use std::time::Duration;

use axum::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;

use super::{Limits, Transport};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// This machine trusts nobody.
#[derive(Debug, thiserror::Error)]
#[error("cannot read this machine's certificates: install ca-certificates: {0}")]
pub struct NoCertificates(#[from] std::io::Error);

/// A client over sockets. It follows no redirect.
pub type Sockets = Client<HttpsConnector<HttpConnector>, Body>;

/// A client over sockets, with the certificates that this machine trusts. Which addresses may be asked without TLS is decided
/// where an address is configured ([`super::base::Base`]).
pub fn sockets() -> Result<Sockets, NoCertificates> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let https =
        HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build::<_, Body>(https))
}

impl Transport {
    /// Over sockets.
    pub fn sockets(limits: Limits) -> Result<Self, NoCertificates> {
        Ok(Self::over(sockets()?, limits))
    }
}

/// Whether a request failed before anything of it was sent.
pub(super) fn never_left(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_connect)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::{Request, TransportError};
    use super::*;

    fn get(address: &str) -> Request {
        http::Request::get(address).body(Bytes::new()).unwrap()
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
        let response = Transport::sockets(Limits::default()).unwrap().send(get(&address)).await.unwrap();
        assert_eq!((response.status().as_u16(), response.into_body()), (302, Bytes::from("move")));
        assert!(asked.await.unwrap().contains("user-agent: gradus/"));
    }

    #[tokio::test]
    async fn a_request_that_never_left_is_told_from_one_that_may_have_arrived() {
        let transport = Transport::sockets(Limits::default()).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = transport.send(get(&format!("http://{free}/"))).await.unwrap_err();
        assert!(matches!(error, TransportError::Connect { .. }), "{error}");
        for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf"] {
            let (address, _asked) = once(answer).await;
            let error = transport.send(get(&address)).await.unwrap_err();
            assert!(matches!(error, TransportError::Broken { .. }), "{error}");
        }
    }
}
