//! Every request and every answer is held to GitHub's own description.

use serde_json::json;

use super::client::{REVIEWS, World};
use crate::fake_github::recorded_payloads;

#[tokio::test]
async fn what_github_does_not_describe_is_a_violation() {
    let world = World::new().await;
    let bot = &world.bot;
    let pulls = "/repos/acme/cnpe/pulls";
    let one = |world: &World, says: &str| {
        let found = world.hub.take_violations();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(says), "{} does not say {says}", found[0]);
    };
    assert_eq!(bot.get("/search/issues?q=x").await.status, 404);
    one(&world, "no such endpoint");
    bot.get(&format!("{pulls}?limit=50")).await;
    one(&world, "`limit` is not described");
    bot.get(&format!("{pulls}?state=draft")).await;
    one(&world, "state=draft");
    bot.get(&format!("{pulls}?per_page=200")).await;
    one(&world, "GitHub gives 1 to 100");
    bot.get("/repos/acme/cnpe/issues/comments?since=yesterday").await;
    one(&world, "since=yesterday");
    bot.get(&format!("{pulls}/one")).await;
    one(&world, "pull_number=one");
    let odd = bot.post(REVIEWS, json!({"body": "x", "event": "LGTM"})).await;
    assert_eq!(odd.status, 422);
    one(&world, "/event");
    bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT", "commit": "a"})).await;
    one(&world, "commit");
    bot.post(REVIEWS, json!({"body": "x", "comments": [{"path": "a", "body": "b", "new_position": 1}]})).await;
    one(&world, "new_position");
    bot.post("/repos/acme/cnpe/issues", json!({"body": "no title"})).await;
    one(&world, "title");
    bot.send("GET", pulls, &[("x-github-api-version", "2019-01-01")], None).await;
    one(&world, "2019-01-01");
    assert_eq!(bot.send("GET", pulls, &[("x-github-api-version", "2022-11-28")], None).await.status, 200);
    assert!(world.hub.visible_reviews(world.pull).is_empty(), "nothing of it happened");
    world.hub.finish();
}

#[tokio::test]
#[should_panic(expected = "no such endpoint")]
async fn a_violation_fails_the_test_at_its_end() {
    let world = World::new().await;
    world.bot.get("/repos/acme/cnpe/releases").await;
    world.hub.finish();
}

#[tokio::test]
#[should_panic(expected = "the test did not call `finish`")]
async fn a_violation_fails_a_test_that_forgets_its_end() {
    let world = World::new().await;
    world.bot.get("/repos/acme/cnpe/releases").await;
}

#[tokio::test]
#[should_panic(expected = "left over: pending review")]
async fn a_pending_review_that_nobody_submits_fails_the_test() {
    let world = World::new().await;
    world.bot.post(REVIEWS, json!({"body": "x"})).await;
    world.hub.finish();
}

#[tokio::test]
#[should_panic(expected = "expected: an answer to everybody")]
async fn an_expectation_that_does_not_hold_fails_the_test() {
    let world = World::new().await;
    let pull = world.pull;
    world.hub.expect("an answer to everybody", move |hub| !hub.visible_reviews(pull).is_empty());
    world.hub.finish();
}

#[tokio::test]
async fn the_description_is_read_in_well_under_a_second() {
    World::new().await.bot.get(REVIEWS).await;
    // Now it is cut and cached; what a process pays is reading the cut.
    let ids: Vec<&str> = crate::fake_github::http::routes::ROUTES.iter().map(|route| route.id).collect();
    // The best of some: other tests run meanwhile.
    let read = || {
        let began = std::time::Instant::now();
        crate::fake_github::spec::load(&ids);
        began.elapsed()
    };
    let best = (0..5).map(|_| read()).min().unwrap();
    assert!(best.as_millis() < 700, "{best:?}");
}

#[test]
fn recorded_payloads_are_there_for_each_event_that_we_read() {
    for event in ["pull_request", "issue_comment", "pull_request_review", "ping", "installation"] {
        let all = recorded_payloads(event);
        assert!(!all.is_empty(), "{event}");
        assert!(all.iter().all(|one| one.payload.is_object() && one.event == event));
    }
    let synchronized = recorded_payloads("pull_request");
    assert!(synchronized.iter().any(|one| one.action.as_deref() == Some("synchronize")));
    assert!(recorded_payloads("nothing").is_empty());
}
