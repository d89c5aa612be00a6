//! `gradus up` as learners meet it: the real program, real git over HTTP, the API and the pages.

mod instructor;
mod list;
mod on_main;
mod push;
mod refused;
mod restart;
mod rubric;
pub mod world;

use world::{World, text};

#[test]
fn half_right_then_right() {
    let world = World::new();
    let up = world.up();
    assert_eq!(up.greeting[0], format!("git clone {}/git/ada/tiny.git", up.address));
    assert!(up.greeting[1].starts_with("first task: Three copies, "), "{:?}", up.greeting);
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("first");
    clone.answer("2", "aurora");
    let out = clone.hand_in();
    for line in [
        "remote: Not yet: 3 of 7 points.",
        "tasks/first/deployment.yaml:8",
        "hint 1 of 2: Look at the spec.",
        &format!("Review: {}/pulls/1", up.address),
    ] {
        assert!(out.contains(line), "`{line}` is not in:\n{out}");
    }
    assert!(!out.contains("team"), "what passed is not told:\n{out}");

    let reviews = up.json("/api/v1/pulls/1/reviews");
    let review = &reviews[0];
    assert_eq!(review["head"], clone.head());
    assert!(review["body"].as_str().unwrap().starts_with("**Not yet: 3 of 7 points.**"));
    let on_line = &review["comments"][0];
    assert_eq!((on_line["path"].as_str(), on_line["line"].as_u64()), (Some("tasks/first/deployment.yaml"), Some(8)));

    clone.answer("3", "aurora");
    let out = clone.hand_in();
    assert!(out.contains("remote: Passed"), "{out}");
    assert!(out.contains("Next: second"), "{out}");
    let reviews = up.reviews(1);
    assert_eq!(reviews.len(), 2);
    assert!(reviews[1].contains("The debrief of the first task."), "{}", reviews[1]);
    assert!(reviews[1].contains("fixed `replicas`"), "{}", reviews[1]);

    let pull = up.json("/api/v1/pulls/1");
    assert_eq!(pull["status"]["state"], "success");
    assert_eq!(pull["reports"][0]["score"], 7);
    let (_, page) = up.get("/pulls/1");
    assert!(page.contains("tasks/first/deployment.yaml"), "the diff is on the page");
    for path in ["/", "/pulls", "/courses/tiny", "/courses/tiny/lessons/start/hello", "/courses/tiny/tasks/first"] {
        let (status, page) = up.get(path);
        assert_eq!(status, 200, "{path}");
        assert!(page.contains("</html>"), "{path}");
    }
    assert!(up.get("/courses/tiny/tasks/first").1.contains("The debrief of the first task."));

    // The last one that was open.
    clone.git(&["switch", "-q", "-c", "second", "origin/gradus/workspace"]);
    clone.write("tasks/second/note.txt", "done\n");
    let out = clone.hand_in();
    let progress = format!("{}/courses/tiny", up.address);
    assert!(out.contains(&format!("You passed every task of this course. Where you stand in it: {progress}")), "{out}");
    assert!(up.reviews(2)[0].contains("### You passed every task of this course"), "{}", up.reviews(2)[0]);
}

#[test]
fn a_checkpoint_that_nobody_can_pass_is_in_the_operators_log() {
    let world = World::new();
    let file = world.path("tiny/basics/start/tasks/second/task.yaml");
    // Too many steps, on constants of the author's.
    let many = "[0,1,2,3,4,5,6,7,8,9]";
    let rule = "fghijklm".chars().fold("true".to_owned(), |inner, name| format!("{many}.all({name}, {inner})"));
    let rule = format!("cel: {{in: note.yaml, select: {{kind: Note}}, rule: \"{rule}\"}}");
    let text = std::fs::read_to_string(&file).unwrap();
    let broken = text.replace("file: {path: note.txt, text: {contains: [done]}}", &rule);
    assert_ne!(text, broken);
    std::fs::write(file, broken).unwrap();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("second");
    clone.write("tasks/second/note.yaml", "kind: Note\nmetadata: {name: done}\n");
    let out = clone.hand_in();
    assert!(out.contains("ours to mend"), "{out}");
    let log = String::from_utf8(up.stop("TERM").stderr).unwrap();
    let about = |line: &&str| line.contains("WARN") && line.contains("local#1");
    let line = log.lines().find(about).unwrap_or_else(|| panic!("{log}"));
    for part in ["second", "note", "simplify it"] {
        assert!(line.contains(part), "`{part}` is not in {line}");
    }
}

#[test]
fn a_lost_learner_is_told_where_to_go() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("lost");
    clone.write("first/deployment.yml", "kind: Deployment\n");
    let out = clone.hand_in();
    assert!(out.contains("tasks/first/deployment.yaml"), "{out}");
    assert!(out.contains("git mv"), "{out}");
    assert!(up.reviews(1)[0].contains("tasks/first/deployment.yaml"));
}

