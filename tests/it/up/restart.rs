//! Starting, stopping, and starting again.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::fs;
use std::net::TcpStream;
use std::process::{Command, Output};

use super::world::{Clone, Up, World, git, text};

fn fails(mut command: Command) -> String {
    let output: Output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "nothing is promised");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_restart_keeps_everything() {
    let world = World::new();
    let up = world.up();
    let listen = up.address.strip_prefix("http://").unwrap().to_owned();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    up.ask(1, "/progress");
    let before = (up.json("/api/v1/pulls/1"), up.json("/api/v1/pulls/1/reviews"), up.json("/api/v1/pulls/1/comments"));
    let output = up.stop("INT");
    assert!(output.status.success(), "{}", text(&output));

    let up = Up::start(world.command(&listen));
    assert_eq!(up.address, format!("http://{listen}"));
    let after = (up.json("/api/v1/pulls/1"), up.json("/api/v1/pulls/1/reviews"), up.json("/api/v1/pulls/1/comments"));
    assert_eq!(before, after);
    clone.answer("3", "aurora");
    let out = clone.hand_in();
    assert!(out.contains("Passed"), "{out}");
    assert!(up.reviews(1)[1].contains("attempt 2"), "attempts are remembered: {}", up.reviews(1)[1]);
    assert!(up.stop("TERM").status.success());
}

#[test]
fn a_kill_loses_nothing() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    up.kill();
    // A push whose hook never came through: the ref moved, nobody was told.
    clone.answer("3", "aurora");
    clone.commit();
    let fork = world.data().join("forks/ada/tiny.git");
    // Killed in the middle of writing: nothing waits for these, so they would be in the way for good.
    let locks =
        ["forks/ada/tiny.git/refs/heads/work.lock", "upstream/tiny.git/config.lock"].map(|at| world.data().join(at));
    clone.git(&["-c", "core.hooksPath=/dev/null", "push", "-q", &fork.to_string_lossy(), "HEAD:refs/heads/work"]);
    locks.iter().for_each(|lock| fs::write(lock, "").unwrap());
    let up = world.up();
    let said = git(&world.data().join("upstream/tiny.git"), &["log", "-1", "--format=%s", "main"]);
    assert!(text(&said).starts_with("Update where to clone from"), "another port: {}", text(&said));
    assert!(locks.iter().all(|lock| !lock.exists()));
    let reviews = up.eventually("the second review", || Some(up.reviews(1)).filter(|reviews| reviews.len() == 2));
    assert!(reviews[1].starts_with("**Passed"), "{}", reviews[1]);
    assert_eq!(up.json("/api/v1/pulls/1")["head"], clone.head());
}

#[test]
fn a_changed_course_is_published_and_an_untouched_main_follows() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    let eve = world.clone(&up, "eve", "eve");
    eve.write("mine.txt", "on main\n");
    eve.hand_in();
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    up.stop("TERM");
    let brief = world.path("tiny/basics/start/tasks/first/brief.md");
    fs::write(&brief, "# Three copies\n\nRun three copies at last, for the team aurora.\n").unwrap();
    let listen = "127.0.0.1:0";
    let up = Up::start(world.command(listen));
    clone.git(&["remote", "set-url", "origin", &format!("{}/git/ada/tiny.git", up.address)]);
    eve.git(&["remote", "set-url", "origin", &format!("{}/git/eve/tiny.git", up.address)]);
    clone.git(&["fetch", "-q", "origin"]);
    assert!(clone.git(&["show", "origin/main:briefs/first.md"]).contains("at last"));
    let theirs = eve.head();
    eve.git(&["fetch", "-q", "origin"]);
    assert_eq!(eve.git(&["rev-parse", "origin/main"]).trim(), theirs, "what a learner put on main stays");
    // The conversation is as it was: the same head is not graded again by itself.
    assert_eq!(up.reviews(1).len() + up.reviews(2).len(), 2);
}

#[test]
fn two_on_one_data_directory() {
    let world = World::new();
    let up = world.up();
    let error = fails(world.command("127.0.0.1:0"));
    assert!(error.contains("in use by another `gradus up`"), "{error}");
    assert_eq!(up.get("/healthz").0, 200, "the first one goes on");
}

#[test]
fn a_port_that_is_taken() {
    let world = World::new();
    let up = world.up();
    let other = World::new();
    let error = fails(other.command(&format!("127.0.0.1:{}", up.port())));
    assert!(error.contains("--listen 127.0.0.1:0"), "{error}");
}

#[test]
fn other_machines_are_let_in_only_when_it_is_said_aloud() {
    let world = World::new();
    let error = fails(world.command("0.0.0.0:0"));
    assert!(error.contains("--allow-remote"), "{error}");
    let mut command = world.command("0.0.0.0:0");
    command.arg("--allow-remote");
    let up = Up::start(command);
    assert!(TcpStream::connect(("127.0.0.1", up.port().parse().unwrap())).is_ok());
}

