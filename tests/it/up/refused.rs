//! What is refused, and that it does no harm.

use std::process::{Command, Output};

use super::world::{World, text};

fn refused(output: &Output, why: &str) {
    assert!(!output.status.success(), "{}", text(output));
    assert!(text(output).contains(why), "`{why}` is not in:\n{}", text(output));
}

#[test]
fn pushes_of_other_things_than_branches() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.commit();
    refused(&clone.try_git(&["push", "origin", "HEAD:refs/tags/v1"]), "push branches only");
    refused(&clone.try_git(&["push", "origin", "HEAD:refs/notes/x"]), "push branches only");
    refused(&clone.try_git(&["push", "origin", ":main"]), "cannot be deleted");
    refused(&clone.try_git(&["push", "origin", "HEAD:refs/heads/a$(id)"]), "is not a branch name");
    refused(&clone.try_git(&["push", "origin", "HEAD:refs/heads/gradus"]), "under another name");
    assert_eq!(up.json("/api/v1/pulls"), serde_json::json!([]));
    assert_eq!(
        clone.git(&["ls-remote", "origin"]).matches("refs/").count(),
        2,
        "only main and the workspace are there"
    );
}

#[test]
fn a_file_that_is_too_large_is_named_and_does_not_stay() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.write("tasks/first/dump.bin", vec![b'x'; 11 << 20]);
    clone.commit();
    refused(&clone.try_git(&["push", "origin", "HEAD"]), "tasks/first/dump.bin");
    assert_eq!(up.json("/api/v1/pulls"), serde_json::json!([]));
    let brings = clone.head();
    clone.git(&["rm", "-q", "-f", "tasks/first/dump.bin"]);
    clone.answer("3", "aurora");
    clone.git(&["commit", "-q", "-a", "-m", "without it"]);
    let again = clone.try_git(&["push", "origin", "HEAD"]);
    refused(&again, &format!("commit {} brings it", &brings[..7]));
    let again = text(&again).replace("\nremote: ", " ");
    let commands = again.split_once("before that one: ").unwrap().1.lines().next().unwrap().trim();
    let ran = Command::new("sh").current_dir(&clone.dir).args(["-c", commands]).output().unwrap();
    assert!(ran.status.success(), "{commands}: {}", text(&ran));
    assert!(clone.git(&["push", "origin", "HEAD"]).contains("Passed"));
}

#[test]
fn a_push_that_is_too_large_is_told_the_limit_and_how_to_begin_again() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    // Numbers from a generator: what can be compressed is not large.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(11 << 20)
    .collect();
    for n in 0..7_u8 {
        clone.write(&format!("tasks/first/dump-{n}.bin"), noise.iter().map(|byte| byte ^ n).collect::<Vec<u8>>());
    }
    clone.commit();
    // In pieces, as git sends what is long, and whole, with its length told before.
    for buffer in ["http.postBuffer=1000000", "http.postBuffer=200000000"] {
        let output = clone.try_git(&["-c", buffer, "push", "origin", "HEAD"]);
        refused(&output, "larger than 64 MiB");
        refused(&output, "git reset --soft");
    }
    assert_eq!(up.json("/api/v1/pulls"), serde_json::json!([]));
    clone.git(&["reset", "-q", "--soft", clone.git(&["merge-base", "HEAD", "origin/gradus/workspace"]).trim()]);
    clone.git(&["restore", "--staged", "."]);
    clone.answer("3", "aurora");
    clone.git(&["commit", "-q", "-m", "without them", "tasks/first/deployment.yaml"]);
    assert!(clone.git(&["push", "origin", "HEAD"]).contains("Passed"));
}

#[test]
fn hostile_files_end_in_a_clear_answer() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    let mut laughs = "a0: &a0 [lol]\n".to_owned();
    for n in 1..30 {
        laughs += &format!("a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}]\n", m = n - 1);
    }
    let deep = format!("kind: Deployment\nspec: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    for (branch, content) in [("laughs", &laughs), ("deep", &deep)] {
        clone.branch(branch);
        clone.write("tasks/first/deployment.yaml", content);
        let out = clone.hand_in();
        assert!(out.contains("Not yet: 0 of 7 points"), "{branch}:\n{out}");
    }
    clone.branch("link");
    std::fs::remove_file(clone.dir.join("tasks/first/deployment.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", clone.dir.join("tasks/first/deployment.yaml")).unwrap();
    let out = clone.hand_in();
    assert!(out.contains("tasks/first/deployment.yaml"), "{out}");
    assert!(!out.contains("Passed"), "{out}");
    clone.branch("shown");
    clone.write(
        "tasks/first/deployment.yaml",
        "kind: Deployment\nspec: {replicas: \"<script>alert(1)</script>\\e[31m@all\"}\n",
    );
    let out = clone.hand_in();
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let (_, page) = up.get("/pulls/4");
    assert!(!page.contains("<script>alert"), "{page}");
    // Where no checkpoint reads them, the advice does.
    clone.branch("advised");
    clone.write("tasks/second/note.txt", "done\n");
    clone.write("tasks/second/a.yaml", laughs);
    clone.write("tasks/second/b.yaml", deep);
    clone.write("tasks/second/c.yaml", "answer: yes\n");
    let out = clone.hand_in();
    assert!(out.contains("Passed: 2 of 2 points"), "{out}");
    let review = up.reviews(5).remove(0);
    let (_, advice) = review.split_once("### Advice").unwrap_or_else(|| panic!("no advice: {review}"));
    assert!(advice.contains("- `tasks/second/c.yaml:1`: "), "{review}");
    // And the daemon goes on.
    clone.branch("fine");
    clone.answer("3", "aurora");
    assert!(clone.hand_in().contains("Passed"));
}

