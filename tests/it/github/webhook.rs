//! Webhooks: what GitHub sends is read as hints, and nothing more.

use gradus::forge::github::webhook::{delivery, hint, signature};
use gradus::forge::hint::HintKind;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use super::world::{World, sha};
use crate::fake_github::recorded_payloads;
use crate::fake_github::state::reviews::ReviewEvent;

fn headers(all: &[(String, String)]) -> HeaderMap {
    let header = |(name, value): &(String, String)| {
        (name.to_lowercase().parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    all.iter().map(header).collect()
}

#[tokio::test]
async fn what_the_fake_sends_carries_a_signature_over_its_bytes_and_names_the_pull_request() {
    let world = World::new().await;
    world.hub.repo_hook(
        world.repo,
        "https://gradus.example.org/webhooks/github",
        "s3cret",
        &["pull_request", "issue_comment", "pull_request_review", "push"],
    );
    world.hub.push(world.at, &sha('b'));
    world.hub.comment(world.at, world.ada, "/regrade");
    world.hub.review(world.at, world.ada, ReviewEvent::Comment, "hm");
    world.hub.close(world.at);
    let mut kinds = Vec::new();
    for sent in world.hub.take_deliveries() {
        let headers = headers(&sent.headers);
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"s3cret").unwrap().chain_update(&sent.body);
        mac.verify_slice(&signature(&headers).unwrap()).unwrap();
        assert_eq!(delivery(&headers), Some(sent.guid.as_str()));
        let Some(hint) = hint(&headers, &sent.body) else {
            assert_eq!(sent.event, "ping");
            continue;
        };
        assert_eq!((hint.repository, hint.number), ("acme/cnpe".parse().unwrap(), world.number()));
        kinds.push(hint.kind);
    }
    assert_eq!(kinds, [HintKind::NewHead, HintKind::Action, HintKind::Action, HintKind::Action]);
    world.hub.finish();
}

#[test]
fn every_payload_that_github_really_sent_is_read() {
    let mut about_pull_requests = 0;
    for event in [
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_review_thread",
        "issue_comment",
        "issues",
        "push",
        "check_run",
        "installation",
        "ping",
        "star",
    ] {
        for recorded in recorded_payloads(event) {
            let name = HeaderName::from_static("x-github-event");
            let headers = HeaderMap::from_iter([(name, event.parse().unwrap())]);
            let payload = &recorded.payload;
            let hint = hint(&headers, payload.to_string().as_bytes());
            let pull = match event {
                "issue_comment" if payload["issue"]["pull_request"].is_object() => &payload["issue"]["number"],
                event if event.starts_with("pull_request") => &payload["pull_request"]["number"],
                _ => &serde_json::Value::Null,
            };
            assert_eq!(hint.as_ref().map(|hint| hint.number.0), pull.as_i64(), "{event} {:?}", recorded.action);
            about_pull_requests += usize::from(hint.is_some());
        }
    }
    assert!(about_pull_requests > 20, "{about_pull_requests}");
}