#[test]
fn every_push_is_answered() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");

    clone.branch("unchanged");
    let out = clone.git(&["push", "origin", "HEAD"]);
    assert!(out.contains("Review: "), "a branch with no change:\n{out}");

    clone.branch("empty");
    let out = clone.hand_in();
    assert!(out.contains("Review: "), "an empty commit:\n{out}");

    clone.git(&["switch", "-q", "--orphan", "unrelated"]);
    clone.write("tasks/first/deployment.yaml", "a: 1\n");
    let out = clone.hand_in();
    assert!(out.contains("shares no commit"), "unrelated history:\n{out}");

    clone.branch("both");
    clone.answer("3", "aurora");
    clone.write("tasks/second/note.txt", "not yet\n");
    let out = clone.hand_in();
    assert!(out.contains("first: Passed") && out.contains("second: Not yet"), "two tasks:\n{out}");
    let review = up.reviews(4).pop().unwrap();
    assert!(review.contains("`first`") && review.contains("`second`"), "a section each:\n{review}");

    clone.branch("binary");
    clone.write("tasks/first/deployment.yaml", b"\x00\xff\x00binary");
    let out = clone.hand_in();
    assert!(out.contains("Not yet: 0 of 7 points"), "binary content:\n{out}");

    clone.branch("tabs");
    clone.write("tasks/first/deployment.yaml", "kind: Deployment\nspec:\n\treplicas: 3\n");
    let out = clone.hand_in();
    assert!(out.contains("tasks/first/deployment.yaml:3"), "tabs:\n{out}");
}

#[test]
fn main_is_graded_and_told_how_to_move() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    let published = clone.head();
    clone.answer("3", "aurora");
    let out = clone.hand_in();
    assert!(out.contains("Passed"), "{out}");
    assert!(out.contains("git switch -c first"), "{out}");
    clone.git(&["reset", "-q", "--hard", &published]);
    let out = clone.git(&["push", "-f", "origin", "main"]);
    assert!(out.contains("is closed"), "{out}");
    let closed = up.json("/api/v1/pulls/1");
    assert_eq!((&closed["state"], &closed["status"]["state"]), (&"closed".into(), &"success".into()), "{closed}");
}

#[test]
fn force_pushes_deletions_and_returns() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    let first = clone.head();
    clone.answer("3", "none");
    clone.git(&["add", "-A"]);
    clone.git(&["commit", "-q", "--amend", "-m", "again"]);
    let out = clone.git(&["push", "-f", "origin", "work"]);
    assert!(out.contains("Not yet: 4 of 7 points"), "{out}");

    let out = clone.git(&["push", "-f", "origin", &format!("{first}:work")]);
    assert!(out.contains("Not yet: 3 of 7 points"), "the head that came back is answered:\n{out}");
    assert_eq!(up.reviews(1).len(), 2, "by the review it has");

    let out = clone.git(&["push", "origin", ":work"]);
    assert!(out.contains("Pull request #1 is closed"), "{out}");
    assert_eq!(up.json("/api/v1/pulls/1")["state"], "closed");
    // As if it had been closed while it was graded.
    world.sql("UPDATE local_statuses SET state = 'pending' RETURNING state");
    let status = up.json("/api/v1/pulls/1")["status"].clone();
    assert_eq!(status["state"], "failure");
    assert_eq!(status["description"], "No final result: the pull request was closed first");
    assert!(!up.get("/pulls/1").1.contains("Pending"), "the page says the same");
    clone.answer("3", "aurora");
    let out = clone.hand_in();
    assert!(out.contains("Passed"), "{out}");
    let pulls = up.json("/api/v1/pulls");
    assert_eq!(pulls.as_array().unwrap().len(), 1, "it is the same pull request");
    assert_eq!(pulls[0]["state"], "open");
}

#[test]
fn files_that_passed_are_folded_into_a_line() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("3", "aurora");
    clone.hand_in();
    clone.write("tasks/second/note.txt", "done\n");
    let out = clone.hand_in();
    assert!(out.contains("Passed: 2 of 2 points"), "{out}");
    assert!(up.reviews(1)[1].contains("`first`"), "{}", up.reviews(1)[1]);
}

#[test]
fn a_checkpoint_that_two_tasks_have_is_named_with_its_task() {
    let world = World::new();
    let task = world.path("tiny/basics/start/tasks/second/task.yaml");
    std::fs::write(&task, std::fs::read_to_string(&task).unwrap().replace("id: note", "id: team")).unwrap();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("3", "nobody");
    clone.write("tasks/second/note.txt", "not yet\n");
    clone.hand_in();
    let review = &up.reviews(1)[0];
    assert!(review.contains("/explain first/team") && review.contains("/explain second/team"), "{review}");
    for (command, answer) in [
        ("/explain team", "say `first/team` or `second/team`"),
        ("/explain first/team", "tasks/first/deployment.yaml:6"),
        ("/explain second/team", "tasks/second/note.txt"),
        ("/explain reams", "Checkpoints here: `replicas`, `first/team`, `second/team`."),
    ] {
        let found = up.ask(1, command);
        assert!(found.contains(answer), "{command}: {found}");
    }
}

