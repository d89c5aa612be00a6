//! Rows and answers. The words are those of Kubernetes 1.35.4.

use std::collections::BTreeMap;

use super::super::testing::{judge, judge_said, tree};
use super::*;
use crate::checkpoint::{Check, Sight};

const BINDING: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dev}\n---\nkind: RoleBinding\nmetadata:\n  name: dev\n  namespace: team-cobalt\n";
const BY_DEV: &str = r#"RBAC: allowed by RoleBinding "dev/team-cobalt" of Role "dev" to Group "team-cobalt""#;
const BY_READERS: &str =
    r#"RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "view" to ServiceAccount "deployer/team-cobalt""#;

fn rbac(extra: Value) -> Rbac {
    let mut value = json!({
        "as": {"user": "jane", "groups": ["team-cobalt"]}, "namespace": "team-cobalt",
        "allowed": [{"verb": "get", "resource": "pods"}, {"verb": "create", "resource": "deployments.apps/scale"}],
        "forbidden": [{"verb": "get", "resource": "secrets", "namespace": "other"}],
    });
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn said(allowed: bool, reason: &str) -> Said {
    Said::Access { allowed, namespace: Some("team-cobalt".to_owned()), reason: reason.to_owned() }
}

fn judged(said: &[Said]) -> Judgement {
    judge_said(&rbac(json!({})), &tree(&[("rbac.yaml", BINDING)]), None, said)
}

#[test]
fn a_row_asks_as_the_api_server_wants_it() {
    let check = rbac(json!({"as": {"serviceAccount": "deployer"},
        "forbidden": [{"verb": "*", "resource": "*.*", "namespace": "*"}]}));
    let wants = check.wants(None);
    let Want::Access(access) = &wants[1] else { panic!() };
    assert_eq!((access.resource.as_str(), access.group.as_str()), ("deployments", "apps"));
    assert_eq!(access.subresource.as_deref(), Some("scale"));
    assert_eq!(access.reach, Reach::Namespace("team-cobalt".to_owned()));
    assert_eq!(access.who, Who::ServiceAccount { name: "deployer".to_owned(), namespace: None });
    let Want::Access(access) = &wants[2] else { panic!() };
    assert_eq!((access.resource.as_str(), access.group.as_str(), &access.reach), ("*", "*", &Reach::All));
    let own = rbac(json!({"namespace": null}));
    let Want::Access(access) = &own.wants(None)[0] else { panic!() };
    assert_eq!(access.reach, Reach::Own);
    assert!(own.is_live());
}

#[test]
fn every_row_has_to_be_as_it_is_expected() {
    let judgement = judged(&[said(true, BY_DEV), said(true, BY_DEV), said(false, "")]);
    assert_eq!((judgement.outcome, judgement.cases), (Outcome::Pass, Some((3, 3))));
}

#[test]
fn a_right_that_is_missing_names_who_what_and_where() {
    let judgement = judged(&[said(true, BY_DEV), said(false, ""), said(false, "")]);
    assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::YourFiles)));
    assert_eq!(judgement.cases, Some((2, 3)));
    let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
    assert_eq!(
        evidence.message,
        "`jane` of the group `team-cobalt` may not create `deployments.apps/scale` in the namespace `team-cobalt`, must be able to"
    );
    assert_eq!(evidence.subject, None, "a learner may see the subject of what is hidden");
}

#[test]
fn a_right_that_is_too_much_points_at_the_binding_of_the_learners() {
    let judgement = judged(&[said(true, BY_DEV), said(true, BY_DEV), said(true, BY_DEV)]);
    assert_eq!((judgement.blame, judgement.cases), (Some(Blame::YourFiles), Some((2, 3))));
    let [evidence] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
    assert!(evidence.message.contains("may get `secrets`") && evidence.message.contains(BY_DEV), "{evidence:?}");
    assert_eq!((evidence.place.file.as_deref(), evidence.place.line), (Some("rbac.yaml"), Some(5)));
    let judgement = judged(&[said(true, BY_DEV), said(true, BY_DEV), said(true, BY_READERS)]);
    assert_eq!(
        (judgement.blame, judgement.evidence[0].place.clone()),
        (Some(Blame::HealthyButWrong), Place::default())
    );
    let elsewhere = BY_DEV.replace("team-cobalt\" of", "other\" of");
    let judgement = judged(&[said(true, BY_DEV), said(true, BY_DEV), said(true, &elsewhere)]);
    assert_eq!(judgement.evidence[0].place, Place::default(), "a binding of the same name in another namespace");
}

