//! What a learner's push, or two of them, can do to a grader.

use std::time::{Duration, Instant};

use gradus::checkpoint::outcome::Blame;
use gradus::gitops::drive::drive;
use gradus::gitops::preflight::preflight;
use gradus::gitops::reason::Reason;
use gradus::store::time::SystemClock;
use gradus::submission::tree::Tree;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::beside;
use super::tenant::{Change, PATH, Tenant, map};
use crate::until::until;

fn closed(ending: Result<gradus::gitops::gate::Proof, Reason>) -> (Blame, String) {
    told(&ending.expect_err("the gate opened"))
}

fn told(reason: &Reason) -> (Blame, String) {
    (reason.blame(), reason.to_string())
}

#[test]
fn a_commit_that_is_applied_opens_and_the_read_after_the_evidence_says_the_same() {
    beside(async {
        let tenant = Tenant::new("good").await;
        let needs = [tenant.map("a"), tenant.object("", "Service", "web")];
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
        let (commit, ending) =
            tenant.run(&[("a.yaml", Some(&map("a", "1"))), ("web.yaml", Some(service))], &needs).await;
        let proof = ending.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("1"));
        assert!(tenant.still(&proof, &commit, &needs).await);
    });
}

#[test]
fn a_commit_that_changes_no_manifest_opens_without_an_operation() {
    beside(async {
        let tenant = Tenant::new("same").await;
        let needs = [tenant.map("a")];
        tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await.1.unwrap();
        let (_, ending) = tenant.run(&[("README.md", Some("no manifest\n"))], &needs).await;
        ending.unwrap();
    });
}

#[test]
fn of_two_pushes_a_second_apart_the_first_is_superseded_and_the_second_is_what_runs() {
    beside(async {
        let tenant = Tenant::new("twice").await;
        let needs = [tenant.map("a")];
        let first = tenant.push(&[("a.yaml", Some(&map("a", "1")))]);
        tenant.offer(&first).await;
        let (question, cluster) = (tenant.question(&first, &needs), tenant.cluster());
        let waiting = drive(&question, &cluster, &SystemClock);
        let pushing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let second = tenant.push(&[("a.yaml", Some(&map("a", "2")))]);
            tenant.offer(&second).await;
            second
        };
        let (first_ending, second) = tokio::join!(waiting, pushing);
        // It may have been applied within the second.
        if let Err(reason) = first_ending {
            assert_eq!(reason, Reason::Superseded(second.clone()));
        }
        tenant.wait(&second, &needs).await.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("2"));
        assert_eq!(tenant.wait(&first, &needs).await, Err(Reason::Superseded(second)));
    });
}

#[test]
fn a_push_behind_a_sync_that_waits_for_ever_is_applied_and_not_held_up() {
    beside(async {
        let tenant = Tenant::new("behind").await;
        // The first wave never becomes healthy: no node is like that.
        let stuck = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {nodeSelector: {no: such}, containers: [{name: web, image: web}]}\n";
        let later = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {argocd.argoproj.io/sync-wave: \"1\"}}\ndata: {value: \"1\"}\n";
        let first = tenant.push(&[("web.yaml", Some(stuck)), ("a.yaml", Some(later))]);
        tenant.offer(&first).await;
        let running = async || {
            let now = tenant.applications().get(&tenant.name).await.unwrap();
            now.data.pointer("/status/operationState/message").and_then(|message| message.as_str().map(str::to_owned))
        };
        let waits = async || running().await.is_some_and(|message| message.contains("waiting for healthy state"));
        until("the sync waits for health", waits).await;
        let second = tenant.push(&[("web.yaml", None), ("a.yaml", Some(&map("a", "2")))]);
        tenant.offer(&second).await;
        tenant.wait(&second, &[tenant.map("a")]).await.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("2"));
    });
}

#[test]
fn a_sync_that_waits_for_health_for_ever_is_applied_but_not_healthy() {
    beside(async {
        let tenant = Tenant::new("ill").await.within(Duration::from_secs(15));
        let stuck = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {nodeSelector: {no: such}, containers: [{name: web, image: web}]}\n";
        let later = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {argocd.argoproj.io/sync-wave: \"1\"}}\n";
        let commit = tenant.push(&[("web.yaml", Some(stuck)), ("a.yaml", Some(later))]);
        tenant.offer(&commit).await;
        let ill = |reason: &Reason| reason.blame() == Blame::NotHealthy;
        let (blame, words) = told(&tenant.closes(&commit, &[tenant.map("a")], ill).await);
        assert!(blame == Blame::NotHealthy && words.contains("Deployment"), "{blame:?} {words}");
    });
}

#[test]
fn broken_yaml_after_a_good_commit_is_told_while_the_good_one_still_runs() {
    beside(async {
        let tenant = Tenant::new("broken").await;
        let needs = [tenant.map("a")];
        tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await.1.unwrap();
        let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n";
        let (blame, words) = closed(tenant.run(&[("a.yaml", Some(broken))], &needs).await.1);
        assert!(blame == Blame::YourFiles && words.contains("a.yaml"), "{blame:?} {words}");
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("1"));
        // And what mends it opens.
        tenant.run(&[("a.yaml", Some(&map("a", "3")))], &needs).await.1.unwrap();
    });
}

