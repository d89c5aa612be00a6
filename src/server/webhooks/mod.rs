//! Webhooks: proven to come from the forge, then one entry in the queue, then an answer.
//!
//! A webhook is a hint. Nothing but repository and number is taken from it, so that one that is lost, late, repeated or
//! played back costs a look or a delay until the next sweep and never a wrong answer. The order is: address, room, size,
//! signature over the raw bytes, and only then the content.

pub mod signature;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Notify, Semaphore};

use super::serve::metrics::{Delivery, Metrics};
use crate::config::secret::Secret;
use crate::course::id::ForgeName;
use crate::forge::hint::{HintKind, RepositoryName, WebhookHint};
use crate::forge::pull::{PullKey, Workspace};
use crate::reconcile::pulse::Pulse;
use crate::store::queue::Hint;
use crate::store::time::Clock;
use crate::store::{Store, StoreError};

/// Longest wait for the store; a forge waits ten seconds for an answer (GitHub), five in its default (Gitea).
const STORE_TIME: Duration = Duration::from_secs(3);

/// How webhooks of a kind of forge are read: pure functions of the dialect.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// What the sender claims to be the HMAC-SHA256 of the body.
    pub signature: fn(&HeaderMap) -> Option<[u8; 32]>,
    /// The delivery's name, for logs.
    pub delivery: fn(&HeaderMap) -> Option<&str>,
    /// What it is about; none when that is nothing of ours.
    pub hint: fn(&HeaderMap, &[u8]) -> Option<WebhookHint>,
}

/// Where a forge sends its webhooks.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Which forge.
    pub forge: ForgeName,
    /// How they are read.
    pub reader: Reader,
    /// Each is believed; never empty.
    pub secrets: Vec<Secret>,
    /// The repositories that are served.
    pub workspaces: BTreeMap<RepositoryName, (Workspace, Pulse)>,
    /// Told when one is about another repository: it may be a new fork. Only the forge's own list says so.
    pub strangers: Vec<Arc<Notify>>,
}

/// By path.
pub type Endpoints = BTreeMap<String, Endpoint>;

/// Bounds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Largest body.
    pub bytes: usize,
    /// Most at once.
    pub at_once: usize,
    /// Longest time for a body to arrive.
    pub time: Duration,
}

/// Takes webhooks.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

struct Inner {
    endpoints: RwLock<Arc<Endpoints>>,
    slots: Semaphore,
    bounds: Bounds,
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// Why a delivery is not taken.
#[derive(Debug)]
enum Refusal {
    Nowhere,
    Method,
    Full,
    TooLarge(usize),
    TooSlow,
    Unsigned,
    Form,
    Store,
}

impl Receiver {
    /// Puts what it takes into this store.
    pub fn new(store: Store, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, bounds: Bounds) -> Self {
        let slots = Semaphore::new(bounds.at_once);
        Self(Arc::new(Inner { endpoints: RwLock::default(), slots, bounds, store, clock, metrics }))
    }

    /// From now on these are the addresses, secrets and repositories.
    pub fn replace(&self, endpoints: Endpoints) {
        // Replaced in one step: a panic elsewhere leaves it whole.
        *self.0.endpoints.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(endpoints);
    }

