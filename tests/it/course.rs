//! The author's verbs from outside: `new`, `lint`, `publish`, `values`, `schema`.

use std::path::Path;
use std::process::{Command, Output};

fn gradus(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradus"))
        .args(arguments)
        .current_dir(dir)
        .env_remove("GRADUS_LEARNER")
        .output()
        .expect("gradus runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[track_caller]
fn ok(dir: &Path, arguments: &[&str]) -> String {
    let output = gradus(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_new_course_is_clean_publishes_and_stays_quiet_when_nothing_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    ok(dir, &["new", "course", "linux"]);
    ok(dir, &["new", "task", "linux/d1-first/module-1-1/second"]);
    assert!(ok(dir, &["lint", "linux"]).ends_with("no errors, 1 warning\n"), "a draft hears of its sums");
    assert!(ok(dir, &["publish", "linux", "--to", "linux.git"]).contains("1 lesson, 2 tasks"));
    assert!(ok(dir, &["publish", "linux", "--to", "linux.git"]).contains("nothing changed"));

    let clone =
        git2::Repository::clone(dir.join("linux.git").to_str().expect("text"), dir.join("fork")).expect("clones");
    assert!(clone.path().parent().expect("a tree").join("tasks/second/shop.yaml").is_file());
    assert!(ok(&dir.join("fork"), &["values"]).starts_with("no values here"));
    ok(dir, &["new", "course", "nets"]);
    let output = gradus(dir, &["publish", "nets", "--to", "linux.git"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the workspace of the course `linux`") && said.contains("--to nets.git"), "{said}");
    assert!(ok(dir, &["publish", "linux", "--to", "linux.git"]).contains("nothing changed"), "it is as it was");
    // A fork is no course.
    assert_eq!(gradus(&dir.join("fork"), &["publish", "--to", "../x.git"]).status.code(), Some(2));
}

#[test]
fn a_broken_course_ends_with_2_and_says_where() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    ok(dir, &["new", "course", "linux"]);
    let file = "linux/d1-first/module-1-1/tasks/first-task/task.yaml";
    let broken = std::fs::read_to_string(dir.join(file)).expect("read").replace("minutes:", "minuets:");
    std::fs::write(dir.join(file), broken).expect("written");
    for arguments in
        [vec!["lint", "linux"], vec!["publish", "linux", "--to", "x.git"], vec!["values", "--course", "linux"]]
    {
        let output = gradus(dir, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            said.contains(&format!("{file}:6:3")) && said.contains("did you mean `minutes`?"),
            "{arguments:?}: {said}"
        );
    }
    let output = gradus(dir, &["lint", "linux", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["errors"][0]["file"], &json["errors"][0]["line"]), (&file.into(), &6.into()));
    assert!(!dir.join("x.git").exists(), "nothing is published");
}

#[test]
fn every_schema_prints_and_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let task: serde_json::Value = serde_json::from_str(&ok(dir.path(), &["schema", "task"])).expect("JSON");
    assert_eq!(task["title"], "Task");
    ok(dir.path(), &["schema", "--write", "out"]);
    assert!(dir.path().join("out/report.schema.json").is_file());
    assert_eq!(gradus(dir.path(), &["schema", "tusk"]).status.code(), Some(2));
}

#[test]
fn lint_and_test_find_the_same_and_never_advise_what_they_do_not_take() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    std::fs::create_dir(dir.join("empty")).expect("made");
    let nothing = "there is no course in ./courses: name the directory of a course or a task";
    for verb in ["lint", "test"] {
        for (arguments, said) in [(vec![verb], nothing), (vec![verb, "empty"], "empty: name the directory of a course")]
        {
            let output = gradus(dir, &arguments);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            let words = text(&output.stderr);
            assert!(words.contains(said) && !words.contains("--course"), "{arguments:?}: {words}");
        }
    }
    ok(dir, &["new", "course", "courses/linux"]);
    for verb in ["lint", "test"] {
        let words = text(&gradus(dir, &[verb, "first-tsk"]).stderr);
        assert!(words.contains("did you mean `first-task`?") && !words.contains("--course"), "{verb}: {words}");
    }
    assert!(ok(dir, &["lint"]).contains("no errors"), "all courses below `courses/`");
    assert!(ok(dir, &["lint", "first-task"]).contains("no errors"), "a task by its id");
}

#[test]
fn a_clone_of_a_workspace_says_that_it_has_no_submissions_of_the_authors() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    ok(dir, &["new", "course", "linux"]);
    ok(dir, &["publish", "linux", "--to", "linux.git"]);
    let fork = dir.join("fork");
    git2::Repository::clone(dir.join("linux.git").to_str().expect("text"), &fork).expect("clones");
    for arguments in [
        &["preview", "first-task"][..],
        &["preview", "first-task", "--on", "solution"],
        &["explain", "first-task", "colour", "--on", "too-few"],
    ] {
        let output = gradus(&fork, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let words = text(&output.stderr);
        assert!(words.contains("none of the author's submissions of `first-task`"), "{arguments:?}: {words}");
        assert!(
            words.contains("`--on tasks/first-task`") && words.contains("`gradus grade --task first-task`"),
            "{words}"
        );
    }
    assert!(
        ok(&fork, &["preview", "first-task", "--on", "tasks/first-task"]).contains("**Not yet"),
        "the advice works"
    );
}
