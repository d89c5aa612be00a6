//! Whether the Argo CD of a configuration is as `gradus serve` needs it: there, told to ask us, and ours to use.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};

use super::{Subject, external};
use crate::config::Loaded;
use crate::config::kinds::ArgocdConfig;
use crate::config::secret::Secret;
use crate::environment::address::Addresses;
use crate::environment::client;
use crate::forge::examine::Finding;
use crate::gitops::kinds::Kinds;
use crate::review::safe::plain;

/// A right: verb, API group, resource, name; no name where any is meant.
pub(super) type Right = (&'static str, &'static str, &'static str, &'static str);

const RBAC: &str = "rbac.authorization.k8s.io";

/// What is done in Argo CD's namespace; `SET` stands for the ApplicationSet.
const IN_ARGOCD: [Right; 11] = [
    ("get", "argoproj.io", "appprojects", ""),
    ("list", "argoproj.io", "appprojects", ""),
    ("create", "argoproj.io", "appprojects", ""),
    ("patch", "argoproj.io", "appprojects", ""),
    ("delete", "argoproj.io", "appprojects", ""),
    ("get", "argoproj.io", "applications", ""),
    ("list", "argoproj.io", "applications", ""),
    ("watch", "argoproj.io", "applications", ""),
    ("patch", "argoproj.io", "applications", ""),
    ("delete", "argoproj.io", "applications", ""),
    ("patch", "argoproj.io", "applicationsets", "SET"),
];

/// What is done in the cluster whose namespaces are lent.
const IN_CLUSTER: [Right; 25] = [
    ("get", "", "namespaces", ""),
    ("list", "", "namespaces", ""),
    ("create", "", "namespaces", ""),
    ("patch", "", "namespaces", ""),
    ("delete", "", "namespaces", ""),
    ("patch", "", "resourcequotas", "gradus"),
    ("patch", "", "limitranges", "gradus"),
    ("patch", "", "serviceaccounts", "gradus-deployer"),
    ("patch", RBAC, "roles", "gradus-deployer"),
    ("escalate", RBAC, "roles", "gradus-deployer"),
    ("bind", RBAC, "roles", "gradus-deployer"),
    ("patch", RBAC, "rolebindings", "gradus-deployer"),
    ("patch", RBAC, "rolebindings", "gradus-prober"),
    ("bind", RBAC, "clusterroles", "gradus-prober"),
    ("patch", RBAC, "rolebindings", "gradus-actor"),
    ("bind", RBAC, "clusterroles", "gradus-actor"),
    ("list", "", "configmaps", ""),
    ("list", "", "services", ""),
    ("list", "", "endpoints", ""),
    ("list", "", "pods", ""),
    ("get", "", "configmaps", ""),
    ("list", "apps", "deployments", ""),
    ("get", "apps", "deployments", ""),
    ("get", "apps", "replicasets", ""),
    ("create", "authorization.k8s.io", "subjectaccessreviews", ""),
];

/// What is done besides where control planes are made known to Argo CD, in its namespace. `account.yaml` gives none of it.
const FOR_PLANES: [Right; 4] = [
    ("get", "", "secrets", ""),
    ("create", "", "secrets", ""),
    ("patch", "", "secrets", ""),
    ("delete", "", "secrets", ""),
];

/// Looks at the Argo CD of a configuration; none where none is configured.
pub async fn argocd(loaded: &Loaded) -> Option<Subject> {
    let config = loaded.config.argocd.as_ref()?;
    let mut findings = match client::of_file(config.kubeconfig.as_deref()).await {
        Ok(client) => look(config, loaded.secrets.get(&config.token), client).await,
        Err(error) => vec![Finding::wrong("cluster", error.to_string(), "correct `argocd.kubeconfig`")],
    };
    findings.extend(addresses(loaded).await);
    Some(Subject { name: format!("argocd, namespace {}", config.namespace), findings })
}

