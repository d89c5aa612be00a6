//! Who we are on GitHub: a token that stays, or an App that gets tokens for its installation.
//!
//! An App signs a JSON web token with its key (RS256, at most ten minutes long, begun a minute ago because clocks differ)
//! and changes it for an installation token that lives an hour. GitHub's clock counts: it is read from its answers, and a
//! token's life is measured on it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::wire::parse_time;
use crate::forge::hint::RepositoryName;
use crate::forge::http::api::{Another, Credentials, Header};
use crate::forge::http::base::Base;
use crate::forge::http::date::{ahead, date};
use crate::forge::http::failure::{Failure, RequestId, check};
use crate::forge::http::{Response, Transport};
use crate::store::time::{Clock, Time};

/// How long before its end a token is not used any more: longer than any request takes.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// How far back a JSON web token begins, because clocks differ (GitHub: "60 seconds in the past").
const JWT_BACK: i64 = 60;

/// How far ahead it ends, in seconds: below GitHub's ten minutes by as much as clocks may differ.
const JWT_AHEAD: i64 = 8 * 60;

/// The private key of an App. Never shown.
#[derive(Clone)]
pub struct AppKey(Arc<RsaKeyPair>);

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey(hidden)")
    }
}

/// The text is not the private key of an App. Says nothing of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not the private key of a GitHub App: give the .pem file that GitHub made, from `BEGIN RSA PRIVATE KEY` to \
     `END RSA PRIVATE KEY`"
)]
pub struct InvalidKey;

impl AppKey {
    /// Reads PEM, PKCS #1 as GitHub makes it or PKCS #8.
    pub fn from_pem(text: &str) -> Result<Self, InvalidKey> {
        let pair = match PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| InvalidKey)? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(InvalidKey),
        };
        pair.map(|pair| Self(Arc::new(pair))).map_err(|_| InvalidKey)
    }

    /// A JSON web token of this App at this second of GitHub's clock.
    fn jwt(&self, app: &str, now: i64) -> Result<String, Failure> {
        let part = |value: serde_json::Value| BASE64.encode(value.to_string());
        let claims = json!({"iat": now - JWT_BACK, "exp": now + JWT_AHEAD, "iss": app});
        let signed = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Failure::Credentials("the App's key does not sign".to_owned()))?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }
}

/// An App of ours.
#[derive(Debug, Clone)]
pub struct App {
    /// Its number or its client id.
    pub id: String,
    /// What it signs with.
    pub key: AppKey,
    /// Its installation on the owner of the workspace; asked for when it is not given.
    pub installation: Option<u64>,
}

/// Tokens of an App's installation on the owner of a repository.
pub struct Installation {
    base: Base,
    transport: Transport,
    clock: Arc<dyn Clock>,
    headers: HeaderMap,
    app: App,
    repository: RepositoryName,
    held: Mutex<Held>,
    /// Set by who was refused, without waiting for who is getting a token.
    refused: std::sync::Mutex<Option<HeaderValue>>,
}

#[derive(Default)]
struct Held {
    /// GitHub's clock less ours, in milliseconds, as its last answer had it.
    ahead: i64,
    installation: Option<u64>,
    token: Option<(HeaderValue, Time)>,
}

#[derive(Deserialize)]
struct InstallationWire {
    id: u64,
}

#[derive(Deserialize)]
struct TokenWire {
    token: String,
    expires_at: String,
}

#[derive(Deserialize)]
struct AppWire {
    slug: String,
}

impl Installation {
    /// Of this App on this repository. `headers` go with each request.
    pub fn new(
        base: Base,
        transport: Transport,
        clock: Arc<dyn Clock>,
        headers: HeaderMap,
        app: App,
        repository: RepositoryName,
    ) -> Self {
        let held = Mutex::new(Held { installation: app.installation, ..Held::default() });
        Self { base, transport, clock, headers, app, repository, held, refused: std::sync::Mutex::default() }
    }

    /// What the App is called in addresses: its account is `SLUG[bot]`.
    pub async fn slug(&self) -> Result<String, Failure> {
        let app: AppWire = self.read(&[]).await?;
        Ok(app.slug)
    }

