//! A control plane of a learner's own, as an Argo CD elsewhere syncs to it.

use kube::api::{Api, DynamicObject};
use serde_json::json;

use super::beside;
use super::tenant::{PATH, Tenant, map, resource};
use crate::planes::world::{Ground, client, create};

const ROLE: &str =
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: tenant-viewer}\nrules: []\n";

#[test]
fn argo_cd_syncs_objects_of_the_whole_cluster_to_a_plane_that_its_secret_names() {
    beside(async {
        let (ground, tenant) = (Ground::new(), Tenant::new("plane").await);
        let planes = ground.open(1, 0).await;
        let plane = planes.lend(&tenant.name).await.unwrap();
        create(&plane, &tenant.name).await;
        let destination = json!({ "server": plane.server(), "namespace": tenant.name });
        tenant
            .change_project(json!({ "destinations": [destination],
                "clusterResourceWhitelist": [{ "group": "rbac.authorization.k8s.io", "kind": "ClusterRole" }] }))
            .await;
        tenant.create(Some("argocd"), resource("", "v1", "Secret"), plane.cluster_secret(&tenant.name)).await;

        let commit = tenant.push(&[("role.yaml", Some(ROLE)), ("map.yaml", Some(&map("settings", "hers")))]);
        let application = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": { "name": tenant.name, "namespace": "argocd" },
            "spec": { "project": tenant.name, "destination": destination, "syncPolicy": { "automated": {} },
                "source": { "repoURL": tenant.repository, "path": PATH, "targetRevision": commit } } });
        tenant.create(Some("argocd"), resource("argoproj.io", "v1alpha1", "Application"), application).await;

        let inside = client(plane.kubeconfig()).await;
        let roles = resource("rbac.authorization.k8s.io", "v1", "ClusterRole");
        let roles: Api<DynamicObject> = Api::all_with(inside.clone(), &roles);
        let maps: Api<DynamicObject> = Api::namespaced_with(inside, &tenant.name, &resource("", "v1", "ConfigMap"));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
        loop {
            let (role, map) = (roles.get_opt("tenant-viewer").await.unwrap(), maps.get_opt("settings").await.unwrap());
            if let (Some(_), Some(map)) = (role, map) {
                assert_eq!(map.data["data"]["value"], "hers");
                break;
            }
            let now = || async { tenant.applications().get(&tenant.name).await.unwrap().data["status"].to_string() };
            assert!(std::time::Instant::now() < deadline, "not synced: {}", now().await);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        // Nothing of it is in the cluster that Argo CD is in.
        assert_eq!(tenant.value("settings", "value").await, None);
        tenant.delete_application().await;
        let secrets: Api<DynamicObject> =
            Api::namespaced_with(tenant.client.clone(), "argocd", &resource("", "v1", "Secret"));
        let secret = plane.cluster_secret(&tenant.name)["metadata"]["name"].as_str().unwrap().to_owned();
        secrets.delete(&secret, &Default::default()).await.unwrap();
    });
}