/// The sentence of an error of the API, in our words.
fn error_of(answer: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert_eq!(json.as_object().unwrap().len(), 1, "{answer}");
    let text = json["error"].as_str().unwrap();
    assert!(!text.contains("deserialize") && !text.contains("Failed to"), "{text}");
    text.to_owned()
}

#[test]
fn requests_from_elsewhere() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    let (status, answer) = up.request("GET", "/api/v1/pulls", &[("Host", "evil.example")], "");
    assert_eq!((status, error_of(&answer).contains("use the one that `gradus up` printed")), (421, true), "{answer}");
    let service = "/git/ada/tiny.git/info/refs?service=git-upload-pack";
    assert_eq!(up.request("GET", service, &[("Host", "evil.example")], "").0, 421);
    let json = ("Content-Type", "application/json");
    let comments = "/api/v1/pulls/1/comments";
    let body = r#"{"body": "/regrade"}"#;
    let (status, answer) = up.request("POST", comments, &[json, ("Origin", "http://evil.example")], body);
    assert_eq!((status, error_of(&answer).contains("page of another site")), (403, true), "{answer}");
    assert_eq!(up.request("POST", comments, &[json, ("Sec-Fetch-Site", "cross-site")], body).0, 403);
    assert_eq!(up.request("POST", comments, &[("Content-Type", "text/plain")], body).0, 415);
    let push = "/git/ada/tiny.git/git-receive-pack";
    let kind = ("Content-Type", "application/x-git-receive-pack-request");
    assert_eq!(up.request("POST", push, &[kind, ("Origin", "http://evil.example")], "0000").0, 403);
    assert_eq!(up.json(comments), serde_json::json!([]));
}

#[test]
fn requests_that_make_no_sense() {
    let world = World::new();
    let up = world.up();
    let json = [("Content-Type", "application/json")];
    for (method, path, body, status) in [
        ("GET", "/git/ada/other.git/info/refs?service=git-upload-pack", "", 404),
        ("GET", "/git/..%2f..%2fetc/tiny.git/info/refs?service=git-upload-pack", "", 404),
        ("GET", "/git/Ada/tiny.git/info/refs?service=git-upload-pack", "", 404),
        ("GET", "/git/ada/tiny.git/info/refs", "", 403),
        ("GET", "/git/ada/tiny.git/info/refs?service=git-upload-archive", "", 403),
        ("GET", "/git/ada/tiny.git/objects/info/packs", "", 404),
        ("POST", "/git/ada/tiny.git/git-upload-pack", "0000", 415),
        ("GET", "/api/v1/pulls/1", "", 404),
        ("GET", "/api/v1/pulls/-1", "", 404),
        ("GET", "/api/v1/pulls/%ff", "", 404),
        ("GET", "/api/v1/nope", "", 404),
        ("GET", "/pulls/x", "", 404),
        ("GET", "/courses/..%2F..", "", 404),
        ("GET", "/assets/..%2Fmod.rs", "", 404),
        ("POST", "/api/v1/pulls/1/comments", r#"{"body": "x"}"#, 404),
        ("POST", "/api/v1/pulls/1/comments", r#"{"text": "x"}"#, 422),
        ("POST", "/api/v1/pulls/1/comments", "{", 400),
        ("DELETE", "/api/v1/pulls/1", "", 405),
    ] {
        let (found, answer) = up.request(method, path, &json, body);
        assert_eq!(found, status, "{method} {path}: {answer}");
        if path.starts_with("/api/v1") {
            error_of(&answer);
        }
    }
    let huge = format!(r#"{{"body": "{}"}}"#, "x".repeat(1 << 20));
    let (status, answer) = up.request("POST", "/api/v1/pulls/1/comments", &json, &huge);
    assert_eq!((status, error_of(&answer).contains("10,000 characters")), (413, true), "{answer}");
    assert!(!world.data().join("forks/Ada").exists());
    assert_eq!(up.get("/healthz").0, 200);
}
