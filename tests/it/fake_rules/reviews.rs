//! Rules of reviews.

use serde_json::json;

use super::client::{REVIEWS, World, sha};
use crate::fake_github::state::diff::Diff;
use crate::fake_github::state::issue::ReviewState;
use crate::fake_github::state::reviews::ReviewEvent;

#[tokio::test]
async fn a_review_is_begun_and_submitted_and_then_everybody_sees_it() {
    let world = World::new().await;
    let begun = world.bot.post(REVIEWS, json!({"commit_id": sha('a'), "body": "Not yet"})).await;
    assert_eq!((begun.status, &begun.body["state"]), (200, &json!("PENDING")), "{}", begun.body);
    assert!(begun.body.get("submitted_at").is_none(), "a pending review has no time");
    let (id, ada) = (begun.id(), world.client(world.ada));
    assert_eq!(world.bot.get(REVIEWS).await.list().len(), 1, "its author sees it");
    assert_eq!(ada.get(REVIEWS).await.list().len(), 0, "nobody else does");
    assert_eq!(ada.get(&format!("{REVIEWS}/{id}")).await.status, 404);
    assert!(world.hub.visible_reviews(world.pull).is_empty());

    let submitted = world.bot.post(&format!("{REVIEWS}/{id}/events"), json!({"event": "COMMENT"})).await;
    assert_eq!((submitted.status, &submitted.body["state"]), (200, &json!("COMMENTED")), "{}", submitted.body);
    let seen = ada.get(REVIEWS).await;
    assert_eq!(seen.list()[0]["user"]["login"], "gradus[bot]");
    assert_eq!(seen.list()[0]["user"]["id"], world.app.bot.0);
    assert_eq!(seen.list()[0]["body"], "Not yet");
    assert_eq!(seen.list()[0]["commit_id"], sha('a'));
    world.hub.finish();
}

#[tokio::test]
async fn one_user_has_one_pending_review_per_pull_request() {
    let world = World::new().await;
    let first = world.bot.post(REVIEWS, json!({"body": "one"})).await;
    for second in [json!({"body": "two"}), json!({"body": "two", "event": "COMMENT"})] {
        let refused = world.bot.post(REVIEWS, second).await;
        assert_eq!(refused.status, 422);
        assert!(refused.errors().contains("one pending review per pull request"), "{}", refused.body);
    }
    let other = world.client(world.owner).post(REVIEWS, json!({"body": "mine"})).await;
    assert_eq!(other.status, 200, "another user is free");
    for (client, id) in [(&world.bot, first.id()), (&world.client(world.owner), other.id())] {
        assert_eq!(client.delete(&format!("{REVIEWS}/{id}")).await.status, 200);
    }
    assert_eq!(world.bot.post(REVIEWS, json!({"body": "two", "event": "COMMENT"})).await.status, 200);
    world.hub.finish();
}

#[tokio::test]
async fn only_a_pending_review_of_ones_own_can_be_deleted() {
    let world = World::new().await;
    let pending = world.bot.post(REVIEWS, json!({"body": "x"})).await.id();
    let path = format!("{REVIEWS}/{pending}");
    assert_eq!(world.client(world.ada).delete(&path).await.status, 404);
    assert_eq!(world.bot.post(&format!("{path}/events"), json!({"event": "COMMENT"})).await.status, 200);
    assert_eq!(world.bot.delete(&path).await.status, 422);
    assert_eq!(world.bot.post(&format!("{path}/events"), json!({"event": "COMMENT"})).await.status, 422, "once");
    world.hub.finish();
}

#[tokio::test]
async fn a_commit_that_a_force_push_removed_can_be_neither_reviewed_nor_submitted() {
    let world = World::new().await;
    let id = world.bot.post(REVIEWS, json!({"commit_id": sha('a'), "body": "x"})).await.id();
    world.hub.push(world.pull, &sha('b'));
    world.hub.force_push(world.pull, &sha('c'));
    let submit = world.bot.post(&format!("{REVIEWS}/{id}/events"), json!({"event": "COMMENT"})).await;
    assert_eq!(submit.status, 422, "{}", submit.body);
    assert!(world.hub.visible_reviews(world.pull).is_empty());
    world.bot.delete(&format!("{REVIEWS}/{id}")).await;
    for gone in ['a', 'b', 'f'] {
        let create = world.bot.post(REVIEWS, json!({"commit_id": sha(gone), "body": "x", "event": "COMMENT"})).await;
        assert_eq!(create.status, 422, "{gone}");
    }
    let newest = world.bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT"})).await;
    assert_eq!(newest.body["commit_id"], sha('c'), "without a commit it is the newest");
    world.hub.finish();
}

