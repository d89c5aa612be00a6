//! The traps of a grader on Argo CD that show in one read, each as the Application looks in it. What has to be seen by
//! others, as links and overrides in a commit, is the matter of the checks before a commit is offered.

use serde_json::{Value, json};

use super::steps::*;
use super::*;
use crate::gitops::waiting::Nudge;

fn waiting(gate: Gate) -> Waiting {
    match gate {
        Gate::Wait { why, .. } => why,
        other => panic!("not waiting: {other:?}"),
    }
}

fn closed(gate: Gate) -> (Blame, String) {
    match gate {
        Gate::Closed(reason) => (reason.blame(), reason.to_string()),
        other => panic!("not closed: {other:?}"),
    }
}

/// When the budget is used up.
fn at_the_end(patch: Value) -> Gate {
    let mut read = single();
    change(&mut read, &patch);
    let question = Question { now: at("2026-11-24T12:02:01Z"), ..question() };
    gate(&question, &seen(&read))
}

/// An operation that is not done with this commit, and what it says of one object.
fn operation(phase: &str, message: &str, object: Value) -> Value {
    let result = json!({ "revision": COMMIT, "resources": [object] });
    json!({ "status": {
        "sync": { "status": "OutOfSync" },
        "operationState": { "phase": phase, "message": message, "syncResult": result },
    } })
}

fn refused(kind: &str, namespace: &str, message: &str) -> Value {
    let group = if kind == "Deployment" { "apps" } else { "rbac.authorization.k8s.io" };
    json!({ "group": group, "version": "v1", "kind": kind, "namespace": namespace, "name": "web",
        "status": "SyncFailed", "syncPhase": "Sync", "message": message })
}

#[test]
fn a_commit_with_the_same_manifests_needs_no_operation() {
    let earlier = json!({ "phase": "Succeeded", "startedAt": "2026-11-24T11:50:00Z", "finishedAt": "2026-11-24T11:50:02Z",
        "operation": { "sync": { "revision": EARLIER } }, "syncResult": { "revision": EARLIER } });
    let compared = |time: &str| with(json!({ "status": { "operationState": earlier, "reconciledAt": time } }));
    assert!(is_open(&compared("2026-11-24T12:00:02Z")));
    // The second in which it was asked for may lie before the question.
    let same_second = waiting(compared("2026-11-24T12:00:01Z"));
    assert_eq!((same_second.nudge(), same_second), (Some(Nudge::Refresh), Waiting::NotApplied));
}

#[test]
fn of_two_pushes_the_first_is_superseded_whatever_the_cluster_runs() {
    let mut question = question();
    question.offered = EARLIER.parse().unwrap();
    let (blame, words) = closed(gate(&question, &seen(&single())));
    assert_eq!((blame, words.as_str()), (Blame::Ours, "the environment runs the newer commit 11d0c2b now"));
}

#[test]
fn the_second_of_two_pushes_waits_while_the_first_is_applied_and_has_it_stopped() {
    let running = json!({ "phase": "Running", "finishedAt": null, "syncResult": { "revision": EARLIER },
        "operation": { "sync": { "revision": EARLIER } }, "message": "waiting for healthy state of apps/Deployment/web" });
    let why = waiting(with(json!({ "operation": { "sync": { "revision": EARLIER } },
        "status": { "sync": { "status": "OutOfSync" }, "operationState": running } })));
    assert_eq!((why.nudge(), why), (Some(Nudge::Stop), Waiting::ApplyingAnother));
}

#[test]
fn broken_yaml_after_a_good_commit_is_told_and_never_judged_on_what_still_runs() {
    let message = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = FailedPrecondition \
                   desc = Failed to unmarshal \"web.yaml\": failed to unmarshal manifest: error converting YAML to JSON";
    let broken = |about: &str| {
        json!({ "status": {
        "conditions": [{ "type": "ComparisonError", "message": message }],
        "sync": { "status": "Unknown", "comparedTo": { "source": { "targetRevision": about } } },
        "operationState": { "operation": { "sync": { "revision": EARLIER } }, "syncResult": { "revision": EARLIER } },
    } })
    };
    let (blame, words) = closed(with(broken(COMMIT)));
    assert_eq!(blame, Blame::YourFiles);
    assert!(words.contains("Failed to unmarshal \"web.yaml\""), "{words}");
    // What is wrong with the commit before is nothing against this one.
    assert_eq!(waiting(with(broken(EARLIER))), Waiting::NotCompared);
}