#[test]
fn what_is_forbidden_proves_nothing_where_nothing_is_allowed() {
    let judgement = judged(&[said(false, ""), said(false, ""), said(false, "")]);
    assert_eq!((judgement.outcome, judgement.cases), (Outcome::Fail, Some((0, 3))));
    assert!(judgement.evidence[2].message.starts_with("nothing of what must be allowed"), "{judgement:?}");
    let one = judged(&[said(false, ""), said(true, BY_DEV), said(false, "")]);
    assert_eq!((one.evidence.len(), one.cases), (1, Some((2, 3))));
}

#[test]
fn no_answer_is_no_failure() {
    let nothing = Said::Nothing("connection refused".to_owned());
    assert_eq!(judged(&[said(false, ""), said(true, ""), nothing]).outcome, Outcome::Inconclusive);
    let asked = tree(&[]);
    let empty = Sample::default();
    let (yaml, params) = (crate::submission::yaml::YamlFiles::new(&asked), BTreeMap::new());
    let context = Context {
        files: &asked,
        base: &asked,
        yaml: &yaml,
        hidden: None,
        params: &params,
        history: None,
        environment: Sight::Seen(&empty),
        prefix: "tasks/t/",
        dialect: crate::submission::yaml::Dialect::Kubectl,
        screened: None,
    };
    assert_eq!(rbac(json!({})).judge(&context, &mut Trace::off()).outcome, Outcome::Inconclusive);
}

#[test]
fn words_of_a_learner_in_a_name_are_read_as_a_name() {
    let read = |reason: &str| Binding::read(reason).map(|binding| (binding.kind, binding.name, binding.namespace));
    assert_eq!(read(BY_DEV), Some(("RoleBinding", "dev".to_owned(), Some("team-cobalt".to_owned()))));
    assert_eq!(read(BY_READERS), Some(("ClusterRoleBinding", "readers".to_owned(), None)));
    let evil = r#"RBAC: allowed by ClusterRoleBinding "a\" of Role \"b" of ClusterRole "view" to User "jane""#;
    assert_eq!(read(evil), Some(("ClusterRoleBinding", "a\" of Role \"b".to_owned(), None)));
    for other in
        ["", "RBAC: ", "RBAC: allowed by RoleBinding dev", "node is allowed", "RBAC: allowed by RoleBinding \"x"]
    {
        assert_eq!(read(other), None, "{other}");
    }
}

#[test]
fn without_an_environment_the_twin_judges_the_files() {
    let twin = json!({"offline": {"file": {"path": "rbac.yaml", "expect": "exists"}}});
    assert_eq!(judge(&rbac(twin.clone()), &tree(&[("rbac.yaml", BINDING)])).outcome, Outcome::Pass);
    let judgement = judge(&rbac(twin), &tree(&[]));
    assert!(judgement.evidence[0].message.ends_with("(judged on the files: there is no environment here)"));
    assert_eq!(judge(&rbac(json!({})), &tree(&[])).outcome, Outcome::NotRun);
}

#[test]
fn a_checkpoint_that_proves_nothing_is_refused() {
    let at = |extra: Value| -> Vec<String> {
        let mut with = json!({"offline": {"file": {"path": "rbac.yaml", "expect": "exists"}}});
        with.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        rbac(with).lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
    };
    assert_eq!(at(json!({})), Vec::<String>::new());
    assert_eq!(at(json!({"offline": null})), [""]);
    assert_eq!(at(json!({"allowed": []})), ["/allowed"]);
    for (subject, pointer) in [
        (json!({"user": "jane"}), "/as"),
        (json!({}), "/as"),
        (json!({"user": "jane", "groups": [], "serviceAccount": "x"}), "/as"),
        (json!({"user": "", "groups": []}), "/as/user"),
        (json!({"user": "jane", "groups": [], "namespace": "x"}), "/as/namespace"),
        (json!({"serviceAccount": "x", "groups": []}), "/as/groups"),
        (json!({"serviceAccount": ""}), "/as/serviceAccount"),
    ] {
        assert_eq!(at(json!({ "as": subject })), [pointer], "{subject}");
    }
    assert_eq!(at(json!({"as": {"serviceAccount": "x", "namespace": "y"}})), Vec::<String>::new());
    let rows =
        json!([{"verb": "", "resource": "Pod"}, {"verb": "get", "resource": "pods", "namespace": "team-cobalt"}]);
    assert_eq!(at(json!({ "forbidden": rows })), ["/forbidden/0/verb", "/forbidden/0/resource", "/forbidden/1"]);
}
