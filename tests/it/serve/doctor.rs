//! `gradus doctor` as an operator runs it, against the fake GitHub and the real Gitea.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::world::{CANARY, PROGRAM, World};
use crate::fake_github::hub::grader_permissions;
use crate::gitea::academy::Academy;

/// What it printed, and its exit code.
fn said(output: &Output) -> (String, Option<i32>) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(!text.contains(CANARY), "{text}");
    (text, output.status.code())
}

fn expect(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found.trim().starts_with(line)), "no line `{line}` in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_everything_is_right_it_says_so_and_writes_nothing() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "https://gradus.example.org/webhooks/hub", &world.hook());
    let (text, code) = said(&world.run(&["doctor"]));
    let workspace = format!("{}/acme/tiny", world.base.trim_start_matches("http://"));
    expect(
        &text,
        &[
            "this machine",
            "ok       sandbox: ",
            "ok       data: ",
            "course tiny",
            "ok       source: 2 tasks, revision ",
            &workspace,
            "ok       identity: we are gradus[bot]",
            "ok       clock: the same as the forge's",
            "ok       requests: ",
            "ok       workspace: public, default branch main",
            "ok       rights: all that the App needs; threads of mended findings stay open",
            "ok       webhook: https://gradus.example.org/webhooks/hub tells of everything",
            "unknown  deliveries: nothing was delivered yet",
            "0 things wrong, 0 warnings, 1 unknown",
        ],
    );
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(world.writes(), [""; 0]);
    assert!(!world.path("data").exists(), "nothing stays");
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_what_to_do() {
    let world = World::new().await;
    world.hub.app_hook(&world.app, "https://gradus.example.org/hooks", &world.hook());
    let mut permissions = grader_permissions();
    permissions.remove("statuses");
    world.hub.permit(world.installation, permissions);
    world.hub.skew(600_900);
    world.write("tiny/course.yaml", "kind: Curse\n");
    let (text, code) = said(&world.run(&["doctor"]));
    expect(
        &text,
        &[
            "WRONG    source: ",
            "WRONG    clock: this machine is ",
            "→ set this machine's clock",
            "WRONG    rights: the App lacks statuses: read and write",
            "→ give them in the App's settings",
            "WRONG    webhook: none leads to /webhooks/hub, but there is https://gradus.example.org/hooks",
            "4 things wrong, 0 warnings, 0 unknown",
        ],
    );
    assert_eq!(code, Some(1), "{text}");
    // Their date is cut to seconds, and an answer may take its time.
    let behind = text.split("clock: this machine is ").nth(1).unwrap().split(" s behind the forge").next().unwrap();
    assert!((590..=600).contains(&behind.parse().unwrap()), "{text}");

    let output = world.run(&["doctor", "--format", "json"]);
    let subjects: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rights =
        subjects[2]["findings"].as_array().unwrap().iter().find(|finding| finding["about"] == "rights").unwrap();
    assert_eq!(rights["level"], "wrong");
    assert_eq!(output.status.code(), Some(1));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_installed_and_a_token_that_is_none_are_told_before_anything_else() {
    let world = World::new().await;
    let of_app = format!("{{app: {{id: {}, key: {{file: key.pem}}}}}}", world.app.id);
    assert!(world.config("").contains(&of_app));
    let as_token = |token: &str| {
        world.write("token", token);
        world.write("gradus.yaml", &world.config("").replace(&of_app, "{token: {file: token}}"));
        said(&world.run(&["doctor"]))
    };
    let (text, code) = as_token("ghp_nobody");
    expect(&text, &["WRONG    identity: ", "→ make a new token"]);
    assert!(!text.contains("rights") && !text.contains("ghp_nobody"), "{text}");
    assert_eq!(code, Some(1));

    let bot = world.user("teaching-bot");
    let (text, _) = as_token(&world.hub.personal_token(bot));
    expect(&text, &["ok       identity: we are teaching-bot", "WRONG    rights: the token's account may not write"]);
    expect(&text, &["unknown  webhook: this token may not see"]);
    world.hub.set_role(world.repo, bot, crate::fake_github::state::repo::Role::Admin);
    let (text, _) = as_token(&world.hub.personal_token(bot));
    expect(&text, &["unknown  rights: its account may write", "WRONG    webhook: the forge has none"]);
    let events = ["pull_request", "issue_comment", "pull_request_review"];
    world.hub.repo_hook(world.repo, "https://gradus.example.org/webhooks/hub", "s", &events);
    expect(&as_token(&world.hub.personal_token(bot)).0, &["ok       webhook: "]);
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_tasks_ask_are_knocked_at_and_those_that_are_missing_are_named() {
    let world = World::new().await;
    let first = "tiny/basics/start/tasks/first";
    let task = std::fs::read_to_string(world.path(&format!("{first}/task.yaml"))).unwrap();
    let files = "manifest: {select: {kind: Deployment}, match: {spec: {replicas: 3}}}";
    let asks = "promql: {via: {address: metrics}, query: 'up{namespace=\"$namespace\"}', expect: {value: 1}";
    let environment = "environment: {tier: namespace, path: manifests, allow: {kinds: [{kind: Service}]}}";
    assert!(task.contains(files));
    let task = task.replace(files, &format!("{asks}, offline: {{{files}}}}}"));
    let task = task.replace("  checkpoints:\n", &format!("  {environment}\n  checkpoints:\n"));
    std::fs::create_dir(world.path(&format!("{first}/starter/manifests"))).unwrap();
    world.write(&format!("{first}/starter/manifests/web.yaml"), "kind: Service\n");
    world.write(&format!("{first}/task.yaml"), &task);
    world.write("generator", &format!("{CANARY}-of-the-generator-0123456789"));
    world.write("metrics-token", &format!("{CANARY}-of-the-metrics"));
    let with = |addresses: &str| {
        let argocd = format!("argocd: {{token: {{file: generator}}, kubeconfig: nowhere, addresses: [{addresses}]}}\n");
        world.write("gradus.yaml", &world.config(&argocd));
        said(&world.run(&["doctor"])).0
    };
    let none = with("");
    let names = "warning  addresses: tasks ask servers of yours that are not configured: `metrics` (first)";
    expect(&none, &[names, "→ name each below `argocd.addresses`"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let metrics = format!("{{name: metrics, url: \"http://{there}\", token: {{file: metrics-token}}}}");
    let both = with(&format!("{metrics}, {{name: gone, url: \"http://127.0.0.1:1\"}}"));
    expect(&both, &["ok       addresses: `metrics` answers, with 404 at `/`"]);
    expect(&both, &["WRONG    addresses: the operator's address `gone` cannot be reached"]);
    assert!(!both.contains("not configured"), "{both}");
}

#[test]
fn a_real_gitea_is_looked_through() {
    let academy = Academy::new();
    let write = |name: &str, text: &str| std::fs::write(academy.path(name), text).unwrap();
    write("hook", &format!("{CANARY}-of-the-webhooks"));
    write(
        "gradus.yaml",
        &format!(
            "apiVersion: gradus.dev/v1alpha1\nkind: Config\nforges:\n  - name: git\n    kind: gitea\n    address: {}\n    auth: {{token: \
             {{file: token}}}}\n    webhook: {{secrets: [{{file: hook}}]}}\ncourses:\n  - {{id: tiny, source: {{dir: tiny}}}}\nworkspaces:\n  \
             - {{forge: git, repository: teacher/{}, course: tiny}}\nlisten: 127.0.0.1:0\n",
            academy.server.address(),
            academy.name
        ),
    );
    let doctor = |token: &str| {
        write("token", token);
        let mut command = Command::new(PROGRAM);
        command.arg("doctor").current_dir(academy.path(""));
        said(&command.env("GRADUS_KEY", format!("{CANARY}-of-the-operator-0123456789")).output().unwrap())
    };
    let (text, code) = doctor(&academy.server.bot);
    expect(
        &text,
        &[
            "ok       server: version 1.26.0",
            "ok       clock: ",
            "ok       identity: we are bot",
            "ok       workspace: public, default branch main",
            "ok       rights: we may write, and ask what others may",
            "WRONG    webhook: the forge has none",
        ],
    );
    assert_eq!(code, Some(1), "{text}");

    // As docs/gitea.md has it made.
    let config = json!({
        "url": "https://gradus.example.org/webhooks/git", "content_type": "json",
        "secret": format!("{CANARY}-of-the-webhooks"),
    });
    let events = ["pull_request", "pull_request_sync", "pull_request_comment", "pull_request_review"];
    let hook = json!({"type": "gitea", "active": true, "config": config, "events": events});
    academy.ask("teacher", "POST", "/hooks", Some(hook), 201);
    let (text, code) = doctor(&academy.server.bot);
    expect(&text, &["ok       webhook: https://gradus.example.org/webhooks/git tells of everything"]);
    assert_eq!(code, Some(0), "{text}");

    // A bot that nobody made an administrator.
    academy.ask("teacher", "PUT", "/collaborators/bot", Some(json!({"permission": "write"})), 204);
    expect(&doctor(&academy.server.bot).0, &["WRONG    rights: our account does not administer the workspace"]);
    let (text, code) = doctor("0123456789012345678901234567890123456789");
    expect(&text, &["WRONG    identity: "]);
    assert_eq!(code, Some(1), "{text}");
}
