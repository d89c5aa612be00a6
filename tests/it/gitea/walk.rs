//! docs/gitea.md, "From nothing to the first review", followed to the letter: its commands are run, its tables are what
//! the token and the webhook get, its configuration is the one that is served. What a person does in the browser is done
//! over the API.

use std::process::{Command, Output};

use serde_json::json;

use super::server::{Server, eventually};
use crate::serve::world::{PROGRAM, Serve};
use crate::up::world::{self, Clone, text};

const PAGE: &str = include_str!("../../../docs/gitea.md");

/// The steps, one after the other.
fn steps() -> Vec<&'static str> {
    let section = PAGE.split("## From nothing to the first review").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut steps: Vec<&str> = Vec::new();
    for number in 1.. {
        let Some(start) = section.find(&format!("\n{number}. ")) else { break };
        let end = section.find(&format!("\n{}. ", number + 1)).unwrap_or(section.len());
        steps.push(&section[start..end]);
    }
    assert_eq!(steps.len(), 6, "{section}");
    steps
}

/// The first block of a step.
fn block(step: &str) -> String {
    let body = step.split("```").nth(1).unwrap();
    body.lines().skip(1).map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line))).collect()
}

/// Scopes of the token, from the table: as in `write:repository`.
fn scopes(step: &str) -> Vec<String> {
    let rows = step.lines().filter_map(|line| line.trim().strip_prefix("| `"));
    rows.map(|row| {
        let (category, access) = row.split_once("`: ").unwrap();
        let access = access.split(" |").next().unwrap();
        let access = match access {
            "read and write" => "write",
            "read" => "read",
            other => panic!("{other}"),
        };
        format!("{access}:{category}")
    })
    .collect()
}

/// Events of the webhook as the API calls what the page ticks.
fn events(step: &str) -> Vec<&'static str> {
    let text = step.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = [
        ("*Pull request*", "pull_request"),
        ("*Pull request synchronized*", "pull_request_sync"),
        ("*Pull request comment*", "pull_request_comment"),
        ("*Pull request reviewed*", "pull_request_review"),
    ];
    named.into_iter().filter(|(tick, _)| text.contains(tick)).map(|(_, event)| event).collect()
}

#[test]
fn an_operator_follows_the_page_from_nothing_to_the_first_review() {
    let server = Server::shared();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let steps = steps();
    // A host with a password in it stands for the credential helper of whoever pushes.
    let here = |text: &str| text.replace("https://git.example.org", &server.address()).replace("acme/", "dean/");
    let run = |program: &str, arguments: &[&str]| -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(dir.path());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GRADUS_KEY", "a-key-of-thirty-two-bytes-or-more-0123").env("GRADUS_LOG", "warn,gradus=info");
        command.output().unwrap()
    };

    // 1. The workspace, by somebody who owns it.
    server.add("dean");
    server.ask("dean", "POST", "/user/repos", Some(json!({"name": "cnpe", "default_branch": "main"})), 201);
    std::os::unix::fs::symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/courses"), path("courses")).unwrap();
    for line in here(&block(steps[0])).lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split(' ');
        let output = match words.next().unwrap() {
            "gradus" => run(PROGRAM, &words.collect::<Vec<_>>()),
            "git" => {
                let line =
                    line.replace(&format!("{}/dean/cnpe.git", server.address()), &server.remote("dean", "dean/cnpe"));
                run("git", &line.split(' ').skip(1).collect::<Vec<_>>())
            }
            other => panic!("{other}: {line}"),
        };
        assert!(output.status.success(), "{line}: {}", text(&output));
    }
    eventually("the workspace", || server.ask("dean", "GET", "/repos/dean/cnpe", None, 200)["empty"] == false);

    // 2. The bot.
    assert!(steps[1].contains("**administrator**"));
    server.add("gradus-bot");
    let admin = Some(json!({"permission": "admin"}));
    server.ask("dean", "PUT", "/repos/dean/cnpe/collaborators/gradus-bot", admin, 204);
    let scopes = scopes(steps[1]);
    assert_eq!(scopes.len(), 3);
    let token = server.token("gradus-bot", "gradus", &scopes.iter().map(String::as_str).collect::<Vec<_>>());

    // 4. The configuration; its files first.
    std::fs::create_dir(path("secrets")).unwrap();
    let secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (name, text) in [("gitea-token", token.as_str()), ("gitea-webhook", secret)] {
        std::fs::write(path(&format!("secrets/{name}")), text).unwrap();
    }
    // The port is free; cnpe's own draft flag and a look every hour: what is seen was told by the webhook.
    let config = here(&block(steps[3])) + "listen: 127.0.0.1:0\nsweep: {recent: 1h, full: 2h}\n";
    std::fs::write(path("gradus.yaml"), config).unwrap();

    // 5. Run it.
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config", "gradus.yaml"]).current_dir(dir.path());
    let daemon = Serve::start({
        command.env("GRADUS_KEY", "a-key-of-thirty-two-bytes-or-more-0123");
        command
    });
    eventually("the first sweep", || daemon.get("/healthz").1.contains("everything compared"));

    // 3. The webhook, whose address is only known now.
    let events = events(steps[2]);
    assert_eq!(events.len(), 4);
    assert!(steps[2].contains("/webhooks/git") && steps[2].contains("application/json"));
    let hook = json!({
        "type": "gitea", "active": true, "events": events,
        "config": {"url": format!("http://{}/webhooks/git", daemon.authority), "content_type": "json", "secret": secret},
    });
    server.ask("dean", "POST", "/repos/dean/cnpe/hooks", Some(hook), 201);
    let doctor = run(PROGRAM, &["doctor"]);
    assert!(doctor.status.success(), "{}", text(&doctor));

    // 6. A learner tries it.
    server.add("grace");
    server.ask("grace", "POST", "/repos/dean/cnpe/forks", Some(json!({})), 202);
    let remote = server.remote("grace", "grace/cnpe");
    let output = world::git(dir.path(), &["clone", "-q", &remote, "clone"]);
    assert!(output.status.success(), "{}", text(&output));
    let clone = Clone { dir: path("clone") };
    clone.git(&["config", "user.name", "grace"]);
    clone.git(&["config", "user.email", "grace@example.org"]);
    clone.branch("first");
    let task = std::fs::read_dir(path("clone/tasks")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    std::fs::write(task.join("notes.md"), "tried\n").unwrap();
    clone.hand_in();
    let body = json!({"head": "grace:first", "base": "main", "title": "first"});
    let pull = server.ask("grace", "POST", "/repos/dean/cnpe/pulls", Some(body), 201)["number"].as_i64().unwrap();
    eventually("the review", || {
        let reviews = server.ask("grace", "GET", &format!("/repos/dean/cnpe/pulls/{pull}/reviews"), None, 200);
        reviews.as_array().unwrap().iter().any(|review| {
            review["user"]["login"] == "gradus-bot" && review["body"].as_str().unwrap().contains(" points")
        })
    });
    let head = clone.head();
    let status = server.ask("grace", "GET", &format!("/repos/dean/cnpe/commits/{head}/status"), None, 200);
    assert_eq!(status["statuses"][0]["context"], "gradus", "{status}");
    assert_eq!(daemon.stop("TERM").0, Some(0));
}