#[test]
fn a_repo_server_in_trouble_is_waited_for_and_never_the_learners_fault() {
    let message = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unavailable \
                   desc = connection error: dial tcp 127.0.0.1:8081: connect: connection refused";
    let trouble = json!({ "status": { "sync": { "status": "Unknown" }, "conditions": [{ "type": "ComparisonError", "message": message }] } });
    // The comparison without an answer is told by its reason.
    assert!(waiting(with(trouble.clone())).to_string().contains("connection refused"));
    let (blame, words) = closed(at_the_end(trouble));
    assert_eq!(blame, Blame::Ours);
    assert!(words.contains("cannot compare"), "{words}");
}

#[test]
fn a_kind_that_the_project_does_not_allow_is_named_with_its_message() {
    let message = "resource rbac.authorization.k8s.io:ClusterRole is not permitted in project ada-shop";
    let object = refused("ClusterRole", "", message);
    let gate = with(operation("Failed", "one or more synchronization tasks are not valid (retried 5 times).", object));
    assert!(matches!(gate, Gate::Closed(Reason::DeniedByProject(_))));
    let (blame, words) = closed(gate);
    assert_eq!(blame, Blame::YourFiles);
    assert_eq!(words, format!("the environment's project does not allow this: ClusterRole web: {message}"));
}

#[test]
fn an_escape_into_another_namespace_is_the_learners_with_the_project_and_with_impersonation() {
    let by_project =
        refused("Deployment", "kube-system", "namespace kube-system is not permitted in project 'ada-shop'");
    let gate = with(operation("Failed", "one or more synchronization tasks are not valid", by_project));
    assert!(matches!(&gate, Gate::Closed(reason @ Reason::DeniedByProject(_)) if reason.blame() == Blame::YourFiles));
    let by_account = refused(
        "Deployment",
        "kube-system",
        "deployments.apps \"web\" is forbidden: User \"system:serviceaccount:ada-shop:deployer\" cannot create resource \
         \"deployments\" in API group \"apps\" in the namespace \"kube-system\"",
    );
    let gate = with(operation("Failed", "one or more objects failed to apply", by_account));
    assert!(
        matches!(&gate, Gate::Closed(reason @ Reason::DeniedByImpersonation(_)) if reason.blame() == Blame::YourFiles)
    );
    assert!(closed(gate).1.contains("Deployment kube-system/web: deployments.apps \"web\" is forbidden"));
}

#[test]
fn a_denial_that_is_tried_again_is_shown_while_waiting_and_told_at_the_end() {
    let message = "deployments.apps \"web\" is forbidden: User \"system:serviceaccount:ada-shop:deployer\" cannot create resource";
    let retrying = operation(
        "Running",
        "one or more objects failed to apply. Retrying attempt #2 at 12:00:20.",
        refused("Deployment", "ada-shop", message),
    );
    let why = waiting(with(retrying.clone()));
    assert!(matches!(why, Waiting::Retrying(_)) && why.to_string().contains("Deployment ada-shop/web"), "{why}");
    let gate = at_the_end(retrying);
    assert!(matches!(gate, Gate::Closed(Reason::DeniedByImpersonation(_))));
    // The environment promises Deployments: its account lacks a right that we owe.
    assert_eq!(closed(gate).0, Blame::Ours);
}

#[test]
fn an_object_that_the_api_server_refuses_is_the_learners() {
    let message = "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: field is immutable";
    let (blame, words) = closed(with(operation(
        "Failed",
        "one or more objects failed to apply",
        refused("Deployment", "ada-shop", message),
    )));
    assert_eq!(
        (blame, words),
        (Blame::YourFiles, format!("this commit could not be applied: Deployment ada-shop/web: {message}"))
    );
}

