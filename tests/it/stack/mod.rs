//! `gradus stack`: the real parts, started and ended as people do it.

mod ending;
pub mod machine;
mod sync;

use machine::{Machine, shared};

#[test]
fn a_stack_is_up_when_every_part_says_that_it_is_healthy() {
    let machine = shared();
    let status = machine.gradus(&["status"]);
    assert_eq!(status.code, 0, "{}", status.text);
    for part in gradus::stack::Part::ALL {
        let line = status.text.lines().find(|line| line.starts_with(&format!("{part} ")));
        assert!(line.is_some_and(|line| line.contains(" healthy ")), "{part}:\n{}", status.text);
    }
    assert!(status.text.contains("All healthy"), "{}", status.text);
}

#[test]
fn what_up_prints_is_enough_to_go_on() {
    let machine = shared();
    let said = &machine.greeting;
    let endpoints = machine.endpoints();
    for word in [
        &format!("export KUBECONFIG={}", endpoints.kubeconfig.display()),
        &endpoints.gitea.unwrap().address,
        &format!("gradus stack down --data {}", machine.data.display()),
    ] {
        assert!(said.contains(word.as_str()), "`{word}` is not in:\n{said}");
    }
    let token = std::fs::read_to_string(machine.endpoints().gitea.unwrap().token).unwrap();
    assert!(!said.contains(&token), "a token is printed");
    let logs = machine.gradus(&["logs", "kube-controller-manager"]);
    assert!(logs.code == 0 && logs.text.contains("Caches are synced"), "{}", logs.text);
}

#[test]
fn a_stack_that_is_up_is_not_started_again() {
    let machine = shared();
    let before = machine.state();
    let again = machine.gradus(&["up"]);
    assert_eq!(again.code, 2);
    assert!(again.text.contains("is up") && again.text.contains("gradus stack down"), "{}", again.text);
    assert_eq!(machine.state(), before);
}

#[test]
fn what_is_built_is_not_built_again() {
    let built = Machine::new().gradus_as_is(&["build"], &[]);
    assert_eq!(built.code, 0, "{}", built.text);
    assert_eq!(built.text.matches("already built").count(), 5, "{}", built.text);
}

#[test]
fn without_built_parts_up_says_what_to_do_and_starts_nothing() {
    let machine = Machine::new();
    let empty = tempfile::tempdir().unwrap();
    let up = machine.gradus_with(&["up"], &[("GRADUS_CACHE", empty.path())]);
    assert_eq!(up.code, 2);
    assert!(up.text.contains("not built: run `gradus stack build`"), "{}", up.text);
    assert!(!machine.dir().exists());
}

#[test]
fn a_build_that_fails_says_why_and_leaves_nothing_that_could_be_taken_for_built() {
    let (machine, cache) = (Machine::new(), tempfile::tempdir().unwrap());
    let modules = cache.path().join("modules");
    let off = [("GRADUS_CACHE", cache.path()), ("GOMODCACHE", &modules), ("GOPROXY", "off".as_ref())];
    for _ in 0..2 {
        let build = machine.gradus_as_is(&["build"], &off);
        assert_eq!(build.code, 2, "{}", build.text);
        let said = build.text.find("about 19 minutes").expect("it says first what it takes");
        let failed = build.text.find("building etcd 3.6.16 failed").expect("it says what failed");
        assert!(said < failed && build.text.contains("GOPROXY=off"), "{}", build.text);
        let left: Vec<_> = std::fs::read_dir(cache.path().join("components")).unwrap().flatten().collect();
        assert!(left.iter().all(|entry| entry.file_name() == "etcd.lock"), "{left:?}");
    }
}
