//! Work that was pushed to `main`: the way back, typed as the answer says it.

use std::fs;
use std::process::Command;

use super::world::{Clone, Up, World, text};

/// What the answer to a push says to do, run as it stands there.
fn follow(clone: &Clone, out: &str) {
    let commands: Vec<&str> = out.lines().filter_map(|line| Some(line.split_once("do:  ")?.1.trim())).collect();
    assert!(!commands.is_empty(), "{out}");
    for command in commands {
        let mut shell = Command::new("sh");
        shell.current_dir(&clone.dir).args(["-c", command]).env("GIT_CONFIG_NOSYSTEM", "1");
        let ran = shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_EDITOR", "false").output().unwrap();
        assert!(ran.status.success(), "{command}: {}", text(&ran));
    }
}

fn publish_anew(world: &World, up: Up, clone: &Clone) -> Up {
    up.stop("TERM");
    let brief = world.path("tiny/basics/start/tasks/first/brief.md");
    fs::write(&brief, "# Three copies\n\nRun three copies at last, for the team aurora.\n").unwrap();
    let up = world.up();
    clone.git(&["remote", "set-url", "origin", &format!("{}/git/ada/tiny.git", up.address)]);
    up
}

#[test]
fn the_work_moves_to_a_branch_and_main_goes_back_and_follows_the_course_again() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    let published = clone.head();
    clone.answer("3", "aurora");
    let out = clone.hand_in();
    assert!(out.contains("Passed"), "{out}");
    assert!(!out.contains("not looked at"), "it was graded:\n{out}");
    let review = up.reviews(1).remove(0);
    assert!(review.contains("### Your work is on `main`") && review.contains("git push -f origin FETCH_HEAD:main"));
    assert!(!review.contains("Not looked at"), "{review}");
    let work = clone.head();

    // Until then the course's updates arrive in one place at least.
    let up = publish_anew(&world, up, &clone);
    clone.git(&["fetch", "-q", "origin"]);
    assert_eq!(clone.git(&["rev-parse", "origin/main"]).trim(), work);
    assert!(clone.git(&["show", "origin/gradus/workspace:briefs/first.md"]).contains("at last"));

    follow(&clone, &out);
    assert_eq!(clone.git(&["rev-parse", "origin/first"]).trim(), work);
    assert_eq!(clone.git(&["branch", "--show-current"]).trim(), "first");
    assert_eq!(up.json("/api/v1/pulls/1")["state"], "closed");
    assert_eq!(up.json("/api/v1/pulls/2")["branch"], "first");
    assert!(clone.git(&["show", "main:briefs/first.md"]).contains("at last"), "main follows the course again");
    assert_eq!(clone.git(&["merge-base", "main", &work]).trim(), published);
    let at = |name: &str| clone.git(&["rev-parse", name]);
    assert_eq!((at("main"), at("origin/main")), (at("origin/gradus/workspace"), at("origin/gradus/workspace")));
}

#[test]
fn the_commands_work_also_when_the_branch_is_there() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("first");
    clone.write("tasks/first/notes.txt", "mine\n");
    clone.hand_in();
    clone.git(&["switch", "-q", "main"]);
    clone.answer("3", "aurora");
    let out = clone.hand_in();
    follow(&clone, &out);
    assert_eq!(clone.git(&["show", "origin/first:tasks/first/notes.txt"]), "mine\n");
    assert!(clone.git(&["show", "origin/first:tasks/first/deployment.yaml"]).contains("replicas: 3"));
    assert_eq!(up.json("/api/v1/pulls/2")["state"], "closed");
}

#[test]
fn a_task_starts_from_the_published_workspace_whatever_is_on_main() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    let published = clone.head();
    clone.answer("3", "aurora");
    clone.hand_in();
    let started = |clone: &Clone| {
        let mut gradus = Command::new(env!("CARGO_BIN_EXE_gradus"));
        text(&gradus.current_dir(&clone.dir).args(["start", "second"]).output().unwrap())
    };
    let said = started(&clone);
    assert!(said.contains(&format!("from the workspace at {}", &published[..7])), "{said}");
    assert!(said.contains("`main` of your fork holds commits of yours"), "{said}");
    assert_eq!(clone.head(), published);

    let other = world.clone(&up, "eve", "eve");
    assert!(!started(&other).contains("commits of yours"));
}

#[test]
fn nobody_pushes_to_what_names_the_workspace() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    let published = clone.head();
    clone.answer("3", "aurora");
    clone.commit();
    let pushed = clone.try_git(&["push", "-f", "origin", "HEAD:refs/heads/gradus/workspace"]);
    assert!(!pushed.status.success() && text(&pushed).contains("as it is published"), "{}", text(&pushed));
    // Git itself says that there is no such branch: none that a push may name.
    assert!(!clone.try_git(&["push", "origin", ":gradus/workspace"]).status.success());
    clone.git(&["fetch", "-q", "origin"]);
    assert_eq!(clone.git(&["rev-parse", "origin/gradus/workspace"]).trim(), published);
    assert_eq!(up.json("/api/v1/pulls"), serde_json::json!([]));
}
