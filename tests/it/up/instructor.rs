//! `gradus up --instructor`: one person tries both sides.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::process::Command;

use serde_json::{Value, json};

use super::world::{Up, World, text};

fn instructed(world: &World) -> Command {
    let mut command = world.command("127.0.0.1:0");
    command.args(["--instructor", "grace"]);
    command
}

/// The only row of the grades.
fn grade(world: &World) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.args(["grades", "--format", "json", "--gradebook"]).arg(world.data());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let grades: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(grades["items"].as_array().unwrap().len(), 1, "{grades}");
    grades["items"][0].clone()
}

#[test]
fn an_instructor_decides_what_counts_and_a_learner_is_told_who_does() {
    let world = World::new();
    let up = Up::start(instructed(&world));
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    let before = grade(&world);
    assert_eq!((before["score"].as_u64(), before["state"].as_str()), (Some(3), Some("open")), "{before}");

    for ask in [up.ask(1, "/waive replicas two are enough"), up.ask_as("ada", 1, "/override first 7 please")] {
        assert!(ask.starts_with("Only instructors of this workspace decide that"), "{ask}");
    }
    assert_eq!(grade(&world), before, "nothing was changed");

    let waived = up.ask_as("grace", 1, "/waive replicas the brief says two");
    assert!(waived.starts_with("Waived: `replicas` of `first` counts as passed for `ada`"), "{waived}");
    let after = grade(&world);
    assert_eq!((after["score"].as_u64(), after["state"].as_str()), (Some(7), Some("passed")), "{after}");
    let decision = &after["decisions"][0];
    assert_eq!((&decision["by"], &decision["reason"]), (&json!("grace"), &json!("the brief says two")));
    assert!(up.ask_as("grace", 1, "/extend first 3d ill").starts_with("Extended: `ada` has 3d more for `first`"));
    assert!(up.ask_as("grace", 1, "/override first 5 appeal").starts_with("Overridden: `ada` has 5 of 7 points"));
    assert_eq!(grade(&world)["score"], 5);
    let progress = up.ask(1, "/progress");
    assert!(progress.contains("5 of 7"), "the learner sees what counts: {progress}");
}

#[test]
fn on_the_page_an_instructor_has_a_button_and_nobody_else_may_be_named() {
    let world = World::new();
    let up = Up::start(instructed(&world));
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    let (_, page) = up.get("/pulls/1");
    assert!(page.contains("Comment as grace</button>"), "{page}");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let (status, _) = up.request("POST", "/pulls/1/comments", &form, "body=%2Fwaive+replicas+why&author=grace");
    assert_eq!(status, 303);
    up.eventually("the waiver", || Some(()).filter(|()| grade(&world)["score"] == 7));
    let (status, page) = up.request("POST", "/pulls/1/comments", &form, "body=%2Fwaive+team+why&author=eve");
    assert_eq!(status, 422);
    assert!(page.contains("Only ada, whose pull request this is, and grace, the instructor, speak here."), "{page}");
    assert!(up.stop("INT").status.success());

    let up = world.up();
    let body = json!({"body": "/waive team why", "author": "grace"}).to_string();
    let (status, answer) =
        up.request("POST", "/api/v1/pulls/1/comments", &[("Content-Type", "application/json")], &body);
    assert_eq!(status, 422);
    assert!(answer.contains("gradus up --instructor NAME"), "{answer}");
}

#[test]
fn an_instructor_who_is_the_learner_is_refused() {
    let world = World::new();
    let mut command = world.command("127.0.0.1:0");
    let output = command.args(["--instructor", "ada"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("give the instructor another name"), "{}", text(&output));
    assert!(!world.data().exists(), "nothing was begun");
}