#[test]
fn commands_are_answered_in_the_conversation() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    for (command, answer) in [
        ("/hint", "Count the copies."),
        ("/hint replicas", "There are no more."),
        ("/hint team", "has no hints"),
        ("/explain replicas", "tasks/first/deployment.yaml:8"),
        ("/explain replica", "Did you mean `replicas`?"),
        ("/progress", "3 of 9 points"),
        ("/regrade", "with the same result"),
        ("/dispute replicas two are enough", "Noted in the gradebook"),
        ("/hnit", "Did you mean `/hint`?"),
        ("/progress\n/explain replicas", "Not done: `/explain replicas`. A comment is one command"),
    ] {
        let found = up.ask(1, command);
        assert!(found.contains(answer), "{command}: {found}");
    }
    assert_eq!(up.reviews(1).len(), 1, "grading again with the same result posts nothing");
    let book = std::fs::read_to_string(world.data().join("gradebook/ada.jsonl")).unwrap();
    assert!(book.contains("two are enough"), "{book}");

    let (status, _) = up.request(
        "POST",
        "/pulls/1/comments",
        &[("Content-Type", "application/x-www-form-urlencoded"), ("Origin", &up.address)],
        "body=%2Fprogress+please",
    );
    assert_eq!(status, 303, "the form of the page works too");
}

#[test]
fn each_learner_has_a_fork_and_sees_no_other_learners_objects() {
    let world = World::new();
    let up = world.up();
    let ada = world.clone(&up, "ada", "ada");
    ada.branch("work");
    ada.answer("3", "aurora");
    ada.hand_in();
    let secret = ada.head();
    let eve = world.clone(&up, "eve", "eve");
    let output = eve.try_git(&["fetch", "origin", &secret]);
    assert!(!output.status.success(), "{}", text(&output));
    assert!(!eve.git(&["ls-remote", "origin"]).contains(&secret));
    // Not even by claiming to have it: a push that names only the commit brings no objects.
    eve.branch("theft");
    let fork = world.data().join("forks/eve/tiny.git/objects/info/alternates");
    let borrowed = std::fs::read_to_string(fork).unwrap();
    assert_eq!(borrowed.lines().count(), 1);
    assert!(borrowed.contains("upstream/tiny.git"), "{borrowed}");
}

#[test]
fn a_large_push_and_an_old_protocol_work() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    // More than git sends in one piece (http.postBuffer): chunked, and above git's limit for unpacking loose.
    let mut seed = 7_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{seed:08x}")
    };
    for n in 0..150 {
        let text: String = (0..4000).map(|_| noise()).collect();
        clone.write(&format!("tasks/second/extra/{n}.txt"), text);
    }
    clone.write("tasks/second/note.txt", "done\n");
    let out = clone.hand_in();
    assert!(out.contains("Passed"), "{out}");
    for version in ["0", "1", "2"] {
        let args = ["-c", &format!("protocol.version={version}"), "fetch", "-q", "origin", "work"];
        clone.git(&args);
    }
    assert!(clone.git(&["ls-remote", "origin"]).contains("refs/heads/work"));
    // Many `have` lines make git send a compressed request.
    for _ in 0..120 {
        clone.git(&["commit", "-q", "--allow-empty", "-m", "local"]);
    }
    let other = world.clone(&up, "ada", "other");
    other.branch("more");
    other.answer("3", "aurora");
    other.hand_in();
    clone.git(&["fetch", "-q", "origin", "more"]);
}

#[test]
fn pushes_at_once_are_all_answered() {
    let world = World::new();
    let up = world.up();
    let learners: Vec<String> = (0..8).map(|n| format!("learner-{n}")).collect();
    let clones: Vec<_> = learners.iter().map(|learner| world.clone(&up, learner, learner)).collect();
    std::thread::scope(|scope| {
        for clone in &clones {
            scope.spawn(|| {
                clone.branch("work");
                clone.answer("3", "aurora");
                let out = clone.hand_in();
                assert!(out.contains("Passed"), "{out}");
            });
        }
    });
    let pulls = up.json("/api/v1/pulls");
    assert_eq!(pulls.as_array().unwrap().len(), 8);
    for pull in pulls.as_array().unwrap() {
        assert_eq!(up.reviews(u32::try_from(pull["number"].as_u64().unwrap()).unwrap()).len(), 1);
    }
}