#[test]
fn a_hook_that_failed_is_named_although_hooks_are_in_no_comparison() {
    let hook = json!({ "group": "batch", "version": "v1", "kind": "Job", "namespace": "ada-shop", "name": "seed",
        "hookType": "PreSync", "hookPhase": "Failed", "syncPhase": "PreSync", "message": "Job has reached the specified backoff limit" });
    let mut patch = operation("Failed", "one or more synchronization tasks completed unsuccessfully", hook);
    patch["status"]["sync"]["status"] = json!("Synced");
    assert!(closed(with(patch)).1.contains("Job ada-shop/seed: Job has reached"));
}

#[test]
fn an_explicit_sync_after_a_failure_takes_the_failure_back() {
    let mut patch = operation("Failed", "refused", refused("Deployment", "ada-shop", "field is immutable"));
    patch["operation"] = json!({ "sync": { "revision": COMMIT } });
    assert!(matches!(waiting(with(patch)), Waiting::Applying { .. }));
}

#[test]
fn a_commit_that_only_deletes_opens_when_nothing_is_left_to_prune() {
    let mut question = question();
    question.needs = vec![service()];
    let mut read = single();
    let mut left = single()["status"]["resources"].clone();
    change(&mut left[1], &json!({ "status": "OutOfSync", "requiresPruning": true }));
    change(&mut read, &json!({ "status": { "sync": { "status": "OutOfSync" }, "resources": left } }));
    assert_eq!(waiting(gate(&question, &seen(&read))), Waiting::Differs(vec![deployment()]));
    let pruned = json!([single()["status"]["resources"][0]]);
    change(&mut read, &json!({ "status": { "sync": { "status": "Synced" }, "resources": pruned } }));
    assert!(is_open(&gate(&question, &seen(&read))));
}

#[test]
fn an_object_that_forbids_its_pruning_or_hides_from_the_comparison_keeps_the_gate_shut() {
    let mut kept = single()["status"]["resources"].clone();
    change(&mut kept[1], &json!({ "status": "OutOfSync", "requiresPruning": true }));
    // Called in sync by the annotation that leaves extra objects out.
    let gate = with(json!({ "status": { "resources": kept } }));
    assert_eq!(waiting(gate), Waiting::NotAsCommitted(deployment()));
}

#[test]
fn what_was_made_by_hand_does_not_count_and_is_named() {
    let committed = json!({ "status": { "resources": [single()["status"]["resources"][0]] } });
    let mut read = single();
    change(&mut read, &committed);
    let application = Application::read(&read).unwrap();
    let by_hand = vec![live()[0].clone(), Live { object: deployment(), tracking: None, edition: String::new() }];
    let (blame, words) = closed(gate(&question(), &Seen::Application(Box::new(application.clone()), by_hand.clone())));
    assert_eq!(
        (blame, words.as_str()),
        (Blame::YourFiles, "Deployment ada-shop/web is in the cluster and not in this commit")
    );
    // Before the commit was compared, nobody knows whether it holds the object.
    change(&mut read, &json!({ "status": { "sync": { "status": "Unknown" } } }));
    let unknown = Seen::Application(Box::new(Application::read(&read).unwrap()), by_hand);
    assert!(matches!(gate(&question(), &unknown), Gate::Wait { .. }));
}

#[test]
fn drift_that_was_healed_while_the_evidence_was_taken_discards_it() {
    let Gate::Open(before) = with(json!({})) else { panic!("not open") };
    let healed = with(json!({ "status": { "reconciledAt": "2026-11-24T12:00:22Z",
        "operationState": { "startedAt": "2026-11-24T12:00:20Z", "finishedAt": "2026-11-24T12:00:21Z" } } }));
    let drifted = with(json!({ "status": { "sync": { "status": "OutOfSync" } } }));
    assert!(is_open(&healed) && !before.stands(&healed) && !before.stands(&drifted));
}