/// Whether the servers that tasks may ask answer. What they answer at `/` says nothing about them.
async fn addresses(loaded: &Loaded) -> Vec<Finding> {
    const ABOUT: &str = "addresses";
    let servers = Addresses::of(loaded);
    if servers.is_empty() {
        return Vec::new();
    }
    let addresses = match Addresses::none() {
        Ok(addresses) => addresses,
        Err(error) => return vec![Finding::wrong(ABOUT, error.to_string(), "install ca-certificates")],
    };
    addresses.replace(servers.clone());
    let mut findings = Vec::new();
    for name in servers.keys() {
        findings.push(match addresses.knock(name).await {
            Ok(status) => Finding::fine(ABOUT, format!("`{name}` answers, with {status} at `/`")),
            Err(why) => Finding::wrong(ABOUT, why, "correct `argocd.addresses`; `curl` from here says more"),
        });
    }
    findings
}

async fn look(config: &ArgocdConfig, token: Option<&Secret>, client: Client) -> Vec<Finding> {
    let mut findings = vec![reach("cluster", &client).await];
    if findings[0].remedy.is_some() {
        return findings;
    }
    let argocd = Argocd { config, client: client.clone() };
    findings.push(argocd.kinds().await);
    let (set, asks) = argocd.set().await;
    findings.push(set);
    if let Some(map) = asks {
        findings.push(argocd.token(&map, token).await);
    }
    findings.push(rights("rights", &client, Some(&config.namespace), &config.application_set, &IN_ARGOCD).await);
    if let Some(planes) = &config.control_planes {
        findings.push(rights("rights on clusters", &client, Some(&config.namespace), "", &FOR_PLANES).await);
        let says =
            format!("up to {} at once, as processes here: Argo CD reaches them on this machine only", planes.limit);
        findings.push(Finding::fine("control planes", says));
    }
    findings.extend(external::look(config, &client).await);
    let Some(namespaces) = &config.namespaces else {
        if config.control_planes.is_none() && config.external.is_empty() {
            let says = "no environments are lent: tasks are judged by their files";
            findings.push(Finding::warning("namespaces", says, "write `namespaces: {}` below `argocd`"));
        }
        return findings;
    };
    findings.push(argocd.impersonation().await);
    let cluster = match &namespaces.kubeconfig {
        None => client,
        Some(path) => match client::of_file(Some(path)).await {
            Ok(cluster) => {
                findings.push(reach("namespaces", &cluster).await);
                cluster
            }
            Err(error) => {
                findings.push(Finding::wrong(
                    "namespaces",
                    error.to_string(),
                    "correct `argocd.namespaces.kubeconfig`",
                ));
                return findings;
            }
        },
    };
    findings.push(rights("rights on namespaces", &cluster, None, "", &IN_CLUSTER).await);
    findings
}

pub(super) async fn reach(about: &'static str, client: &Client) -> Finding {
    match client.apiserver_version().await {
        Ok(version) => Finding::fine(about, format!("Kubernetes {} answers", plain(&version.git_version, 50))),
        Err(error) => {
            let says = format!("the API server does not answer: {}", said(&error));
            Finding::wrong(about, says, "`kubectl version` with the same kubeconfig says more")
        }
    }
}

struct Argocd<'a> {
    config: &'a ArgocdConfig,
    client: Client,
}

