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
    assert_eq!(shown["base"]["repo"]["clone_url"], "https://github.com/acme/cnpe.git");
    let head = |pull: &serde_json::Value| pull["head"]["sha"].as_str().unwrap().to_owned();
    let fetched = || {
        let mut remote = clone.remote_anonymous(&format!("file://{}", path.display())).unwrap();
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
    world.hub.force_push_back(pull, &head(&shown));
    assert_eq!(fetched(), head(&shown));
    let commit = clone.find_commit(git2::Oid::from_str(&third).unwrap()).unwrap();
    assert_eq!(commit.parent_id(0).unwrap().to_string(), main);
    world.hub.finish();
}

/// What git prints and whether it is content. It fetches from the fake, so the fake must go on meanwhile.
async fn git(dir: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let mut git = tokio::process::Command::new("git");
    git.current_dir(dir).args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let out = git.output().await.unwrap();
    (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_fetches_over_http_by_reference_and_by_commit() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    world.hub.with_git(world.repo, &dir.path().join("cnpe.git"), &[("README.md", "# Course\n")]);
    let bob = world.hub.user("bob");
    let pull = world.hub.open_pull_with(world.repo, bob, "fix", &[("a.yaml", "a: 1\n")]);
    let first = world.hub.pull(pull).head_sha;
    let second = world.hub.force_push_files(pull, &[("a.yaml", "a: 2\n")]);
    let serving = world.hub.serve().await.unwrap();
    let here = dir.path().join("here");
    std::fs::create_dir(&here).unwrap();
    git(&here, &["init", "-q"]).await;
    let url = format!("{}/acme/cnpe.git", serving.base());
    for protocol in ["protocol.version=0", "protocol.version=2"] {
        for (what, sha) in [("refs/pull/2/head", &second), (first.as_str(), &first)] {
            let (good, said) = git(&here, &["-c", protocol, "fetch", "-q", &url, what]).await;
            assert!(good, "{protocol} {what}: {said}");
            assert_eq!(git(&here, &["rev-parse", "FETCH_HEAD"]).await.1.trim(), *sha, "{protocol} {what}");
        }
    }
    world.hub.make_private(world.repo);
    assert!(!git(&here, &["fetch", "-q", &url, "main"]).await.0, "hidden");
    let token = super::client::token(&world.hub, &world.app, *world.hub.state().installations.keys().next().unwrap());
    let with_token = url.replace("http://", &format!("http://x-access-token:{}@", token.await));
    let (good, said) = git(&here, &["fetch", "-q", &with_token, "main"]).await;
    assert!(good, "{said}");
    assert!(world.hub.count("git/upload-pack") >= 5);
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_pushes_over_http_for_whoever_may_write() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let main = world.hub.with_git(world.repo, &dir.path().join("cnpe.git"), &[("README.md", "# Course\n")]);
    let serving = world.hub.serve().await.unwrap();
    let (eve, owner) = (world.hub.user("eve"), world.hub.personal_token(world.owner));
    let url = |token: &str| format!("http://x:{token}@{}/acme/cnpe.git", serving.address);
    let here = dir.path().join("here");
    let clone = ["clone", "-q", &format!("{}/acme/cnpe.git", serving.base()), "here"];
    assert!(git(dir.path(), &clone).await.0);
    let commit = ["-c", "user.name=a", "-c", "user.email=a@x.example", "commit", "-q", "--allow-empty", "-m", "more"];
    assert!(git(&here, &commit).await.0);
    let more = git(&here, &["rev-parse", "HEAD"]).await.1.trim().to_owned();
    let installation = *world.hub.state().installations.keys().next().unwrap();
    let bot = super::client::token(&world.hub, &world.app, installation).await;
    let nobody = format!("{}/acme/cnpe.git", serving.base());
    for refused in [nobody, url(&world.hub.personal_token(eve)), url(&bot)] {
        assert!(!git(&here, &["push", "-q", &refused, "HEAD:main"]).await.0, "{refused}");
        assert_eq!(world.hub.state().repo(world.repo).branches["main"], main);
    }
    let (good, said) = git(&here, &["push", "-q", &url(&owner), "HEAD:main", "HEAD:other"]).await;
    assert!(good, "{said}");
    let repo = world.hub.state().repo(world.repo).clone();
    assert_eq!((&repo.branches["main"], &repo.branches["other"]), (&more, &more));
    let shown = world.bot.get("/repos/acme/cnpe/pulls/1").await.body;
    assert_eq!(shown["number"], 1);
    world.hub.finish();
}
