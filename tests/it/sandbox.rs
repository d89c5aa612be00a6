//! The sandbox from outside: real children of the real program, and children that were taken over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus::checkpoint::Checkpoint;
use gradus::checkpoint::observed::{Environs, Maker, Observed, Seen};
use gradus::checkpoint::outcome::Outcome::{self, Error, Fail, Inconclusive, Pass};
use gradus::course::values::Values;
use gradus::sandbox::{Advising, Answers, Launcher, Limits, Sandbox, Screening, Strictness, Tracing, Unusable, Work};
use gradus::submission::tree::Tree;
use gradus::submission::yaml::Dialect;
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    Sandbox::child(env!("CARGO_BIN_EXE_gradus"), Strictness::Required)
}

fn checkpoint(id: &str, kind: &str, spec: Value) -> Checkpoint {
    serde_json::from_value(json!({"id": id, "title": id, kind: spec})).unwrap()
}

fn files(text: &str) -> Tree {
    let mut tree = Tree::default();
    tree.insert_file("web.yaml", text.as_bytes());
    tree
}

fn judge(sandbox: &Sandbox, checkpoints: &[Checkpoint], files: &Tree) -> BTreeMap<String, (Outcome, String)> {
    judge_observed(sandbox, checkpoints, files, None)
}

fn judge_observed(
    sandbox: &Sandbox,
    checkpoints: &[Checkpoint],
    files: &Tree,
    environs: Option<&Environs>,
) -> BTreeMap<String, (Outcome, String)> {
    told(answers(sandbox, checkpoints, files, environs, Advising::Off)).0
}

/// With the advice, as in `web.yaml:1`.
fn advised(
    sandbox: &Sandbox,
    checkpoints: &[Checkpoint],
    files: &Tree,
) -> (BTreeMap<String, (Outcome, String)>, Vec<String>) {
    told(answers(sandbox, checkpoints, files, None, Advising::On))
}

fn answers(
    sandbox: &Sandbox,
    checkpoints: &[Checkpoint],
    files: &Tree,
    environs: Option<&Environs>,
    advising: Advising,
) -> Answers {
    let list: Vec<&Checkpoint> = checkpoints.iter().collect();
    sandbox.judge(&Work {
        checkpoints: &list,
        files,
        base: &Tree::default(),
        hidden: None,
        params: &Values::new(),
        history: None,
        environs,
        prefix: "tasks/t/",
        dialect: Dialect::Kubectl,
        tracing: Tracing::Off,
        screening: Screening::On,
        advising,
    })
}

fn told(answers: Answers) -> (BTreeMap<String, (Outcome, String)>, Vec<String>) {
    let first = |judgement: gradus::checkpoint::Judgement| {
        let message = judgement.evidence.into_iter().next().map(|e| e.message).unwrap_or_default();
        (judgement.outcome, message)
    };
    let judged = answers.judged.into_iter().map(|(id, answer)| (id.to_string(), first(answer.judgement))).collect();
    let places = answers.advice.into_iter().map(|piece| piece.place);
    let places = places.map(|place| format!("{}:{}", place.file.unwrap(), place.line.unwrap())).collect();
    (judged, places)
}

/// The control is `without_walls_the_probe_finds_holes` in `src/sandbox/probe.rs`: the same attempts without walls.
#[test]
fn a_child_can_open_nothing_reach_nobody_start_nothing_and_knows_no_environment() {
    let sandbox = sandbox();
    sandbox.check().unwrap();
    assert_eq!(sandbox.gap(), None);
}

const HONEST: &str = "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n";

fn honest() -> Checkpoint {
    checkpoint("honest", "manifest", json!({"select": {"kind": "Deployment"}, "match": {"spec": {"replicas": 3}}}))
}

