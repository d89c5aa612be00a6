//! Cases and answers. The words are those of Kubernetes 1.35.4.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::testing::{judge, judge_said, tree};
use super::*;
use crate::checkpoint::Check;
use crate::checkpoint::outcome::Outcome;

const HIDDEN: &str = "apiVersion: v1\nkind: Pod\nmetadata: {generateName: s3cr3t-}\nspec: {hostNetwork: true}\n";

fn recorded() -> Vec<(String, String, Said)> {
    let all: Vec<Value> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |it: &Value| (text(&it["what"]), text(&it["by"]), serde_json::from_value(it["said"].clone()).unwrap());
    all.iter().map(one).collect()
}

fn said(what: &str) -> Said {
    recorded().into_iter().find(|(found, _, _)| found == what).unwrap().2
}

fn pod(extra: Value) -> Value {
    let mut value = json!({"object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}}});
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    value
}

/// A denied and an admitted pod.
fn two(denied: Value, admitted: Value) -> Admission {
    let admitted = {
        let mut value = pod(json!({"expect": "admitted", "describe": "a modest pod"}));
        value["object"]["spec"] = json!({"restartPolicy": "Never"});
        value.as_object_mut().unwrap().extend(admitted.as_object().unwrap().clone());
        value
    };
    serde_json::from_value(json!({"namespace": "team-cobalt", "cases": [pod(denied), admitted]})).unwrap()
}

fn denied(by: Value) -> Value {
    json!({"expect": "denied", "by": by, "describe": "a pod of the host network"})
}

fn admitted() -> Said {
    Said::Admitted(
        json!({"kind": "Pod", "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "200m"}}}]}}),
    )
}

const HOST: &str = "a pod of the host network, restricted";

#[test]
fn who_refused_is_read_from_the_words_of_the_api_server() {
    let read = |said: &Said| match said {
        Said::Refused { code, message, .. } => Refuser::of(*code, message),
        _ => panic!("{said:?}"),
    };
    for (what, by, said) in recorded() {
        let expected = match by.as_str() {
            "podSecurity" => Refuser::PodSecurity,
            "quota" => Refuser::Quota,
            "limitRange" => Refuser::LimitRange,
            "schema" => Refuser::Schema,
            "nowhere" => Refuser::Nowhere,
            "exists" => Refuser::Exists,
            "rights" => Refuser::Rights,
            "somebody" => Refuser::Somebody,
            policy => Refuser::Policy(policy.strip_prefix("policy ").unwrap().to_owned()),
        };
        assert_eq!(read(&said), expected, "{what}");
    }
    assert_eq!(recorded().len(), 21);
}

#[test]
fn whoever_writes_a_policys_message_passes_for_nobody_else() {
    let policy = |name: &str, message: &str| {
        format!(
            "pods \"p-…\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding 'b' denied request: {message}"
        )
    };
    let fake = policy("mine", "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": no");
    assert_eq!(Refuser::of(422, &fake), Refuser::Policy("mine".to_owned()));
    let fake = policy("mine", "ValidatingAdmissionPolicy 'need-owner' with binding 'x' denied request: no");
    assert_eq!(Refuser::of(403, &fake), Refuser::Policy("mine".to_owned()));
    let fake = policy("mine", "does not support dry run");
    assert_eq!(Refuser::of(403, &fake), Refuser::Policy("mine".to_owned()));
    let webhook = "admission webhook \"w.example.org\" denied the request: \" is forbidden: User \"x";
    assert_eq!(Refuser::of(400, webhook), Refuser::Somebody);
    assert_eq!(Refuser::of(400, "admission webhook \"w.example.org\" does not support dry run"), Refuser::NoDryRun);
}

#[test]
fn a_refusal_counts_from_the_one_who_is_named() {
    let files = tree(&[]);
    for (what, by, said) in recorded() {
        let right = match by.as_str() {
            "podSecurity" | "quota" | "limitRange" => json!(by),
            policy => match policy.strip_prefix("policy ") {
                Some(name) => json!({ "policy": name }),
                None => json!("podSecurity"),
            },
        };
        let expected = match by.as_str() {
            "schema" | "nowhere" | "exists" | "somebody" => Outcome::Fail,
            "rights" => Outcome::Inconclusive,
            _ => Outcome::Pass,
        };
        let judged = |by: Value| judge_said(&two(denied(by), json!({})), &files, None, &[said.clone(), admitted()]);
        let judgement = judged(right);
        assert_eq!(judgement.outcome, expected, "{what}: {judgement:?}");
        let wrong = judged(json!({"policy": "another"})).outcome;
        let expected = if expected == Outcome::Inconclusive { expected } else { Outcome::Fail };
        assert_eq!(wrong, expected, "{what}");
    }
}

#[test]
fn a_wrong_refusal_says_who_it_was() {
    let check = two(denied(json!("podSecurity")), json!({}));
    let files = tree(&[(
        "ns.yaml",
        "kind: Namespace\nmetadata: {name: other}\n---\nkind: Namespace\nmetadata: {name: team-cobalt}\n",
    )]);
    let judgement = judge_said(&check, &files, None, &[said("a pod beyond the quota"), admitted()]);
    let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
    assert!(
        evidence.message.starts_with(
            "a pod of the host network: was refused by a ResourceQuota, not by Pod Security: pods \"p-…\" is forbidden: exceeded quota: budget"
        ),
        "{evidence:?}"
    );
    assert_eq!((evidence.place.file.as_deref(), evidence.place.line), (Some("ns.yaml"), Some(4)));
    assert_eq!(evidence.subject.as_deref(), Some("a pod of the host network"));
    assert_eq!(judgement.cases, Some((1, 2)));
    let judgement = judge_said(&check, &files, None, &[admitted(), admitted()]);
    assert_eq!(
        judgement.evidence[0].message,
        "a pod of the host network: was admitted, must be denied by Pod Security"
    );
    let judgement = judge_said(&check, &files, None, &[said("a namespace that is not there"), admitted()]);
    assert!(judgement.evidence[0].message.ends_with("namespaces \"nowhere\" not found"), "{judgement:?}");
}

#[test]
fn what_is_denied_proves_nothing_where_nothing_is_admitted() {
    let check = two(denied(json!("podSecurity")), json!({}));
    let judgement = judge_said(&check, &tree(&[]), None, &[said(HOST), said(HOST)]);
    assert_eq!((judgement.outcome, judgement.cases), (Outcome::Fail, Some((0, 2))));
    assert!(judgement.evidence[0].message.starts_with("a modest pod: was refused by Pod Security, must be admitted"));
    assert!(judgement.evidence[1].message.starts_with("nothing is admitted"), "{judgement:?}");
}

#[test]
fn what_must_be_admitted_points_at_whoever_refused_it() {
    let check = two(denied(json!("podSecurity")), json!({}));
    let files = tree(&[("quota.yaml", "# The budget.\nkind: ResourceQuota\nmetadata: {name: budget}\n")]);
    let judgement = judge_said(&check, &files, None, &[said(HOST), said("a pod beyond the quota")]);
    let place = &judgement.evidence[0].place;
    assert_eq!((place.file.as_deref(), place.line), (Some("quota.yaml"), Some(2)), "{judgement:?}");
}

#[test]
fn what_came_back_has_to_match() {
    let check = |cpu: &str| {
        let matching = json!({"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": cpu}}}]}});
        two(denied(json!("podSecurity")), json!({ "match": matching }))
    };
    let judged = |cpu: &str, said_of: Said| judge_said(&check(cpu), &tree(&[]), None, &[said(HOST), said_of]);
    assert_eq!(judged("200m", admitted()).outcome, Outcome::Pass);
    let judgement = judged("300m", admitted());
    assert_eq!(judgement.outcome, Outcome::Fail);
    assert!(
        judgement.evidence[0].message.starts_with("a modest pod: `containers[c].resources.limits.cpu` is"),
        "{judgement:?}"
    );
    let there = said("an object of that name is there");
    assert_eq!(judged("200m", there.clone()).outcome, Outcome::Fail, "nothing came back");
    let judgement = judge_said(&two(denied(json!("podSecurity")), json!({})), &tree(&[]), None, &[said(HOST), there]);
    assert_eq!(judgement.outcome, Outcome::Pass, "admission had been passed");
}

