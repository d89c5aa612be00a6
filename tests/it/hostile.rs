//! Hostile submissions through the program as a learner calls it: each ends in a clear verdict, soon, and shows nothing of
//! the machine.

use std::time::{Duration, Instant};

use git2::{ObjectType, Oid, Repository};

use super::workspace::Clone;

/// Far above what any of these takes, far below what an unbounded walk would.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `gradus grade` says of the task `alpha`: exit code, standard output, standard error.
fn grade(clone: &Clone, args: &[&str]) -> (Option<i32>, String, String) {
    let begun = Instant::now();
    let output = clone.gradus(&[&["grade", "--task", "alpha", "--format", "json"], args].concat());
    assert!(begun.elapsed() < PATIENCE, "took {:?}", begun.elapsed());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains("root:") && !err.contains("root:"), "shows a file of the machine: {out}{err}");
    (output.status.code(), out, err)
}

/// Stores a tree as it is told to, in Git's order.
fn store(repository: &Repository, mut entries: Vec<(u32, Vec<u8>, Oid)>) -> Oid {
    entries.sort_by_key(|(mode, name, _)| [name.as_slice(), if *mode == 0o40_000 { b"/" } else { b"" }].concat());
    let mut object = Vec::new();
    for (mode, name, id) in entries {
        object.extend_from_slice(format!("{mode:o} ").as_bytes());
        object.extend_from_slice(&name);
        object.push(0);
        object.extend_from_slice(id.as_bytes());
    }
    repository.odb().unwrap().write(ObjectType::Tree, &object).unwrap()
}

/// The tree with an entry put at the end of `path`, whatever Git would say to its name.
fn with(repository: &Repository, tree: Option<Oid>, path: &[&[u8]], mode: u32, id: Oid) -> Oid {
    let tree = tree.map(|tree| repository.find_tree(tree).unwrap());
    let mut entries: Vec<(u32, Vec<u8>, Oid)> = tree
        .iter()
        .flat_map(|tree| {
            tree.iter().map(|e| (e.filemode() as u32, e.name_bytes().to_vec(), e.id())).collect::<Vec<_>>()
        })
        .collect();
    let old = entries.iter().position(|(_, name, _)| name == path[0]).map(|at| entries.remove(at));
    let (mode, id) = match path {
        [_] => (mode, id),
        [_, rest @ ..] => (0o40_000, with(repository, old.map(|(_, _, id)| id), rest, mode, id)),
        [] => unreachable!("a path has a name"),
    };
    entries.push((mode, path[0].to_vec(), id));
    store(repository, entries)
}

/// A clone whose `HEAD` has, beside a right answer, the entry that `make` stores, below `tasks/alpha/`.
fn attacked(name: &[u8], mode: u32, make: impl FnOnce(&Repository, Oid) -> Oid) -> Clone {
    let clone = Clone::new();
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    clone.git(&["commit", "-q", "-am", "A right answer"]);
    let repository = Repository::open(clone.dir.path()).unwrap();
    let blob = repository.blob(b"x").unwrap();
    let head = repository.head().unwrap().peel_to_commit().unwrap();
    let id = make(&repository, blob);
    let tree = with(&repository, Some(head.tree_id()), &[b"tasks", b"alpha", name], mode, id);
    let who = git2::Signature::new("Mallory", "m@example.org", &git2::Time::new(0, 0)).unwrap();
    let tree = repository.find_tree(tree).unwrap();
    repository.commit(Some("HEAD"), &who, &who, "attack", &tree, &[&head]).unwrap();
    clone
}

const FILE: u32 = 0o100_644;
const DIR: u32 = 0o40_000;
const LINK: u32 = 0o120_000;
const MODULE: u32 = 0o160_000;

