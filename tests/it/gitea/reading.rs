//! Pull requests, heads, and what cannot be read.

use std::process::Command;

use gradus::forge::http::Limits;
use gradus::forge::pull::{Label, PullNumber, PullState, Readiness};
use gradus::forge::{ErrorClass, Forge};
use gradus::store::Store;
use serde_json::json;

use super::Case;

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_s_pull_request_is_read_as_it_is() {
    let case = Case::new();
    let head = case.head();
    let gitea = case.academy.daemon("a").await;
    let pull = gitea.pull(case.pull).await.unwrap().unwrap();
    assert_eq!((pull.head.as_str(), pull.branch.as_str(), pull.author.login.0.as_str()), (&*head, "work", "ada"));
    assert!(pull.author.id.as_str().parse::<u32>().is_ok(), "by number: {:?}", pull.author);
    assert_eq!((pull.state, pull.readiness, pull.labels.len()), (PullState::Open, Readiness::Ready, 0));
    assert_eq!(gitea.pull(PullNumber(99)).await.unwrap(), None);

    let title = json!({"title": "WIP: work"});
    case.academy.ask("ada", "PATCH", &format!("/pulls/{}", case.pull), Some(title), 201);
    case.academy.ask("bot", "POST", "/labels", Some(json!({"name": "task/first", "color": "#112233"})), 201);
    let labels = json!({"labels": ["task/first"]});
    case.academy.ask("bot", "POST", &format!("/issues/{}/labels", case.pull), Some(labels), 200);
    let pull = gitea.pull(case.pull).await.unwrap().unwrap();
    assert_eq!((pull.readiness, pull.labels.into_iter().next()), (Readiness::Draft, Some(Label("task/first".into()))));

    for _ in 0..2 {
        gitea.close(case.pull).await.unwrap();
    }
    assert_eq!(gitea.pull(case.pull).await.unwrap().unwrap().state, PullState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_fetched_from_upstream_with_the_base_also_when_the_fork_is_gone() {
    let case = Case::new();
    let gitea = case.academy.daemon("a").await;
    let pull = gitea.pull(case.pull).await.unwrap().unwrap();
    let fork = format!("/repos/ada/{}", case.academy.name);
    case.academy.server.ask("ada", "DELETE", &fork, None, 204);
    let mirror = gitea.objects(&pull).await.unwrap();
    let has = |commit: &str| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&mirror).args(["cat-file", "-p", &format!("{commit}:tasks/first/deployment.yaml")]);
        git.output().unwrap().status.success()
    };
    assert!(has(pull.head.as_str()) && has(pull.base.as_ref().unwrap().as_str()));
    let config = std::fs::read_to_string(mirror.join("config")).unwrap();
    assert!(!config.contains("http") && !config.contains(&case.academy.server.bot), "{config}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_was_never_pushed_is_superseded() {
    let case = Case::new();
    let gitea = case.academy.daemon("a").await;
    let mut pull = gitea.pull(case.pull).await.unwrap().unwrap();
    pull.head = "1".repeat(40).parse().unwrap();
    let error = gitea.objects(&pull).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Superseded, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_open_pull_request_is_listed_whatever_the_others_hold() {
    let case = Case::new();
    let mut opened = vec![case.pull.0];
    for branch in ["two", "three", "four", "five", "six", "seven"] {
        case.ada.clone.branch(branch);
        case.ada.clone.write("tasks/second/note.txt", branch);
        opened.push(case.ada.open(branch));
    }
    let limits = Limits { bytes: 100_000, ..Limits::default() };
    let store = Store::open(&case.academy.path("a.db")).await.unwrap();
    let gitea = case.academy.gitea(&store, "a", &case.academy.server.bot, limits);
    let numbers = async || -> Vec<i64> { gitea.pulls(None).await.unwrap().iter().map(|pull| pull.number.0).collect() };
    assert_eq!(numbers().await, opened);

    // A description that no page can be read with.
    let long = json!({"body": "x".repeat(200_000)});
    case.academy.ask("ada", "PATCH", &format!("/pulls/{}", opened[2]), Some(long), 201);
    case.academy.ask("ada", "PATCH", &format!("/pulls/{}", opened[6]), Some(json!({"state": "closed"})), 201);
    assert_eq!(numbers().await, [&opened[..2], &opened[3..6]].concat());

    let all = gitea.pulls(Some(gradus::store::time::Time(0))).await.unwrap();
    let closed = all.iter().find(|pull| pull.number.0 == opened[6]).unwrap();
    assert_eq!((closed.state, all.len()), (PullState::Closed, 6));
    let later = closed.updated_at.plus(std::time::Duration::from_secs(600));
    assert_eq!(gitea.pulls(Some(later)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_we_may_not_see_is_a_fault_of_the_configuration_and_not_an_empty_one() {
    let case = Case::new();
    let gitea = case.academy.daemon("a").await;
    case.academy.ask("teacher", "DELETE", "/collaborators/bot", None, 204);
    case.academy.ask("teacher", "PATCH", "", Some(json!({"private": true})), 200);
    let error = gitea.pull(case.pull).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_too_little_says_what_it_lacks() {
    let case = Case::new();
    let server = case.academy.server;
    let narrow = server.token("bot", &format!("narrow {}", case.academy.name), &["read:repository", "read:user"]);
    let store = Store::open(&case.academy.path("a.db")).await.unwrap();
    let gitea = case.academy.gitea(&store, "a", &narrow, Limits::default());
    assert!(gitea.pull(case.pull).await.unwrap().is_some());
    let error = gitea.close(case.pull).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    assert!(error.to_string().contains("write:repository"), "{error}");
    let error = case.academy.gitea(&store, "b", &"0".repeat(40), Limits::default()).pull(case.pull).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Config, "{error}");
    assert!(!error.to_string().contains(&"0".repeat(40)), "{error}");
}
