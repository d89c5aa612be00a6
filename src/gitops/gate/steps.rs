//! Each step for itself: a state in which everything is right but one thing, and only that step objects.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

use super::*;
use crate::gitops::allowed::{AllowedKind, Scope};

pub const COMMIT: &str = "6f1d0c2b9a8e47350d1c2b3a4958676a7b8c9d0e";
pub const EARLIER: &str = "11d0c2b9a8e47350d1c2b3a4958676a7b8c9d0e6";

pub fn single() -> Value {
    serde_json::from_str(include_str!("fixtures/single.json")).unwrap()
}

pub fn multi() -> Value {
    serde_json::from_str(include_str!("fixtures/multi.json")).unwrap()
}

pub fn at(text: &str) -> Time {
    Time(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

/// As a merge patch (RFC 7386): `null` takes away.
pub fn change(to: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *to = patch.clone();
        return;
    };
    if !to.is_object() {
        *to = json!({});
    }
    let to = to.as_object_mut().unwrap();
    for (key, value) in patch {
        match value {
            Value::Null => drop(to.shift_remove(key)),
            value => change(to.entry(key).or_insert(Value::Null), value),
        }
    }
}

pub fn service() -> Object {
    Object { group: String::new(), kind: "Service".into(), namespace: "ada-shop".into(), name: "web".into() }
}

pub fn deployment() -> Object {
    Object { group: "apps".into(), kind: "Deployment".into(), ..service() }
}

pub fn live() -> Vec<Live> {
    let tracking = |object: Object, kind: &str| Live {
        object,
        tracking: Some(format!("ada-shop:{kind}:ada-shop/web")),
        edition: "u 1".into(),
    };
    vec![tracking(service(), "/Service"), tracking(deployment(), "apps/Deployment")]
}

pub fn question() -> Question {
    let commit: CommitId = COMMIT.parse().unwrap();
    Question {
        offered: commit.clone(),
        commit,
        application: Expected {
            uid: Some("0b7c5a0e-5a37-4a0c-9a51-0d9f3f1f6f10".into()),
            tracked_as: "ada-shop".into(),
            project: "ada-shop".into(),
            sources: vec![("https://git.example.org/acme/cnpe.git".into(), "tasks/connect-the-shop/manifests".into())],
            destination: Destination {
                server: "https://10.0.0.1:6443".into(),
                name: String::new(),
                namespace: "ada-shop".into(),
            },
            policy: Policy::default(),
        },
        needs: vec![service(), deployment()],
        applied: Applied::OrUnchanged,
        allowed: Allowed {
            kinds: [("", "Service"), ("apps", "Deployment")].map(|(group, kind)| allowed_kind(group, kind)).to_vec(),
            namespace: "ada-shop".into(),
            ..Allowed::default()
        },
        asked_at: at("2026-11-24T12:00:01Z"),
        budget: Duration::from_secs(120),
        now: at("2026-11-24T12:00:10Z"),
    }
}

fn allowed_kind(group: &str, kind: &str) -> AllowedKind {
    AllowedKind { group: group.into(), kind: kind.into(), scope: Scope::Namespace }
}

pub fn of_two_sources() -> Question {
    let mut question = question();
    let repo = question.application.sources[0].0.clone();
    question.application.sources.push((repo, "tasks/connect-the-shop/base".into()));
    question
}

pub fn seen(read: &Value) -> Seen {
    match Application::read(read) {
        Ok(application) => Seen::Application(Box::new(application), live()),
        Err(problem) => Seen::Unreadable(problem.to_string()),
    }
}

pub fn with(patch: Value) -> Gate {
    let mut read = single();
    change(&mut read, &patch);
    gate(&question(), &seen(&read))
}

pub fn is_open(gate: &Gate) -> bool {
    matches!(gate, Gate::Open(_))
}

#[test]
fn the_gate_opens_where_everything_is_right() {
    assert!(is_open(&gate(&question(), &seen(&single()))));
    assert!(is_open(&gate(&of_two_sources(), &seen(&multi()))));
}

fn objecting(question: &Question, read: &Value, objects: &[Live]) -> Vec<usize> {
    let application = Application::read(read).unwrap();
    let steps = steps(question, &application, objects).into_iter().enumerate();
    steps.filter(|(_, step)| step.is_err()).map(|(at, _)| at + 1).collect()
}

#[test]
fn each_step_keeps_out_what_no_other_step_does() {
    let source = |patch: Value| json!({ "spec": { "source": patch }, "status": { "sync": { "comparedTo": { "source": patch } } } });
    let condition = |kind: &str| json!({ "status": { "conditions": [{ "type": kind, "message": "something" }] } });
    let state = |patch: Value| json!({ "status": { "operationState": patch } });
    let early = |patch: Value| {
        let times = json!({ "startedAt": "2026-11-24T11:59:00Z", "finishedAt": "2026-11-24T11:59:30Z" });
        let mut state = json!({ "status": { "reconciledAt": "2026-11-24T12:00:01Z", "operationState": times } });
        change(&mut state["status"]["operationState"], &patch);
        state
    };
    let object = |patch: Value| {
        let mut resources = single()["status"]["resources"].clone();
        change(&mut resources[1], &patch);
        json!({ "status": { "resources": resources } })
    };
    let cases = [
        (1, json!({ "metadata": { "uid": "another" } })),
        (1, json!({ "metadata": { "deletionTimestamp": "2026-11-24T12:00:08Z" } })),
        (1, json!({ "spec": { "project": "default" } })),
        (1, json!({ "spec": { "sourceHydrator": {} } })),
        (1, source(json!({ "repoURL": "https://git.example.org/bob/cnpe.git" }))),
        (1, source(json!({ "path": "tasks/another/manifests" }))),
        (1, source(json!({ "targetRevision": "main" }))),
        (1, {
            let to = json!({ "namespace": "bob-shop" });
            json!({ "spec": { "destination": to }, "status": { "sync": { "comparedTo": { "destination": to } } } })
        }),
        (2, json!({ "operation": { "sync": { "revision": COMMIT } } })),
        (2, state(json!({ "phase": "Running", "finishedAt": null }))),
        (2, state(json!({ "phase": "Running" }))),
        (2, state(json!({ "phase": "Terminating", "finishedAt": null }))),
        (2, state(json!({ "phase": "Paused" }))),
        (3, json!({ "status": { "sync": { "status": "OutOfSync" } } })),
        (3, json!({ "status": { "sync": { "status": "Unknown" } } })),
        (3, json!({ "status": { "sync": { "status": "AlmostSynced" } } })),
        (3, json!({ "status": { "sync": { "revision": EARLIER } } })),
        (3, json!({ "status": { "sync": { "revision": null } } })),
        (3, json!({ "status": { "sync": { "comparedTo": { "source": { "targetRevision": EARLIER } } } } })),
        (3, json!({ "status": { "sync": { "comparedTo": { "source": { "path": "tasks/another/manifests" } } } } })),
        (3, json!({ "status": { "sync": { "comparedTo": { "destination": { "namespace": "bob-shop" } } } } })),
        (4, state(json!({ "phase": "Failed" }))),
        (4, state(json!({ "phase": "Error" }))),
        (4, state(json!({ "syncResult": null, "finishedAt": null }))),
        (4, state(json!({ "operation": { "sync": { "manifests": ["kind: Service"] } } }))),
        (4, early(json!({ "syncResult": { "revision": EARLIER } }))),
        (4, early(json!({ "operation": { "sync": { "dryRun": true } } }))),
        (5, json!({ "status": { "reconciledAt": "2026-11-24T12:00:04Z" } })),
        (5, json!({ "status": { "reconciledAt": null } })),
        (5, json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": "normal" } } })),
        (5, json!({ "metadata": { "annotations": { "argocd.argoproj.io/hydrate": "normal" } } })),
        (6, condition("ComparisonError")),
        (6, condition("InvalidSpecError")),
        (6, condition("SyncError")),
        (6, condition("UnknownError")),
        (6, condition("ErrorOfALaterVersionError")),
        (6, condition("SharedResourceWarning")),
        (6, condition("RepeatedResourceWarning")),
        (7, object(json!({ "status": "OutOfSync" }))),
        (7, object(json!({ "status": null }))),
        (7, object(json!({ "requiresPruning": true }))),
    ];
    for (step, patch) in cases {
        let mut read = single();
        change(&mut read, &patch);
        assert_eq!(objecting(&question(), &read, &live()), [step], "{patch}");
        assert!(!is_open(&gate(&question(), &seen(&read))), "{patch}");
    }
    let tracking = |tracking: Option<&str>| {
        vec![
            live()[0].clone(),
            Live { object: deployment(), tracking: tracking.map(str::to_owned), edition: String::new() },
        ]
    };
    for objects in [tracking(None), tracking(Some("bob-shop:apps/Deployment:ada-shop/web")), vec![live()[0].clone()]] {
        assert_eq!(objecting(&question(), &single(), &objects), [8], "{objects:?}");
    }
}

#[test]
fn step_9_discards_evidence_that_an_operation_another_commit_or_another_set_of_objects_crossed() {
    let first = match with(json!({})) {
        Gate::Open(proof) => proof,
        other => panic!("{other:?}"),
    };
    let status = |patch: Value| with(json!({ "status": patch }));
    let same = status(json!({ "reconciledAt": "2026-11-24T12:01:00Z", "health": { "status": "Healthy" } }));
    assert!(first.stands(&same));
    let healed = status(json!({ "reconciledAt": "2026-11-24T12:01:00Z",
        "operationState": { "startedAt": "2026-11-24T12:00:30Z", "finishedAt": "2026-11-24T12:00:31Z" } }));
    assert!(is_open(&healed) && !first.stands(&healed));
    let fewer = {
        let mut question = question();
        question.needs.pop();
        let mut read = single();
        change(&mut read, &json!({ "status": { "resources": [single()["status"]["resources"][0]] } }));
        gate(&question, &seen(&read))
    };
    assert!(is_open(&fewer) && !first.stands(&fewer));
    let mut moved = question();
    moved.offered = EARLIER.parse().unwrap();
    assert!(!first.stands(&gate(&moved, &seen(&single()))));
}

#[test]
fn fields_and_values_of_a_later_version_do_no_harm() {
    let more = json!({ "status": { "newField": { "deep": [1, 2] }, "sync": { "score": 3 }, "resources": null, "conditions": null },
        "metadata": { "annotations": null, "labels": null }, "spec": { "policies": [true] } });
    let mut question = question();
    question.needs.clear();
    let mut read = single();
    change(&mut read, &more);
    read["status"]["conditions"] = Value::Null;
    read["operation"] = Value::Null;
    assert!(is_open(&gate(&question, &seen(&read))));
}

#[test]
fn a_field_of_another_type_makes_the_read_unreadable_and_says_which() {
    match with(json!({ "status": { "conditions": "none" } })) {
        Gate::Wait { why: Waiting::Unreadable(problem), .. } => {
            assert!(problem.contains("`status.conditions`"), "{problem}")
        }
        other => panic!("{other:?}"),
    }
}

fn one_of(values: &[Value]) -> impl Strategy<Value = Value> + use<> {
    proptest::sample::select(values.to_vec())
}

prop_compose! {
    /// Any mixture of right, wrong and absent parts.
    fn mixture()(
        target in one_of(&[json!(COMMIT), json!(COMMIT), json!(EARLIER), json!("main")]),
        compared in one_of(&[json!(COMMIT), json!(COMMIT), json!(EARLIER), Value::Null]),
        status in one_of(&[json!("Synced"), json!("Synced"), json!("OutOfSync"), json!("Unknown"), Value::Null]),
        phase in one_of(&[json!("Succeeded"), json!("Succeeded"), json!("Failed"), json!("Running"), json!("Later")]),
        result in one_of(&[json!(COMMIT), json!(COMMIT), json!(EARLIER), Value::Null]),
        reconciled in one_of(&[json!("2026-11-24T12:00:06Z"), json!("2026-11-24T12:00:30Z"), json!("2026-11-24T11:00:00Z"), Value::Null]),
        operation in one_of(&[Value::Null, Value::Null, json!({ "sync": {} })]),
        conditions in one_of(&[Value::Null, json!([]), json!([{ "type": "SyncError", "message": "" }])]),
        finished in one_of(&[json!("2026-11-24T12:00:05Z"), Value::Null]),
    ) -> Value {
        json!({
            "operation": operation, "spec": { "source": { "targetRevision": target } },
            "status": {
                "sync": { "status": status, "comparedTo": { "source": { "targetRevision": compared } } },
                "operationState": { "phase": phase, "finishedAt": finished, "syncResult": { "revision": result } },
                "reconciledAt": reconciled, "conditions": conditions,
            },
        })
    }
}

fn another_revision() -> impl Strategy<Value = String> {
    let known = [EARLIER, "", "main", "HEAD", &COMMIT[..7], &COMMIT[..39]].map(str::to_owned).to_vec();
    let similar =
        (0usize..40, "[0-9a-fA-F ]").prop_map(|(at, digit)| format!("{}{digit}{}", &COMMIT[..at], &COMMIT[at + 1..]));
    prop_oneof![proptest::sample::select(known), "[0-9a-f]{40}", similar]
        .prop_filter("another one", |one| one != COMMIT)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_never_opens_when_the_synced_revision_is_another_one(mixture in mixture(), revision in another_revision()) {
        let mut read = single();
        change(&mut read, &mixture);
        read["status"]["sync"]["revision"] = json!(revision);
        prop_assert!(!is_open(&gate(&question(), &seen(&read))));
    }

    #[test]
    fn nor_when_one_of_several_is(mixture in mixture(), revision in another_revision(), first: bool) {
        let mut read = multi();
        change(&mut read, &mixture);
        read["spec"].as_object_mut().unwrap().shift_remove("source");
        read["status"]["sync"]["revisions"][usize::from(!first)] = json!(revision);
        prop_assert!(!is_open(&gate(&of_two_sources(), &seen(&read))));
    }
}

#[test]
fn the_mixtures_are_no_vain_search_some_open_where_the_revision_is_right() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut open = 0;
    for _ in 0..2_000 {
        let mut read = single();
        change(&mut read, &mixture().new_tree(&mut runner).unwrap().current());
        open += usize::from(is_open(&gate(&question(), &seen(&read))));
    }
    assert!(open > 10, "{open}");
}