#[test]
fn a_right_answer_passes_so_that_the_others_prove_something() {
    let clone = attacked(b"note.txt", FILE, |_, blob| blob);
    let (code, out, err) = grade(&clone, &["--commit", "HEAD"]);
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn each_attack_in_a_commit_is_a_fail_that_names_it() {
    type Make = fn(&Repository, Oid) -> Oid;
    let doubled: Make = |repository, blob| {
        let leaf = store(repository, vec![(FILE, b"f".to_vec(), blob)]);
        (0..40).fold(leaf, |t, _| store(repository, vec![(DIR, b"a".to_vec(), t), (DIR, b"b".to_vec(), t)]))
    };
    let deep: Make = |repository, blob| {
        let leaf = store(repository, vec![(FILE, b"f".to_vec(), blob)]);
        (0..2_000).fold(leaf, |tree, _| store(repository, vec![(DIR, b"d".to_vec(), tree)]))
    };
    let wide: Make = |repository, blob| {
        store(repository, (0..100_000).map(|n| (FILE, format!("{n:06}").into_bytes(), blob)).collect())
    };
    let large: Make = |repository, _| repository.blob(&vec![0; 200 << 20]).unwrap();
    let passwd: Make = |repository, _| repository.blob(b"/etc/passwd").unwrap();
    let pointer: Make =
        |repository, _| repository.blob(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").unwrap();
    let plain: Make = |_, blob| blob;
    let config: Make = |repository, blob| store(repository, vec![(FILE, b"config".to_vec(), blob)]);
    let cases: [(&[u8], u32, Make, &str); 14] = [
        (b"passwd", LINK, passwd, "is a symbolic link"),
        (b"answer.txt", LINK, passwd, "is a symbolic link"),
        (b"sub", MODULE, plain, "is a submodule"),
        (b"big.bin", FILE, pointer, "is a Git LFS pointer"),
        (b"huge", FILE, large, "is too large: 200 MiB"),
        (b"bomb", DIR, doubled, "too many files"),
        (b"wide", DIR, wide, "too many files"),
        (b"deep", DIR, deep, "is too deep"),
        (b"..", FILE, plain, "steps out of its directory"),
        (b".GIT", DIR, config, "is read as `.git`"),
        (b"git~1", DIR, config, "is read as `.git`"),
        (b"a\\..\\b", FILE, plain, "has a backslash"),
        ("x\u{202e}lmay.".as_bytes(), FILE, plain, "direction-changing"),
        (b"\xff", FILE, plain, "is not UTF-8"),
    ];
    for (name, mode, make, told) in cases {
        let shown = String::from_utf8_lossy(name);
        let clone = attacked(name, mode, make);
        let (code, out, err) = grade(&clone, &["--commit", "HEAD"]);
        assert_eq!(code, Some(1), "{shown}: {out}{err}");
        assert!(out.contains(told), "{shown}: {out}{err}");
        assert!(!out.contains('\u{202e}'), "{shown}: the trick is shown as it is");
    }
}

#[test]
fn names_that_differ_only_in_case_fail_and_the_published_one_is_not_to_blame() {
    let clone = attacked(b"Answer.txt", FILE, |_, blob| blob);
    let (code, out, err) = grade(&clone, &["--commit", "HEAD"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("tasks/alpha/Answer.txt") && out.contains("differ only in upper and lower case"), "{out}");
}

#[test]
fn an_attack_outside_of_the_task_costs_nothing() {
    let clone = Clone::new();
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    std::os::unix::fs::symlink("/etc/passwd", clone.dir.path().join("link")).unwrap();
    clone.git(&["add", "-A"]);
    clone.git(&["commit", "-q", "-m", "right, and a link at the top"]);
    for args in [&["--commit", "HEAD"] as &[&str], &[]] {
        let (code, out, err) = grade(&clone, args);
        assert_eq!(code, Some(0), "{out}{err}");
    }
}

#[test]
fn a_working_tree_runs_nothing_follows_nothing_and_waits_for_nothing() {
    let clone = Clone::new();
    let marker = clone.dir.path().join("pwned");
    for key in ["filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "core.fsmonitor"] {
        clone.git(&["config", key, &format!("touch {}", marker.display())]);
    }
    clone.write(".gitattributes", "*.txt filter=evil\n");
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    let (code, out, _) = grade(&clone, &[]);
    assert!(!marker.exists(), "a filter ran");
    assert_eq!(code, Some(1), "what would be committed is not what lies there");
    assert!(out.contains("filter=evil"), "{out}");

    let clone = Clone::new();
    let answer = clone.dir.path().join("tasks/alpha/answer.txt");
    std::fs::remove_file(&answer).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &answer).unwrap();
    let (code, out, _) = grade(&clone, &[]);
    assert_eq!(code, Some(1));
    assert!(out.contains("is a symbolic link"), "{out}");

    std::fs::remove_file(&answer).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&answer).status().unwrap().success());
    let (code, _, _) = grade(&clone, &[]);
    assert_eq!(code, Some(1), "a pipe is no answer, and nobody waits for it");
}

#[test]
fn what_git_ignores_is_neither_graded_nor_a_limit() {
    let clone = Clone::new();
    clone.write(".gitignore", "generated/\n");
    clone.write("tasks/alpha/answer.txt", "alpha\n");
    let generated = clone.dir.path().join("tasks/alpha/generated");
    std::fs::create_dir_all(&generated).unwrap();
    std::fs::write(generated.join("big"), vec![0; 11 << 20]).unwrap();
    let (code, out, err) = grade(&clone, &[]);
    assert_eq!(code, Some(0), "{out}{err}");
}
