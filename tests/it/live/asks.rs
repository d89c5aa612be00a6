//! What an API server is asked besides its objects: who may do what (`rbac`), and what it admits (`admission`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus::checkpoint::observed::{Said, Sample, Want};
use gradus::checkpoint::outcome::Outcome;
use gradus::checkpoint::{Check, Context, Judgement, Kind, Sight, Trace};
use gradus::environment::look::Looker;
use gradus::environment::{Allow, Environment, Tier};
use gradus::gitops::kinds::Kinds;
use gradus::submission::tree::Tree;
use gradus::submission::yaml::{Dialect, YamlFiles};
use kube::Client;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::beside;
use super::stack::Stack;

/// An environment without Argo CD: a namespace of this name, and whoever looks at it.
pub struct Ground {
    pub name: String,
    pub kinds: Arc<Kinds>,
    looker: Looker,
}

impl Ground {
    pub async fn new(word: &str) -> Self {
        let config = Kubeconfig::read_from(Stack::shared().kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        Self::with(config, format!("{word}-{}", std::process::id()))
    }

    /// The same, looked at with other rights.
    pub async fn as_user(&self, user: &str) -> Self {
        let config = Kubeconfig::read_from(Stack::shared().kubeconfig()).unwrap();
        let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        config.auth_info.impersonate = Some(user.to_owned());
        Self::with(config, self.name.clone())
    }

    fn with(config: kube::Config, name: String) -> Self {
        let kinds = Arc::new(Kinds::of(Client::try_from(config).unwrap()));
        let allow = Allow { kinds: Vec::new(), namespaces: Vec::new(), annotations: Vec::new() };
        let environment = Environment {
            tier: Tier::Namespace,
            path: Some("manifests".into()),
            application: None,
            allow,
            seeds: Default::default(),
        };
        Self { looker: Looker::new(kinds.clone(), &environment, &name), kinds, name }
    }

    /// Makes the objects of a YAML text, in which `NAME` is the environment's name.
    pub async fn make(&self, yaml: &str) {
        for document in yaml.replace("NAME", &self.name).split("---\n") {
            let object: Value = serde_yaml::from_str(document).unwrap();
            let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let served = self.kinds.find(group, kind).await.unwrap().unwrap();
            let api = self.kinds.api(&served, &self.name);
            let object = serde_json::from_value(object).unwrap();
            api.create(&PostParams::default(), &object).await.unwrap_or_else(|error| panic!("{document}: {error}"));
        }
    }

    async fn look(&self, wants: &[Want]) -> Vec<(Want, Said)> {
        self.looker.look(wants).await.unwrap().1
    }

    /// What the kind makes of the first look that is as expected, or of the last one within 30 s.
    pub async fn judged(&self, kind: &Kind, files: &Tree, hidden: &Tree, expected: Outcome) -> (Judgement, Sample) {
        self.judged_like(kind, files, hidden, |judgement| judgement.outcome == expected).await
    }

    /// The same, where more than the outcome is expected: a look is several questions one after the other, and while something
    /// comes into force the first ones may have been asked before it and the others after it.
    pub async fn judged_like(
        &self,
        kind: &Kind,
        files: &Tree,
        hidden: &Tree,
        like: impl Fn(&Judgement) -> bool,
    ) -> (Judgement, Sample) {
        let begun = Instant::now();
        loop {
            let (objects, answers) = self.looker.look(&kind.wants(Some(hidden))).await.unwrap();
            let sample = Sample { objects, answers, ..Sample::default() };
            let judgement = judge(kind, files, hidden, &sample);
            if like(&judgement) || begun.elapsed() > Duration::from_secs(30) {
                return (judgement, sample);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

pub fn kind(key: &str, value: Value) -> Kind {
    let file = json!({ "id": "asks", "title": "Asks", key: value });
    let checkpoint: gradus::checkpoint::Checkpoint = serde_json::from_value(file).unwrap();
    checkpoint.kind
}

pub fn judge(kind: &Kind, files: &Tree, hidden: &Tree, sample: &Sample) -> Judgement {
    let (yaml, params) = (YamlFiles::new(files), BTreeMap::new());
    let context = Context {
        files,
        base: files,
        yaml: &yaml,
        hidden: Some(hidden),
        params: &params,
        history: None,
        environment: Sight::Seen(sample),
        prefix: "tasks/t/",
        dialect: Dialect::Kubectl,
        screened: None,
    };
    kind.judge(&context, &mut Trace::off())
}

pub fn messages(judgement: &Judgement) -> Vec<&str> {
    judgement.evidence.iter().map(|evidence| evidence.message.as_str()).collect()
}

pub fn tree(path: &str, text: &str) -> Tree {
    let mut tree = Tree::default();
    tree.insert_file(path, text.as_bytes().to_vec());
    tree
}

const BOUNDS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec: {limits: [{type: Container, max: {memory: 1Gi}, default: {memory: 256Mi, cpu: 200m}, defaultRequest: {memory: 128Mi}}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: budget}
spec: {hard: {requests.memory: 512Mi}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: owner-NAME}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
  validations: [{expression: has(object.metadata.labels) && 'owner' in object.metadata.labels, message: it needs an owner}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: owner-NAME}
spec:
  policyName: owner-NAME
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}}
";

/// A pod that Pod Security's `restricted` takes, with this besides.
fn pod(memory: Option<&str>, host_network: bool, privileged: bool) -> Value {
    let mut security = json!({ "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" } });
    if privileged {
        security = json!({ "privileged": true });
    }
    let resources = memory.map_or(json!({}), |memory| json!({ "limits": { "memory": memory } }));
    let container = json!({ "name": "web", "image": "web", "securityContext": security, "resources": resources });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "generateName": "probe-" },
        "spec": { "hostNetwork": host_network, "containers": [container] } })
}

