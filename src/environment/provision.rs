//! What an environment is made of, as objects: a namespace with limits, an account that applies the learner's commits and
//! may do what the task allows and no more, and the AppProject that lets nothing else through. Pure.
//!
//! The account is the boundary, the project a filter in front of it: where Argo CD does not act as the account
//! (`application.sync.impersonation.enabled`), the project is all there is.

use serde_json::{Value, json};

use super::{Environment, Tier, reap};
use crate::gitops::allowed::Scope;
use crate::gitops::generator::{Offer, Tenancy};

/// The account that applies a learner's commits, in the environment's namespace.
pub const ACCOUNT: &str = "gradus-deployer";

/// What the daemon may do in environments and nowhere else: ClusterRoles of `argocd/base/account.yaml`, each bound by a
/// RoleBinding of its name in the environment's namespace. Asking workloads, and acting as [`ACCOUNT`].
const INSIDE: [&str; 2] = ["gradus-prober", "gradus-actor"];

/// Whose objects these are, as server-side apply calls it.
pub const MANAGER: &str = "gradus";

/// The label on everything that we made.
pub const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "gradus");

/// What a learner's namespace in a shared cluster may use.
const QUOTA: [(&str, &str); 9] = [
    ("count/configmaps", "50"),
    ("count/deployments.apps", "20"),
    ("count/secrets", "50"),
    ("limits.cpu", "8"),
    ("limits.memory", "8Gi"),
    ("persistentvolumeclaims", "5"),
    ("pods", "40"),
    ("requests.cpu", "4"),
    ("requests.memory", "4Gi"),
];

/// A kind that the task allows, and how the API server calls its objects in an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its API group; empty for the core.
    pub group: String,
    /// As in `Deployment`.
    pub kind: String,
    /// As in `deployments`.
    pub plural: String,
    /// Where its objects are.
    pub scope: Scope,
}

/// The objects of the cluster that a learner's objects go to, in the order in which they are applied.
pub fn in_cluster(offer: &Offer, environment: &Environment, resources: &[Resource]) -> Vec<Value> {
    let name = offer.tenancy.name();
    let shared = environment.tier == Tier::Namespace;
    let mut objects = vec![namespace(&name, offer, environment.tier)];
    if shared {
        objects.extend([quota(&name), limits(&name)]);
    }
    objects.push(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(ACCOUNT, Some(&name)),
        "automountServiceAccountToken": false }));
    let api = "rbac.authorization.k8s.io";
    let (kind, place) = if shared { ("Role", Some(name.as_str())) } else { ("ClusterRole", None) };
    // Who may grant rights has to have them: on an API server of the learner's own, for a while, that is all of them.
    let role = if shared { ACCOUNT } else { "cluster-admin" };
    if role == ACCOUNT {
        objects.push(json!({ "apiVersion": format!("{api}/v1"), "kind": kind, "metadata": metadata(ACCOUNT, place),
            "rules": rules(resources) }));
    }
    objects.push(json!({ "apiVersion": format!("{api}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata(ACCOUNT, place),
        "roleRef": { "apiGroup": api, "kind": kind, "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": name }] }));
    if shared {
        objects.extend(INSIDE.map(|role| inside(&name, role)));
    }
    // Where the learner makes namespaces, these are theirs to make.
    let makes_namespaces = resources.iter().any(|one| one.group.is_empty() && one.kind == "Namespace");
    if !makes_namespaces {
        let more = environment.allow.namespaces.iter();
        objects.splice(1..1, more.map(|more| namespace(more, offer, environment.tier)));
    }
    objects
}

/// The AppProject of an environment. It is made first and goes last: as long as there is one, something of the environment
/// may be left.
pub fn project(offer: &Offer, environment: &Environment, argocd: &str) -> Value {
    let name = offer.tenancy.name();
    let kinds = |scope| -> Vec<Value> {
        let of = environment.allow.kinds.iter().filter(|kind| kind.scope == scope);
        of.map(|kind| json!({ "group": kind.group, "kind": kind.kind })).collect()
    };
    let namespaces = || std::iter::once(&name).chain(&environment.allow.namespaces);
    let at = |namespace: &String| json!({ "server": offer.server, "namespace": namespace });
    let acting = |namespace: &String| {
        json!({ "server": offer.server, "namespace": namespace,
            "defaultServiceAccount": format!("{name}:{ACCOUNT}") })
    };
    let metadata = told(metadata(&name, Some(argocd)), &offer.tenancy);
    json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata,
        "spec": {
            "description": "A learner's environment, made and taken away by Gradus",
            "sourceRepos": [offer.repo_url],
            "destinations": namespaces().map(at).collect::<Vec<_>>(),
            "destinationServiceAccounts": namespaces().map(acting).collect::<Vec<_>>(),
            "clusterResourceWhitelist": kinds(Scope::Cluster),
            "namespaceResourceWhitelist": kinds(Scope::Namespace),
        } })
}

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({ "name": name, "labels": { MANAGED.0: MANAGED.1 } });
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    metadata
}

/// With labels that say whose environment it is.
fn told(mut metadata: Value, tenancy: &Tenancy) -> Value {
    let Tenancy { workspace, learner, task } = tenancy;
    for (key, value) in reap::labels(workspace, learner, task) {
        metadata["labels"][key] = value.into();
    }
    metadata
}

fn namespace(name: &str, offer: &Offer, tier: Tier) -> Value {
    let mut metadata = told(metadata(name, None), &offer.tenancy);
    if tier == Tier::Namespace {
        // What runs beside others may not reach the node they share.
        metadata["labels"]["pod-security.kubernetes.io/enforce"] = "baseline".into();
    }
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })
}

