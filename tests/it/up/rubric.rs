//! A bad rubric at 22:00, as docs/gradebook.md tells it: the real program, its data directory, its courses.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::process::{Command, Output};

use super::world::{Up, World, text};

fn gradus(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.current_dir(world.path("")).args(args).env("GRADUS_AUTHOR", "grace").env_remove("GRADUS_GRADEBOOK");
    command.output().unwrap()
}

fn says(world: &World, args: &[&str]) -> String {
    let output = gradus(world, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The rubric wants another number of copies from now on.
fn rubric(world: &World, from: &str, to: &str) {
    let file = world.path("tiny").join("basics/start/tasks/first/task.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    let after = before.replace(from, to);
    assert_ne!(before, after);
    std::fs::write(file, after).unwrap();
}

fn grades(world: &World) -> serde_json::Value {
    let text = says(world, &["grades", "--gradebook", "data", "--format", "json"]);
    serde_json::from_str(&text).unwrap()
}

fn state(up: &Up) -> String {
    up.json("/api/v1/pulls/1")["status"]["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_bad_rubric_is_stopped_mended_previewed_and_applied() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    assert_eq!(state(&up), "failure");

    let stopped = says(
        &world,
        &[
            "quarantine",
            "first",
            "replicas",
            "--until",
            "2999-01-01",
            "--reason",
            "two is right",
            "--gradebook",
            "data",
        ],
    );
    assert!(stopped.contains("is not trusted until"), "{stopped}");
    let taken_back = || Some(state(&up)).filter(|state| state != "failure");
    up.eventually("the failure to be taken back", taken_back);
    let table = says(&world, &["grades", "--gradebook", "data"]);
    assert!(table.starts_with("Not trusted until") && table.contains("two is right"), "{table}");
    let listen = up.address.strip_prefix("http://").unwrap().to_owned();

    rubric(&world, "replicas: 3", "replicas: 2");
    let args = ["regrade", "--preview", "--data", "data", "--course", "tiny"];
    let preview = says(&world, &args);
    assert!(preview.contains("1 gain, 0 lose, 0 unchanged"), "while it is in quarantine too: {preview}");
    says(&world, &["quarantine", "first", "replicas", "--lift", "--gradebook", "data"]);
    let before = grades(&world);
    let preview = says(&world, &args);
    assert!(preview.contains("gains      ada") && preview.contains("3 -> 7 of 7  first"), "{preview}");
    assert!(preview.contains("1 pull request would be told"), "{preview}");
    assert_eq!(grades(&world), before, "a preview changes nothing");
    let applied = says(&world, &["regrade", "--apply", "--data", "data", "--course", "tiny"]);
    assert!(applied.contains("1 to be graded again, behind what learners wait for, once the daemon serves `tiny` at"));
    // This one still serves the old rubric, which it goes on to judge by.
    assert!(up.ask(1, "/regrade").contains("Not yet: 3 of 7 points"));
    assert!(up.stop("INT").status.success());

    let up = Up::start(world.command(&listen));
    up.eventually("the pass", || Some(()).filter(|()| state(&up) == "success"));
    // The status is told first.
    up.eventually("the score", || Some(()).filter(|()| grades(&world)["items"][0]["score"] == 7));
    let reviews = up.reviews(1).len();
    let again = says(&world, &["regrade", "--apply", "--data", "data", "--course", "tiny"]);
    assert!(again.contains("0 gain, 0 lose, 1 unchanged") && again.contains("0 to be graded again"), "{again}");
    assert_eq!(up.reviews(1).len(), reviews, "the same result is told once");
}

#[test]
fn a_changed_rubric_takes_nothing_from_anybody_unless_an_instructor_says_why() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("3", "aurora");
    clone.hand_in();
    assert_eq!(state(&up), "success");
    let listen = up.address.strip_prefix("http://").unwrap().to_owned();
    assert!(up.stop("INT").status.success());
    rubric(&world, "replicas: 3", "replicas: 4");
    let apply = ["regrade", "--apply", "--data", "data", "--course", "tiny"];
    let left = says(&world, &apply);
    assert!(left.contains("0 gain, 1 lose") && left.contains("1 pull request left alone"), "{left}");
    assert!(left.contains("0 to be graded again"), "{left}");
    assert_eq!(grades(&world)["items"][0]["score"], 7, "a pass stays a pass");

    let accepted: Vec<&str> = apply.iter().copied().chain(["--accept-losses", "three was never right"]).collect();
    let text = says(&world, &accepted);
    assert!(text.contains("1 to be graded again"), "{text}");
    let row = grades(&world)["items"][0].clone();
    assert_eq!((row["score"].as_u64(), row["state"].as_str()), (Some(3), Some("open")), "{row}");
    assert_eq!(row["decisions"][0]["reason"], "three was never right");
    assert_eq!(row["decisions"][0]["by"], "grace");
    let up = Up::start(world.command(&listen));
    up.eventually("the new verdict", || Some(()).filter(|()| state(&up) == "failure"));
    // Nothing of hers broke: the course changed, and the review says so before it says what is wrong.
    let review = up.reviews(1).pop().unwrap();
    let second = review.lines().nth(2).unwrap_or_default();
    assert!(second.starts_with("**This task changed after your branch began.**"), "{review}");
    clone.git(&["fetch", "origin", "gradus/workspace"]);
    clone.git(&["merge", "--no-edit", "FETCH_HEAD"]);
    clone.answer("4", "aurora");
    clone.hand_in();
    assert_eq!(grades(&world)["items"][0]["score"], 7, "a better verdict counts again");
}
