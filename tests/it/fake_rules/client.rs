//! A client without any knowledge: method, path, body.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::fake_github::Clock;
use crate::fake_github::clock::Hands;
use crate::fake_github::hub::{AppHandle, Hub};
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The texts in `errors`, whatever their shape.
    pub fn errors(&self) -> String {
        self.body["errors"].to_string()
    }

    pub fn list(&self) -> &[Value] {
        self.body.as_array().expect("the answer is a list")
    }

    pub fn id(&self) -> u64 {
        self.body["id"].as_u64().expect("the answer has an id")
    }
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Client {
    hub: Hub,
    authorization: Option<String>,
}

impl Client {
    pub fn anonymous(hub: &Hub) -> Self {
        Self { hub: hub.clone(), authorization: None }
    }

    pub fn with(hub: &Hub, secret: &str) -> Self {
        Self { hub: hub.clone(), authorization: Some(format!("Bearer {secret}")) }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// An error when the connection breaks, in the middle of the body or before.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = Request::builder().method(method).uri(format!("https://api.github.com{path}"));
        request = request.header("user-agent", "rules").header("accept", "application/vnd.github+json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.hub.service().oneshot(request.body(body).unwrap()).await?;
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None).await
    }
}

/// A workspace, a learner with a pull request, and the App.
pub struct World {
    pub hub: Hub,
    pub hands: Hands,
    pub app: AppHandle,
    pub owner: UserId,
    pub ada: UserId,
    pub repo: RepoId,
    pub pull: IssueRef,
    /// The App's bot.
    pub bot: Client,
}

/// A commit of this letter.
pub fn sha(letter: char) -> String {
    letter.to_string().repeat(40)
}

impl World {
    pub async fn new() -> Self {
        let (clock, hands) = Clock::manual();
        let hub = Hub::new(clock);
        let owner = hub.organization("acme");
        let ada = hub.user("ada");
        let repo = hub.repository(owner, "cnpe");
        let app = hub.app("gradus", owner);
        let installation = hub.install(&app, &[repo]);
        let pull = hub.open_pull(repo, ada, "fix", &sha('a'));
        let secret = token(&hub, &app, installation).await;
        let bot = Client::with(&hub, &secret);
        Self { hub, hands, app, owner, ada, repo, pull, bot }
    }

    /// Somebody with a personal token.
    pub fn client(&self, user: UserId) -> Client {
        Client::with(&self.hub, &self.hub.personal_token(user))
    }
}

/// An installation's token, got as a client gets it.
pub async fn token(hub: &Hub, app: &AppHandle, installation: u64) -> String {
    let client = Client::with(hub, &hub.jwt(app));
    let answer = client.post(&format!("/app/installations/{installation}/access_tokens"), json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["token"].as_str().unwrap().to_owned()
}

pub const REVIEWS: &str = "/repos/acme/cnpe/pulls/1/reviews";
