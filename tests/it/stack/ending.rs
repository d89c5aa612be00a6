//! Stacks that end, as they should or not: nothing of them is left.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;

use gradus::stack::component::cache_of_user;
use gradus::stack::{Optional, Part, Programs, Spec, Stack, Stop, Trouble, UpError, status};
use rustix::process::{Pid, Signal, kill_process};

use super::machine::{Machine, shared};
use crate::process::{Killed, ended};

/// As little as a stack can be.
const SMALL: [&str; 4] = ["--without", "pods", "argocd", "gitea"];

fn small(name: &str, machine: &Machine) -> Spec {
    let without = [Optional::Pods, Optional::Argocd, Optional::Gitea].into();
    Spec { name: name.parse().unwrap(), data: machine.data.clone(), without }
}

fn programs(spec: &Spec) -> Programs {
    Programs::find(&cache_of_user().unwrap(), &spec.without).unwrap()
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// `gradus stack up` as far as the first healthy part, and the rest of what it says.
fn half_way(machine: &Machine) -> (Killed, impl BufRead + use<>) {
    let mut up = Killed(machine.command(&[&["up"], &SMALL[..]].concat()).spawn().unwrap());
    let mut said = BufReader::new(up.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("etcd") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ends before etcd is ready");
    }
    (up, said)
}

#[test]
fn two_stacks_stand_side_by_side_and_a_guard_takes_its_own_with_it() {
    let (first, machine) = (shared(), Machine::new());
    let spec = small("second", &machine);
    let second = Stack::up(&spec, &programs(&spec), &Stop::default(), &mut |_| {}).unwrap();
    assert_ne!(second.endpoints().api, first.endpoints().api);
    assert!(status(&spec).unwrap().unwrap().is_well());
    assert_eq!(first.gradus(&["status"]).code, 0);
    let namespace = format!("only-here-{}", std::process::id());
    assert_eq!(first.kubectl(&["create", "namespace", &namespace]).code, 0);
    let there = std::process::Command::new(&second.endpoints().kubectl)
        .args(["get", "namespace", &namespace])
        .env("KUBECONFIG", &second.endpoints().kubeconfig)
        .env("HOME", second.dir())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&there.stderr).contains("NotFound"), "{there:?}");
    drop(second);
    assert_eq!(machine.processes(), [""; 0]);
    assert!(!spec.dir().exists());
    assert_eq!(first.gradus(&["status"]).code, 0);
}

#[test]
fn a_part_that_was_killed_is_shown_and_the_next_start_begins_anew() {
    let machine = Machine::new();
    let up = machine.gradus(&[&["up"], &SMALL[..]].concat());
    assert_eq!(up.code, 0, "{}", up.text);
    let part = |part| machine.state().parts.into_iter().find(|running| running.part == part).unwrap().process.pid;
    let (etcd, api) = (part(Part::Etcd), part(Part::KubeApiserver));
    signal(etcd, Signal::KILL);
    // The signal is sent; it takes effect a moment later.
    ended(etcd);
    let status = machine.gradus(&["status"]);
    assert_eq!(status.code, 1);
    let line = status.text.lines().find(|line| line.starts_with("etcd ")).unwrap();
    assert!(line.contains(" dead ") && line.contains("gradus stack logs"), "{}", status.text);

    let again = machine.gradus(&[&["up"], &SMALL[..]].concat());
    assert_eq!(again.code, 0, "{}", again.text);
    assert!(again.text.contains("of an earlier stack"), "{}", again.text);
    assert_ne!(part(Part::KubeApiserver), api);
    assert_eq!(machine.gradus(&["status"]).code, 0);
    assert_eq!(machine.processes().len(), 3);

    let down = machine.gradus(&["down"]);
    assert_eq!(down.code, 0, "{}", down.text);
    assert!(down.text.contains("3 processes"), "{}", down.text);
    assert_eq!(machine.processes(), [""; 0]);
    assert!(!machine.dir().exists());
    assert_eq!(machine.gradus(&["status"]).code, 1);
}

#[test]
fn a_start_that_was_killed_half_way_leaves_nothing_behind_after_the_next() {
    let machine = Machine::new();
    let (up, _said) = half_way(&machine);
    drop(up);
    assert!(machine.processes().contains(&"etcd".to_owned()));
    let status = machine.gradus(&["status"]);
    assert!(status.code == 1 && status.text.contains("cut off"), "{}", status.text);

    // As if we had been killed between a start and its note.
    let mut state = machine.state();
    state.parts.clear();
    state.save(&machine.dir()).unwrap();
    let again = machine.gradus(&[&["up"], &SMALL[..]].concat());
    assert_eq!(again.code, 0, "{}", again.text);
    assert!(again.text.contains("of an earlier stack"), "{}", again.text);
    assert_eq!(machine.processes().len(), 3);
    machine.gradus(&["down"]);
    assert_eq!(machine.processes(), [""; 0]);
}

#[test]
fn ctrl_c_while_a_stack_is_started_ends_what_was_started() {
    let machine = Machine::new();
    let (mut up, mut said) = half_way(&machine);
    signal(up.0.id(), Signal::INT);
    assert_eq!(up.0.wait().unwrap().code(), Some(1));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("KUBECONFIG"), "{rest}");
    assert_eq!(machine.processes(), [""; 0]);
}

#[test]
fn a_part_that_ends_instead_of_starting_is_named_with_its_last_words() {
    let machine = Machine::new();
    let spec = small("broken", &machine);
    let mut programs = programs(&spec);
    programs.etcd = machine.data.join("programs");
    fs::create_dir(&programs.etcd).unwrap();
    let etcd = programs.etcd.join("etcd");
    fs::write(&etcd, "#!/bin/sh\necho 'the disk is on fire' >&2\nexit 3\n").unwrap();
    fs::set_permissions(&etcd, fs::Permissions::from_mode(0o755)).unwrap();

    let error = Stack::up(&spec, &programs, &Stop::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, UpError::Trouble(Trouble::Died { part: Part::Etcd, .. })), "{error:?}");
    let text = error.to_string();
    let log = spec.dir().join("logs/etcd.log");
    for word in ["etcd ended (exit status: 3)", "the disk is on fire", &log.display().to_string()] {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    assert!(log.is_file(), "its logs are kept");
    assert_eq!(machine.processes(), [""; 0]);
    let status = machine.gradus(&["status", "--name", "broken"]);
    assert!(status.code == 1 && status.text.contains("did not come up"), "{}", status.text);
}

#[test]
fn a_directory_with_other_files_is_neither_used_nor_removed() {
    let machine = Machine::new();
    fs::create_dir(machine.dir()).unwrap();
    fs::write(machine.dir().join("thesis.tex"), "").unwrap();
    for verb in [&[&["up"], &SMALL[..]].concat()[..], &["down"]] {
        let said = machine.gradus(verb);
        assert!(said.code == 2 && said.text.contains("--name NAME"), "{}", said.text);
    }
    assert!(machine.dir().join("thesis.tex").is_file());
}