/// Asks whether we may do all of this, and names what we may not.
pub(super) async fn rights(
    about: &'static str,
    client: &Client,
    namespace: Option<&str>,
    set: &str,
    all: &[Right],
) -> Finding {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for (verb, group, resource, name) in all {
        let name = if *name == "SET" { set } else { name };
        let attributes = ResourceAttributes {
            verb: Some((*verb).into()),
            group: Some((*group).into()),
            resource: Some((*resource).into()),
            name: (!name.is_empty()).then(|| name.to_owned()),
            namespace: namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        match reviews.create(&PostParams::default(), &review).await {
            Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => missing.push(format!("{verb} {resource}{}", if name.is_empty() { "" } else { " " }) + name),
            Err(error) => return Finding::unknown(about, said(&error), "`kubectl auth can-i --list` says what we may"),
        }
    }
    if missing.is_empty() {
        return Finding::fine(about, format!("we may do all {} things", all.len()));
    }
    let remedy = "apply argocd/shared or argocd/dedicated, and use an account that argocd/base/account.yaml makes";
    Finding::wrong(about, format!("we may not {}", missing.join(", ")), remedy)
}

impl Argocd<'_> {
    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), &self.config.namespace, &resource)
    }

    async fn kinds(&self) -> Finding {
        const ABOUT: &str = "kinds";
        let kinds = Kinds::of(self.client.clone());
        let mut missing = Vec::new();
        for kind in ["Application", "ApplicationSet", "AppProject"] {
            match kinds.find("argoproj.io", kind).await {
                Ok(Some(_)) => {}
                Ok(None) => missing.push(kind),
                Err(error) => return Finding::unknown(ABOUT, said(&error), "try again"),
            }
        }
        if missing.is_empty() {
            return Finding::fine(ABOUT, "Argo CD's are there");
        }
        let says = format!("the API server has no {}", missing.join(", "));
        Finding::wrong(ABOUT, says, "install Argo CD there, or name its cluster as `argocd.kubeconfig`")
    }

    /// Whether it is there and asks somebody, and which ConfigMap says whom.
    async fn set(&self) -> (Finding, Option<String>) {
        const ABOUT: &str = "applicationset";
        let name = &self.config.application_set;
        let install = "apply argocd/shared or argocd/dedicated, see docs/environments.md";
        let set = match self.api("argoproj.io", "v1alpha1", "ApplicationSet").get_opt(name).await {
            Ok(Some(set)) => set,
            Ok(None) => return (Finding::wrong(ABOUT, format!("there is no {name}"), install), None),
            Err(error) => return (Finding::wrong(ABOUT, said(&error), install), None),
        };
        let asks = set.data.pointer("/spec/generators/0/plugin/configMapRef/name").and_then(|name| name.as_str());
        let Some(asks) = asks else {
            return (Finding::wrong(ABOUT, format!("{name} asks no plugin"), install), None);
        };
        let conditions = set.data.pointer("/status/conditions").and_then(|list| list.as_array());
        let failed =
            conditions.into_iter().flatten().find(|one| one["type"] == "ErrorOccurred" && one["status"] == "True");
        let finding = match failed {
            None => Finding::fine(ABOUT, format!("{name} asks as ConfigMap {asks} says")),
            Some(failed) => {
                let says = format!("{name}: {}", plain(failed["message"].as_str().unwrap_or_default(), 300));
                let remedy = "a 503 ends when every workspace was compared; else let Argo CD reach us at the ConfigMap's `baseUrl`";
                Finding::warning(ABOUT, says, remedy)
            }
        };
        (finding, Some(asks.to_owned()))
    }

    /// Whether Argo CD shows the token that we want to see.
    async fn token(&self, map: &str, token: Option<&Secret>) -> Finding {
        const ABOUT: &str = "token";
        let config = match self.api("", "v1", "ConfigMap").get_opt(map).await {
            Ok(Some(config)) => config,
            Ok(None) => {
                let remedy = "apply argocd/shared or argocd/dedicated again";
                return Finding::wrong(ABOUT, format!("there is no ConfigMap {map}"), remedy);
            }
            Err(error) => return Finding::unknown(ABOUT, said(&error), "let us read it: argocd/base/account.yaml"),
        };
        let text = |key: &str| config.data["data"][key].as_str().unwrap_or_default().to_owned();
        let reference = text("token");
        let Some((name, key)) = reference.strip_prefix('$').and_then(|reference| reference.split_once(':')) else {
            let remedy = "write `token: $gradus-generator:token` there";
            return Finding::wrong(ABOUT, format!("ConfigMap {map} names no Secret as its `token`"), remedy);
        };
        let create = format!(
            "`kubectl --namespace {} create secret generic {name} --from-literal={key}=TOKEN`, with the token of `argocd.token`, and \
             label it app.kubernetes.io/part-of=argocd",
            self.config.namespace
        );
        let secret = match self.api("", "v1", "Secret").get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => return Finding::wrong(ABOUT, format!("there is no Secret {name}"), create),
            Err(error) => return Finding::unknown(ABOUT, said(&error), "let us read it: argocd/base/account.yaml"),
        };
        let labels = secret.metadata.labels.unwrap_or_default();
        if labels.get("app.kubernetes.io/part-of").map(String::as_str) != Some("argocd") {
            let says = format!("Secret {name} has no label app.kubernetes.io/part-of=argocd: Argo CD does not see it");
            return Finding::wrong(ABOUT, says, "give it that label");
        }
        let theirs = secret.data["data"][key].as_str().and_then(|text| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(text).ok()
        });
        let (Some(theirs), Some(ours)) = (theirs, token) else {
            return Finding::wrong(ABOUT, format!("Secret {name} has no {key}"), create);
        };
        if theirs != ours.expose().as_bytes() {
            let says = format!("Secret {name} has another token than `argocd.token`");
            return Finding::wrong(ABOUT, says, "make them the same, without a line break at the end");
        }
        Finding::fine(ABOUT, format!("the same on both sides; Argo CD asks at {}", plain(&text("baseUrl"), 200)))
    }

    async fn impersonation(&self) -> Finding {
        const ABOUT: &str = "impersonation";
        let settings = match self.api("", "v1", "ConfigMap").get_opt("argocd-cm").await {
            Ok(settings) => settings,
            Err(error) => {
                return Finding::unknown(ABOUT, said(&error), "let us read argocd-cm: argocd/base/account.yaml");
            }
        };
        let is = |key: &str, value: &str| settings.as_ref().is_some_and(|map| map.data["data"][key] == value);
        let remedy = "only learners whom you trust, or `gradus doctor argocd --before` and argocd/dedicated";
        if !is("application.sync.impersonation.enabled", "true") {
            let says = "off: Argo CD applies learners' files with its own rights; without impersonation the shared namespace tier \
                        takes no untrusted learners";
            return Finding::wrong(ABOUT, says, remedy);
        }
        if is("application.sync.impersonation.enforced", "false") {
            let says = "on, and not enforced: where no account is named, Argo CD applies with its own rights";
            return Finding::wrong(ABOUT, says, remedy);
        }
        Finding::fine(ABOUT, "on: the learner's account applies")
    }
}

