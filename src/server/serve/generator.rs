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

use crate::config::secret::Secret;
use crate::forge::pull::Workspace;
use crate::gitops::generator::{Certainty, answer};
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};

/// Longest question. The controller sends its name and the parameters of the ApplicationSet.
const MAX_QUESTION: usize = 64 << 10;

/// Longest wait for a question to arrive.
const TIME: Duration = Duration::from_secs(10);

/// Tells all workspaces that are served, once all of each was compared with its forge since the start.
pub type Compared = Arc<dyn Fn() -> Option<Vec<Workspace>> + Send + Sync>;

/// Answers the controller.
#[derive(Clone)]
pub struct Generator(Arc<Inner>);

struct Inner {
    store: Store,
    compared: Compared,
    token: RwLock<Option<Secret>>,
}

impl Generator {
    /// From this store, as soon as everything was compared. Without a token nobody is answered.
    pub fn new(store: Store, compared: Compared) -> Self {
        Self(Arc::new(Inner { store, compared, token: RwLock::default() }))
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
        let list = async {
            let certainty = self.certainty().await?;
            Ok::<_, StoreError>(answer(&self.0.store.offers().await?, certainty))
        };
        let list = list.await.map_err(|error| {
            tracing::error!(%error, "the database cannot be used");
            Refusal::NotSure
        })?;
        list.ok_or(Refusal::NotSure)
    }

    async fn certainty(&self) -> Result<Certainty, StoreError> {
        let Some(workspaces) = (self.0.compared)() else { return Ok(Certainty::Partial) };
        for workspace in workspaces {
            if !self.0.store.offers_are_whole(&workspace, SystemClock.now()).await? {
                return Ok(Certainty::Partial);
            }
        }
        Ok(Certainty::Whole)
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