fn config(labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "generateName": "probe-", "labels": labels } })
}

/// Cases that all hold in [`BOUNDS`], with who refuses the denied ones.
fn cases(by: [Value; 5]) -> Value {
    let [security, privileged, limit, quota, policy] = by;
    let filled_in = json!({ "spec": { "containers": [{ "name": "web", "resources": {
        "limits": { "cpu": "200m", "memory": "256Mi" }, "requests": { "memory": "128Mi" } } }] } });
    json!([
        { "file": "hidden/host.yaml", "describe": "a pod of the host network", "expect": "denied", "by": security },
        { "object": pod(None, true, false), "describe": "the same in place", "expect": "denied", "by": privileged },
        { "object": pod(Some("2Gi"), false, false), "describe": "a huge pod", "expect": "denied", "by": limit },
        { "object": pod(Some("900Mi"), false, false), "describe": "a large pod", "expect": "denied", "by": quota },
        { "object": config(json!({})), "describe": "nobody's", "expect": "denied", "by": policy },
        { "object": config(json!({ "owner": "jane" })), "describe": "jane's", "expect": "admitted" },
        { "object": pod(None, false, false), "describe": "a modest pod", "expect": "admitted", "match": filled_in },
    ])
}

#[test]
fn an_api_server_says_what_it_admits_and_who_refuses_the_rest() {
    beside(async {
        let ground = Ground::new("admits").await;
        let policy = format!("owner-{}", ground.name);
        let (none, hidden) = (Tree::default(), tree("host.yaml", &pod(None, true, false).to_string()));
        let security = json!("podSecurity");
        let by = [security.clone(), security.clone(), json!("limitRange"), json!("quota"), json!({ "policy": policy })];
        let check = kind("admission", json!({ "cases": cases(by) }));

        let (judgement, _) = ground.judged(&check, &none, &hidden, Outcome::Fail).await;
        assert_eq!(
            (judgement.outcome, judgement.cases),
            (Outcome::Fail, Some((0, 7))),
            "no namespace, no answer that counts"
        );
        let missing = format!("namespaces \"{}\" not found", ground.name);
        assert!(messages(&judgement).iter().any(|message| message.ends_with(&missing)), "{judgement:?}");

        ground.make(BOUNDS).await;
        let (judgement, sample) = ground.judged(&check, &none, &hidden, Outcome::Pass).await;
        assert_eq!((judgement.outcome, judgement.cases), (Outcome::Pass, Some((7, 7))), "{judgement:#?}");
        let kept: Sample = serde_json::from_str(&serde_json::to_string(&sample).unwrap()).unwrap();
        assert_eq!(judge(&check, &none, &hidden, &kept), judgement, "what was kept is judged again");
        assert_eq!(ground.look(&check.wants(Some(&hidden))).await, sample.answers, "the next look is no news");
        let left = ground.kinds.find("", "Pod").await.unwrap().unwrap();
        let left = ground.kinds.api(&left, &ground.name).list(&kube::api::ListParams::default()).await.unwrap();
        assert!(left.items.is_empty(), "nothing is left of a question");

        let by = [
            json!("quota"),
            json!("limitRange"),
            security.clone(),
            json!("limitRange"),
            json!({ "policy": "another" }),
        ];
        let wrong = kind("admission", json!({ "cases": cases(by) }));
        let judgement = judge(&wrong, &none, &hidden, &sample);
        assert_eq!(judgement.cases, Some((2, 7)), "{judgement:#?}");
        let words = [
            "a pod of the host network: does not hold (2 of 7 cases hold)",
            "the same in place: was refused by Pod Security, not by a LimitRange: ",
            "a huge pod: was refused by a LimitRange, not by Pod Security: ",
            "a large pod: was refused by a ResourceQuota, not by a LimitRange: ",
            &format!(
                "nobody's: was refused by the ValidatingAdmissionPolicy `{policy}`, not by the ValidatingAdmissionPolicy `another`: "
            ),
        ];
        let found = messages(&judgement);
        assert_eq!(found.len(), words.len(), "{found:#?}");
        for (found, words) in found.iter().zip(words) {
            assert!(found.starts_with(words), "{found}");
        }
    });
}