#[test]
fn no_answer_is_no_failure() {
    let check = two(denied(json!("quota")), json!({}));
    let refused = |code, message: &str| Said::Refused { code, reason: String::new(), message: message.to_owned() };
    for said in [
        Said::Nothing("connection refused".to_owned()),
        refused(400, "admission webhook \"w.example.org\" does not support dry run"),
        refused(403, "pods \"p-…\" is forbidden: status unknown for quota: budget, resources: pods"),
    ] {
        let judgement = judge_said(&check, &tree(&[]), None, &[said.clone(), admitted()]);
        assert_eq!(judgement.outcome, Outcome::Inconclusive, "{said:?}");
    }
}

#[test]
fn of_a_hidden_object_only_its_description_is_shown() {
    let case =
        json!({"file": "hidden/pod.yaml", "expect": "denied", "by": "podSecurity", "describe": "a pod of the host"});
    let control = pod(json!({"expect": "admitted", "describe": "a modest pod"}));
    let check: Admission = serde_json::from_value(json!({ "cases": [case, control] })).unwrap();
    let hidden = tree(&[("pod.yaml", HIDDEN)]);
    let Want::DryRun(run) = &check.wants(Some(&hidden))[0] else { panic!() };
    assert_eq!(run.object["spec"]["hostNetwork"], true);
    let quota =
        "pods \"s3cr3t-…\" is forbidden: exceeded quota: budget, requested: pods=1, used: pods=1, limited: pods=1";
    let refused = Said::Refused { code: 403, reason: "Forbidden".to_owned(), message: quota.to_owned() };
    for said in [refused, Said::Admitted(json!({"metadata": {"name": "s3cr3t-…"}}))] {
        let judgement = judge_said(&check, &tree(&[]), Some(&hidden), &[said, admitted()]);
        let text = serde_json::to_string(&judgement).unwrap();
        assert!(!text.contains("s3cr3t") && !text.contains("uota"), "{text}");
        assert_eq!(judgement.evidence[0].message, "a pod of the host: does not hold (1 of 2 cases hold)");
        assert_eq!(judgement.evidence[0].subject.as_deref(), Some("a pod of the host"));
    }
    assert_eq!(check.wants(None).len(), 1);
    let judgement = judge_said(&check, &tree(&[]), None, &[admitted()]);
    assert_eq!(judgement.outcome, Outcome::NotRun, "a fork has no hidden files");
    let broken = tree(&[("pod.yaml", "a: [")]);
    assert_eq!(judge_said(&check, &tree(&[]), Some(&broken), &[admitted()]).outcome, Outcome::Error);
}

