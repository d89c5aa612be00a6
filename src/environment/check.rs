//! What a well-formed environment must obey besides.

use super::{Environment, Scope, Tier};
use crate::gitops::preflight::speaks_to_argocd;

/// Kinds of Kubernetes that are in no namespace. Kinds that others bring are theirs to know.
pub(super) const OF_THE_CLUSTER: [(&str, &str); 19] = [
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "StorageClass"),
];

/// Something that makes no sense: the JSON pointer below `environment`, what is wrong, the remedy.
pub type Nonsense = (String, String, String);

impl Environment {
    /// Everything that makes no sense; whether `path` is a path is asked elsewhere.
    pub fn nonsense(&self) -> Vec<Nonsense> {
        let mut found = Vec::new();
        let mut say = |pointer: String, message: String, help: &str| found.push((pointer, message, help.to_owned()));
        let shared = self.tier == Tier::Namespace;
        if self.path.is_some() == self.application.is_some() {
            let help =
                "name a directory of the task as `path`, or a file with the learner's Application as `application`";
            say(String::new(), "`path` and `application` are two ways to say what is applied".into(), help);
        }
        if self.allow.kinds.is_empty() {
            say("/allow/kinds".into(), "nothing may be applied".into(), "name the kinds that the task asks for");
        }
        for (number, kind) in self.allow.kinds.iter().enumerate() {
            let (at, name) = (format!("/allow/kinds/{number}/kind"), &kind.kind);
            let known = OF_THE_CLUSTER.contains(&(kind.group.as_str(), name.as_str()));
            if kind.group == "argoproj.io" && ["Application", "ApplicationSet", "AppProject"].contains(&name.as_str()) {
                let help = "judge it by a `manifest` checkpoint, in a directory that is not applied";
                say(at, format!("Argo CD would take {name} for its own"), help);
            } else if shared && (known || kind.scope == Scope::Cluster) {
                say(at, format!("{name} is of the whole cluster, which is shared"), "use `tier: controlPlane`");
            } else if shared && kind.group.is_empty() && ["LimitRange", "ResourceQuota"].contains(&name.as_str()) {
                say(at, format!("{name} is what holds a learner's namespace in bounds"), "use `tier: controlPlane`");
            } else if known && kind.scope == Scope::Namespace {
                say(at, format!("{name} is in no namespace"), "write `scope: cluster`");
            } else if self.allow.kinds[..number]
                .iter()
                .any(|before| (&before.group, &before.kind) == (&kind.group, name))
            {
                say(at, format!("{name} is named twice"), "keep one");
            }
        }
        if shared && !self.allow.namespaces.is_empty() {
            let message = "a learner has one namespace in a shared cluster".to_owned();
            say("/allow/namespaces".into(), message, "use `tier: controlPlane`");
        }
        for (number, key) in self.allow.annotations.iter().enumerate() {
            if !speaks_to_argocd(key) {
                let at = format!("/allow/annotations/{number}");
                say(
                    at,
                    format!("`{key}` may be set anyway"),
                    "delete it: only those that speak to Argo CD are refused",
                );
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Allow, Kind};

    fn environment(tier: Tier, kinds: &[(&str, &str, Scope)]) -> Environment {
        let kind = |(group, kind, scope): &(&str, &str, Scope)| Kind {
            group: (*group).into(),
            kind: (*kind).into(),
            scope: *scope,
        };
        let allow = Allow { kinds: kinds.iter().map(kind).collect(), namespaces: Vec::new(), annotations: Vec::new() };
        Environment { tier, path: Some("manifests".into()), application: None, allow, seeds: Default::default() }
    }

    #[test]
    fn a_shared_cluster_takes_nothing_that_is_of_the_whole_of_it() {
        let role = ("rbac.authorization.k8s.io", "ClusterRole");
        let web = ("apps", "Deployment", Scope::Namespace);
        let cases = [
            (Tier::Namespace, vec![web], 0),
            (Tier::Namespace, vec![web, (role.0, role.1, Scope::Namespace)], 1),
            (Tier::Namespace, vec![("kyverno.io", "ClusterPolicy", Scope::Cluster)], 1),
            (Tier::Namespace, vec![("", "ResourceQuota", Scope::Namespace)], 1),
            (Tier::ControlPlane, vec![("", "ResourceQuota", Scope::Namespace)], 0),
            (Tier::ControlPlane, vec![web, (role.0, role.1, Scope::Cluster)], 0),
            (Tier::ControlPlane, vec![(role.0, role.1, Scope::Namespace)], 1),
            (Tier::External, vec![web, web], 1),
            (Tier::External, vec![], 1),
            (Tier::ControlPlane, vec![("argoproj.io", "AppProject", Scope::Namespace)], 1),
        ];
        for (tier, kinds, expected) in cases {
            let found = environment(tier, &kinds).nonsense();
            assert_eq!(found.len(), expected, "{tier:?} {kinds:?}: {found:?}");
        }
    }

    #[test]
    fn one_thing_says_what_is_applied() {
        let mut environment = environment(Tier::Namespace, &[("", "ConfigMap", Scope::Namespace)]);
        assert_eq!(environment.nonsense(), []);
        environment.application = Some("apps/shop.yaml".into());
        assert_eq!(environment.nonsense().len(), 1, "two");
        environment.path = None;
        assert_eq!(environment.nonsense(), []);
        environment.application = None;
        assert_eq!(environment.nonsense().len(), 1, "none");
    }

    #[test]
    fn more_namespaces_and_needless_annotations_are_named() {
        let mut environment = environment(Tier::Namespace, &[("", "ConfigMap", Scope::Namespace)]);
        environment.allow.namespaces = vec!["tools".into()];
        environment.allow.annotations = vec!["argocd.argoproj.io/sync-wave".into(), "team".into()];
        let pointers: Vec<_> = environment.nonsense().into_iter().map(|(pointer, ..)| pointer).collect();
        assert_eq!(pointers, ["/allow/namespaces", "/allow/annotations/1"]);
    }
}