    async fn token(&self) -> Result<HeaderValue, Failure> {
        let mut held = self.held.lock().await;
        let refused = self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some((value, until)) = &held.token
            && refused.as_ref() != Some(value)
            && self.clock.now() < *until
        {
            return Ok(value.clone());
        }
        let installation = self.installation(&mut held).await?;
        let url = self.base.at(&["app", "installations", &installation.to_string(), "access_tokens"]);
        // For this repository alone, with whatever the App may do there.
        let body = json!({"repositories": [self.repository.name()]}).to_string();
        let made: TokenWire = match self.ask(&mut held, Method::POST, &url, body.into()).await {
            Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => {
                // It was installed anew: its number is another one.
                held.installation = None;
                return Err(error);
            }
            made => made?,
        };
        // Its shape is GitHub's business; only that it fits a header is ours.
        let mut value = HeaderValue::from_str(&format!("Bearer {}", made.token))
            .map_err(|_| Failure::Credentials("the installation token does not fit a header".to_owned()))?;
        value.set_sensitive(true);
        let life = parse_time(&made.expires_at).map(|end| end.since(self.now(&held))).unwrap_or_default();
        held.token = Some((value.clone(), self.clock.now().plus(life.saturating_sub(MARGIN))));
        Ok(value)
    }

    /// The number of the installation.
    async fn installation(&self, held: &mut Held) -> Result<u64, Failure> {
        if let Some(id) = held.installation {
            return Ok(id);
        }
        let url = self.base.at(&["repos", self.repository.owner(), self.repository.name(), "installation"]);
        let found: Result<InstallationWire, _> = self.ask(held, Method::GET, &url, Bytes::new()).await;
        let id = match found {
            Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => {
                let why = format!("the App {} is not installed on {}", self.app.id, self.repository);
                return Err(Failure::Credentials(format!("{why}: install it there, or name another App")));
            }
            found => found?.id,
        };
        held.installation = Some(id);
        Ok(id)
    }

    /// What GitHub says of the installation.
    pub(super) async fn examine<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut held = self.held.lock().await;
        let id = self.installation(&mut held).await?.to_string();
        self.ask(&mut held, Method::GET, &self.base.at(&["app", "installations", &id]), Bytes::new()).await
    }

    /// Reads something of the App itself, below `/app`.
    pub(super) async fn read<T: DeserializeOwned>(&self, below: &[&str]) -> Result<T, Failure> {
        let url = self.base.at(&[&["app"], below].concat());
        self.ask(&mut *self.held.lock().await, Method::GET, &url, Bytes::new()).await
    }

    /// GitHub's time.
    fn now(&self, held: &Held) -> Time {
        Time(self.clock.now().0.saturating_add(held.ahead))
    }

    /// Asks as the App. When GitHub's clock turns out to be another than we thought, asks once more by it.
    async fn ask<T: DeserializeOwned>(
        &self,
        held: &mut Held,
        method: Method,
        url: &Url,
        body: Bytes,
    ) -> Result<T, Failure> {
        let thought = held.ahead;
        let answer = self.ask_once(held, method.clone(), url, body.clone()).await?;
        let off = (held.ahead - thought).abs() > JWT_BACK * 500;
        let answer = match answer.status() {
            StatusCode::UNAUTHORIZED if off => self.ask_once(held, method, url, body).await?,
            _ => answer,
        };
        check(&self.base.host(), &answer, self.clock.now()).map_err(|refusal| Failure::from(refusal).of_a_read())?;
        serde_json::from_slice(answer.body()).map_err(|error| Failure::Unreadable {
            host: self.base.host(),
            // Not the error's own words: they might quote a token.
            why: format!("line {} column {} of the App's answer", error.line(), error.column()),
            request: RequestId::of(answer.headers()),
        })
    }

    async fn ask_once(&self, held: &mut Held, method: Method, url: &Url, body: Bytes) -> Result<Response, Failure> {
        let jwt = self.app.key.jwt(&self.app.id, self.now(held).0.div_euclid(1000))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {jwt}"))
            .map_err(|_| Failure::Credentials("the App's id does not fit a header".to_owned()))?;
        value.set_sensitive(true);
        let has_body = !body.is_empty();
        let mut request = http::Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() =
            url.as_str().parse().map_err(|_| Failure::Credentials("the address is none".to_owned()))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.extend(self.headers.clone());
        headers.insert(AUTHORIZATION, value);
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let sent = self.clock.now();
        let answer = self.transport.send(request).await?;
        if let Some(theirs) = date(answer.headers()) {
            held.ahead = ahead(theirs, sent, self.clock.now());
        }
        Ok(answer)
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Installation(App {} on {})", self.app.id, self.repository)
    }
}

impl Credentials for Installation {
    fn header(&self) -> Header<'_> {
        Box::pin(self.token())
    }

    fn refused(&self, header: &HeaderValue) -> Another {
        *self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(header.clone());
        Another::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let public = "-----BEGIN PUBLIC KEY-----\nczNjcmV0\n-----END PUBLIC KEY-----";
        let broken = "-----BEGIN RSA PRIVATE KEY-----\nczNjcmV0\n-----END RSA PRIVATE KEY-----";
        for text in ["", "s3cret", public, broken] {
            let error = AppKey::from_pem(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