#[test]
fn a_kind_that_the_project_does_not_allow_is_the_learners_and_named() {
    beside(async {
        let tenant = Tenant::new("kind").await;
        let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: all}\nspec: {hard: {pods: \"1000\"}}\n";
        let (blame, words) = closed(tenant.run(&[("q.yaml", Some(quota))], &[]).await.1);
        assert!(blame == Blame::YourFiles && words.contains("ResourceQuota"), "{blame:?} {words}");
    });
}

#[test]
fn an_object_of_the_whole_cluster_is_the_learners_and_named() {
    beside(async {
        let tenant = Tenant::new("whole").await;
        let role = format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {}}}\nrules: []\n",
            tenant.name
        );
        let (blame, words) = closed(tenant.run(&[("r.yaml", Some(&role))], &[]).await.1);
        assert!(blame == Blame::YourFiles && words.contains("ClusterRole"), "{blame:?} {words}");
    });
}

#[test]
fn an_escape_into_another_namespace_is_the_learners_and_named() {
    beside(async {
        let tenant = Tenant::new("escape").await;
        let escape = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: escaped, namespace: default}\n";
        let (blame, words) = closed(tenant.run(&[("e.yaml", Some(escape))], &[]).await.1);
        assert!(blame == Blame::YourFiles && words.contains("default"), "{blame:?} {words}");
    });
}

#[test]
fn an_object_that_the_api_server_refuses_is_the_learners_and_named() {
    beside(async {
        let tenant = Tenant::new("invalid").await;
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999999}]}\n";
        let (blame, words) = closed(tenant.run(&[("s.yaml", Some(service))], &[]).await.1);
        assert!(blame == Blame::YourFiles && words.contains("Service"), "{blame:?} {words}");
        // A field that may not be changed.
        let deployment = |app: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: {app}}}}}\n  template:\n    metadata: {{labels: {{app: {app}}}}}\n    spec: {{containers: [{{name: web, image: web}}]}}\n"
            )
        };
        let needs = [tenant.object("apps", "Deployment", "web")];
        tenant.run(&[("s.yaml", None), ("d.yaml", Some(&deployment("one")))], &needs).await.1.unwrap();
        let (blame, words) = closed(tenant.run(&[("d.yaml", Some(&deployment("two")))], &needs).await.1);
        assert!(blame == Blame::YourFiles && words.contains("Deployment"), "{blame:?} {words}");
    });
}

#[test]
fn a_commit_that_only_deletes_opens_when_the_objects_are_gone() {
    beside(async {
        let tenant = Tenant::new("less").await;
        let both: [Change<'_>; 2] = [("a.yaml", Some(&map("a", "1"))), ("b.yaml", Some(&map("b", "1")))];
        tenant.run(&both, &[tenant.map("a"), tenant.map("b")]).await.1.unwrap();
        tenant.run(&[("b.yaml", None)], &[tenant.map("a")]).await.1.unwrap();
        assert_eq!((tenant.value("a", "value").await.as_deref(), tenant.value("b", "value").await), (Some("1"), None));
        // The last one, too.
        tenant.run(&[("a.yaml", None), ("README.md", Some("nothing left\n"))], &[]).await.1.unwrap();
        assert_eq!(tenant.value("a", "value").await, None);
    });
}

#[test]
fn an_object_that_is_committed_twice_is_the_learners() {
    beside(async {
        let tenant = Tenant::new("repeated").await;
        let (blame, words) = closed(
            tenant
                .run(&[("a.yaml", Some(&map("a", "1"))), ("b.yaml", Some(&map("a", "2")))], &[tenant.map("a")])
                .await
                .1,
        );
        assert!(blame == Blame::YourFiles && words.contains("twice"), "{blame:?} {words}");
    });
}

#[test]
fn what_was_made_by_hand_does_not_count_and_is_named() {
    beside(async {
        let tenant = Tenant::new("hand").await;
        let by_hand =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "b" }, "data": { "value": "1" } });
        tenant.config_maps().create(&PostParams::default(), &serde_json::from_value(by_hand).unwrap()).await.unwrap();
        let needs = [tenant.map("a"), tenant.map("b")];
        let (blame, words) = closed(tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await.1);
        assert!(
            blame == Blame::YourFiles && words.contains(&format!("ConfigMap {}/b", tenant.name)),
            "{blame:?} {words}"
        );
    });
}

