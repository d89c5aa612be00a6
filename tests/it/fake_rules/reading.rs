//! Pages, order, conditional requests, limits, reads that lag.

use serde_json::json;

use super::client::{Client, REVIEWS, World, sha};
use crate::fake_github::clock::{HOUR, MINUTE, SECOND};
use crate::fake_github::http::limits::{Limits, Resource, Secondary};
use crate::fake_github::state::account::Actor;

const PULLS: &str = "/repos/acme/cnpe/pulls";

#[tokio::test]
async fn lists_come_in_pages_that_link_to_each_other() {
    let world = World::new().await;
    for number in 2..=7 {
        world.hands.advance(SECOND);
        let user = world.hub.user(&format!("learner{number}"));
        world.hub.open_pull(world.repo, user, "fix", &sha('b'));
    }
    let mut numbers = Vec::new();
    let mut next = Some(format!("{PULLS}?state=open&per_page=3"));
    while let Some(path) = next {
        let page = world.bot.get(&path).await;
        numbers.extend(page.list().iter().map(|pull| pull["number"].as_u64().unwrap()));
        let link = page.header("link").unwrap().to_owned();
        next = link.split(", ").find(|part| part.ends_with("rel=\"next\"")).map(|part| {
            let address = part.split(['<', '>']).nth(1).unwrap();
            address.strip_prefix("https://api.github.com").expect("same origin").to_owned()
        });
        if numbers.len() == 3 {
            assert!(link.contains("page=3>; rel=\"last\""), "{link}");
        }
    }
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1], "newest first when nobody says otherwise");
    assert!(world.bot.get(&format!("{PULLS}?per_page=100")).await.header("link").is_none(), "one page has no links");
    assert_eq!(world.bot.get(&format!("{PULLS}?page=9")).await.list().len(), 0);
    world.hub.finish();
}

