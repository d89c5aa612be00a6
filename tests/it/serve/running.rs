//! A daemon at work: pushes, webhooks, two at once, pauses, dry runs, the first sync, the end.

use super::world::{CANARY, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_no_webhook_told_of_is_reviewed_once_and_the_next_one_too() {
    let world = World::new().await;
    let at = world.open("ada", 3, "none");
    let serve = world.serve(&[]);
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    let head = world.push(at, 3, "aurora");
    world.reviewed(at, 2, "7 of 7 points").await;
    world
        .until("the status", |world| {
            world
                .hub
                .statuses(world.repo, &head)
                .iter()
                .any(|status| format!("{status:?}").to_lowercase().contains("success"))
        })
        .await;
    world.until("the label", |world| world.hub.labels(at).contains(&"gradus/passed".to_owned())).await;
    let workspace = format!("{}/acme/tiny", world.base.trim_start_matches("http://"));
    for line in [
        format!("gradus_verdicts_total{{workspace=\"{workspace}\",verdict=\"passed\"}} 1"),
        format!("gradus_verdicts_total{{workspace=\"{workspace}\",verdict=\"not_passed\"}} 1"),
        format!("gradus_push_to_review_seconds_count{{workspace=\"{workspace}\"}} 2"),
        format!("gradus_workspace_up{{workspace=\"{workspace}\"}} 1"),
    ] {
        world.until(&line, |_| serve.get("/metrics").1.lines().any(|found| found == line)).await;
    }
    assert!(serve.get("/healthz").1.starts_with("ok\n"), "{}", serve.get("/healthz").1);
    assert_eq!(serve.stop("TERM").0, Some(0));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_answered_before_any_sweep_and_a_forged_one_is_not() {
    let world = World::new().await;
    world.write("gradus.yaml", &world.config("sweep: {recent: 1h, full: 2h}\n"));
    let serve = world.serve(&[]);
    world.until("the first sweep", |_| serve.get("/healthz").1.contains("everything compared")).await;
    let at = world.open("ada", 3, "aurora");
    assert_eq!(world.deliver(&serve, at, "not the secret"), 401);
    assert_eq!(world.deliver(&serve, at, &world.hook()), 202);
    world.reviewed(at, 1, "7 of 7 points").await;
    assert_eq!(world.deliver(&serve, at, &world.hook()), 202, "played back");
    world.at_rest(&serve).await;
    world.reviewed(at, 1, "7 of 7 points").await;
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_on_one_store_review_each_head_once() {
    let world = World::new().await;
    let (one, other) = (world.serve(&[]), world.serve(&[]));
    let mut pulls = Vec::new();
    for index in 0..8 {
        let at = world.open(&format!("learner-{index}"), 3, if index % 2 == 0 { "aurora" } else { "none" });
        for serve in [&one, &other] {
            assert_eq!(world.deliver(serve, at, &world.hook()), 202);
        }
        pulls.push(at);
    }
    for (index, at) in pulls.iter().enumerate() {
        world.reviewed(*at, 1, if index % 2 == 0 { "7 of 7" } else { "4 of 7" }).await;
    }
    for serve in [&one, &other] {
        world.at_rest(serve).await;
    }
    for at in &pulls {
        assert_eq!(world.reviews(*at).len(), 1);
    }
    assert_eq!((one.stop("TERM").0, other.stop("TERM").0), (Some(0), Some(0)));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_paused_everything_is_graded_and_nothing_is_posted() {
    let world = World::new().await;
    let serve = world.serve(&[]);
    let paused = world.run(&["pause"]);
    assert!(String::from_utf8_lossy(&paused.stdout).starts_with("paused since "), "{paused:?}");
    let at = world.open("ada", 3, "aurora");
    assert_eq!(world.deliver(&serve, at, &world.hook()), 202);
    world.until("graded", |_| serve.get("/metrics").1.contains("state=\"in_doubt\"} 1")).await;
    assert!(serve.get("/healthz").1.contains("paused since"));
    assert!(serve.get("/metrics").1.contains("gradus_paused 1"));
    assert_eq!(world.reviews(at).len(), 0);
    assert_eq!(world.writes(), [""; 0]);
    assert!(String::from_utf8_lossy(&world.run(&["resume"]).stdout).starts_with("resumed"));
    world.reviewed(at, 1, "7 of 7 points").await;
    assert_eq!(String::from_utf8_lossy(&world.run(&["resume"]).stdout), "it was not paused\n");
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_what_it_would_write_and_leaves_forge_and_store_alone() {
    let world = World::new().await;
    let at = world.open("ada", 3, "none");
    let serve = world.serve(&["--dry-run"]);
    world.until("the review is printed", |_| serve.printed().contains("Not yet: 4 of 7 points")).await;
    let printed = serve.printed();
    assert!(printed.contains(&format!("/acme/tiny#{}: would review ", at.number)), "{printed}");
    assert!(printed.contains("would set the status of "), "{printed}");
    assert_eq!(serve.stop("TERM").0, Some(0));
    assert_eq!(world.writes(), [""; 0]);
    assert!(!world.path("data/gradus.db").exists(), "nothing is remembered");
    // What was only pretended is done for real later.
    let _serve = world.serve(&[]);
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_and_many_pull_requests_need_the_operators_word() {
    let world = World::new().await;
    for index in 0..21 {
        world.open(&format!("learner-{index}"), 3, "aurora");
    }
    let first = world.open("ada", 3, "none");
    let serve = world.serve(&[]);
    world.until("held", |_| serve.get("/healthz").1.contains("held: 22 open pull requests")).await;
    world.until("the log", |_| serve.logged().contains("--first-sync")).await;
    assert_eq!(world.deliver(&serve, first, &world.hook()), 202, "queued all the same");
    assert_eq!(serve.stop("TERM").0, Some(0));
    assert_eq!(world.writes(), [""; 0]);
    let serve = world.serve(&["--first-sync"]);
    world.reviewed(first, 1, "Not yet: 4 of 7 points").await;
    assert_eq!(serve.stop("TERM").0, Some(0));
    // Said once: the store knows the workspace now.
    let serve = world.serve(&[]);
    world.until("running", |_| serve.get("/healthz").1.contains("everything compared")).await;
    // What the one before was at is gone on with.
    world.at_rest(&serve).await;
    assert_eq!(serve.stop("TERM").0, Some(0));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_daemon_was_at_is_done_by_the_next_one_at_once() {
    let world = World::new().await;
    let serve = world.serve(&[]);
    let at = world.open("ada", 3, "aurora");
    world.until("it is being graded", |_| serve.logged().contains("step=Grade")).await;
    serve.stop("KILL");
    // Long before the lease of the killed one ends.
    let serve = world.serve(&[]);
    world.reviewed(at, 1, "7 of 7 points").await;
    world.at_rest(&serve).await;
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_in_output_logs_or_children() {
    let world = World::new().await;
    let at = world.open("ada", 3, "none");
    let serve = world.serve(&["--log-format", "json"]);
    let (stop, pid) = (std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)), serve.pid());
    let watcher = {
        let stop = stop.clone();
        std::thread::spawn(move || environments_of_children(pid, &stop))
    };
    world.reviewed(at, 1, "Not yet").await;
    for push in 0..6 {
        let before = world.reviews(at).len();
        world.push(at, 3, &format!("team-{push}"));
        assert_eq!(world.deliver(&serve, at, &world.hook()), 202);
        world.until("another review", |world| world.reviews(at).len() > before).await;
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let environments = watcher.join().unwrap();
    assert!(!environments.is_empty(), "the sandbox's children were seen");
    for environment in environments {
        assert!(!environment.contains(CANARY), "{environment}");
    }
    let pages = serve.get("/metrics").1 + &serve.get("/healthz").1;
    let (_, printed, logged) = serve.stop("TERM");
    let lines = logged.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    assert!(lines > 10, "a log of JSON lines: {logged}");
    let pem: Vec<&str> = world.app.pem.lines().filter(|line| line.len() > 40).collect();
    for (what, text) in [("the pages", &pages), ("standard output", &printed), ("the log", &logged)] {
        assert!(!text.contains(CANARY), "{what} shows a secret");
        assert!(!text.contains("ghs_"), "{what} shows a token");
        assert!(pem.iter().all(|line| !text.contains(line)), "{what} shows the App's key");
    }
    world.hub.finish();
}

/// The environments of all children of a process that are caught until `stop` says so.
fn environments_of_children(parent: u32, stop: &std::sync::atomic::AtomicBool) -> Vec<String> {
    let mut seen = std::collections::BTreeMap::new();
    while !stop.load(std::sync::atomic::Ordering::SeqCst) {
        let children = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for task in children {
            let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in list.split_whitespace() {
                // Until it is another program its memory is still ours.
                let program = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
                let ours = String::from_utf8_lossy(&program).contains("serve");
                let environment = std::fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
                // One that has ended has none, whatever it had.
                if !ours && (!environment.is_empty() || !seen.contains_key(child)) {
                    seen.insert(child.to_owned(), String::from_utf8_lossy(&environment).into_owned());
                }
            }
        }
        std::thread::yield_now();
    }
    seen.into_values().collect()
}
