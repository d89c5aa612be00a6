//! The endpoint that Argo CD's ApplicationSet controller asks: a plugin generator.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use super::health::Health;
use crate::config::secret::Secret;
use crate::gitops::generator::{Certainty, answer};
use crate::store::Store;

/// Longest question. The controller sends its name and the parameters of the ApplicationSet.
const MAX_QUESTION: usize = 64 << 10;

/// Longest wait for a question to arrive.
const TIME: Duration = Duration::from_secs(10);

/// Answers the controller.
#[derive(Clone)]
pub struct Generator(Arc<Inner>);

struct Inner {
    store: Store,
    health: Health,
    token: RwLock<Option<Secret>>,
}

impl Generator {
    /// From this store, as soon as `health` says that everything was compared. Without a token nobody is answered.
    pub fn new(store: Store, health: Health) -> Self {
        Self(Arc::new(Inner { store, health, token: RwLock::default() }))
    }

    /// From now on this is the token.
    pub fn replace(&self, token: Option<Secret>) {
        // Replaced in one step: a panic elsewhere leaves it whole.
        *self.0.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Its one address.
    pub fn routes(self) -> Router {
        Router::new().route("/api/v1/getparams.execute", post(execute)).with_state(self)
    }

    fn knows(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = self.0.token.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Refusal::Nowhere)?;
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).map(Secret::new);
        // In constant time.
        if given == Some(token) { Ok(()) } else { Err(Refusal::Stranger) }
    }

    async fn list(&self) -> Result<Value, Refusal> {
        let Inner { store, health, .. } = &*self.0;
        let offers = store.offers().await.map_err(|error| {
            tracing::error!(%error, "the database cannot be used");
            Refusal::NotSure
        })?;
        let certainty = if health.everything_compared() { Certainty::Whole } else { Certainty::Partial };
        offers.and_then(|offers| answer(&offers, certainty)).ok_or(Refusal::NotSure)
    }
}

#[derive(Debug)]
enum Refusal {
    Nowhere,
    Stranger,
    Question,
    NotSure,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Refusal::Nowhere => {
                (StatusCode::NOT_FOUND, "set `argocd.token` in the configuration to be answered here\n")
            }
            Refusal::Stranger => (StatusCode::UNAUTHORIZED, "this is not the token of `argocd.token`\n"),
            Refusal::Question => (StatusCode::BAD_REQUEST, "this is no question of an ApplicationSet controller\n"),
            Refusal::NotSure => {
                (StatusCode::SERVICE_UNAVAILABLE, "not everything was compared since the start: ask again later\n")
            }
        };
        (status, words).into_response()
    }
}

async fn execute(State(generator): State<Generator>, request: Request) -> Result<Response, Refusal> {
    // Before the body is read.
    generator.knows(request.headers())?;
    question(request.into_body()).await?;
    let list = generator.list().await?;
    Ok(axum::Json(list).into_response())
}

/// What is asked changes nothing of the answer; that it is a question tells a wrong address from a right one.
async fn question(body: Body) -> Result<(), Refusal> {
    let read = tokio::time::timeout(TIME, Limited::new(body, MAX_QUESTION).collect()).await;
    let bytes = read.map_err(|_| Refusal::Question)?.map_err(|_| Refusal::Question)?.to_bytes();
    let question: Value = serde_json::from_slice(&bytes).map_err(|_| Refusal::Question)?;
    question.get("applicationSetName").and_then(Value::as_str).map(drop).ok_or(Refusal::Question)
}

#[cfg(test)]
mod tests;