#[test]
fn drift_that_was_healed_within_a_second_shows_in_the_object_alone() {
    let Gate::Open(before) = with(json!({})) else { panic!("not open") };
    let mut objects = live();
    assert!(before.stands(&gate(
        &question(),
        &Seen::Application(Box::new(Application::read(&single()).unwrap()), objects.clone())
    )));
    objects[1].edition = "u 3".into();
    let healed = gate(&question(), &Seen::Application(Box::new(Application::read(&single()).unwrap()), objects));
    assert!(is_open(&healed) && !before.stands(&healed));
}

#[test]
fn a_controller_that_was_killed_in_a_sync_is_found_and_is_ours() {
    let gate = with(
        json!({ "status": { "operationState": { "phase": "Succeeded", "syncResult": null, "finishedAt": null } } }),
    );
    assert_eq!(gate, Gate::Closed(Reason::Wedged));
    assert_eq!(closed(gate).0, Blame::Ours);
}

#[test]
fn a_controller_that_does_nothing_ends_with_the_budget_and_is_ours() {
    let untouched = json!({ "status": null });
    let Gate::Wait { why, since } = with(untouched.clone()) else { panic!("not waiting") };
    assert_eq!((why, since), (Waiting::NotCompared, question().asked_at));
    let (blame, words) = closed(at_the_end(untouched));
    assert_eq!(blame, Blame::Ours);
    assert!(
        words.starts_with("after 120 seconds this commit was still not proven to run: Argo CD has not compared"),
        "{words}"
    );
}

#[test]
fn an_application_that_goes_away_or_comes_back_as_another_one_ends_the_wait() {
    let going = with(
        json!({ "metadata": { "deletionTimestamp": "2026-11-24T12:00:09Z" }, "status": { "sync": { "status": "Unknown" } } }),
    );
    let another = with(json!({ "metadata": { "uid": "another" } }));
    for gate in [going, another, gate(&question(), &Seen::Nothing)] {
        assert_eq!(gate, Gate::Closed(Reason::Deleted));
    }
    let mut never_seen = question();
    never_seen.application.uid = None;
    assert_eq!(waiting(gate(&never_seen, &Seen::Nothing)), Waiting::NotThere);
}

#[test]
fn a_lost_refresh_of_the_application_set_leaves_another_commit_asked_for() {
    let earlier = json!({ "targetRevision": EARLIER });
    let lost = json!({ "spec": { "source": earlier }, "status": { "sync": { "revision": EARLIER, "comparedTo": { "source": earlier } } } });
    assert_eq!(waiting(with(lost.clone())), Waiting::NotOffered(EARLIER.into()));
    assert_eq!(closed(at_the_end(lost)).0, Blame::Ours);
}

#[test]
fn a_state_from_before_the_operation_ended_is_looked_at_again() {
    let gate = with(json!({ "status": { "reconciledAt": "2026-11-24T12:00:04Z" } }));
    let Gate::Wait { why, since } = gate else { panic!("not waiting") };
    assert_eq!((why.nudge(), since), (Some(Nudge::HardRefresh), at("2026-11-24T12:00:05Z")));
    assert!(is_open(&with(json!({ "status": { "reconciledAt": "2026-11-24T12:00:05Z" } }))), "the same second will do");
}

#[test]
fn a_sync_that_waits_for_health_for_ever_is_applied_but_not_healthy() {
    let waits = |message: &str| {
        json!({ "operation": { "sync": { "revision": COMMIT } }, "status": {
        "operationState": { "phase": "Running", "finishedAt": null, "message": message } } })
    };
    let (blame, words) = closed(at_the_end(waits("waiting for healthy state of apps/Deployment/web")));
    assert_eq!(blame, Blame::NotHealthy);
    assert!(words.contains("Deployment ada-shop/web is Progressing 0 of 2 updated replicas"), "{words}");
    assert_eq!(closed(at_the_end(waits("Sync operation blocked by sync window"))).0, Blame::Ours);
    // Where Argo CD keeps the health of single objects elsewhere, as it does by default.
    let mut elsewhere = waits("waiting for healthy state of apps/Deployment/web and 1 more resources");
    let mut resources = single()["status"]["resources"].clone();
    for one in resources.as_array_mut().unwrap() {
        one.as_object_mut().unwrap().remove("health");
    }
    elsewhere["status"]["resources"] = resources;
    let (blame, words) = closed(at_the_end(elsewhere));
    assert_eq!(blame, Blame::NotHealthy);
    assert!(words.ends_with("; Deployment ada-shop/web is Progressing"), "{words}");
}

