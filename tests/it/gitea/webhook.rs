//! Deliveries of the real server.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use gradus::forge::gitea::webhook;
use gradus::forge::hint::HintKind;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::Case;
use super::server::eventually;

const SECRET: &str = "a secret of the webhook";

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn take(State(received): State<Received>, headers: HeaderMap, body: Bytes) {
    received.lock().unwrap().push((headers, body));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_is_signed_and_tells_of_its_pull_request() {
    let case = Case::new();
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/webhooks/gitea", listener.local_addr().unwrap());
    let router = Router::new().route("/webhooks/gitea", post(take)).with_state(received.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let events =
        ["pull_request", "pull_request_sync", "pull_request_comment", "pull_request_review", "issue_comment", "push"];
    let config = json!({"url": address, "content_type": "json", "secret": SECRET});
    let hook = json!({"type": "gitea", "active": true, "events": events, "config": config});
    case.academy.ask("bot", "POST", "/hooks", Some(hook), 201);

    let next = |what: &str| {
        let mut found = None;
        eventually(what, || {
            found = received.lock().unwrap().pop();
            found.is_some()
        });
        let (headers, body) = found.unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&body);
        let claimed = webhook::signature(&headers).expect("it is signed");
        mac.verify_slice(&claimed).expect("over the body as it came");
        assert!(webhook::delivery(&headers).is_some_and(|id| id.len() == 36));
        let hint = webhook::hint(&headers, &body).unwrap_or_else(|| panic!("{what}: {headers:?}"));
        assert_eq!(hint.repository.to_string(), format!("teacher/{}", case.academy.name));
        assert_eq!(hint.number, case.pull);
        hint.kind
    };
    let comments = format!("/issues/{}/comments", case.pull);
    case.ada.clone.answer("3", "aurora");
    case.ada.clone.hand_in();
    assert_eq!(next("a push"), HintKind::NewHead);
    case.ada.force_push(case.pull.0);
    assert_eq!(next("a force push"), HintKind::NewHead);
    case.academy.ask("ada", "POST", &comments, Some(json!({"body": "/hint"})), 201);
    assert_eq!(next("a comment"), HintKind::Action);
    let approval = json!({"event": "APPROVED", "body": "Well done", "commit_id": case.head()});
    case.academy.ask("teacher", "POST", &format!("/pulls/{}/reviews", case.pull), Some(approval), 200);
    assert_eq!(next("an approval"), HintKind::Action);
    case.academy.ask("ada", "PATCH", &format!("/pulls/{}", case.pull), Some(json!({"state": "closed"})), 201);
    assert_eq!(next("closing"), HintKind::Action);
    case.academy.ask("ada", "PATCH", &format!("/pulls/{}", case.pull), Some(json!({"state": "open"})), 201);
    assert_eq!(next("reopening"), HintKind::NewHead);
    server.abort();
}
