//! Which Application an object belongs to: the tracking annotation that Argo CD writes on all it applies.

use serde_json::Value;

use super::object::Object;

/// The annotation's key.
pub const TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// What is said of an object that was read from the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Which one.
    pub object: Object,
    /// Its tracking annotation.
    pub tracking: Option<String>,
    /// Another one after each change of what is asked of it, by whomever; the same when only its status changed, where the
    /// API server tells the two apart.
    pub edition: String,
}

impl Live {
    /// From the object as the API server gave it; none where that is no object.
    pub fn read(object: &Value) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
        let change = generation.map(|number| format!("generation {number}"));
        let change = change.or_else(|| text("/metadata/resourceVersion")).unwrap_or_default();
        let version = text("/apiVersion")?;
        let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
        Some(Self {
            object: Object {
                group,
                kind: text("/kind")?,
                namespace: text("/metadata/namespace").unwrap_or_default(),
                name: text("/metadata/name")?,
            },
            tracking: text("/metadata/annotations/argocd.argoproj.io~1tracking-id"),
            edition: format!("{} {change}", text("/metadata/uid").unwrap_or_default()),
        })
    }

    /// Whether the annotation names this Application and this very object: a copied annotation makes nobody the owner.
    /// Objects of the whole cluster are tracked under the Application's namespace.
    pub fn is_tracked_by(&self, application: &str, namespace: &str) -> bool {
        let Object { group, kind, namespace: own, name } = &self.object;
        let place = if own.is_empty() { namespace } else { own };
        self.tracking.as_deref() == Some(format!("{application}:{group}/{kind}:{place}/{name}").as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(tracking: &str) -> Live {
        let read = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "team-a", "annotations": { TRACKING: tracking } },
        });
        Live::read(&read).unwrap()
    }

    #[test]
    fn only_an_annotation_that_names_this_object_and_this_application_counts() {
        let cases = [
            ("ada-shop:apps/Deployment:team-a/web", true),
            ("bob-shop:apps/Deployment:team-a/web", false),
            ("ada-shop:apps/Deployment:team-a/api", false),
            ("ada-shop:apps/Deployment:team-b/web", false),
            ("ada-shop", false),
            ("", false),
        ];
        for (tracking, ours) in cases {
            assert_eq!(live(tracking).is_tracked_by("ada-shop", "team-a"), ours, "{tracking}");
        }
    }

    #[test]
    fn an_edition_is_another_one_after_a_change_of_what_is_asked_and_of_another_object_of_that_name() {
        let edition = |metadata: Value| {
            let read = serde_json::json!({ "apiVersion": "v1", "kind": "X", "metadata": metadata });
            Live::read(&read).unwrap().edition
        };
        let deployment = |generation, version| {
            edition(
                serde_json::json!({ "name": "a", "uid": "u", "generation": generation, "resourceVersion": version }),
            )
        };
        assert_eq!(deployment(1, "7"), deployment(1, "8"), "only its status changed");
        assert_ne!(deployment(1, "7"), deployment(2, "8"));
        let map = |uid, version| edition(serde_json::json!({ "name": "a", "uid": uid, "resourceVersion": version }));
        assert_ne!(map("u", "7"), map("u", "8"), "nothing else tells of a ConfigMap's change");
        assert_ne!(map("u", "7"), map("v", "7"));
    }

    #[test]
    fn an_object_of_the_whole_cluster_is_tracked_under_the_applications_namespace() {
        let read = serde_json::json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": "viewer", "annotations":
                { TRACKING: "ada-shop:rbac.authorization.k8s.io/ClusterRole:team-a/viewer" } },
        });
        assert!(Live::read(&read).unwrap().is_tracked_by("ada-shop", "team-a"));
    }
}