    fn endpoints(&self) -> Arc<Endpoints> {
        self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn receive(&self, endpoint: &Endpoint, request: Request) -> Result<Delivery, Refusal> {
        let Inner { bounds, slots, .. } = &*self.0;
        // Before the body is read: what there is no room for shall not take memory.
        let _slot = slots.try_acquire().map_err(|_| Refusal::Full)?;
        let (head, body) = request.into_parts();
        let body = read(body, bounds).await?;
        let claimed = (endpoint.reader.signature)(&head.headers).ok_or(Refusal::Unsigned)?;
        if !signature::is_of_any(&claimed, &body, &endpoint.secrets) {
            return Err(Refusal::Unsigned);
        }
        let delivery = (endpoint.reader.delivery)(&head.headers).unwrap_or_default();
        if is_form(&head.headers) {
            return Err(Refusal::Form);
        }
        let hint = (endpoint.reader.hint)(&head.headers, &body);
        let known = hint.as_ref().and_then(|hint| Some((hint, endpoint.workspaces.get(&hint.repository)?)));
        let Some((hint, (workspace, pulse))) = known else {
            if hint.is_some() {
                endpoint.strangers.iter().for_each(|scout| scout.notify_one());
            }
            let repository = hint.map(|hint| hint.repository.to_string());
            tracing::debug!(forge = %endpoint.forge, ?delivery, ?repository, "a webhook about nothing that is served");
            return Ok(Delivery::Ignored);
        };
        let key = PullKey { workspace: workspace.clone(), number: hint.number };
        let enqueued = tokio::time::timeout(STORE_TIME, self.enqueue(&key, hint.kind)).await;
        enqueued.map_err(|_| Refusal::Store)?.map_err(|error| {
            tracing::error!(%error, "the database cannot be used");
            Refusal::Store
        })?;
        pulse.wake();
        tracing::info!(forge = %endpoint.forge, ?delivery, pull = %key, kind = ?hint.kind, "webhook");
        Ok(Delivery::Queued)
    }

    async fn enqueue(&self, key: &PullKey, kind: HintKind) -> Result<(), StoreError> {
        let Inner { store, clock, .. } = &*self.0;
        let hint = match kind {
            HintKind::NewHead => Hint::NewHead,
            HintKind::Action => Hint::Action,
            HintKind::Other => Hint::Housekeeping,
        };
        // The author that the payload names is not believed. One that we have not seen yet has a lane to themselves.
        let lane = store.lane(key).await?.unwrap_or_else(|| key.to_string());
        store.enqueue(key, &lane, hint, clock.now()).await
    }
}

/// Answers whatever no other route takes.
pub async fn receive(State(receiver): State<Receiver>, request: Request) -> Response {
    let endpoints = receiver.endpoints();
    let Some(endpoint) = endpoints.get(request.uri().path()) else { return Refusal::Nowhere.into_response() };
    if request.method() != Method::POST {
        return Refusal::Method.into_response();
    }
    let result = receiver.receive(endpoint, request).await;
    let (counted, response) = match result {
        Ok(delivery) => (delivery, (StatusCode::ACCEPTED, answer(delivery)).into_response()),
        Err(refusal) => {
            tracing::warn!(forge = %endpoint.forge, ?refusal, "a webhook was not taken");
            (refusal.counts_as(), refusal.into_response())
        }
    };
    receiver.0.metrics.delivered(&endpoint.forge, counted);
    response
}

fn answer(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Queued => "queued\n",
        _ => "nothing of this is served here\n",
    }
}

async fn read(body: Body, bounds: &Bounds) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(bounds.time, Limited::new(body, bounds.bytes).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge(bounds.bytes)),
        // The sender broke off.
        Ok(Err(_)) | Err(_) => Err(Refusal::TooSlow),
    }
}

/// What forges send when the webhook is set to forms instead of JSON.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

impl Refusal {
    fn counts_as(&self) -> Delivery {
        match self {
            Refusal::Unsigned => Delivery::Unsigned,
            Refusal::Full | Refusal::Store => Delivery::Overload,
            Refusal::Nowhere | Refusal::Method | Refusal::TooLarge(_) | Refusal::TooSlow | Refusal::Form => {
                Delivery::Malformed
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let busy = |text| (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")], text).into_response();
        match self {
            Refusal::Nowhere => (StatusCode::NOT_FOUND, "there is nothing here\n").into_response(),
            Refusal::Method => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response(),
            Refusal::Full => busy("too many webhooks at once: a sweep will find it\n"),
            Refusal::Store => busy("the database does not answer: a sweep will find it\n"),
            Refusal::TooLarge(limit) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("more than {limit} bytes: a sweep will find it\n"))
                    .into_response()
            }
            Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, "this took too long\n").into_response(),
            // Whatever is wrong with it: one answer.
            Refusal::Unsigned => {
                (StatusCode::UNAUTHORIZED, "the signature is of none of the secrets here\n").into_response()
            }
            Refusal::Form => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "set the webhook's content type to application/json\n")
                    .into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests;
