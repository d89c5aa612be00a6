//! Clusters that somebody else runs, the whole way: from a push to the review of what runs there, and what `gradus doctor` says of
//! them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus::config::kinds::ExternalConfig;
use gradus::environment::external::External;
use gradus::environment::lender::{Argocd, Lender};
use gradus::environment::reap::reap;
use gradus::forge::pull::Workspace;
use gradus::store::Store;
use gradus::store::time::SystemClock;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::beside;
use super::courses::Place;
use super::install::{doctor, give_back};
use super::shop::{Shop, one_task};
use super::stack::Stack;
use super::tenant::resource;
use crate::planes::world::{Ground, client};

const RBAC: &str = "rbac.authorization.k8s.io";

/// About an object of the whole cluster, what it is good for there, and one beside it.
const TASK: &str = r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: shop, title: Who may look}
spec:
  points: 3
  minutes: 5
  environment:
    tier: external
    path: manifests
    allow:
      kinds:
        - {kind: ConfigMap}
        - {group: rbac.authorization.k8s.io, kind: ClusterRole, scope: cluster}
        - {group: rbac.authorization.k8s.io, kind: ClusterRoleBinding, scope: cluster}
  checkpoints:
    - id: role
      title: There is a role
      points: 1
      eventually: {within: 10s}
      live: {select: {kind: ClusterRole, name: viewer}, match: {}, offline: {manifest: {select: {kind: ClusterRole, name: viewer}, match: {}}}}
    - id: looks
      title: Jane looks at pods everywhere
      points: 1
      eventually: {within: 10s}
      rbac:
        as: {user: jane, groups: []}
        allowed: [{verb: list, resource: pods, namespace: kube-system}]
        forbidden: [{verb: delete, resource: pods, namespace: kube-system}]
        offline: {manifest: {select: {kind: ClusterRoleBinding}, match: {subjects: [{name: jane}]}}}
    - id: settings
      title: It says so
      points: 1
      eventually: {within: 10s}
      live: {select: {kind: ConfigMap, name: settings}, match: {data: {viewer: jane}}, offline: {manifest: {select: {kind: ConfigMap, name: settings}, match: {}}}}
"#;

fn manifest(verb: &str) -> String {
    let rbac = format!("apiVersion: {RBAC}/v1");
    format!(
        "{rbac}\nkind: ClusterRole\nmetadata: {{name: viewer}}\nrules:\n  - {{apiGroups: [\"\"], resources: [pods], verbs: [{verb}]}}\n---\n\
         {rbac}\nkind: ClusterRoleBinding\nmetadata: {{name: viewer}}\nroleRef: {{apiGroup: {RBAC}, kind: ClusterRole, name: viewer}}\n\
         subjects: [{{apiGroup: {RBAC}, kind: User, name: jane}}]\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{viewer: jane}}\n"
    )
}

fn course(dir: &Path) {
    let files = [
        ("task.yaml", TASK),
        ("starter/manifests/notes.md", "Here.\n"),
        ("solution/manifests/all.yaml", &manifest("list")),
    ];
    one_task(dir, 3, &files);
}

async fn create(client: &Client, namespace: Option<&str>, group: &str, kind: &str, object: Value) {
    let resource = resource(group, "v1", kind);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// Whether an account may do everything in its cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    All,
    None,
}

/// An account for us, as whoever runs the cluster makes it, and its kubeconfig.
async fn account(admin: &Client, kubeconfig: &Value, name: &str, rights: Rights, file: &Path) {
    create(admin, Some("default"), "", "ServiceAccount", json!({ "metadata": { "name": name } })).await;
    if rights == Rights::All {
        let binding = json!({ "metadata": { "name": name },
            "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": "default" }] });
        create(admin, None, RBAC, "ClusterRoleBinding", binding).await;
    }
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(admin.clone(), "default");
    let token = accounts.create_token_request(name, &PostParams::default(), &Default::default()).await.unwrap();
    let mut kubeconfig = kubeconfig.clone();
    kubeconfig["users"][0]["user"] = json!({ "token": token.status.unwrap().token });
    std::fs::write(file, kubeconfig.to_string()).unwrap();
}

/// A cluster of somebody else's, registered in the stack's Argo CD.
struct Lab {
    dir: tempfile::TempDir,
    inside: Client,
    server: String,
    secret: Value,
}

