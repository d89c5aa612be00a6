//! Events are sent as GitHub sends them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::client::{Client, REVIEWS, World, sha};
use crate::fake_github::clock::HOUR;
use crate::fake_github::recorded_payloads;
use crate::fake_github::state::hooks::Delivery;
use crate::fake_github::state::repo::Role;

fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    delivery.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn payload(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap()
}

#[tokio::test]
async fn each_thing_that_happens_has_its_event() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "http://127.0.0.1:9/hook", "secret");
    let bob = world.hub.user("bob");
    let pull = world.hub.open_pull(world.repo, bob, "fix", &sha('b'));
    world.hub.push(pull, &sha('c'));
    world.hub.force_push(pull, &sha('d'));
    world.hub.set_draft(pull, true);
    world.hub.set_draft(pull, false);
    world.hub.retitle(pull, "better");
    world.hub.comment(pull, bob, "/regrade");
    world.hub.close(pull);
    world.hub.push(pull, &sha('e'));
    world.hub.reopen(pull);
    world.bot.post("/repos/acme/cnpe/pulls/2/reviews", json!({"body": "x", "event": "COMMENT"})).await;
    let pending = world.bot.post("/repos/acme/cnpe/pulls/2/reviews", json!({"body": "x"})).await.id();
    world.bot.delete(&format!("/repos/acme/cnpe/pulls/2/reviews/{pending}")).await;
    world.hub.delete_fork(pull);
    let sent = world.hub.take_deliveries();
    let told: Vec<String> =
        sent.iter().map(|d| format!("{} {}", d.event, d.action.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        told,
        [
            "pull_request opened",
            "pull_request synchronize",
            "pull_request synchronize",
            "pull_request converted_to_draft",
            "pull_request ready_for_review",
            "pull_request edited",
            "issue_comment created",
            "pull_request closed",
            "pull_request reopened",
            "pull_request_review submitted",
            "pull_request closed",
        ],
        "a push to a closed pull request and a pending review are silent"
    );
    let pushed = payload(&sent[2]);
    assert_eq!((&pushed["before"], &pushed["after"]), (&json!(sha('c')), &json!(sha('d'))));
    assert_eq!(pushed["number"], 2);
    assert_eq!(pushed["repository"]["full_name"], "acme/cnpe");
    assert!(pushed["installation"]["id"].is_u64());
    assert_eq!(payload(&sent[9])["review"]["state"], "commented", "in lower case here");
    assert!(world.hub.take_deliveries().is_empty(), "once");
    world.hub.finish();
}

#[tokio::test]
async fn a_delivery_is_signed_over_its_bytes() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "http://127.0.0.1:9/hook", "it is a secret");
    world.hub.comment(world.pull, world.ada, "hello");
    let sent = world.hub.take_deliveries();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"it is a secret").unwrap();
    mac.update(&sent[0].body);
    let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    assert_eq!(header(&sent[0], "x-hub-signature-256"), Some(expected.as_str()));
    assert_eq!(header(&sent[0], "x-github-event"), Some("issue_comment"));
    assert_eq!(header(&sent[0], "x-github-delivery"), Some(sent[0].guid.as_str()));
    assert_eq!(sent[0].guid.len(), 36);
    world.hub.finish();
}

/// The shape of a value: names and kinds, without values.
fn missing(recorded: &Value, ours: &Value, at: &str, found: &mut Vec<String>) {
    if let (Value::Object(recorded), Value::Object(ours)) = (recorded, ours) {
        for (name, value) in recorded {
            match ours.get(name) {
                None => found.push(format!("{at}/{name}")),
                Some(own) => missing(value, own, &format!("{at}/{name}"), found),
            }
        }
    }
}

#[tokio::test]
async fn payloads_have_the_fields_of_recorded_ones() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "http://127.0.0.1:9/hook", "secret");
    world.hub.push(world.pull, &sha('b'));
    world.hub.comment(world.pull, world.ada, "hello");
    world.bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT"})).await;
    for delivery in world.hub.take_deliveries() {
        let ours = payload(&delivery);
        let all = recorded_payloads(&delivery.event);
        let like = all.iter().find(|one| one.action == delivery.action && one.payload.get("installation").is_some());
        let like = like.or_else(|| all.iter().find(|one| one.action == delivery.action)).expect("one was recorded");
        let mut found = Vec::new();
        missing(&like.payload, &ours, "", &mut found);
        // What an organisation defines for itself, or what says nothing about a pull request.
        let unsaid = ["/organization", "/reactions", "/performed_via_github_app", "/custom_properties"];
        found.retain(|at| !unsaid.iter().any(|known| at.ends_with(known)));
        assert!(found.is_empty(), "{} lacks {found:?}", delivery.event);
    }
    world.hub.finish();
}