#[tokio::test]
async fn an_older_commit_of_the_pull_request_can_still_be_reviewed() {
    let world = World::new().await;
    world.hub.push(world.pull, &sha('b'));
    let old = world.bot.post(REVIEWS, json!({"commit_id": sha('a'), "body": "x", "event": "COMMENT"})).await;
    assert_eq!(old.status, 200, "{}", old.body);
    world.hub.finish();
}

#[tokio::test]
async fn ones_own_pull_request_can_be_commented_but_not_judged() {
    let world = World::new().await;
    let ada = world.client(world.ada);
    for event in ["APPROVE", "REQUEST_CHANGES"] {
        let refused = ada.post(REVIEWS, json!({"event": event, "body": "x"})).await;
        assert_eq!(refused.status, 422);
        assert!(refused.errors().contains("your own pull request"), "{}", refused.body);
    }
    assert_eq!(ada.post(REVIEWS, json!({"event": "COMMENT", "body": "x"})).await.status, 200);
    world.hub.finish();
}

#[tokio::test]
async fn comments_and_change_requests_need_a_body_that_is_not_too_long() {
    let world = World::new().await;
    for event in ["COMMENT", "REQUEST_CHANGES"] {
        assert_eq!(world.bot.post(REVIEWS, json!({"event": event})).await.status, 422, "{event}");
    }
    assert_eq!(world.bot.post(REVIEWS, json!({"event": "APPROVE"})).await.status, 200);
    // Characters, not bytes.
    let most = "é".repeat(65_536);
    let too_long = format!("{most}é");
    assert_eq!(world.bot.post(REVIEWS, json!({"event": "COMMENT", "body": too_long})).await.status, 422);
    let full = world.bot.post(REVIEWS, json!({"event": "COMMENT", "body": most})).await;
    assert_eq!(full.status, 200);
    let edit = format!("{REVIEWS}/{}", full.id());
    assert_eq!(world.bot.put(&edit, json!({"body": too_long})).await.status, 422);
    assert_eq!(world.bot.put(&edit, json!({"body": ""})).await.status, 422);
    let edited = world.bot.put(&edit, json!({"body": "short"})).await;
    assert_eq!((edited.status, &edited.body["body"]), (200, &json!("short")));
    assert_eq!(world.client(world.ada).put(&edit, json!({"body": "mine"})).await.status, 403, "another's");
    world.hub.finish();
}

