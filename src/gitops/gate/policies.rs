//! Differences under a learner's own sync policy: what it leaves undone is theirs, what somebody changed is not.

use serde_json::{Value, json};

use super::steps::{EARLIER, change, deployment, live, question, service, single};
use super::*;
use crate::gitops::policy::Automated;
use crate::gitops::waiting::Nudge;

const NOTHING: Automated = Automated { prune: false, self_heal: false, allow_empty: false };

/// What the gate says of a cluster that is out of sync under this policy.
fn answer(automated: Option<Automated>, patch: Value) -> Gate {
    let mut question = question();
    question.application.policy = Policy { automated, options: Vec::new() };
    let mut read = single();
    read["status"]["sync"]["status"] = "OutOfSync".into();
    change(&mut read, &patch);
    gate(&question, &Seen::Application(Box::new(Application::read(&read).unwrap()), live()))
}

/// Nothing of this commit was applied.
fn before() -> Value {
    json!({ "status": { "operationState": { "syncResult": { "revision": EARLIER } } } })
}

fn resources(wrong: &[usize], patch: &Value) -> Value {
    let mut resources = single()["status"]["resources"].clone();
    wrong.iter().for_each(|at| change(&mut resources[*at], patch));
    json!({ "status": { "resources": resources } })
}

#[test]
fn a_policy_that_applies_nothing_is_the_learners_and_ends_the_wait() {
    assert_eq!(answer(None, before()), Gate::Closed(Reason::NotAutomated));
    assert_eq!(answer(None, json!({ "status": { "operationState": null } })), Gate::Closed(Reason::NotAutomated));
    let waits = |gate| matches!(gate, Gate::Wait { why: Waiting::Differs(_), .. });
    assert!(waits(answer(Some(NOTHING), before())), "it will be applied");
    let mut running = before();
    running["operation"] = json!({ "sync": {} });
    assert!(matches!(answer(None, running), Gate::Wait { .. }), "somebody does apply it");
    let mut stale = before();
    stale["status"]["reconciledAt"] = "2026-11-24T12:00:04Z".into();
    assert!(waits(answer(None, stale)), "a comparison from before the operation says nothing");
}

#[test]
fn where_something_is_to_be_done_to_the_cluster_argo_cd_must_have_tried_the_commit() {
    let mut unchanged = single();
    change(&mut unchanged, &before());
    let seen = Seen::Application(Box::new(Application::read(&unchanged).unwrap()), live());
    assert!(matches!(gate(&question(), &seen), Gate::Open(_)), "nothing was to be done");
    let tried = Question { applied: Applied::ByOperation, ..question() };
    match gate(&tried, &seen) {
        Gate::Wait { why, .. } => assert_eq!((&why, why.nudge()), (&Waiting::Untried, Some(Nudge::Sync))),
        other => panic!("{other:?}"),
    }
    let seen = Seen::Application(Box::new(Application::read(&single()).unwrap()), live());
    assert!(matches!(gate(&tried, &seen), Gate::Open(_)));
}

#[test]
fn what_a_policy_does_not_prune_is_named_and_nothing_else_ends_the_wait() {
    let gone = resources(&[1], &json!({ "status": "OutOfSync", "requiresPruning": true }));
    assert_eq!(answer(Some(NOTHING), gone.clone()), Gate::Closed(Reason::NotPruned(vec![deployment()])));
    let pruning = Some(Automated { prune: true, ..NOTHING });
    assert!(matches!(answer(pruning, gone), Gate::Wait { .. }));
    let changed = resources(&[0], &json!({ "status": "OutOfSync" }));
    assert!(matches!(answer(Some(NOTHING), changed), Gate::Wait { .. }));
}

#[test]
fn what_was_changed_since_and_is_not_healed_is_synced_by_us_and_what_is_healed_is_waited_for() {
    let drift = resources(&[0], &json!({ "status": "OutOfSync" }));
    for automated in [None, Some(NOTHING)] {
        match answer(automated, drift.clone()) {
            Gate::Wait { why, .. } => {
                assert_eq!((&why, why.nudge()), (&Waiting::Drifted(vec![service()]), Some(Nudge::Sync)));
            }
            other => panic!("{automated:?}: {other:?}"),
        }
    }
    match answer(Some(Automated { self_heal: true, ..NOTHING }), drift) {
        Gate::Wait { why, .. } => assert_eq!((&why, why.nudge()), (&Waiting::Differs(vec![service()]), None)),
        other => panic!("{other:?}"),
    }
}
