//! What goes wrong goes wrong as it does on the real thing.

use std::time::Duration;

use axum::body::Body;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::client::{REVIEWS, World, sha};
use crate::fake_github::clock::SECOND;
use crate::fake_github::faults::{self, Asked, Fault, bad_road};
use crate::fake_github::http::limits::Secondary;

const CREATE: &str = "pulls/create-review";
const PATIENCE: Duration = Duration::from_secs(10);

fn review() -> serde_json::Value {
    json!({"body": "x", "event": "COMMENT"})
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_by_the_callers_patience_before_or_after_the_effect() {
    for (fault, happened) in [(Fault::TimeoutBefore, 0), (Fault::TimeoutAfter, 1)] {
        let world = World::new().await;
        world.hub.plan(CREATE, fault);
        let began = Instant::now();
        assert!(timeout(PATIENCE, world.bot.post(REVIEWS, review())).await.is_err());
        assert_eq!(began.elapsed(), PATIENCE);
        assert_eq!(world.hub.visible_reviews(world.pull).len(), happened);
        assert_eq!(world.hub.calls().last().unwrap().status, None);
        world.hub.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_timed_out_may_land_late() {
    let world = World::new().await;
    world.hub.plan(CREATE, Fault::TimeoutThenEffect(30 * SECOND));
    assert!(timeout(PATIENCE, world.bot.post(REVIEWS, json!({"body": "late"}))).await.is_err());
    assert!(world.bot.get(REVIEWS).await.list().is_empty(), "nothing to adopt yet");
    world.hands.advance(30 * SECOND);
    // It lands between the look and the second try.
    assert_eq!(world.bot.post(REVIEWS, json!({"body": "again"})).await.status, 422, "one pending review");
    let mine = world.bot.get(REVIEWS).await;
    assert_eq!(mine.list()[0]["body"], "late");
    let id = mine.list()[0]["id"].as_u64().unwrap();
    world.bot.delete(&format!("{REVIEWS}/{id}")).await;
    world.hub.finish();
}

#[tokio::test]
async fn trouble_of_the_server_comes_before_or_after_the_effect_and_is_not_json() {
    for (fault, happened) in [(Fault::ErrorBefore(502), 0), (Fault::ErrorAfter(503), 1)] {
        let world = World::new().await;
        world.hub.plan(CREATE, fault.clone());
        let answer = world.bot.post(REVIEWS, review()).await;
        assert!([Fault::ErrorBefore(answer.status), Fault::ErrorAfter(answer.status)].contains(&fault));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(world.hub.visible_reviews(world.pull).len(), happened);
        world.hub.finish();
    }
}

#[tokio::test]
async fn a_secondary_limit_has_a_time_to_wait_or_none() {
    let world = World::new().await;
    for (status, retry_after) in [(403, Some(60)), (429, None)] {
        world.hub.plan(CREATE, Fault::Secondary(Secondary { status, retry_after }));
        let answer = world.bot.post(REVIEWS, review()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("retry-after").map(|text| text.parse().unwrap()), retry_after);
    }
    world.hub.plan(CREATE, Fault::Unprocessable);
    assert_eq!(world.bot.post(REVIEWS, review()).await.status, 422);
    assert!(world.hub.visible_reviews(world.pull).is_empty());
    world.hub.finish();
}

#[tokio::test]
async fn a_broken_connection_is_an_error_before_or_after_the_effect() {
    for (fault, happened) in [(Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
        let world = World::new().await;
        world.hub.plan(CREATE, fault);
        assert!(world.bot.try_send("POST", REVIEWS, &[], Some(review())).await.is_err());
        assert_eq!(world.hub.visible_reviews(world.pull).len(), happened);
        world.hub.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_may_come_slowly_or_break_off() {
    let world = World::new().await;
    world.hub.plan("pulls/list", Fault::SlowBody(3_000));
    let began = Instant::now();
    assert_eq!(world.bot.get("/repos/acme/cnpe/pulls").await.list().len(), 1, "it is whole in the end");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    world.hub.plan("pulls/list", Fault::Slow(2_000));
    world.bot.get("/repos/acme/cnpe/pulls").await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    world.hub.latency(50);
    world.bot.get("/repos/acme/cnpe/pulls").await;
    assert_eq!(began.elapsed(), Duration::from_millis(5_050));
    world.hub.plan(CREATE, Fault::CutBody);
    assert!(world.bot.try_send("POST", REVIEWS, &[], Some(review())).await.is_err());
    assert_eq!(world.hub.visible_reviews(world.pull).len(), 1, "it happened");
    world.hub.finish();
}

#[tokio::test]
async fn a_request_may_arrive_twice_and_a_read_may_be_stale() {
    let world = World::new().await;
    world.hub.keep_past(SECOND);
    world.hands.advance(10 * SECOND);
    world.hub.plan(CREATE, Fault::Twice);
    world.bot.post(REVIEWS, review()).await;
    assert_eq!(world.hub.visible_reviews(world.pull).len(), 2);
    world.hub.plan("pulls/list-reviews", Fault::Stale(SECOND));
    assert_eq!(world.bot.get(REVIEWS).await.list().len(), 0);
    assert_eq!(world.bot.get(REVIEWS).await.list().len(), 2);
    world.hub.finish();
}

#[tokio::test]
async fn a_seed_makes_the_same_faults_again() {
    let schedule = |seed| -> Vec<Option<Fault>> {
        let mut schedule = faults::seeded(seed, 30, faults::all(), 200);
        let asked = |number: u64| Asked {
            number,
            method: if number.is_multiple_of(2) { "GET" } else { "POST" }.into(),
            path: "/repos/acme/cnpe/labels".into(),
            operation: "issues/create-label".into(),
            at: 0,
        };
        (1..=300).map(|number| schedule(&asked(number))).collect()
    };
    let one = schedule(1);
    assert_eq!(one, schedule(1));
    assert_ne!(one, schedule(2));
    let hits = one.iter().flatten().count();
    assert!((30..=90).contains(&hits), "{hits} of 200 at 30 %");
    assert!(one[200..].iter().all(Option::is_none), "every scenario ends");
    let seen: Vec<Fault> = (0..50).flat_map(schedule).flatten().collect();
    for fault in faults::all() {
        assert!(seen.contains(&fault), "{fault:?} never comes");
    }
}

#[tokio::test]
async fn events_are_lost_doubled_and_shuffled_by_seed() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "http://127.0.0.1:9/hook", "secret");
    for letter in 'b'..='z' {
        world.hub.push(world.pull, &sha(letter));
    }
    let sent = world.hub.take_deliveries();
    let ids = |all: &[std::sync::Arc<_>]| -> Vec<u64> {
        all.iter().map(|d: &std::sync::Arc<crate::fake_github::state::hooks::Delivery>| d.id).collect()
    };
    let arriving = ids(&bad_road(sent.clone(), 7, 20, 20));
    assert_eq!(arriving, ids(&bad_road(sent.clone(), 7, 20, 20)), "again");
    let mut kinds = arriving.clone();
    kinds.sort_unstable();
    let doubled = kinds.windows(2).filter(|two| two[0] == two[1]).count();
    kinds.dedup();
    assert!(kinds.len() < sent.len() && doubled > 0, "{arriving:?}");
    assert_ne!(arriving, {
        let mut sorted = arriving.clone();
        sorted.sort_unstable();
        sorted
    });
    assert_eq!(ids(&bad_road(sent.clone(), 7, 0, 0)).len(), sent.len());
    world.hub.finish();
}

#[tokio::test]
#[should_panic(expected = "pulls/submit-review was never asked")]
async fn a_planned_fault_that_never_happens_is_a_leftover() {
    let world = World::new().await;
    world.hub.plan("pulls/submit-review", Fault::TimeoutBefore);
    world.hub.finish();
}

#[tokio::test]
async fn a_router_breaks_the_body_where_it_cannot_break_the_connection() {
    use tower::ServiceExt as _;
    let world = World::new().await;
    world.hub.plan("repos/get", Fault::ResetBefore);
    let request = axum::http::Request::get("/repos/acme/cnpe").header("user-agent", "rules").body(Body::empty());
    let response = world.hub.router().oneshot(request.unwrap()).await.unwrap();
    assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err());
    world.hub.finish();
}

/// What comes back over a socket, however the other side ends.
async fn raw(address: std::net::SocketAddr, path: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: rules\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn on_loopback_addresses_are_its_own_and_connections_really_break() {
    let world = World::new().await;
    let serving = world.hub.serve().await.unwrap();
    let answer = raw(serving.address, "/repos/acme/cnpe/pulls/1").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains(&format!("\"url\":\"{}/repos/acme/cnpe/pulls/1\"", serving.base())), "{answer}");
    assert!(answer.to_lowercase().contains("date: tue, 24 nov 2026 08:00:00 gmt"), "the clock's, not the system's");
    world.hub.plan("pulls/get", Fault::ResetBefore);
    assert_eq!(raw(serving.address, "/repos/acme/cnpe/pulls/1").await.unwrap(), "", "not a byte");
    world.hub.plan("pulls/get", Fault::CutBody);
    let cut = raw(serving.address, "/repos/acme/cnpe/pulls/1").await.unwrap();
    assert!(cut.starts_with("HTTP/1.1 200 OK") && !cut.ends_with('}'), "{cut}");
    let address = serving.address;
    drop(serving);
    tokio::task::yield_now().await;
    assert!(raw(address, "/").await.is_err(), "it ends with its handle");
    world.hub.finish();
}