#[tokio::test]
async fn one_bad_anchor_rejects_the_whole_review() {
    let world = World::new().await;
    world.hub.set_diff(world.pull, Diff::default().hunk("app.yaml", (10, 6), (10, 8)).added("new.yaml", 3));
    let at = |path: &str, line: u64| json!({"path": path, "line": line, "side": "RIGHT", "body": "here"});
    let review = |comments: serde_json::Value| json!({"body": "x", "event": "COMMENT", "comments": comments});
    let bad = [
        at("app.yaml", 9),
        at("app.yaml", 18),
        at("other.yaml", 1),
        at("new.yaml", 4),
        json!({"path": "app.yaml", "line": 16, "side": "LEFT", "body": "here"}),
        json!({"path": "app.yaml", "line": 12, "start_line": 9, "start_side": "RIGHT", "side": "RIGHT", "body": "x"}),
        json!({"path": "app.yaml", "line": 12, "start_line": 13, "start_side": "RIGHT", "side": "RIGHT", "body": "x"}),
        json!({"path": "app.yaml", "line": 12, "body": ""}),
    ];
    for comment in bad {
        let refused = world.bot.post(REVIEWS, review(json!([at("app.yaml", 10), comment.clone()]))).await;
        assert_eq!(refused.status, 422, "{comment}");
    }
    assert!(world.hub.visible_reviews(world.pull).is_empty() && world.hub.threads(world.pull).is_empty());
    let good = json!([
        at("app.yaml", 17),
        at("new.yaml", 3),
        {"path": "app.yaml", "line": 15, "side": "LEFT", "body": "gone"},
        {"path": "app.yaml", "line": 12, "start_line": 10, "side": "RIGHT", "start_side": "RIGHT", "body": "range"},
    ]);
    let posted = world.bot.post(REVIEWS, review(good)).await;
    assert_eq!(posted.status, 200, "{}", posted.body);
    let comments = world.bot.get(&format!("{REVIEWS}/{}/comments", posted.id())).await;
    assert_eq!(comments.list().len(), 4);
    assert_eq!(comments.list()[3]["start_line"], 10);
    assert_eq!(world.bot.get("/repos/acme/cnpe/pulls/1/comments").await.list().len(), 4);

    // A push that takes the lines away makes their comments outdated.
    world.hub.push(world.pull, &sha('b'));
    world.hub.set_diff(world.pull, Diff::default().added("new.yaml", 3));
    let after = world.bot.get("/repos/acme/cnpe/pulls/1/comments").await;
    let lines: Vec<_> = after.list().iter().map(|comment| comment["line"].as_u64()).collect();
    assert_eq!(lines, [None, Some(3), None, None]);
    world.hub.finish();
}

#[tokio::test]
async fn comments_of_a_pending_review_are_its_authors_alone() {
    let world = World::new().await;
    let comments = json!([{"path": "a.yaml", "line": 1, "body": "here"}]);
    let id = world.bot.post(REVIEWS, json!({"body": "x", "comments": comments})).await.id();
    let path = format!("{REVIEWS}/{id}/comments");
    assert_eq!(world.bot.get(&path).await.list().len(), 1);
    assert_eq!(world.client(world.ada).get(&path).await.status, 404);
    assert_eq!(world.bot.get("/repos/acme/cnpe/pulls/1/comments").await.list().len(), 0);
    world.bot.delete(&format!("{REVIEWS}/{id}")).await;
    assert!(world.hub.threads(world.pull).is_empty(), "they go with it");
    world.hub.finish();
}

#[tokio::test]
async fn only_verdicts_are_dismissed_once_and_by_those_who_may_push() {
    let world = World::new().await;
    let path = |id: u64| format!("{REVIEWS}/{id}/dismissals");
    let why = json!({"message": "newer commits"});
    let said = world.bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT"})).await.id();
    let refused = world.bot.put(&path(said), why.clone()).await;
    assert_eq!(refused.status, 422);
    assert!(refused.errors().contains("Can not dismiss a commented pull request review"), "{}", refused.body);
    let asked = world.bot.post(REVIEWS, json!({"body": "x", "event": "REQUEST_CHANGES"})).await.id();
    assert_eq!(world.client(world.ada).put(&path(asked), why.clone()).await.status, 403);
    let dismissed = world.bot.put(&path(asked), why.clone()).await;
    assert_eq!((dismissed.status, &dismissed.body["state"]), (200, &json!("DISMISSED")));
    assert_eq!(world.bot.put(&path(asked), why).await.status, 422, "once");
    world.hub.finish();
}

#[tokio::test]
async fn a_persons_review_is_not_ours() {
    let world = World::new().await;
    let teacher = world.hub.user("grace");
    world.hub.review(world.pull, teacher, ReviewEvent::Approve, "well done");
    let seen = world.bot.get(REVIEWS).await;
    assert_eq!((&seen.list()[0]["state"], &seen.list()[0]["user"]["type"]), (&json!("APPROVED"), &json!("User")));
    assert_eq!(world.hub.reviews_by(world.pull, teacher)[0].state, ReviewState::Approved);
    assert!(world.hub.reviews_by(world.pull, world.app.bot).is_empty());
    world.hub.finish();
}

#[tokio::test]
async fn reviews_of_a_closed_pull_request_are_taken() {
    let world = World::new().await;
    world.hub.close(world.pull);
    assert_eq!(world.bot.post(REVIEWS, json!({"body": "x", "event": "COMMENT"})).await.status, 200);
    world.hub.finish();
}
