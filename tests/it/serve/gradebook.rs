//! A gradebook in a private repository, over HTTP with a token in a file.

use std::process::Command;

use super::world::{CANARY, World};
use crate::fake_github::state::repo::Role;

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_wait_for_a_token_that_is_good_enough_and_are_pushed_then() {
    let world = World::new().await;
    let grades = world.hub.repository(world.hub.state().repo(world.repo).owner, "grades");
    world.hub.with_git(grades, &world.path("grades.git"), &[("README.md", "# Grades\n")]);
    world.hub.make_private(grades);
    let keeper = world.user("keeper");
    world.hub.set_role(grades, keeper, Role::Write);
    let token = world.hub.personal_token(keeper);
    let address = format!("{}/acme/grades.git", world.base);
    let wrong = format!("{CANARY}-of-last-year");
    world.write("grades", &wrong);
    world.write(
        "gradus.yaml",
        &world.config(&format!("gradebook: {{git: {{address: '{address}', token: {{file: grades}}}}}}\n")),
    );
    let serve = world.serve(&[]);
    let at = world.open("ada", 3, "none");
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    world.until("the wrong token", |_| serve.logged().contains("the server does not take the token (401)")).await;
    assert!(serve.get("/metrics").1.contains("gradus_gradebook_broken 1"));

    world.write("grades", &token);
    let written = |_: &World| {
        let mut git = Command::new("git");
        git.arg("-C").arg(world.path("grades.git")).args(["grep", "-h", "\"kind\":\"verdict\"", "main"]);
        let found = String::from_utf8(git.output().unwrap().stdout).unwrap();
        found.lines().count() == 1 && found.contains("\"login\":\"ada\"")
    };
    world.until("the verdict", written).await;
    world.until("the metric", |_| serve.get("/metrics").1.contains("gradus_gradebook_broken 0")).await;

    // An instructor's own machine, without and with a token.
    let ask = |token: &str| {
        let mut command = world.gradus(&["grades", "--gradebook", &address]);
        command.env("GRADUS_GRADEBOOK_TOKEN", token).output().unwrap()
    };
    let refused = ask(&wrong);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("does not take the token (401)"), "{said}");
    assert!(!said.contains(CANARY), "{said}");
    let shown = ask(&token);
    assert!(shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("ada"), "{shown:?}");
    // The operator's knows both.
    let shown = world.run(&["grades", "--config", "gradus.yaml"]);
    assert!(shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("ada"), "{shown:?}");

    let (code, _, logged) = serve.stop("TERM");
    assert_eq!(code, Some(0));
    assert!(!logged.contains(CANARY) && !logged.contains(&token), "{logged}");
    world.hub.finish();
}