#[test]
fn drift_while_evidence_is_taken_discards_it_and_the_healed_state_opens_again() {
    beside(async {
        let tenant = Tenant::new("drift").await;
        let needs = [tenant.map("a")];
        let (commit, ending) = tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await;
        let proof = ending.unwrap();
        let drift = json!({ "data": { "value": "by hand" } });
        tenant.config_maps().patch("a", &PatchParams::default(), &Patch::Merge(drift)).await.unwrap();
        until("the drift is healed", async || tenant.value("a", "value").await.as_deref() == Some("1")).await;
        // Argo CD heals first and writes of it afterwards: until then nothing but the object's version tells.
        let deadline = Instant::now() + Duration::from_secs(20);
        let again = loop {
            let again = tenant.wait(&commit, &needs).await.unwrap();
            if !tenant.still(&proof, &commit, &needs).await {
                break again;
            }
            assert!(Instant::now() < deadline, "the object was changed in between");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(tenant.still(&again, &commit, &needs).await);
    });
}

#[test]
fn an_application_that_is_taken_away_ends_the_wait_and_is_ours() {
    beside(async {
        let tenant = Tenant::new("gone").await;
        let needs = [tenant.map("a")];
        let (commit, ending) = tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await;
        let proof = ending.unwrap();
        tenant.delete_application().await;
        assert!(!tenant.still(&proof, &commit, &needs).await);
        assert_eq!(tenant.wait(&commit, &needs).await, Err(Reason::Deleted));
    });
}

#[test]
fn a_commit_that_was_never_handed_on_is_waited_for_and_ours() {
    beside(async {
        let tenant = Tenant::new("lost").await;
        tenant.run(&[("a.yaml", Some(&map("a", "1")))], &[tenant.map("a")]).await.1.unwrap();
        let tenant = tenant.within(Duration::from_secs(5));
        let newer = tenant.push(&[("a.yaml", Some(&map("a", "2")))]);
        tenant.pretend(&newer);
        let (blame, words) = closed(tenant.wait(&newer, &[tenant.map("a")]).await);
        assert!(blame == Blame::Ours && words.contains("still asks for"), "{blame:?} {words}");
    });
}

#[test]
fn an_object_of_two_applications_is_ours() {
    beside(async {
        let (one, other) = (Tenant::new("owner").await, Tenant::new("thief").await.within(Duration::from_secs(10)));
        one.run(&[("a.yaml", Some(&map("a", "1")))], &[one.map("a")]).await.1.unwrap();
        other.send_to(&one).await;
        let theirs = map("a", "2");
        let commit = other.push(&[("a.yaml", Some(&theirs))]);
        other.offer(&commit).await;
        let two = |reason: &Reason| matches!(reason, Reason::Shared(_));
        let (blame, words) = told(&other.closes(&commit, &[one.map("a")], two).await);
        assert_eq!(blame, Blame::Ours, "{words}");
        assert!(words.contains("two Applications"), "{words}");
    });
}

/// Files that a learner could think of, of which each holds an object that may be applied.
const ODD: [(&str, &str); 9] = [
    (".hidden.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hidden}\n"),
    ("deep/er/.dir/x.yml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\n"),
    (
        "one.json",
        "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"json\"}, \"data\": {\"a\": \"\\u00e9\"}}",
    ),
    (
        "list.yaml",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: item-a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: item-b}}\n",
    ),
    (
        "many.yaml",
        "# none yet\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-a}\n--- # and\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-b}\n---\n",
    ),
    (
        "crlf.yaml",
        "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: crlf\r\n---\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: crlf-b}\r\n",
    ),
    ("bom.yaml", "\u{feff}apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bom}\n"),
    (
        "block.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: block}\ndata:\n  text: |\n    --- not a document\n    ...\n    %x\n",
    ),
    ("README.txt", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n"),
];

#[test]
fn what_preflight_accepts_is_exactly_what_argo_cd_applies() {
    beside(async {
        let tenant = Tenant::new("exact").await;
        let changes: Vec<Change<'_>> = ODD.iter().map(|(file, text)| (*file, Some(*text))).collect();
        let commit = tenant.push(&changes);
        let repository = git2::Repository::open(tenant.clone_dir()).unwrap();
        let tree = Tree::from_commit(&repository, &commit).unwrap();
        let question = tenant.question(&commit, &[]);
        let accepted = preflight(&tree, PATH, &question.allowed).unwrap();
        let mut expected: Vec<_> = accepted.objects.into_iter().map(|(object, _)| object).collect();
        expected.sort();
        tenant.offer(&commit).await;
        tenant.wait(&commit, &expected).await.unwrap();
        let now = tenant.applications().get(&tenant.name).await.unwrap();
        let mut applied: Vec<_> = now.data["status"]["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let text = |field: &str| one[field].as_str().unwrap_or_default();
                tenant.object(text("group"), text("kind"), text("name"))
            })
            .collect();
        applied.sort();
        assert_eq!(applied, expected);
        assert_eq!(applied.len(), 11);
    });
}