#[tokio::test]
async fn a_list_by_last_update_begins_with_the_oldest_unless_told() {
    let world = World::new().await;
    let bob = world.hub.user("bob");
    world.hands.advance(SECOND);
    let second = world.hub.open_pull(world.repo, bob, "fix", &sha('b'));
    world.hands.advance(SECOND);
    world.hub.push(world.pull, &sha('c'));
    let numbers = async |query: &str| -> Vec<u64> {
        let answer = world.bot.get(&format!("{PULLS}?{query}")).await;
        answer.list().iter().map(|pull| pull["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers("sort=updated").await, [2, 1]);
    assert_eq!(numbers("sort=updated&direction=desc").await, [1, 2]);
    assert_eq!(numbers("head=bob:fix").await, [2]);
    world.hub.close(second);
    assert_eq!(numbers("state=closed").await, [2]);
    assert_eq!(numbers("state=all&sort=updated&direction=desc").await, [2, 1]);
    world.hub.finish();
}

#[tokio::test]
async fn what_did_not_change_is_304_and_free() {
    let world = World::new().await;
    let first = world.bot.get(PULLS).await;
    let tag = first.header("etag").unwrap().to_owned();
    let left = |answer: &super::client::Answer| answer.header("x-ratelimit-remaining").unwrap().parse::<u64>().unwrap();
    let same = world.bot.send("GET", PULLS, &[("if-none-match", &tag)], None).await;
    assert_eq!((same.status, &same.body), (304, &json!(null)));
    assert_eq!(left(&same), left(&first), "not counted");
    world.hub.push(world.pull, &sha('b'));
    let changed = world.bot.send("GET", PULLS, &[("if-none-match", &tag)], None).await;
    assert_eq!(changed.status, 200);
    assert_eq!(left(&changed), left(&first) - 1);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    world.hub.finish();
}

#[tokio::test]
async fn the_primary_limit_ends_and_resets_by_the_clock() {
    let world = World::new().await;
    world.hub.limits(Limits { primary: Some(3), ..Limits::github() });
    for left in [2, 1, 0] {
        let answer = world.bot.get(PULLS).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, Some(left.to_string().as_str())));
    }
    let refused = world.bot.get(PULLS).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert!(refused.header("retry-after").is_none(), "one waits for the reset");
    let reset: i64 = refused.header("x-ratelimit-reset").unwrap().parse().unwrap();
    assert_eq!(reset, (world.hands.now() + HOUR) / SECOND);
    let budget = world.bot.get("/rate_limit").await;
    assert_eq!((budget.status, &budget.body["rate"]["remaining"]), (200, &json!(0)), "asking is free");
    assert_eq!(Client::anonymous(&world.hub).get(PULLS).await.status, 200, "each identity has its own");
    world.hands.advance(HOUR);
    assert_eq!(world.client(world.owner).get(PULLS).await.status, 200);
    assert_eq!(world.hub.remaining(Actor::User(world.owner), Resource::Core), 2);
    world.hub.finish();
}

#[tokio::test]
async fn eighty_contents_a_minute_and_five_hundred_an_hour() {
    let world = World::new().await;
    world.hub.limits(Limits { points_per_minute: None, ..Limits::github() });
    let body = json!({"body": "x", "event": "COMMENT"});
    let mut posted = 0;
    for minute in 0..7 {
        let mut this_minute = 0;
        loop {
            let answer = world.bot.post(REVIEWS, body.clone()).await;
            if answer.status != 200 {
                assert_eq!((answer.status, answer.header("retry-after")), (403, Some("60")), "{}", answer.body);
                assert!(answer.body["message"].as_str().unwrap().contains("secondary rate limit"));
                break;
            }
            this_minute += 1;
        }
        assert_eq!(this_minute, if minute < 6 { 80 } else { 20 }, "in minute {minute}");
        posted += this_minute;
        world.hands.advance(MINUTE);
    }
    assert_eq!(posted, 500);
    assert_eq!(world.bot.get(REVIEWS).await.status, 200, "reading goes on");
    world.hub.finish();
}

#[tokio::test]
async fn nine_hundred_points_a_minute_a_write_is_five() {
    let world = World::new().await;
    let answer = Secondary { status: 429, retry_after: None };
    world.hub.limits(Limits { points_per_minute: Some(12), answer, ..Limits::github() });
    let label = async |name: &str| world.bot.post("/repos/acme/cnpe/labels", json!({"name": name})).await;
    assert_eq!(label("one").await.status, 201);
    assert_eq!(label("two").await.status, 201);
    let refused = label("three").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, None), "as configured");
    assert_eq!(world.bot.get(PULLS).await.status, 200, "two points are left for reads");
    world.hands.advance(MINUTE);
    assert_eq!(label("three").await.status, 201);
    assert_eq!(Limits::github().points_per_minute, Some(900));
    world.hub.finish();
}

#[tokio::test]
async fn reads_may_lag_behind_writes() {
    let world = World::new().await;
    world.hub.read_lag(5 * SECOND);
    world.hands.advance(10 * SECOND);
    let id = world.bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT"})).await.id();
    world.hub.push(world.pull, &sha('b'));
    assert_eq!(world.bot.get(REVIEWS).await.list().len(), 0, "not yet");
    assert_eq!(world.bot.get(&format!("{REVIEWS}/{id}")).await.status, 404, "nor by its id");
    assert_eq!(world.bot.get(&format!("{PULLS}/1")).await.body["head"]["sha"], sha('a'));
    assert_eq!(world.hub.visible_reviews(world.pull).len(), 1, "the test sees the truth");
    world.hands.advance(5 * SECOND);
    assert_eq!(world.bot.get(REVIEWS).await.list().len(), 1);
    assert_eq!(world.bot.get(&format!("{PULLS}/1")).await.body["head"]["sha"], sha('b'));

    // A write is judged by the truth, however old the reads are.
    world.bot.post(REVIEWS, json!({"body": "pending"})).await;
    assert_eq!(world.bot.get(REVIEWS).await.list().len(), 1);
    assert_eq!(world.bot.post(REVIEWS, json!({"body": "again"})).await.status, 422);
    let pending = world.hub.pending_reviews(world.pull)[0].id;
    assert_eq!(world.bot.delete(&format!("{REVIEWS}/{pending}")).await.status, 200);
    world.hub.finish();
}
