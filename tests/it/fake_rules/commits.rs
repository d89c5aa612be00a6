//! Real commits behind a repository.

use serde_json::json;

use super::client::{REVIEWS, World};

#[tokio::test]
async fn heads_are_real_commits_that_anybody_fetches_by_their_number() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cnpe.git");
    let main = world.hub.with_git(world.repo, &path, &[("README.md", "# Course\n")]);
    let bob = world.hub.user("bob");
    let lines: String = (1..=20).map(|line| format!("line: {line}\n")).collect();
    let files = [("README.md", "# Course\n"), ("tasks/probe/app.yaml", lines.as_str())];
    let pull = world.hub.open_pull_with(world.repo, bob, "fix", &files);
    let shown = world.bot.get("/repos/acme/cnpe/pulls/2").await.body;
    let clone = git2::Repository::init(dir.path().join("clone")).unwrap();
    let url = shown["base"]["repo"]["clone_url"].as_str().unwrap();
    let head = |pull: &serde_json::Value| pull["head"]["sha"].as_str().unwrap().to_owned();
    let fetched = || {
        let mut remote = clone.remote_anonymous(url).unwrap();
        remote.fetch(&["+refs/pull/2/head:refs/here"], None, None).unwrap();
        clone.refname_to_id("refs/here").unwrap().to_string()
    };
    assert_eq!(fetched(), head(&shown));
    assert_eq!(shown["base"]["sha"], main);

    // Comments lie where this commit's diff allows.
    let at = |line: u64| json!({"body": "x", "event": "COMMENT", "comments": [{"path": "tasks/probe/app.yaml", "line": line, "body": "here"}]});
    let reviews = "/repos/acme/cnpe/pulls/2/reviews";
    assert_eq!(world.bot.post(reviews, at(21)).await.status, 422);
    assert_eq!(world.bot.post(reviews, at(20)).await.status, 200);
    assert_eq!(world.bot.post(REVIEWS, at(21)).await.status, 200, "the other one has no diff: anywhere");

    let second = world.hub.push_files(pull, &files[..1]);
    assert_eq!(fetched(), second);
    assert_eq!(world.bot.post(reviews, at(20)).await.status, 422, "the file is gone");
    assert_eq!(
        world.bot.post(reviews, json!({"commit_id": head(&shown), "body": "x", "event": "COMMENT"})).await.status,
        200
    );
    let third = world.hub.force_push_files(pull, &files);
    assert_eq!(fetched(), third);
    assert_eq!(
        world.bot.post(reviews, json!({"commit_id": second, "body": "x", "event": "COMMENT"})).await.status,
        422
    );
    let commit = clone.find_commit(git2::Oid::from_str(&third).unwrap()).unwrap();
    assert_eq!(commit.parent_id(0).unwrap().to_string(), main);
    world.hub.finish();
}
