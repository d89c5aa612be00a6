//! The account that applies a learner's files: what holds when the project does not.

use std::time::Duration;

use gradus::checkpoint::outcome::Blame;
use gradus::gitops::reason::Reason;
use kube::api::{Api, DynamicObject};
use serde_json::json;

use super::alone;
use super::impersonation::Impersonation;
use super::tenant::{PATIENCE, SERVER, Tenant, map, resource};

#[test]
fn an_account_without_a_right_that_we_promise_is_ours_and_one_that_is_not_promised_the_learners() {
    alone(async {
        let tenant = Tenant::new("account").await.within(Duration::from_secs(30));
        let _as_before = Impersonation::on();
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "deployer" } });
        tenant.create(Some(&tenant.name), resource("", "v1", "ServiceAccount"), account).await;
        // The project itself lets everything through.
        tenant
            .change_project(json!({
                "destinations": [{ "server": SERVER, "namespace": "*" }],
                "namespaceResourceWhitelist": [{ "group": "*", "kind": "*" }],
                "destinationServiceAccounts": [{ "server": SERVER, "namespace": tenant.name, "defaultServiceAccount": "deployer" }],
            }))
            .await;
        let needs = [tenant.map("a")];
        let denied = |reason: &Reason| matches!(reason, Reason::DeniedByImpersonation(_));
        let commit = tenant.push(&[("a.yaml", Some(&map("a", "1")))]);
        tenant.offer(&commit).await;
        let reason = tenant.closes(&commit, &needs, denied).await;
        assert!(denied(&reason), "{reason:?}");
        assert_eq!(reason.blame(), Blame::Ours, "ConfigMaps are promised: {reason}");
        // The right comes, and a push with it.
        let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"] }]);
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "deployer" }, "rules": rules });
        tenant.create(Some(&tenant.name), resource("rbac.authorization.k8s.io", "v1", "Role"), role).await;
        let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "deployer" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer" },
            "subjects": [{ "kind": "ServiceAccount", "name": "deployer", "namespace": tenant.name }] });
        tenant.create(Some(&tenant.name), resource("rbac.authorization.k8s.io", "v1", "RoleBinding"), binding).await;
        let again = tenant.push(&[("README.md", Some("again\n"))]);
        assert_ne!(again, commit);
        let tenant = tenant.within(PATIENCE);
        tenant.offer(&again).await;
        tenant.wait(&again, &needs).await.unwrap();
        // An escape that the project would let through.
        let escape = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: escaped, namespace: default}\n";
        let tenant = tenant.within(Duration::from_secs(30));
        let commit = tenant.push(&[("e.yaml", Some(escape))]);
        tenant.offer(&commit).await;
        let reason = tenant.closes(&commit, &needs, denied).await;
        assert!(denied(&reason), "{reason:?}");
        assert_eq!(reason.blame(), Blame::YourFiles, "{reason}");
        let outside: Api<DynamicObject> =
            Api::namespaced_with(tenant.client.clone(), "default", &resource("", "v1", "ConfigMap"));
        assert!(outside.get_opt("escaped").await.unwrap().is_none());
    });
}