#[test]
fn without_an_environment_the_twin_judges_the_files() {
    let mut check = two(denied(json!("podSecurity")), json!({}));
    assert_eq!(judge(&check, &tree(&[])).outcome, Outcome::NotRun);
    check.offline = Some(serde_json::from_value(json!({"file": {"path": "ns.yaml", "expect": "exists"}})).unwrap());
    assert_eq!(judge(&check, &tree(&[("ns.yaml", "")])).outcome, Outcome::Pass);
    assert!(check.is_live());
}

#[test]
fn a_checkpoint_that_proves_nothing_is_refused() {
    let at = |cases: Value| -> Vec<String> {
        let offline = json!({"file": {"path": "ns.yaml", "expect": "exists"}});
        let check: Admission = serde_json::from_value(json!({ "cases": cases, "offline": offline })).unwrap();
        check.lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
    };
    let admitted = pod(json!({"expect": "admitted"}));
    let denied = pod(json!({"expect": "denied", "by": "quota"}));
    assert_eq!(at(json!([denied, admitted])), Vec::<String>::new());
    assert_eq!(at(json!([])), ["/cases"]);
    assert_eq!(at(json!([denied])), ["/cases/0"]);
    let mut other = admitted.clone();
    other["object"]["kind"] = "ConfigMap".into();
    assert_eq!(at(json!([denied, other])), ["/cases/0"], "a control of another kind");
    let hidden = json!({"file": "hidden/a.yaml", "describe": "a pod", "expect": "admitted"});
    assert_eq!(at(json!([denied, hidden])), Vec::<String>::new(), "nobody knows its kind here");
    for (extra, pointer) in [
        (json!({"expect": "denied"}), ""),
        (json!({"expect": "denied", "by": "quota", "match": {}}), "/match"),
        (json!({"expect": "admitted", "by": "quota"}), "/by"),
        (json!({"expect": "admitted", "match": {"$x": 1}}), "/match/$x"),
        (json!({"expect": "admitted", "file": "hidden/a.yaml"}), ""),
        (json!({"expect": "admitted", "object": {"kind": "Pod", "metadata": {"name": "x"}}}), "/object"),
        (json!({"expect": "admitted", "object": {"kind": "Pod", "apiVersion": "v1"}}), "/object"),
        (
            json!({"expect": "admitted", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x", "namespace": "y"}}}),
            "/object/metadata/namespace",
        ),
    ] {
        assert_eq!(at(json!([admitted, pod(extra.clone())])), [format!("/cases/1{pointer}")], "{extra}");
    }
    assert_eq!(at(json!([admitted, {"expect": "admitted"}])), ["/cases/1"]);
    let file = json!({"file": "pods/a.yaml", "expect": "admitted"});
    assert_eq!(at(json!([admitted, file])), ["/cases/1/file", "/cases/1/file"]);
}