#[tokio::test]
async fn the_app_sees_its_deliveries_and_asks_for_one_again() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "http://127.0.0.1:9/hook", "secret");
    let app = Client::with(&world.hub, &world.hub.jwt(&world.app));
    let config = app.get("/app/hook/config").await;
    assert_eq!((&config.body["url"], &config.body["secret"]), (&json!("http://127.0.0.1:9/hook"), &json!("********")));
    for letter in ['b', 'c', 'd'] {
        world.hub.push(world.pull, &sha(letter));
    }
    let sent = world.hub.take_deliveries();
    world.hub.delivered(sent[0].id, 200);
    world.hub.delivered(sent[1].id, 502);
    let first = app.get("/app/hook/deliveries?per_page=2").await;
    assert_eq!(first.list().len(), 2);
    assert_eq!(first.list()[0]["id"], sent[2].id, "newest first");
    let next = first.header("link").unwrap().split(['<', '>']).nth(1).unwrap().replace("https://api.github.com", "");
    let rest = app.get(&next).await;
    assert_eq!((rest.list().len(), &rest.list()[0]["status_code"]), (1, &json!(200)));

    let again = app.send("POST", &format!("/app/hook/deliveries/{}/attempts", sent[1].id), &[], None).await;
    assert_eq!(again.status, 202, "{}", again.body);
    let redelivered = world.hub.take_deliveries();
    assert_eq!((&redelivered[0].guid, redelivered[0].redelivery), (&sent[1].guid, true), "the same guid");
    assert_ne!(redelivered[0].id, sent[1].id);
    let shown = app.get(&format!("/app/hook/deliveries/{}", sent[1].id)).await;
    assert_eq!(shown.body["request"]["payload"]["after"], sha('c'));
    world.hands.advance(73 * HOUR);
    let app = Client::with(&world.hub, &world.hub.jwt(&world.app));
    let late = app.send("POST", &format!("/app/hook/deliveries/{}/attempts", sent[1].id), &[], None).await;
    assert_eq!(late.status, 422, "after three days");
    world.hub.finish();
}

#[tokio::test]
async fn a_repositorys_webhook_is_pinged_and_gets_what_it_asked_for() {
    let world = World::new().await;
    world.hub.set_role(world.repo, world.ada, Role::Admin);
    let admin = world.client(world.ada);
    let hooks = "/repos/acme/cnpe/hooks";
    let config = json!({"url": "https://gradus.example/hook", "content_type": "json", "secret": "s"});
    let made = admin.post(hooks, json!({"name": "web", "events": ["issue_comment"], "config": config})).await;
    assert_eq!((made.status, &made.body["config"]["secret"]), (201, &json!("********")), "{}", made.body);
    assert_eq!(admin.post(hooks, json!({"events": ["issue_comment"], "config": config})).await.status, 422, "once");
    assert_eq!(admin.get(hooks).await.list().len(), 1);
    assert_eq!(world.client(world.hub.user("eve")).get(hooks).await.status, 404);
    world.hub.push(world.pull, &sha('b'));
    world.hub.comment(world.pull, world.ada, "hello");
    let sent = world.hub.take_deliveries();
    let events: Vec<&str> = sent.iter().map(|delivery| delivery.event.as_str()).collect();
    assert_eq!(events, ["ping", "issue_comment"]);
    assert!(payload(&sent[1]).get("installation").is_none());
    world.hub.finish();
}

#[tokio::test]
async fn installing_the_app_is_an_event_of_its_own() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "http://127.0.0.1:9/hook", "secret");
    let other = world.hub.repository(world.owner, "second");
    let id = world.hub.install(&world.app, &[other]);
    let sent = world.hub.take_deliveries();
    assert_eq!((sent.len(), sent[0].event.as_str()), (1, "installation"));
    let told = payload(&sent[0]);
    assert_eq!((&told["action"], &told["installation"]["id"]), (&json!("created"), &json!(id)));
    assert_eq!(told["repositories"][0]["full_name"], "acme/second");
    world.hub.finish();
}