impl Lab {
    async fn new(plane: &gradus::environment::planes::Plane, argocd: &Client) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inside = client(plane.kubeconfig()).await;
        let kubeconfig: Value = serde_json::from_str(plane.kubeconfig()).unwrap();
        account(&inside, &kubeconfig, "gradus", Rights::All, &dir.path().join("kubeconfig")).await;
        let secret = plane.cluster_secret(&format!("lab-{}", std::process::id()));
        create(argocd, Some("argocd"), "", "Secret", secret.clone()).await;
        Self { dir, inside, server: plane.server().to_owned(), secret }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    async fn has(&self, group: &str, kind: &str, name: &str) -> bool {
        let api: Api<DynamicObject> = Api::all_with(self.inside.clone(), &resource(group, "v1", kind));
        api.get_opt(name).await.unwrap().is_some_and(|object| object.metadata.deletion_timestamp.is_none())
    }
}

impl Drop for Lab {
    /// Argo CD forgets it, after a failed test, too: it would look for it all the time.
    fn drop(&mut self) {
        let name = self.secret["metadata"]["name"].as_str().unwrap_or_default();
        give_back(&["--namespace", "argocd", "delete", "--ignore-not-found", "secret", name]);
    }
}

async fn admin_of_stack() -> (Client, Value) {
    let text = std::fs::read_to_string(Stack::shared().kubeconfig()).unwrap();
    let config = kube::config::Kubeconfig::from_yaml(&text).unwrap();
    (client(&text).await, serde_json::to_value(config).unwrap())
}