fn quota(namespace: &str) -> Value {
    let hard: serde_json::Map<String, Value> =
        QUOTA.iter().map(|(key, most)| ((*key).into(), (*most).into())).collect();
    json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata("gradus", Some(namespace)), "spec": { "hard": hard } })
}

/// What a container gets that asks for nothing, without which the quota would refuse it.
fn limits(namespace: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": metadata("gradus", Some(namespace)), "spec": { "limits": [
        { "type": "Container", "default": { "cpu": "200m", "memory": "128Mi" }, "defaultRequest": { "cpu": "50m", "memory": "64Mi" } },
    ] } })
}

/// Lets the daemon do what a role says in one namespace, and in no other. The account is that of `argocd/base/account.yaml`.
fn inside(namespace: &str, role: &str) -> Value {
    let api = "rbac.authorization.k8s.io";
    json!({ "apiVersion": format!("{api}/v1"), "kind": "RoleBinding", "metadata": metadata(role, Some(namespace)),
        "roleRef": { "apiGroup": api, "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": "gradus", "namespace": "gradus" }] })
}

fn rules(resources: &[Resource]) -> Vec<Value> {
    const VERBS: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];
    resources.iter().map(|one| json!({ "apiGroups": [one.group], "resources": [one.plural], "verbs": VERBS })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Allow, Kind};
    use crate::forge::pull::Workspace;
    use crate::gitops::policy::Policy;

    fn offer() -> Offer {
        let tenancy = Tenancy {
            workspace: Workspace("git.example.org/acme/cnpe".into()),
            learner: "583231".parse().unwrap(),
            task: "shop".parse().unwrap(),
        };
        Offer {
            tenancy,
            repo_url: "https://git.example.org/acme/cnpe.git".into(),
            path: "tasks/shop/manifests".into(),
            commit: "a".repeat(40).parse().unwrap(),
            server: "https://10.0.0.1:6443".into(),
            policy: Policy::default(),
        }
    }

    fn environment(tier: Tier, kinds: &[(&str, &str, Scope)], namespaces: &[&str]) -> Environment {
        let kinds = kinds.iter().map(|(group, kind, scope)| Kind {
            group: (*group).into(),
            kind: (*kind).into(),
            scope: *scope,
        });
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let allow = Allow { kinds: kinds.collect(), namespaces, annotations: Vec::new() };
        Environment { tier, path: Some("manifests".into()), application: None, allow, seeds: Default::default() }
    }

    fn names(objects: &[Value]) -> Vec<String> {
        let text =
            |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let one = |object| {
            [text(object, "/kind"), text(object, "/metadata/namespace"), text(object, "/metadata/name")].join(" ")
        };
        objects.iter().map(one).collect()
    }

    fn deployments() -> Resource {
        Resource {
            group: "apps".into(),
            kind: "Deployment".into(),
            plural: "deployments".into(),
            scope: Scope::Namespace,
        }
    }

    #[test]
    fn in_a_shared_cluster_everything_is_in_one_namespace_and_nothing_is_of_the_cluster() {
        let environment = environment(Tier::Namespace, &[("apps", "Deployment", Scope::Namespace)], &[]);
        let objects = in_cluster(&offer(), &environment, &[deployments()]);
        let name = offer().tenancy.name();
        let expected = [
            "Namespace - NAME",
            "ResourceQuota NAME gradus",
            "LimitRange NAME gradus",
            "ServiceAccount NAME gradus-deployer",
            "Role NAME gradus-deployer",
            "RoleBinding NAME gradus-deployer",
            "RoleBinding NAME gradus-prober",
            "RoleBinding NAME gradus-actor",
        ];
        assert_eq!(names(&objects), expected.map(|one| one.replace("NAME", &name)));
        assert_eq!(objects[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "baseline");
        assert_eq!(objects[4]["rules"][0]["resources"], json!(["deployments"]));
        assert!(!objects[4]["rules"].to_string().contains('*'));
        let project = project(&offer(), &environment, "argocd");
        assert_eq!(project["spec"]["clusterResourceWhitelist"], json!([]));
        assert_eq!(project["spec"]["destinations"], json!([{ "server": "https://10.0.0.1:6443", "namespace": name }]));
        assert_eq!(
            project["spec"]["destinationServiceAccounts"][0]["defaultServiceAccount"],
            format!("{name}:{ACCOUNT}")
        );
        assert_eq!(project["spec"]["sourceRepos"], json!(["https://git.example.org/acme/cnpe.git"]));
    }

    #[test]
    fn an_api_server_of_ones_own_has_no_limits_and_its_namespaces_are_made_unless_the_task_asks_for_them() {
        let kinds = [("", "ConfigMap", Scope::Namespace)];
        let tools = environment(Tier::ControlPlane, &kinds, &["tools"]);
        let name = offer().tenancy.name();
        let made = names(&in_cluster(&offer(), &tools, &[deployments()]));
        assert_eq!(made[..2], [format!("Namespace - {name}"), "Namespace - tools".into()]);
        assert!(!made.iter().any(|one| one.starts_with("ResourceQuota")));
        assert!(made.contains(&format!("ClusterRoleBinding - {ACCOUNT}")), "{made:?}");
        let namespaces = Resource {
            group: String::new(),
            kind: "Namespace".into(),
            plural: "namespaces".into(),
            scope: Scope::Cluster,
        };
        let theirs = names(&in_cluster(&offer(), &tools, &[namespaces]));
        assert!(!theirs.contains(&"Namespace - tools".to_owned()), "{theirs:?}");
        let project = project(&offer(), &tools, "argocd");
        assert_eq!(project["spec"]["destinations"].as_array().unwrap().len(), 2);
    }
}