/// The API server of a stack has `--allow-privileged=true`, as kubeadm's have: else its validation would be the first to refuse.
#[test]
fn a_privileged_pod_is_refused_by_pod_security() {
    beside(async {
        let ground = Ground::new("privileged").await;
        ground.make(BOUNDS.split("---\n").next().unwrap()).await;
        let cases = json!([
            { "object": pod(None, false, true), "expect": "denied", "by": "podSecurity" },
            { "object": pod(None, false, false), "expect": "admitted" },
        ]);
        let check = kind("admission", json!({ "cases": cases }));
        let none = Tree::default();
        let (judgement, _) = ground.judged(&check, &none, &none, Outcome::Pass).await;
        assert_eq!(judgement.outcome, Outcome::Pass, "{judgement:?}");
    });
}

const RIGHTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: NAME}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: dev}
rules:
  - {apiGroups: ['', apps], resources: [pods, nodes, deployments, users], verbs: [get, create, impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: dev}
subjects:
  - {kind: Group, name: team-cobalt, apiGroup: rbac.authorization.k8s.io}
  - {kind: ServiceAccount, name: deployer, namespace: NAME}
";

const TOO_MUCH: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: everybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: Group, name: 'system:authenticated', apiGroup: rbac.authorization.k8s.io}]
";

#[test]
fn an_api_server_says_who_may_do_what_and_which_binding_lets_them() {
    beside(async {
        let ground = Ground::new("rights").await;
        let (none, files) = (Tree::default(), tree("rbac.yaml", TOO_MUCH));
        let check = |subject: Value| {
            let allowed =
                json!([{ "verb": "get", "resource": "pods" }, { "verb": "create", "resource": "deployments.apps" }]);
            let forbidden = json!([
                { "verb": "get", "resource": "secrets" },
                { "verb": "get", "resource": "pods", "namespace": "default" },
                { "verb": "get", "resource": "pods", "namespace": "*" },
                { "verb": "create", "resource": "pods/exec" },
                // The role names them, and in a namespace that gives no right to them.
                { "verb": "impersonate", "resource": "users" },
                { "verb": "get", "resource": "nodes" },
            ]);
            kind("rbac", json!({ "as": subject, "allowed": allowed, "forbidden": forbidden }))
        };
        let subjects = [json!({ "user": "jane", "groups": ["team-cobalt"] }), json!({ "serviceAccount": "deployer" })];
        let (judgement, _) = ground.judged(&check(subjects[0].clone()), &files, &none, Outcome::Fail).await;
        assert_eq!(judgement.cases, Some((0, 8)), "{judgement:?}");

        ground.make(RIGHTS).await;
        for subject in &subjects {
            let (judgement, _) = ground.judged(&check(subject.clone()), &files, &none, Outcome::Pass).await;
            assert_eq!((judgement.outcome, judgement.cases), (Outcome::Pass, Some((8, 8))), "{judgement:#?}");
        }
        let stranger = check(json!({ "user": "jane", "groups": [] }));
        let (judgement, _) = ground.judged(&stranger, &files, &none, Outcome::Fail).await;
        assert_eq!((judgement.outcome, judgement.cases), (Outcome::Fail, Some((0, 8))), "groups count: {judgement:?}");

        ground.make(TOO_MUCH).await;
        for subject in &subjects {
            let whole = |one: &Judgement| (one.outcome, one.cases) == (Outcome::Fail, Some((6, 8)));
            let (judgement, sample) = ground.judged_like(&check(subject.clone()), &files, &none, whole).await;
            assert_eq!((judgement.outcome, judgement.cases), (Outcome::Fail, Some((6, 8))), "{judgement:#?}");
            let secrets = &judgement.evidence[0];
            let binding = format!("RBAC: allowed by RoleBinding \"everybody/{}\"", ground.name);
            assert!(secrets.message.contains("may get `secrets`") && secrets.message.contains(&binding), "{secrets:?}");
            assert_eq!((secrets.place.file.as_deref(), secrets.place.line), (Some("rbac.yaml"), Some(2)));
            let kept: Sample = serde_json::from_str(&serde_json::to_string(&sample).unwrap()).unwrap();
            assert_eq!(
                judge(&check(subject.clone()), &files, &none, &kept),
                judgement,
                "what was kept is judged again"
            );
        }
    });
}