#[test]
fn data_of_another_version_is_left_as_it_is() {
    let world = World::new();
    world.up().stop("TERM");
    world.sql("PRAGMA user_version = 99");
    let database = world.data().join("gradus.db");
    let before = fs::read(&database).unwrap();
    let error = fails(world.command("127.0.0.1:0"));
    assert!(error.contains("schema version 99") && error.contains("--data DIR"), "{error}");
    assert_eq!(fs::read(&database).unwrap(), before);
    world.sql("PRAGMA user_version = 7");
    world.up();
}

#[test]
fn a_directory_of_somebody_else() {
    let world = World::new();
    fs::create_dir(world.data()).unwrap();
    fs::write(world.data().join("thesis.tex"), "mine").unwrap();
    let error = fails(world.command("127.0.0.1:0"));
    assert!(error.contains("holds no data of Gradus"), "{error}");
    assert_eq!(fs::read_dir(world.data()).unwrap().count(), 1);
}

#[test]
fn a_broken_course_is_explained_and_nothing_starts() {
    let world = World::new();
    let task = world.path("tiny/basics/start/tasks/first/task.yaml");
    let text = fs::read_to_string(&task).unwrap().replace("minutes: 3", "minuets: 3");
    fs::write(&task, text).unwrap();
    let error = fails(world.command("127.0.0.1:0"));
    assert!(error.contains("task.yaml") && error.contains("minuets"), "{error}");

    // What shows only with values drawn is as broken: no learner is to find a rule that does not compile.
    let text = fs::read_to_string(&task).unwrap().replace("minuets: 3", "minutes: 3");
    let rule = "manifest: {select: {kind: Deployment}, match: {spec: {replicas: 3}}}";
    assert!(text.contains(rule));
    fs::write(&task, text.replace(rule, "cel: {rule: 'object.n =='}")).unwrap();
    let error = fails(world.command("127.0.0.1:0"));
    assert!(error.contains("task.yaml:") && error.contains("ends where a value"), "{error}");
}

#[test]
fn no_course_at_all() {
    let world = World::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    let empty = world.path("empty");
    fs::create_dir(&empty).unwrap();
    command.current_dir(&empty).args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(world.data());
    let error = fails(command);
    assert!(error.contains("--course DIR"), "{error}");
}

/// A daemon none of whose files may grow beyond 100 KiB (ulimit counts in units of 1 KiB), as if its disk were full: the
/// write-ahead log soon does. The hard limit stays, so that there can be room again.
fn cramped(world: &World) -> Up {
    let inner = world.command("127.0.0.1:0");
    let mut command = Command::new("bash");
    command.current_dir(inner.get_current_dir().unwrap());
    command
        .args(["-c", "trap '' XFSZ; ulimit -S -f 100; exec \"$@\"", "bash"])
        .arg(inner.get_program())
        .args(inner.get_args());
    Up::start(command)
}

/// Pushes until there is no room for more.
fn fill(clone: &Clone) {
    for n in 0..40 {
        clone.branch(&format!("work-{n}"));
        clone.answer("2", &format!("team-{n}"));
        clone.commit();
        if !text(&clone.try_git(&["push", "origin", "HEAD"])).contains("Not yet") {
            return;
        }
    }
    panic!("the limit was never reached");
}

/// Waits for a review of all that was taken.
fn all_are_answered(up: &Up, clone: &Clone) {
    let heads = clone.git(&["ls-remote", "origin", "refs/heads/work-*"]).lines().count();
    up.eventually("a review of everything", || {
        let pulls = up.json("/api/v1/pulls");
        let pulls = pulls.as_array().unwrap();
        let done = pulls.iter().all(|pull| pull["status"]["state"] == "failure");
        (done && pulls.len() == heads).then_some(())
    });
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_written() {
    let world = World::new();
    world.up().stop("TERM");
    let up = cramped(&world);
    let clone = world.clone(&up, "ada", "clone");
    fill(&clone);
    up.kill();
    // With room again everything that was taken is answered.
    let up = world.up();
    clone.git(&["remote", "set-url", "origin", &format!("{}/git/ada/tiny.git", up.address)]);
    all_are_answered(&up, &clone);
}

#[test]
fn with_room_again_everything_goes_on_without_a_restart() {
    let world = World::new();
    world.up().stop("TERM");
    let up = cramped(&world);
    let clone = world.clone(&up, "ada", "clone");
    fill(&clone);
    // What little room is left goes with the next writes; what is asked about writing takes a page as well.
    up.eventually("not ready", || {
        up.comment(1, "/progress");
        let (status, why) = up.get("/readyz");
        (status == 503 && why.starts_with("the database cannot be written")).then_some(())
    });
    up.give_room();
    assert_eq!(up.get("/readyz").0, 200);
    let (status, answer) = up.comment(1, "/progress");
    assert_eq!(status, 201, "{answer}");
    all_are_answered(&up, &clone);
    clone.branch("after");
    clone.answer("3", "aurora");
    let out = clone.hand_in();
    assert!(out.contains("Passed"), "{out}");
}