/// What an API server said, in one line.
pub(super) fn said(error: &kube::Error) -> String {
    plain(&error.to_string(), 300)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::Value;

    use super::*;

    const ACCOUNT: &str = include_str!("../../../../argocd/base/account.yaml");

    fn grants(rule: &Value, (verb, group, resource, name): Right) -> bool {
        let has = |key: &str, text: &str| rule[key].as_array().is_some_and(|list| list.iter().any(|one| one == text));
        let name = if name == "SET" { "gradus-environments" } else { name };
        has("verbs", verb)
            && has("apiGroups", group)
            && has("resources", resource)
            && (rule["resourceNames"].is_null() || (!name.is_empty() && has("resourceNames", name)))
    }

    fn grants_any(role: &Value, verb: &str) -> bool {
        let rules = role["rules"].as_array().into_iter().flatten();
        rules.filter_map(|rule| rule["verbs"].as_array()).flatten().any(|one| one == verb)
    }

    #[test]
    fn what_is_asked_for_is_what_the_account_is_given() {
        let documents: Vec<Value> =
            serde_yaml::Deserializer::from_str(ACCOUNT).map(|one| Value::deserialize(one).unwrap()).collect();
        for (kind, rights) in [("ClusterRole", &IN_CLUSTER[..]), ("Role", &IN_ARGOCD[..])] {
            let role = documents.iter().find(|one| one["kind"] == kind).unwrap();
            for right in rights {
                let granted = role["rules"].as_array().unwrap().iter().any(|rule| grants(rule, *right));
                assert!(granted, "{kind}: {right:?}");
            }
        }
        assert!(!ACCOUNT.contains("\"*\""), "no rule is about everything");
        let impersonates = |role: &&Value| grants_any(role, "impersonate");
        let impersonate: Vec<_> = documents.iter().filter(impersonates).map(|role| &role["metadata"]["name"]).collect();
        assert_eq!(impersonate, ["gradus-actor"], "which nothing binds but environments");
        let bound = documents.iter().filter_map(|one| one.pointer("/roleRef/name")).collect::<Vec<_>>();
        assert_eq!(bound, ["gradus-environments", "gradus"]);
    }
}
