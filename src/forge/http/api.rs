//! Asking a forge's API as one identity: credentials, the gate, the cache, pages, and errors that say what to do.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, LINK};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

use super::base::Base;
use super::cache::{Cache, MAX_BYTES};
use super::failure::{Failure, RefusalKind, RequestId, check, used_up};
use super::{Response, Transport, pages};
use crate::forge::budget::{Budget, End, WriteClass, WriteKind};

/// Most pages of one list: 100,000 entries.
const MAX_PAGES: usize = 1_000;

/// What [`Credentials::header`] returns.
pub type Header<'a> = Pin<Box<dyn Future<Output = Result<HeaderValue, Failure>> + Send + 'a>>;

/// Who asks.
pub trait Credentials: Send + Sync + 'static {
    /// The value of `Authorization`, marked as sensitive.
    fn header(&self) -> Header<'_>;

    /// The forge does not know this value any more. Whether another one may be had.
    fn refused(&self, header: &HeaderValue) -> Another {
        let _ = header;
        Another::No
    }
}

/// Whether there are other credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Another {
    /// Ask again with them.
    Yes,
    /// There are none.
    No,
}

/// A token that stays what it is.
pub struct Token(HeaderValue);

impl Token {
    /// With this scheme, as in `Bearer` or `token`. None when the token cannot stand in a header.
    pub fn new(scheme: &str, secret: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("{scheme} {}", secret.trim())).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Credentials for Token {
    fn header(&self) -> Header<'_> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// A write.
#[derive(Debug)]
pub struct Call<'a, B> {
    /// As in `POST`.
    pub method: Method,
    /// Where.
    pub url: &'a Url,
    /// What; sent as JSON.
    pub body: Option<&'a B>,
    /// What it does.
    pub kind: WriteKind,
    /// Who waits for it.
    pub class: WriteClass,
}

type Flight = OnceCell<Result<Response, Failure>>;

/// An API, asked as one identity.
pub struct Api {
    base: Base,
    transport: Transport,
    credentials: Arc<dyn Credentials>,
    budget: Budget,
    headers: HeaderMap,
    cache: Mutex<Cache>,
    /// Reads under way, by address and by how many writes were over when they began: nobody is given an answer that was
    /// asked for before a write of ours.
    flights: Mutex<HashMap<(String, u64), Weak<Flight>>>,
    writes: AtomicU64,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({})", self.base)
    }
}

/// A write is over, however it ended: reads that began before it are joined by nobody.
struct Over<'a>(&'a AtomicU64);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Api {
    /// An API below `base`; `headers` go with each request.
    pub fn new(
        base: Base,
        transport: Transport,
        credentials: Arc<dyn Credentials>,
        budget: Budget,
        headers: HeaderMap,
    ) -> Self {
        let (cache, flights, writes) = (Mutex::new(Cache::new(MAX_BYTES)), Mutex::default(), AtomicU64::new(0));
        Self { base, transport, credentials, budget, headers, cache, flights, writes }
    }

    /// Where it is.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// What may be written.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Reads something as it is now. Who asks for the same at the same time shares the answer.
    pub async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Failure> {
        self.decode(&self.read(url).await?)
    }

    /// The answer to a read, not decoded: for what is said in its headers.
    pub async fn answer(&self, url: &Url) -> Result<Response, Failure> {
        self.read(url).await
    }