#[test]
fn a_push_is_judged_in_a_cluster_of_somebody_elses_and_who_waits_for_it_is_told_at_once_and_gets_it_when_it_is_free() {
    beside(async {
        let (ground, (argocd, _)) = (Ground::new(), admin_of_stack().await);
        let planes = ground.open(1, 0).await;
        let plane = planes.lend("lab").await.unwrap();
        let lab = Lab::new(&plane, &argocd).await;
        let (kubeconfig, server) = (lab.kubeconfig(), &lab.server);
        let late = kubeconfig.with_extension("late");
        std::fs::rename(&kubeconfig, &late).unwrap();
        let lends =
            format!("external: [{{name: lab-1, kubeconfig: \"{}\", server: \"{server}\"}}]", kubeconfig.display());
        let place = Place::of(Shop::of("tiny", course, &lends).await);
        let shop = &place.shop;
        let [ada, bob] = ["ada", "bob"].map(|name| shop.academy.learner(name));
        let [hers, his] = ["ada", "bob"].map(|learner| shop.environment(learner));

        // The kubeconfig is not there yet: it is waited for, and used as soon as it is.
        ada.clone.branch("work");
        shop.write(&ada, &[("all.yaml", &manifest("\"*\""))]);
        let one = ada.open("work");
        let told = shop.review(one, "the cluster for your environment cannot be used now: that is ours to mend").await;
        assert!(!told.contains("Not yet") && !told.contains("in use"), "{told}");
        std::fs::rename(&late, &kubeconfig).unwrap();
        // Too many rights: what the API server there says, at the line that gives them.
        let told = shop.review(one, "Not yet: 2 of 3 points").await;
        assert!(told.contains("may delete `pods` in the namespace `kube-system`, must not"), "{told}");
        assert!(told.contains("tasks/shop/manifests/all.yaml:"), "{told}");
        shop.write(&ada, &[("all.yaml", &manifest("list"))]);
        ada.force_push(one);
        let told = shop.review(one, "Passed: 3 of 3 points").await;
        assert!(!told.contains("judged on the files"), "{told}");
        assert!(lab.has(RBAC, "ClusterRole", "viewer").await && lab.has("", "Namespace", &hers).await);
        let says: Vec<_> = doctor(shop).into_iter().filter(|(about, ..)| about == "external").collect();
        assert!(says.iter().all(|(_, level, _)| level == "fine"), "{says:?}");
        assert!(says.iter().any(|(.., says)| *says == format!("lab-1: lent to {hers}")), "{says:?}");

        // The same of somebody else, as long as hers is open: told why, at once, and it costs him nothing.
        bob.clone.branch("work");
        shop.write(&bob, &[("all.yaml", &manifest("list"))]);
        let two = bob.open("work");
        let told = shop.review(two, "all environments are in use: yours follows when one is free").await;
        assert!(!told.contains("Not yet"), "{told}");
        assert!(shop.api("Application", "argocd").get_opt(&his).await.unwrap().is_none());

        // Hers is closed: he gets it, emptied, without another push.
        let closed = Some(json!({ "state": "closed" }));
        shop.academy.ask("ada", "PATCH", &format!("/pulls/{one}"), closed, 201);
        let name = &shop.academy.name;
        let argo = Argocd { client: argocd.clone(), namespace: "argocd".into(), set: name.clone() };
        let cluster = ExternalConfig { name: "lab-1".parse().unwrap(), kubeconfig, server: server.clone() };
        let external = External::open(vec![cluster]).await;
        let lender = Arc::new(Lender::new(argo, None, None, Arc::new(SystemClock)).with_external(external));
        let store = Store::open(&shop.academy.path("data/gradus.db")).await.unwrap();
        let workspace = [Workspace(format!("{}/teacher/{name}", shop.academy.server.authority))];
        let deadline = Instant::now() + Duration::from_secs(120);
        // As the daemon does once a minute.
        while shop.api("AppProject", "argocd").get_opt(&hers).await.unwrap().is_some() {
            assert!(Instant::now() < deadline, "it is not taken back");
            reap(&lender, &store, &workspace).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(!lab.has("", "Namespace", &hers).await);
        let told = shop.review(two, "Passed: 3 of 3 points").await;
        assert!(!told.contains("judged on the files"), "{told}");
        assert!(lab.has(RBAC, "ClusterRole", "viewer").await && lab.has("", "Namespace", &his).await);
        let project = shop.api("AppProject", "argocd").get(&his).await.unwrap();
        assert_eq!(project.labels()["gradus.dev/external"], "lab-1");
        place.end(&[hers, his]).await;
    });
}

#[test]
fn doctor_says_of_each_cluster_of_somebody_elses_what_is_wrong_with_it() {
    beside(async {
        let ((stack, kubeconfig), dir) = (admin_of_stack().await, tempfile::tempdir().unwrap());
        let file = |name: &str| dir.path().join(name);
        let name = format!("doctor-{}", std::process::id());
        account(&stack, &kubeconfig, &name, Rights::None, &file("powerless")).await;
        let mut nobody = kubeconfig.clone();
        nobody["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
        std::fs::write(file("away"), nobody.to_string()).unwrap();
        std::fs::write(file("unknown"), kubeconfig.to_string()).unwrap();
        std::fs::write(file("good"), kubeconfig.to_string()).unwrap();
        let one = |name: &str, server: &str| {
            format!("{{name: {name}, kubeconfig: \"{}\", server: \"{server}\"}}", file(name).display())
        };
        let all = [
            one("good", "https://kubernetes.default.svc"),
            one("unknown", "https://nobody.example.org"),
            one("powerless", "https://powerless.example.org"),
            one("away", "https://away.example.org"),
            one("missing", "https://missing.example.org"),
        ];
        // Only what `doctor` says is looked at.
        let mut shop = Shop::of("tiny", course, "namespaces: {}").await;
        shop.daemon.take().unwrap().stop("TERM");
        let lends = |yaml: &str| {
            let file = shop.academy.path("gradus.yaml");
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(file, text.replace("namespaces: {}", yaml)).unwrap();
        };
        lends(&format!("external: [{}]", all.join(", ")));
        let findings = doctor(&shop);
        let of = |name: &str| {
            let about =
                |one: &&(String, String, String)| one.0 == "external" && one.2.starts_with(&format!("{name}: "));
            let found: Vec<_> = findings.iter().filter(about).map(|one| (one.1.as_str(), one.2.as_str())).collect();
            assert!(!found.is_empty(), "{name}: {findings:#?}");
            found
        };
        let [("fine", says)] = of("good")[..] else { panic!("{findings:#?}") };
        assert!(says.contains("we may do everything there"), "{says}");
        let [("fine", _), ("wrong", says)] = of("unknown")[..] else { panic!("{findings:#?}") };
        assert_eq!(says, "unknown: Argo CD knows no cluster https://nobody.example.org");
        assert_eq!(of("powerless")[0], ("wrong", "powerless: we may not do everything there"));
        let ("wrong", says) = of("away")[0] else { panic!("{findings:#?}") };
        assert!(says.contains("the API server does not answer"), "{says}");
        let ("wrong", says) = of("missing")[0] else { panic!("{findings:#?}") };
        assert!(says.contains(&*file("missing").to_string_lossy()), "the file: {says}");

        // As an account that may not see Argo CD's Secrets, as the daemon's.
        let text = std::fs::read_to_string(shop.academy.path("gradus.yaml")).unwrap();
        let own = format!("kubeconfig: {}\n", Stack::shared().kubeconfig().display());
        assert!(text.contains(&own), "{text}");
        let theirs = format!("kubeconfig: {}\n", file("powerless").display());
        std::fs::write(shop.academy.path("gradus.yaml"), text.replacen(&own, &theirs, 1)).unwrap();
        let findings = doctor(&shop);
        let unknown = findings.iter().any(|(_, level, says)| {
            level == "unknown" && says.starts_with("unknown: whether Argo CD knows https://nobody.example.org")
        });
        assert!(unknown, "{findings:#?}");
        let accounts: Api<DynamicObject> =
            Api::namespaced_with(stack.clone(), "default", &resource("", "v1", "ServiceAccount"));
        accounts.delete(&name, &DeleteParams::default()).await.unwrap();
    });
}
