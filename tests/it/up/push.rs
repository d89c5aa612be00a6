//! Pushes as no git would send them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::world::{Clone, Up, World};

const ZERO: &str = "0000000000000000000000000000000000000000";

/// The beginning of a push: one reference and what the client is able to do.
fn asked(old: &str, new: &str, name: &str) -> Vec<u8> {
    let line = format!("{old} {new} {name}\0report-status side-band-64k");
    format!("{:04x}{line}0000", line.len() + 4).into_bytes()
}

/// A pack of exactly these objects.
fn pack(clone: &Clone, objects: &str) -> Vec<u8> {
    let mut git = Command::new("git");
    git.current_dir(&clone.dir).args(["pack-objects", "-q", "--stdout"]);
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(objects.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// Opens a connection and sends the head of a push of this length.
fn begin(up: &Up, length: usize) -> TcpStream {
    let authority = up.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /git/ada/tiny.git/git-receive-pack HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/x-git-receive-pack-request\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Sends a whole push; the answer.
fn push(up: &Up, body: &[u8]) -> String {
    let mut stream = begin(up, body.len());
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Nothing of a push that was not taken is left.
fn nothing_is_left(world: &World, clone: &Clone, head: &str) {
    let fork = world.data().join("forks/ada/tiny.git");
    let left = std::fs::read_dir(fork.join("objects")).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("tmp_")).collect();
    assert!(left.is_empty(), "{left:?}");
    let known = clone.try_git(&["--git-dir", &fork.to_string_lossy(), "cat-file", "-e", head]);
    assert!(!known.status.success(), "the commit came in");
}

#[test]
fn a_push_that_breaks_off_leaves_nothing() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("3", "aurora");
    clone.commit();
    let head = clone.head();
    let objects = clone.git(&["rev-list", "--objects", "--no-object-names", "HEAD", "^origin/main"]);
    let body = [asked(ZERO, &head, "refs/heads/work"), pack(&clone, &objects)].concat();
    for length in [3, 60, body.len() - 40, body.len() - 1] {
        let mut stream = begin(&up, body.len());
        stream.write_all(&body[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // It has noticed when it hangs up; whether it says something before is its own matter.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    up.eventually("an end of all git processes", || {
        let fork = world.data().join("forks/ada/tiny.git/objects");
        let mut left = std::fs::read_dir(fork).unwrap().flatten();
        (!left.any(|entry| entry.file_name().to_string_lossy().starts_with("tmp_"))).then_some(())
    });
    nothing_is_left(&world, &clone, &head);
    assert!(push(&up, &body).contains("ok refs/heads/work"), "the whole of it is taken");
}

#[test]
fn a_pack_that_lacks_something_is_refused_and_leaves_nothing() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("3", "aurora");
    clone.commit();
    let head = clone.head();
    let answer = push(&up, &[asked(ZERO, &head, "refs/heads/work"), pack(&clone, &head)].concat());
    assert!(answer.contains("ng refs/heads/work unpacker error"), "{answer}");
    // Not even the commit: whoever names another learner's commit does not get it.
    let answer = push(&up, &[asked(ZERO, &head, "refs/heads/work"), pack(&clone, "")].concat());
    assert!(!answer.contains("ok refs/heads/work") && answer.contains("nothing of it was kept"), "{answer}");
    nothing_is_left(&world, &clone, &head);
    assert_eq!(up.json("/api/v1/pulls"), serde_json::json!([]));
}

#[test]
fn a_branch_that_has_moved_meanwhile_stays_where_it_is() {
    let world = World::new();
    let up = world.up();
    let clone = world.clone(&up, "ada", "clone");
    clone.branch("work");
    clone.answer("2", "aurora");
    clone.hand_in();
    let (head, main) = (clone.head(), clone.git(&["rev-parse", "origin/main"]).trim().to_owned());
    let empty = pack(&clone, "");
    for (old, new) in [(ZERO, main.as_str()), (&main, &head), (&main, ZERO)] {
        let body = [asked(old, new, "refs/heads/work"), if new == ZERO { Vec::new() } else { empty.clone() }].concat();
        let answer = push(&up, &body);
        assert!(answer.contains("ng refs/heads/work it has moved meanwhile"), "{old} {new}: {answer}");
    }
    assert_eq!(up.json("/api/v1/pulls/1")["head"], head);
    assert_eq!(up.reviews(1).len(), 1);
}

#[test]
fn what_is_no_push_ends_the_request_and_nothing_else() {
    let world = World::new();
    let up = world.up();
    world.clone(&up, "ada", "clone");
    for nonsense in [&b"GET / HTTP/1.1"[..], b"0003", b"0009abc", b"ffff"] {
        let answer = push(&up, nonsense);
        assert!(!answer.contains("unpack ok"), "{answer}");
    }
    assert!(push(&up, b"0000").starts_with("HTTP/1.1 200"), "so git asks whether it may push at all");
    let long = "0".repeat(3 << 20);
    let answer = push(&up, &[&b"ffff"[..], long.as_bytes()].concat());
    assert!(!answer.contains("unpack ok"), "{answer}");
    assert_eq!(up.get("/healthz").0, 200);
}