#[test]
fn hostile_files_end_in_a_clear_answer_and_the_next_submission_is_graded() {
    let laughs = (1..10).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let uses = vec![format!("*a{}", n - 1); 9].join(", ");
        text + &format!("a{n}: &a{n} [{uses}]\n")
    });
    let aliases = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 40_000].join(","));
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let long = format!("kind: Deployment\nspec: {{items: [{}]}}\n", vec!["1"; 400_000].join(","));
    let sandbox = sandbox();
    for (name, text) in [("billion laughs", &laughs), ("aliases", &aliases), ("nesting", &deep), ("a long list", &long)]
    {
        let begun = Instant::now();
        let answers = judge(&sandbox, &[honest()], &files(text));
        assert_eq!(answers["honest"].0, Fail, "{name}: {answers:?}");
        assert!(!answers["honest"].1.is_empty(), "{name} is answered with a sentence");
        assert!(begun.elapsed() < Duration::from_secs(30), "{name} took {:?}", begun.elapsed());
        assert_eq!(judge(&sandbox, &[honest()], &files(HONEST))["honest"].0, Pass, "after {name}");
        let mut beside = files(text);
        beside.insert_file("x.yaml", *b"answer: yes\n");
        let begun = Instant::now();
        let (again, advice) = advised(&sandbox, &[honest()], &beside);
        assert_eq!(again["honest"], answers["honest"], "{name}: advice changes no verdict");
        assert_eq!(advice, ["x.yaml:1"], "{name} has none, and costs the other file none");
        assert!(begun.elapsed() < Duration::from_secs(30), "advice on {name} took {:?}", begun.elapsed());
    }
}

#[test]
fn advice_is_given_where_it_is_wanted_and_is_the_same_behind_the_walls() {
    let text = format!("{HONEST}on: 1\nkind: Deployment\n");
    let both = [sandbox(), Sandbox::InProcess].map(|sandbox| advised(&sandbox, &[honest()], &files(&text)));
    assert_eq!(both[0], both[1]);
    assert_eq!(both[0].1, ["web.yaml:4", "web.yaml:5"]);
    assert_eq!(both[0].0["honest"].0, Pass);
    let unasked = answers(&sandbox(), &[honest()], &files(&text), None, Advising::Off);
    assert_eq!(told(unasked), (both[0].0.clone(), Vec::new()));
}

#[test]
fn rules_that_explode_end_in_a_clear_answer_and_never_in_a_pass() {
    let items = vec!["{n: 1}"; 1_000].join(",");
    let many = files(&format!("kind: Deployment\nspec: {{items: [{items}]}}\n"));
    let nested = "object.spec.items.all(a, object.spec.items.all(b, object.spec.items.all(c, a.n + b.n + c.n > 0)))";
    let terms = vec!["1"; 5_000].join("+") + " == 5000";
    let regex = format!("'{}!'.matches('^(a+)+$')", "a".repeat(2_000));
    let sandbox = sandbox();
    for (name, rule) in [("nested loops", nested), ("5,000 terms", &terms), ("backtracking", &regex)] {
        let begun = Instant::now();
        let rule = checkpoint("rule", "cel", json!({"select": {"kind": "Deployment"}, "rule": rule}));
        let answers = judge(&sandbox, &[rule, honest()], &many);
        assert_eq!(answers["rule"].0, if name == "5,000 terms" { Error } else { Fail }, "{name}: {answers:?}");
        assert!(!answers["rule"].1.is_empty(), "{name} is answered with a sentence");
        assert_eq!(answers["honest"].0, Fail, "the rest goes on after {name}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{name} took {:?}", begun.elapsed());
    }
}

#[test]
fn what_was_seen_in_an_environment_is_judged_behind_the_same_walls() {
    let object = json!({"kind": "Deployment", "metadata": {"name": "web"}, "status": {"readyReplicas": 3}});
    let ready = json!({"select": {"kind": "Deployment"}, "match": {"status": {"readyReplicas": 3}}});
    let ready = [checkpoint("ready", "live", ready)];
    let seen = |maker| {
        let mut observed = Observed { over: true, asked: ready[0].wants(None), ..Observed::default() };
        observed.add(Duration::ZERO, vec![Seen { object: object.clone(), maker }], Vec::new());
        Environs::Seen(observed)
    };
    let outcome = |environs: Option<&Environs>| judge_observed(&sandbox(), &ready, &files(HONEST), environs)["ready"].0;
    assert_eq!(outcome(Some(&seen(Maker::Commit))), Pass);
    assert_eq!(outcome(Some(&seen(Maker::Somebody))), Fail);
    assert_eq!(outcome(None), Outcome::NotRun);
}

