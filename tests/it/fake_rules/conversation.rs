//! Rules of comments, issues, labels, statuses and pull requests themselves.

use serde_json::json;

use super::client::{World, sha};
use crate::fake_github::clock::MINUTE;
use crate::fake_github::state::repo::Role;

const COMMENTS: &str = "/repos/acme/cnpe/issues/1/comments";

#[tokio::test]
async fn comments_are_listed_oldest_first_and_since_an_hour() {
    let world = World::new().await;
    let first = world.hub.comment(world.pull, world.ada, "/regrade");
    world.hands.advance(MINUTE);
    let second = world.bot.post(COMMENTS, json!({"body": "on it"})).await;
    assert_eq!(second.status, 201, "{}", second.body);
    assert!(second.id() > first, "ids grow with time");
    let ids = |answer: &super::client::Answer| -> Vec<u64> {
        answer.list().iter().map(|comment| comment["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&world.bot.get(COMMENTS).await), [first, second.id()]);
    let since = "since=2026-11-24T08:00:30Z";
    assert_eq!(ids(&world.bot.get(&format!("{COMMENTS}?{since}")).await), [second.id()]);
    let repo = "/repos/acme/cnpe/issues/comments";
    assert_eq!(ids(&world.bot.get(&format!("{repo}?{since}")).await), [second.id()]);
    let newest_first = format!("{repo}?sort=created&direction=desc");
    assert_eq!(ids(&world.bot.get(&newest_first).await), [second.id(), first]);
    assert_eq!(ids(&world.bot.get(&format!("{repo}?direction=desc")).await), [first, second.id()], "ignored alone");

    // An edit makes a comment new to `since`.
    world.hands.advance(MINUTE);
    let edited = world.bot.patch(&format!("{repo}/{}", second.id()), json!({"body": "done"})).await;
    assert_eq!((edited.status, &edited.body["body"]), (200, &json!("done")));
    assert_eq!(ids(&world.bot.get(&format!("{repo}?since=2026-11-24T08:01:30Z")).await), [second.id()]);
    let ada = world.client(world.ada);
    assert_eq!(ada.patch(&format!("{repo}/{}", second.id()), json!({"body": "no"})).await.status, 403);
    assert_eq!(world.bot.delete(&format!("{repo}/{}", second.id())).await.status, 204);
    assert_eq!(world.bot.get(&format!("{repo}/{}", second.id())).await.status, 404);
    world.hub.finish();
}

#[tokio::test]
async fn a_comment_has_a_body_of_up_to_65536_characters() {
    let world = World::new().await;
    assert_eq!(world.bot.post(COMMENTS, json!({"body": " "})).await.status, 422);
    let refused = world.bot.post(COMMENTS, json!({"body": "x".repeat(65_537)})).await;
    assert_eq!(refused.status, 422);
    assert!(refused.errors().contains("maximum is 65536 characters"), "{}", refused.body);
    assert_eq!(world.bot.post(COMMENTS, json!({"body": "x".repeat(65_536)})).await.status, 201);
    world.hub.finish();
}

#[tokio::test]
async fn labels_are_made_on_first_use_and_compared_without_case() {
    let world = World::new().await;
    let labels = "/repos/acme/cnpe/issues/1/labels";
    let made = world.bot.post("/repos/acme/cnpe/labels", json!({"name": "gradus/passed", "color": "0e8a16"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let again = world.bot.post("/repos/acme/cnpe/labels", json!({"name": "Gradus/Passed"})).await;
    assert_eq!((again.status, again.errors().contains("already_exists")), (422, true));
    let set = world.bot.post(labels, json!({"labels": ["GRADUS/passed", "task/probe"]})).await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(world.hub.labels(world.pull), ["gradus/passed", "task/probe"]);
    assert_eq!(world.bot.get("/repos/acme/cnpe/labels").await.list().len(), 2);
    assert_eq!(world.bot.delete(&format!("{labels}/task%2Fprobe")).await.status, 200);
    assert_eq!(world.bot.delete(&format!("{labels}/task%2Fprobe")).await.status, 404, "once");
    assert_eq!(world.hub.labels(world.pull), ["gradus/passed"]);
    assert_eq!(world.client(world.ada).post(labels, json!({"labels": ["x"]})).await.status, 403, "for triage");
    world.hub.finish();
}

#[tokio::test]
async fn statuses_need_push_a_known_commit_and_end_at_a_thousand() {
    let world = World::new().await;
    let path = format!("/repos/acme/cnpe/statuses/{}", sha('a'));
    let status = |state: &str| json!({"state": state, "context": "gradus", "description": "7 of 12"});
    assert_eq!(world.client(world.ada).post(&path, status("success")).await.status, 404, "needs push");
    let unknown = format!("/repos/acme/cnpe/statuses/{}", sha('e'));
    assert_eq!(world.bot.post(&unknown, status("success")).await.status, 422);
    let long = json!({"state": "success", "description": "x".repeat(141)});
    assert_eq!(world.bot.post(&path, long).await.status, 422);
    let odd = json!({"state": "success", "target_url": "ftp://x"});
    assert_eq!(world.bot.post(&path, odd).await.status, 422);

    assert_eq!(world.bot.post(&path, status("pending")).await.status, 201);
    assert_eq!(world.bot.post(&path, status("failure")).await.status, 201);
    assert_eq!(world.bot.post(&path, json!({"state": "success", "context": "other"})).await.status, 201);
    let combined = world.bot.get(&format!("/repos/acme/cnpe/commits/{}/status", sha('a'))).await;
    assert_eq!((&combined.body["state"], &combined.body["total_count"]), (&json!("failure"), &json!(2)));
    let all = world.bot.get(&format!("/repos/acme/cnpe/commits/{}/statuses", sha('a'))).await;
    assert_eq!((all.list().len(), &all.list()[0]["context"]), (3, &json!("other")), "newest first");
    assert_eq!(all.list()[0]["creator"]["login"], "gradus[bot]");

    world.hub.limits(crate::fake_github::http::limits::Limits::off());
    for _ in 0..998 {
        assert_eq!(world.bot.post(&path, status("pending")).await.status, 201);
    }
    let over = world.bot.post(&path, status("success")).await;
    assert_eq!(over.status, 422);
    assert!(over.errors().contains("maximum number of statuses"), "{}", over.body);
    assert_eq!(world.bot.post(&path, json!({"state": "success", "context": "third"})).await.status, 201, "per context");
    assert_eq!(world.hub.statuses(world.repo, &sha('a')).len(), 3);
    world.hub.finish();
}

#[tokio::test]
async fn permissions_are_those_of_the_moment() {
    let world = World::new().await;
    let path = "/repos/acme/cnpe/collaborators/ada/permission";
    let permission = async || {
        let answer = world.bot.get(path).await.body;
        (answer["permission"].as_str().unwrap().to_owned(), answer["role_name"].as_str().unwrap().to_owned())
    };
    assert_eq!(permission().await, ("read".into(), "read".into()), "anybody reads what is public");
    for (role, words) in [
        (Role::Triage, ("read", "triage")),
        (Role::Write, ("write", "write")),
        (Role::Maintain, ("write", "maintain")),
        (Role::Admin, ("admin", "admin")),
    ] {
        world.hub.set_role(world.repo, world.ada, role);
        assert_eq!(permission().await, (words.0.into(), words.1.into()));
    }
    assert_eq!(world.bot.get("/repos/acme/cnpe/collaborators/nobody/permission").await.status, 404);
    assert_eq!(world.bot.get("/repos/acme/cnpe/collaborators/ada").await.status, 204);
    world.hub.set_role(world.repo, world.ada, Role::None);
    assert_eq!(world.bot.get("/repos/acme/cnpe/collaborators/ada").await.status, 404);
    world.hub.make_private(world.repo);
    assert_eq!(permission().await, ("none".into(), "none".into()));
    assert_eq!(world.client(world.ada).get("/repos/acme/cnpe/pulls/1").await.status, 404, "hidden, not forbidden");
    world.hub.finish();
}

#[tokio::test]
async fn a_pull_request_is_closed_and_opened_and_loses_its_fork() {
    let world = World::new().await;
    let path = "/repos/acme/cnpe/pulls/1";
    let closed = world.bot.patch(path, json!({"state": "closed"})).await;
    assert_eq!((closed.status, &closed.body["state"]), (200, &json!("closed")), "{}", closed.body);
    assert_eq!(world.client(world.ada).patch(path, json!({"state": "open"})).await.status, 200);
    let stranger = world.hub.user("eve");
    assert_eq!(world.client(stranger).patch(path, json!({"state": "closed"})).await.status, 403);

    world.hub.delete_fork(world.pull);
    let gone = world.bot.get(path).await;
    assert_eq!(gone.body["state"], "closed");
    assert!(gone.body["head"]["repo"].is_null(), "GitHub says null, its description does not");
    assert_eq!(gone.body["head"]["sha"], sha('a'));
    assert_eq!(world.bot.patch(path, json!({"state": "open"})).await.status, 422);
    // The description says that a head has a repository; both answers are known to differ from it.
    world.hub.finish();
}

#[tokio::test]
async fn an_issue_is_opened_with_labels_and_listed_beside_pull_requests() {
    let world = World::new().await;
    let made = world
        .bot
        .post("/repos/acme/cnpe/issues", json!({"title": "Disputed", "body": "evidence", "labels": ["gradus/dispute"]}))
        .await;
    assert_eq!((made.status, &made.body["number"]), (201, &json!(2)), "{}", made.body);
    let all = world.bot.get("/repos/acme/cnpe/issues").await;
    let kinds: Vec<bool> = all.list().iter().map(|issue| issue.get("pull_request").is_some()).collect();
    assert_eq!(kinds, [false, true], "newest first, pull requests are issues");
    let labelled = world.bot.get("/repos/acme/cnpe/issues?labels=gradus/dispute&state=all").await;
    assert_eq!(labelled.list().len(), 1);
    assert_eq!(world.bot.patch("/repos/acme/cnpe/issues/2", json!({"state": "closed"})).await.status, 200);
    assert_eq!(world.bot.get("/repos/acme/cnpe/issues").await.list().len(), 1, "open ones");
    assert_eq!(world.hub.issues(world.repo)[0].title, "Disputed");
    world.hub.finish();
}
