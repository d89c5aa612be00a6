//! What an environment loses when another pull request takes it over, or when it is lent again: whatever was made by hand, or
//! by an earlier commit's workloads. Which objects these are is decided here on data; `clear` takes them away.

use serde_json::Value;

use crate::gitops::allowed::Scope;
use crate::gitops::object::Object;
use crate::gitops::tracking::Live;

/// Kinds that the cluster keeps by itself, and claims for volumes: a StatefulSet's have no owner, and pods hold on to them.
const CLUSTERS: [(&str, &str); 7] = [
    ("", "Endpoints"),
    ("", "Event"),
    ("", "PersistentVolumeClaim"),
    ("", "Node"),
    ("coordination.k8s.io", "Lease"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("events.k8s.io", "Event"),
];

/// What every namespace has.
const OF_A_NAMESPACE: [(&str, &str); 2] = [("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")];

/// Namespaces that every cluster has, with things of its own in them.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// By these labels and annotations API servers know what they make when they start.
const BOOTSTRAP: [&str; 3] = [
    "/metadata/labels/kubernetes.io~1bootstrapping",
    "/metadata/labels/kube-aggregator.kubernetes.io~1automanaged",
    "/metadata/annotations/apf.kubernetes.io~1autoupdate-spec",
];

/// What stays.
pub struct Stays {
    /// What the Application of this name tracks; its namespace has the same name.
    pub application: String,
    /// Ours, and the course's.
    pub known: Vec<Object>,
}

/// Whether objects of a kind are looked at at all.
pub fn concerns(group: &str, kind: &str) -> bool {
    !CLUSTERS.contains(&(group, kind))
}

/// Whether something of an environment may be in this namespace, which is its own.
pub fn is_clusters_namespace(namespace: &str) -> bool {
    NAMESPACES.contains(&namespace)
}

impl Stays {
    /// Whether an object goes. Only its metadata is looked at.
    pub fn goes(&self, object: &Value, scope: Scope) -> bool {
        let Some(live) = Live::read(object) else { return false };
        let is = |pointer: &str| object.pointer(pointer).is_some();
        // Owners take what they own along, and what nobody owns any more the cluster takes away.
        let owned =
            object.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let Object { kind, name, .. } = &live.object;
        let clusters = match scope {
            Scope::Namespace => OF_A_NAMESPACE.contains(&(kind.as_str(), name.as_str())),
            Scope::Cluster => {
                name.starts_with("system:")
                    || name.starts_with("system-")
                    || BOOTSTRAP.into_iter().any(is)
                    || (kind == "Namespace" && is_clusters_namespace(name))
            }
        };
        !(owned
            || clusters
            || is("/metadata/deletionTimestamp")
            || live.is_tracked_by(&self.application, &self.application)
            || self.known.contains(&live.object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stays() -> Stays {
        let object = |group: &str, kind: &str, namespace: &str, name: &str| Object {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        let role = "rbac.authorization.k8s.io";
        Stays {
            application: "own".into(),
            known: vec![
                object("", "ConfigMap", "own", "motd"),
                object(role, "RoleBinding", "own", "gradus-deployer"),
                object(role, "ClusterRoleBinding", "", "gradus-deployer"),
            ],
        }
    }

    fn goes(version: &str, kind: &str, name: &str, more: Value) -> bool {
        let mut object =
            json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": "own" } });
        let scope = if kind.starts_with("Cluster") || kind == "Namespace" { Scope::Cluster } else { Scope::Namespace };
        if scope == Scope::Cluster {
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        object["metadata"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stays().goes(&object, scope)
    }

    const RBAC: &str = "rbac.authorization.k8s.io/v1";

    #[test]
    fn what_was_made_by_hand_goes_also_with_a_label_like_ours_and_a_copied_annotation() {
        assert!(goes("v1", "ConfigMap", "left", json!({})));
        assert!(goes("v1", "ConfigMap", "left", json!({ "labels": { "app.kubernetes.io/managed-by": "gradus" } })));
        assert!(goes("v1", "Secret", "motd", json!({})), "of another kind");
        assert!(goes("v1", "ConfigMap", "motd", json!({ "namespace": "other" })), "in another namespace");
        let copied = json!({ "annotations": { "argocd.argoproj.io/tracking-id": "own:/ConfigMap:own/web" } });
        assert!(goes("v1", "ConfigMap", "left", copied));
        assert!(goes("v1", "ConfigMap", "left", json!({ "ownerReferences": [] })));
        assert!(goes(RBAC, "ClusterRole", "mine", json!({})));
        assert!(goes("v1", "Namespace", "mine", json!({})));
        assert!(goes("v1", "ServiceAccount", "mine", json!({})));
    }

    #[test]
    fn what_the_commit_brings_the_courses_ours_and_the_clusters_own_stay() {
        let tracked = json!({ "annotations": { "argocd.argoproj.io/tracking-id": "own:/ConfigMap:own/web" } });
        assert!(!goes("v1", "ConfigMap", "web", tracked));
        let tracked = json!({ "annotations": { "argocd.argoproj.io/tracking-id": "own:rbac.authorization.k8s.io/ClusterRole:own/mine" } });
        assert!(!goes(RBAC, "ClusterRole", "mine", tracked));
        let owned = json!({ "ownerReferences": [{ "kind": "ReplicaSet", "name": "web-1", "uid": "u" }] });
        assert!(!goes("v1", "Pod", "web-1-a", owned));
        assert!(
            !goes("v1", "ConfigMap", "left", json!({ "deletionTimestamp": "2026-11-30T12:00:00Z" })),
            "goes already"
        );
        assert!(!goes("v1", "ConfigMap", "motd", json!({})));
        assert!(!goes(RBAC, "RoleBinding", "gradus-deployer", json!({})));
        assert!(!goes(RBAC, "ClusterRoleBinding", "gradus-deployer", json!({})));
        assert!(!goes("v1", "ConfigMap", "kube-root-ca.crt", json!({})));
        assert!(!goes("v1", "ServiceAccount", "default", json!({})));
        assert!(!goes("v1", "Namespace", "kube-system", json!({})));
        assert!(!goes(RBAC, "ClusterRole", "system:node", json!({})));
        let labels = json!({ "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" } });
        assert!(!goes(RBAC, "ClusterRole", "cluster-admin", labels));
        assert!(!concerns("", "Endpoints") && !concerns("events.k8s.io", "Event") && concerns("", "ConfigMap"));
    }
}