/// A program in place of ours: what a child does that learner input has taken over.
fn taken_over(name: &str, strictness: Strictness) -> Sandbox {
    // Only this one never says anything; the others need the time that a busy machine takes.
    let quick = if name == "silent.sh" { Duration::from_millis(300) } else { Duration::from_secs(10) };
    limited(name, strictness, quick)
}

/// The same, on limits that a healthy script keeps on a busy machine.
fn advising_child() -> Sandbox {
    limited("advising.sh", Strictness::BestEffort, Duration::from_secs(2))
}

fn limited(name: &str, strictness: Strictness, quick: Duration) -> Sandbox {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/children").join(name);
    let limits = Limits { checkpoint: quick, start: quick, submission: Duration::from_secs(20), ..Limits::default() };
    Sandbox::Child(Launcher::new(program, strictness, limits))
}

#[test]
fn whatever_a_child_does_no_learner_loses_or_wins_points_by_it() {
    for (name, words) in [
        ("nonsense.sh", "sent"),
        ("silent.sh", "did not end within"),
        ("dies.sh", "failed twice"),
        ("liar.sh", "out of turn"),
    ] {
        let second = checkpoint("second", "file", json!({"path": "web.yaml"}));
        let answers = judge(&taken_over(name, Strictness::BestEffort), &[honest(), second], &files(HONEST));
        assert_eq!(answers.len(), 2, "{name}");
        for (id, (outcome, message)) in &answers {
            assert_eq!(*outcome, Error, "{name} {id}: {message}");
            assert!(message.contains(words), "{name} {id}: {message}");
        }
    }
}

#[test]
fn what_dies_of_going_through_the_objects_is_judged_without() {
    let answers = judge(&taken_over("screening.sh", Strictness::BestEffort), &[honest()], &files(HONEST));
    assert_eq!(answers["honest"].0, Pass, "{answers:?}");
}

#[test]
fn what_goes_wrong_after_the_last_judgement_costs_the_advice_and_nothing_else() {
    let advising = |does: &str| {
        let files = files(&format!("{HONEST}answer: {does}\n"));
        let (answers, advice) = advised(&advising_child(), &[honest()], &files);
        (answers["honest"].clone(), advice)
    };
    let passed = (Pass, String::new());
    assert_eq!(
        advising("tells"),
        (passed.clone(), vec!["web.yaml:4".to_owned()]),
        "so that the others prove something"
    );
    for does in ["dies", "sleeps", "floods", "elsewhere", "too-much", "takes-back"] {
        assert_eq!(advising(does), (passed.clone(), Vec::new()), "{does}");
    }
}

#[test]
fn what_the_last_checkpoint_takes_with_it_is_not_the_advice() {
    let files = files(&format!("{HONEST}answer: judging-kills\n"));
    let (answers, advice) = advised(&advising_child(), &[honest()], &files);
    assert_eq!(answers["honest"].0, Error, "{answers:?}");
    assert_eq!(advice, ["web.yaml:4"]);
}

#[test]
fn what_a_child_has_started_ends_with_it() {
    let sandbox = limited("orphan.sh", Strictness::BestEffort, Duration::from_secs(2));
    let judging = std::thread::spawn(move || judge(&sandbox, &[honest()], &files(HONEST)));
    // It is there, unless all of it was over between two looks.
    while orphans().is_empty() && !judging.is_finished() {
        std::thread::sleep(Duration::from_millis(5));
    }
    judging.join().unwrap();
    // Killed processes take a moment to be gone; one that was not killed would sleep for ten minutes.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !orphans().is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", orphans());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sleepers of `orphan.sh`; nothing else runs it.
fn orphans() -> Vec<PathBuf> {
    let name = format!("617.{}", std::process::id());
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let is_orphan = |process: &PathBuf| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&name) && !status.contains("State:\tZ")
    };
    processes.filter(is_orphan).collect()
}

#[test]
fn a_child_without_walls_is_not_trusted_by_a_strict_parent() {
    let broken = taken_over("dies.sh", Strictness::Required).check();
    assert!(matches!(broken, Err(Unusable::Broken(_))), "{broken:?}");
}

#[test]
fn a_program_that_cannot_be_started_makes_everything_inconclusive() {
    let gone = Sandbox::child("/nowhere/gradus", Strictness::Required);
    assert_eq!(judge(&gone, &[honest()], &files(HONEST))["honest"].0, Inconclusive);
}