#[test]
fn manifests_that_somebody_applied_by_hand_under_the_name_of_the_commit_open_nothing() {
    let why =
        waiting(with(json!({ "status": { "operationState": { "operation": { "sync": { "manifests": ["{}"] } } } } })));
    assert_eq!((why.nudge(), why), (Some(Nudge::Sync), Waiting::LocalManifests));
}

#[test]
fn an_object_of_two_applications_is_ours_and_one_that_is_committed_twice_the_learners() {
    let warning =
        |kind: &str, message: &str| json!({ "status": { "conditions": [{ "type": kind, "message": message }] } });
    let (blame, words) = closed(at_the_end(warning(
        "SharedResourceWarning",
        "Service/web is part of applications argocd/ada-shop and bob-shop",
    )));
    assert_eq!((blame, words.contains("Service/web")), (Blame::Ours, true));
    // With the option that we set a sync fails by it.
    let found = "Shared resource found: ConfigMap/a is part of applications argocd/ada-shop and bob-shop";
    let gate = with(json!({ "status": { "operationState": { "phase": "Failed", "message": found } } }));
    assert!(matches!(&gate, Gate::Closed(Reason::Shared(words)) if words.starts_with("ConfigMap/a")), "{gate:?}");
    let (blame, words) = closed(with(warning(
        "RepeatedResourceWarning",
        "Resource /Service/ada-shop/web appeared 2 times among application resources.",
    )));
    assert_eq!((blame, words.contains("/Service/ada-shop/web")), (Blame::YourFiles, true));
}

#[test]
fn a_project_that_refuses_our_own_repository_is_ours() {
    let refusal = "application repo https://git.example.org/acme/cnpe.git is not permitted in project 'ada-shop'";
    // Argo CD writes the condition and `Unknown`, and leaves the comparison before as it was.
    let refused = json!({ "status": { "sync": { "status": "Unknown" }, "conditions": [{ "type": "InvalidSpecError", "message": refusal }] } });
    let gate = at_the_end(refused);
    assert!(matches!(gate, Gate::Closed(Reason::DeniedByProject(_))));
    assert_eq!(closed(gate).0, Blame::Ours);
    let older = json!({ "status": { "sync": { "comparedTo": { "source": { "targetRevision": EARLIER } } }, "conditions":
        [{ "type": "SharedResourceWarning", "message": "" }, { "type": "InvalidSpecError", "message": refusal }] } });
    assert!(matches!(waiting(with(older)), Waiting::Refused(_)), "the spec is wrong now, the warning was");
}

#[test]
fn an_application_that_somebody_turned_elsewhere_is_not_graded() {
    let gate = with(json!({ "spec": { "project": "default" } }));
    assert_eq!(gate, Gate::Closed(Reason::Changed(Field::Project)));
}

#[test]
fn two_sources_of_which_only_one_was_compared_open_nothing() {
    let mut read = multi();
    read["status"]["sync"]["revisions"] = json!([COMMIT]);
    assert_eq!(waiting(gate(&of_two_sources(), &seen(&read))), Waiting::NotCompared);
}

#[test]
fn what_is_ours_asks_nothing_of_the_learner_and_what_is_theirs_asks_for_a_push() {
    let remedy = |gate| match gate {
        Gate::Closed(reason) => reason.remedy(),
        other => panic!("not closed: {other:?}"),
    };
    assert!(remedy(with(json!({ "metadata": { "uid": "another" } }))).starts_with("nothing: it costs no points"));
    let refused = refused("Deployment", "ada-shop", "Deployment.apps \"web\" is invalid: spec");
    assert_eq!(remedy(with(operation("Failed", "", refused))), "mend these objects and push");
}