    /// Reads something that may not be there.
    pub async fn find<T: DeserializeOwned>(&self, url: &Url) -> Result<Option<T>, Failure> {
        match self.get(url).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether something is there, where the answer has no body.
    pub async fn exists(&self, url: &Url) -> Result<bool, Failure> {
        match self.read(url).await {
            Ok(_) => Ok(true),
            Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads by a question that is sent as a body: GraphQL. Nothing is kept and nothing is counted as a write.
    pub async fn query<B: Serialize>(&self, url: &Url, question: &B) -> Result<Response, Failure> {
        self.budget.open().await?;
        self.ask(&Method::POST, url, None, self.json(question)?).await
    }

    /// Reads a list page by page, until `more` says that a page was enough or there is no further one. `full` is how many
    /// entries a full page has.
    pub async fn list<T: DeserializeOwned>(
        &self,
        url: &Url,
        full: usize,
        mut more: impl FnMut(&[T]) -> bool,
    ) -> Result<Vec<T>, Failure> {
        let (mut all, mut url) = (Vec::new(), url.clone());
        for _ in 0..MAX_PAGES {
            let answer = self.read(&url).await?;
            let page: Vec<T> = self.decode(&answer)?;
            let next = match pages::next(&self.base, answer.headers())? {
                Some(next) => Some(next),
                // A page that did not change since there was no next one still says so: ask.
                None if page.len() >= full => Some(pages::page_after(&url)),
                None => None,
            };
            let enough = !more(&page);
            all.extend(page);
            match next {
                Some(next) if !enough => url = next,
                _ => return Ok(all),
            }
        }
        Err(self.unreadable(&HeaderMap::new(), format!("a list has more than {MAX_PAGES} pages")))
    }

    /// Writes, when it is its turn.
    pub async fn write<B: Serialize>(&self, call: Call<'_, B>) -> Result<Response, Failure> {
        let body = call.body.map_or_else(|| Ok(Bytes::new()), |body| self.json(body))?;
        let permit = self.budget.turn(call.class, call.kind).await?;
        let over = Over(&self.writes);
        let result = self.ask(&call.method, call.url, None, body).await;
        drop(over);
        let end = if result.is_ok() { End::Fine } else { End::Otherwise };
        // What the forge did counts, whatever becomes of our bookkeeping.
        if let Err(error) = self.budget.done(permit, end).await {
            tracing::warn!(%error, "cannot note that a write is over; the next one waits for some seconds");
        }
        result
    }

    fn json<B: Serialize>(&self, body: &B) -> Result<Bytes, Failure> {
        let json = serde_json::to_vec(body);
        let json = json.map_err(|error| self.unreadable(&HeaderMap::new(), format!("it cannot be asked: {error}")));
        json.map(Bytes::from)
    }

    /// Reads the JSON of an answer.
    pub fn decode<T: DeserializeOwned>(&self, answer: &Response) -> Result<T, Failure> {
        let mut json = serde_json::Deserializer::from_slice(answer.body());
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| self.unreadable(answer.headers(), error.to_string()))
    }

    /// An answer that is not what the API promises.
    pub fn unreadable(&self, headers: &HeaderMap, why: String) -> Failure {
        Failure::Unreadable { host: self.base.host(), why, request: RequestId::of(headers) }
    }

    async fn read(&self, url: &Url) -> Result<Response, Failure> {
        let key = (url.to_string(), self.writes.load(Ordering::SeqCst));
        let flight = self.flight(&key);
        let result = flight.get_or_init(|| self.fetch(url)).await.clone();
        let mut flights = lock(&self.flights);
        if flights.get(&key).is_some_and(|there| std::ptr::eq(there.as_ptr(), Arc::as_ptr(&flight))) {
            flights.remove(&key);
        }
        result
    }

    fn flight(&self, key: &(String, u64)) -> Arc<Flight> {
        let mut flights = lock(&self.flights);
        match flights.get(key).and_then(Weak::upgrade).filter(|flight| !flight.initialized()) {
            Some(flight) => flight,
            None => {
                // Of those that were given up nothing else takes the entries away.
                flights.retain(|_, flight| flight.strong_count() > 0);
                let flight = Arc::new(Flight::new());
                flights.insert(key.clone(), Arc::downgrade(&flight));
                flight
            }
        }
    }

    async fn fetch(&self, url: &Url) -> Result<Response, Failure> {
        self.budget.open().await?;
        let address = url.as_str();
        let kept = lock(&self.cache).get(address);
        let tag = kept.as_ref().map(|(tag, _)| tag.clone());
        let answer = self.ask(&Method::GET, url, tag, Bytes::new()).await.map_err(Failure::of_a_read)?;
        match kept {
            Some((_, mut kept)) if answer.status() == StatusCode::NOT_MODIFIED => {
                // The list may have more pages than when this one was answered.
                if let Some(link) = answer.headers().get(LINK) {
                    kept.headers_mut().insert(LINK, link.clone());
                }
                Ok(kept)
            }
            _ => {
                lock(&self.cache).put(address, &answer);
                Ok(answer)
            }
        }
    }

    /// One request, asked again once when only the credentials were too old.
    async fn ask(
        &self,
        method: &Method,
        url: &Url,
        tag: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Response, Failure> {
        let credentials = self.credentials.header().await?;
        match self.ask_as(&credentials, method, url, tag.clone(), body.clone()).await {
            Err(error)
                if error.refused(StatusCode::UNAUTHORIZED).is_some()
                    && self.credentials.refused(&credentials) == Another::Yes =>
            {
                self.ask_as(&self.credentials.header().await?, method, url, tag, body).await
            }
            other => other,
        }
    }

    async fn ask_as(
        &self,
        credentials: &HeaderValue,
        method: &Method,
        url: &Url,
        tag: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Response, Failure> {
        let json = (!body.is_empty()).then(|| HeaderValue::from_static("application/json"));
        let mut request = http::Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() =
            url.as_str().parse().map_err(|_| self.unreadable(&HeaderMap::new(), "no address".into()))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(self.headers.clone());
        headers.insert(AUTHORIZATION, credentials.clone());
        for (name, value) in [(CONTENT_TYPE, json), (IF_NONE_MATCH, tag)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        let answer = self.transport.send(request).await?;
        let now = self.budget.now();
        let checked = check(&self.base.host(), &answer, now);
        tracing::debug!(%method, path = url.path(), status = answer.status().as_u16(), "asked the forge");
        match checked {
            Ok(()) => {
                if let Some(until) = used_up(&answer, now) {
                    self.budget.limited(Some(until)).await?;
                }
                Ok(answer)
            }
            Err(mut refusal) => {
                if let RefusalKind::Limited(until) = refusal.kind {
                    let until = self.budget.limited(until).await?;
                    tracing::warn!(%refusal, "the forge limits us; nothing is asked before {until}");
                    refusal.kind = RefusalKind::Limited(Some(until));
                }
                Err(refusal.into())
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
