//! Whether a part is healthy: one question over loopback.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A part that is healthy answers far sooner, and who waits for it asks again.
pub const MOMENT: Duration = Duration::from_secs(2);

/// For who asks only once: the machine may be very busy. A part that ended refuses at once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes of an answer count.
const MAX_ANSWER: u64 = 4096;

/// Changing something takes longer than a look.
const THOUGHT: Duration = Duration::from_secs(30);

/// How many bytes of what is told count.
const MAX_TEXT: u64 = 64 << 10;

/// How to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Probe {
    /// Answers 200.
    Http(String),
    /// Answers 200 and shows a certificate of this authority.
    Https {
        /// What to get.
        url: String,
        /// A file in PEM.
        authority: PathBuf,
    },
    /// Speaks redis at this address.
    Redis(String),
}

/// Why a part is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// Nobody answers.
    #[error("does not answer: {0}")]
    Silent(#[from] io::Error),
    /// It says so itself.
    #[error("answers `{0}`")]
    Says(String),
    /// Its certificate cannot be checked.
    #[error("its certificate cannot be checked: {0}")]
    Tls(#[from] rustls::Error),
}

impl Probe {
    /// Asks once; the answer may take so long.
    pub fn ask(&self, patience: Duration) -> Result<(), Unwell> {
        match self {
            Probe::Http(url) => {
                let (host, path) = split(url)?;
                expect("200", &get(connect(host, patience)?, host, path)?)
            }
            Probe::Https { url, authority } => {
                let (host, path) = split(url)?;
                let stream = rustls::StreamOwned::new(client(authority, None)?, connect(host, patience)?);
                expect("200", &get(stream, host, path)?)
            }
            Probe::Redis(address) => {
                let mut stream = connect(address, patience)?;
                stream.write_all(b"PING\r\n")?;
                let mut answer = [0; 7];
                stream.read_exact(&mut answer)?;
                // We have no password for it, and it says so: it is there.
                match &answer {
                    b"+PONG\r\n" | b"-NOAUTH" => Ok(()),
                    other => Err(Unwell::Says(String::from_utf8_lossy(other).into_owned())),
                }
            }
        }
    }
}

/// `HOST:PORT` and path.
fn split(url: &str) -> io::Result<(&str, &str)> {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let at = rest.and_then(|rest| Some((rest, rest.find('/')?)));
    at.map(|(rest, at)| rest.split_at(at)).ok_or_else(|| io::Error::other(format!("`{url}` is no address")))
}

/// Connects to a part; it may think for so long.
fn connect(address: &str, patience: Duration) -> io::Result<TcpStream> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// Who we are.
pub(super) struct Own {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Own {
    /// Of two files.
    pub fn of_files(certificate: &Path, key: &Path) -> io::Result<Self> {
        let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
        Ok(Self { certificate, key })
    }

    /// Of two texts.
    pub fn of_pem(certificate: &[u8], key: &[u8]) -> io::Result<Self> {
        let certificate = CertificateDer::from_pem_slice(certificate).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(io::Error::other)?;
        Ok(Self { certificate, key })
    }
}

/// Asks something that is more than a look; the answer's status and text.
pub(super) fn ask_as(
    connection: rustls::ClientConnection,
    method: &str,
    url: &str,
    body: Option<&Value>,
) -> Result<(u16, String), Unwell> {
    let (host, path) = split(url)?;
    let mut stream = rustls::StreamOwned::new(connection, connect(host, THOUGHT)?);
    let body = body.map(Value::to_string).unwrap_or_default();
    // Of this version answers are in one piece.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(MAX_TEXT).read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => return Err(error.into()),
        _ => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    let says = || Unwell::Says(answer.lines().next().unwrap_or_default().to_owned());
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(says)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(says)?;
    Ok((status, body.to_owned()))
}

/// Speaks TLS with whom this authority vouches for, as ourselves where that is asked for.
pub(super) fn client(authority: &Path, own: Option<Own>) -> Result<rustls::ClientConnection, Unwell> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(authority).map_err(io::Error::other)?;
    roots.add(authority)?;
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(Own { certificate, key }) => builder.with_client_auth_cert(vec![certificate], key)?,
    };
    let server = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
    Ok(rustls::ClientConnection::new(Arc::new(config), server)?)
}

/// The first line of the answer.
fn get(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<String> {
    // In one piece: who answers after the first line and closes would cut the rest, and the answer with it.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    // A server may end without saying goodbye in TLS: what was read counts.
    match stream.take(MAX_ANSWER).read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => return Err(error),
        _ => {}
    }
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

fn expect(status: &str, line: &str) -> Result<(), Unwell> {
    if line.split(' ').nth(1) == Some(status) { Ok(()) } else { Err(Unwell::Says(line.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers once.
    fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1000]);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn healthy_is_whoever_says_so() {
        let http = |answer| Probe::Http(format!("http://{}/healthz", server(answer))).ask(MOMENT);
        assert!(http("HTTP/1.1 200 OK\r\n\r\nok").is_ok());
        let says = http("HTTP/1.1 503 Service Unavailable\r\n\r\n200").unwrap_err().to_string();
        assert_eq!(says, "answers `HTTP/1.1 503 Service Unavailable`");
        assert!(Probe::Redis(server("-NOAUTH Authentication required.\r\n")).ask(MOMENT).is_ok());
        assert!(Probe::Redis(server("+PONG\r\n")).ask(MOMENT).is_ok());
        assert!(Probe::Redis(server("HTTP/1.1 400 Bad Request\r\n")).ask(MOMENT).is_err());
    }

    #[test]
    fn nobody_at_the_port_is_not_healthy() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(Probe::Http(format!("http://{free}/")).ask(MOMENT), Err(Unwell::Silent(_))));
        assert!(matches!(Probe::Redis(free.to_string()).ask(MOMENT), Err(Unwell::Silent(_))));
    }
}
