//! What an operator applies beside others' Applications, and whether the daemon's account can do its work with it and no more.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gradus::checkpoint::scene::{Act, Done};
use gradus::environment::act::Actor;
use gradus::environment::client::acting_as;
use gradus::environment::lender::{Argocd, Lender, Shared};
use gradus::environment::seed::Seeds;
use gradus::environment::{Allow, Environment, Kind, Scope, Tier};
use gradus::forge::pull::Workspace;
use gradus::gitops::generator::{Certainty, Offer, Tenancy, answer};
use gradus::gitops::kinds::Kinds;
use gradus::gitops::policy::Policy;
use gradus::store::time::SystemClock;
use gradus::submission::sha::CommitId;
use gradus::submission::tree::Tree;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use super::alone;
use super::impersonation::Impersonation;
use super::shop::{Shop, TOKEN};
use super::stack::Stack;
use super::tenant::{PATH, SERVER, Tenant, map, resource};

const SET: &str = "gradus-environments";

/// What is applied, in a directory of its own where it is filled in, as operators do.
pub struct Installation(tempfile::TempDir);

impl Installation {
    /// With the daemon at this address.
    pub fn new(address: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("argocd"), dir.path());
        let installation = Self(dir);
        installation.edit("base/applicationset.yaml", "http://gradus.gradus.svc", address);
        installation
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    pub fn apply(&self, way: &str) {
        let directory = self.0.path().join(way);
        let how = ["apply", "--server-side", "--force-conflicts", "--field-manager=gradus-operator", "-k"];
        kubectl(&[&how[..], &[directory.to_str().unwrap()]].concat());
    }

    pub fn delete(&self) {
        let directory = self.0.path().join("shared");
        give_back(&["delete", "--ignore-not-found", "-k", directory.to_str().unwrap()]);
    }
}

impl Drop for Installation {
    /// After a failed test, too: the next one has the same names.
    fn drop(&mut self) {
        self.delete();
        give_back(&["delete", "--ignore-not-found", "--namespace", "argocd", "secret", "gradus-generator"]);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

/// The stack's own, as its administrator; what it printed.
pub fn kubectl(args: &[&str]) -> String {
    asked(args).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The same when a test ends. Of one that failed this is told besides: a panic while there is one ends all tests.
pub fn give_back(args: &[&str]) -> String {
    asked(args).unwrap_or_else(|problem| {
        assert!(std::thread::panicking(), "{problem}");
        eprintln!("{problem}");
        String::new()
    })
}

fn asked(args: &[&str]) -> Result<String, String> {
    let cache = std::env::var_os("GRADUS_CACHE").map(PathBuf::from);
    let cache = cache.or_else(gradus::stack::component::cache_of_user).unwrap();
    let program = gradus::stack::component::Component::Kubernetes.dir(&cache).join("kubectl");
    let output = Command::new(program).arg("--kubeconfig").arg(Stack::shared().kubeconfig()).args(args).output();
    let output = output.unwrap();
    if !output.status.success() {
        return Err(format!("kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// A kubeconfig of the daemon's account, as the operator makes it.
pub fn kubeconfig_of_the_account(dir: &Path) -> PathBuf {
    let token = kubectl(&["--namespace", "gradus", "create", "token", "gradus", "--duration=1h"]);
    let mut config: Value = serde_json::to_value(Kubeconfig::read_from(Stack::shared().kubeconfig()).unwrap()).unwrap();
    config["users"][0]["user"] = json!({ "token": token.trim() });
    let path = dir.join("account.kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

async fn client(kubeconfig: &Path) -> Client {
    let config = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn lender(client: &Client) -> Lender {
    let argocd = Argocd { client: client.clone(), namespace: "argocd".into(), set: SET.into() };
    let shared = Shared { kinds: Arc::new(Kinds::of(client.clone())), server: SERVER.into() };
    Lender::new(argocd, Some(shared), None, Arc::new(SystemClock))
}

fn environment() -> Environment {
    let kind = |group: &str, kind: &str| Kind { group: group.into(), kind: kind.into(), scope: Scope::Namespace };
    let kinds = vec![kind("", "ConfigMap"), kind("", "Secret"), kind("apps", "Deployment")];
    let mut environment = Environment {
        tier: Tier::Namespace,
        path: Some("manifests".into()),
        application: None,
        allow: Allow { kinds, namespaces: Vec::new(), annotations: Vec::new() },
        seeds: Seeds::default(),
    };
    let (mut seed, mut problems) = (Tree::default(), Vec::new());
    seed.insert_file("motd.yaml", map("motd", "the course's").as_bytes());
    environment.seeds = Seeds::read(&seed, str::to_owned, &environment, &mut problems);
    assert_eq!(problems, []);
    environment
}

/// An offer of a commit in the repository of `tenant`, to a learner who is somebody else each time.
fn offer(tenant: &Tenant, task: &str, commit: &CommitId) -> Offer {
    let learner = std::process::id().to_string().parse().unwrap();
    let workspace = Workspace(format!("git.example.org/acme/{}", tenant.name));
    Offer {
        tenancy: Tenancy { workspace, learner, task: task.parse().unwrap() },
        repo_url: tenant.repository.clone(),
        path: PATH.into(),
        commit: commit.clone(),
        server: SERVER.into(),
        policy: Policy::default(),
    }
}

/// Makes the environment; its kinds.
async fn lend(lender: &Lender, offer: &Offer) -> Arc<Kinds> {
    let ground = lender.ground(&offer.tenancy.name(), Tier::Namespace).await.unwrap();
    lender.lend(offer, &environment(), &ground).await.unwrap();
    ground.kinds
}

async fn within<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(std::time::Instant::now() < deadline, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A generator that lists one offer until it is withdrawn; its address.
async fn generator(offer: &Offer) -> (String, Arc<AtomicBool>) {
    let withdrawn = Arc::new(AtomicBool::new(false));
    let (offers, asked) = ([offer.clone()], withdrawn.clone());
    let route = axum::routing::post(move || {
        let listed = if asked.load(Ordering::Relaxed) { &[][..] } else { &offers[..] };
        std::future::ready(axum::Json(answer(listed, Certainty::Whole)))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/api/v1/getparams.execute", route);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, withdrawn)
}

fn generator_secret() {
    let create = ["--namespace", "argocd", "create", "secret", "generic", "gradus-generator", "--from-literal=token=t"];
    kubectl(&create);
    let label = ["label", "secret", "gradus-generator", "app.kubernetes.io/part-of=argocd"];
    kubectl(&[&["--namespace", "argocd"][..], &label].concat());
}

/// What `gradus doctor argocd --before` says, and its exit code.
fn before() -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.args(["doctor", "argocd", "--before", "--kubeconfig"]).arg(Stack::shared().kubeconfig());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
    (text, output.status.code())
}

/// The lines below a setting.
fn below<'a>(text: &'a str, setting: &str) -> &'a str {
    let from = text.split_once(&format!("\n{setting}\n")).unwrap_or_else(|| panic!("no {setting}: {text}")).1;
    from.split("\n\n").next().unwrap()
}

async fn settings(client: &Client) -> Vec<(String, Value)> {
    let maps: Api<DynamicObject> = Api::namespaced_with(client.clone(), "argocd", &resource("", "v1", "ConfigMap"));
    let projects: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "argocd", &resource("argoproj.io", "v1alpha1", "AppProject"));
    let maps = maps.list(&ListParams::default()).await.unwrap().items;
    let ours = |object: &DynamicObject| object.metadata.name.as_deref() == Some("gradus-generator");
    let mut all: Vec<(String, Value)> = maps
        .into_iter()
        .filter(|object| !ours(object))
        .map(|map| (map.metadata.name.unwrap(), json!([map.data["data"], map.metadata.resource_version])))
        .collect();
    let default = projects.get("default").await.unwrap();
    all.push(("default".into(), json!([default.data["spec"], default.metadata.resource_version])));
    all
}

/// What somebody else would notice: their Application's state and their objects'.
async fn seen(foreign: &Tenant) -> Value {
    let application = foreign.applications().get(&foreign.name).await.unwrap();
    let object = foreign.config_maps().get("a").await.unwrap();
    let status = &application.data["status"];
    json!([
        application.metadata.uid,
        application.metadata.labels,
        application.data["spec"],
        status["sync"],
        status["health"],
        status["conditions"],
        status["operationState"],
        status["history"],
        object.metadata.uid,
        object.metadata.resource_version
    ])
}

#[test]
fn a_foreign_application_notices_nothing_of_the_installation_a_learner_an_upgrade_and_its_end() {
    alone(async {
        let foreign = Tenant::new("foreign").await;
        foreign.run(&[("a.yaml", Some(&map("a", "1")))], &[foreign.map("a")]).await.1.unwrap();
        let other = Tenant::new("learners").await;
        let commit = other.push(&[("b.yaml", Some(&map("b", "1")))]);
        let offer = offer(&other, "shop", &commit);
        let name = offer.tenancy.name();
        let (before, globals) = (seen(&foreign).await, settings(&foreign.client).await);
        let unchanged = async |when: &str| {
            assert_eq!(seen(&foreign).await, before, "{when}");
            assert_eq!(settings(&foreign.client).await, globals, "{when}");
        };

        let (address, withdrawn) = generator(&offer).await;
        let installation = Installation::new(&address);
        generator_secret();
        installation.apply("shared");
        unchanged("installed").await;

        let dir = tempfile::tempdir().unwrap();
        let account = client(&kubeconfig_of_the_account(dir.path())).await;
        let lender = lender(&account);
        lend(&lender, &offer).await;
        lender.argocd().refresh().await.unwrap();
        let applications = foreign.applications();
        within("the learner's commit", async || {
            let application = applications.get_opt(&name).await.unwrap()?;
            let sync = &application.data["status"]["sync"];
            (sync["status"] == "Synced" && sync["revision"] == commit.as_str()).then_some(())
        })
        .await;
        unchanged("a learner's environment runs").await;

        installation.edit(
            "base/applicationset.yaml",
            "gradus.dev/task:",
            "gradus.dev/edition: two\n        gradus.dev/task:",
        );
        installation.apply("shared");
        within("the changed label", async || {
            let labels = applications.get(&name).await.unwrap().metadata.labels.unwrap_or_default();
            labels.contains_key("gradus.dev/edition").then_some(())
        })
        .await;
        unchanged("upgraded").await;

        withdrawn.store(true, Ordering::Relaxed);
        within("the end of the environment", async || lender.take_away(&name).await.unwrap().then_some(())).await;
        installation.delete();
        assert!(applications.get_opt(&name).await.unwrap().is_none());
        unchanged("uninstalled").await;
        let namespaces: Api<DynamicObject> = Api::all_with(foreign.client.clone(), &resource("", "v1", "Namespace"));
        assert!(namespaces.get_opt(&name).await.unwrap().is_none());
        // It still follows its repository.
        foreign.run(&[("a.yaml", Some(&map("a", "2")))], &[foreign.map("a")]).await.1.unwrap();
    });
}

/// The answer's status code; none where it was allowed.
fn refused<T>(answer: Result<T, kube::Error>) -> Option<u16> {
    match answer {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.code),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_daemons_account_makes_and_takes_environments_and_reaches_nothing_else() {
    alone(async {
        let somebody = Tenant::new("somebody").await;
        somebody.run(&[("a.yaml", Some(&map("a", "1")))], &[somebody.map("a")]).await.1.unwrap();
        let offer = offer(&somebody, "account", &"a".repeat(40).parse().unwrap());
        let name = offer.tenancy.name();
        let installation = Installation::new("http://127.0.0.1:1");
        installation.apply("shared");
        let dir = tempfile::tempdir().unwrap();
        let account = client(&kubeconfig_of_the_account(dir.path())).await;
        let lender = lender(&account);

        // The guard takes a moment to be in force: before, what it refuses is tried without harm.
        let namespaces: Api<DynamicObject> = Api::all_with(account.clone(), &resource("", "v1", "Namespace"));
        let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
        let guarded = async || refused(namespaces.delete(&somebody.name, &dry).await) == Some(422);
        within("the guard", async || guarded().await.then_some(())).await;

        let kinds = lend(&lender, &offer).await;
        lender.doubt(&name).await;
        lend(&lender, &offer).await;
        assert!(lender.made().await.unwrap().iter().any(|(made, _)| *made == name));
        for (group, kind) in [("", "ConfigMap"), ("", "Pod"), ("apps", "Deployment"), ("apps", "ReplicaSet")] {
            let served = kinds.find(group, kind).await.unwrap().unwrap();
            kinds.api(&served, &name).list(&ListParams::default()).await.unwrap();
        }

        // The course's objects are made and what others left is taken away, both as the environment's account and only there.
        let config_maps = |client: &Client, namespace: &str| -> Api<DynamicObject> {
            Api::namespaced_with(client.clone(), namespace, &resource("", "v1", "ConfigMap"))
        };
        let inside = config_maps(&somebody.client, &name);
        assert_eq!(inside.get("motd").await.unwrap().data["data"]["value"], "the course's");
        let left = json!({ "metadata": { "name": "left" } });
        inside.create(&PostParams::default(), &serde_json::from_value(left).unwrap()).await.unwrap();
        let ground = lender.ground(&name, Tier::Namespace).await.unwrap();
        assert_eq!(lender.reset(&offer, &environment(), &ground).await.unwrap(), 1);
        assert!(inside.get_opt("left").await.unwrap().is_none() && inside.get_opt("motd").await.unwrap().is_some());
        for namespace in [somebody.name.as_str(), "default", "argocd"] {
            let acting = config_maps(&acting_as(&account, namespace, "gradus-deployer"), namespace);
            assert_eq!(refused(acting.list(&ListParams::default()).await), Some(403), "{namespace}");
        }
        let reviews: Api<DynamicObject> =
            Api::all_with(account.clone(), &resource("authorization.k8s.io", "v1", "SubjectAccessReview"));
        let asked = json!({ "metadata": {}, "spec": { "user": "jane", "resourceAttributes": { "verb": "get", "resource": "pods" } } });
        let asked = serde_json::from_value(asked);
        reviews.create(&PostParams::default(), &asked.unwrap()).await.unwrap();

        // As the environment's account it can do what a commit can, there only, and it can be nobody else.
        let maps_as = |namespace: &str, who: &str, there: &str| -> Api<DynamicObject> {
            Api::namespaced_with(acting_as(&account, namespace, who), there, &resource("", "v1", "ConfigMap"))
        };
        let tried = serde_json::from_str(r#"{"metadata": {"name": "tried"}}"#).unwrap();
        let asked = PostParams { dry_run: true, ..PostParams::default() };
        let deployer = maps_as(&name, "gradus-deployer", &name);
        within("the account's rights", async || deployer.create(&asked, &tried).await.ok()).await;
        let elsewhere = [
            maps_as(&name, "gradus-deployer", &somebody.name),
            maps_as(&name, "default", &name),
            maps_as("gradus", "gradus", &name),
            maps_as(&somebody.name, "gradus-deployer", &somebody.name),
        ];
        for maps in elsewhere {
            assert_eq!(refused(maps.create(&asked, &tried).await), Some(403));
        }
        // An account of that name, with all rights there, which is somebody else's: it is not acted as, and that is not changed.
        let inside_of = |kind: &str| ["--namespace", &somebody.name, "create", kind].map(str::to_owned);
        let create = |kind: &str, more: &[&str]| {
            kubectl(&inside_of(kind).iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
        };
        create("serviceaccount", &["gradus-deployer"]);
        let account_there = format!("--serviceaccount={}:gradus-deployer", somebody.name);
        create("rolebinding", &["theirs", "--clusterrole=admin", &account_there]);
        let theirs = acting_as(&somebody.client, &somebody.name, "gradus-deployer");
        let theirs = config_maps(&theirs, &somebody.name);
        within("their account's rights", async || theirs.create(&asked, &tried).await.ok()).await;
        let taken = maps_as(&somebody.name, "gradus-deployer", &somebody.name);
        assert_eq!(refused(taken.create(&asked, &tried).await), Some(403));

        // A scene is played and undone as the environment's account.
        let tracking = json!({ "argocd.argoproj.io/tracking-id": format!("{name}:/ConfigMap:{name}/sign") });
        let sign = json!({ "metadata": { "name": "sign", "annotations": tracking }, "data": { "open": "yes" } });
        inside.create(&PostParams::default(), &serde_json::from_value(sign).unwrap()).await.unwrap();
        let open = async || inside.get("sign").await.unwrap().data["data"]["open"].clone();
        let act = json!({ "patch": { "kind": "ConfigMap", "name": "sign", "merge": { "data": { "open": "no" } } } });
        let (act, actor) =
            (serde_json::from_value::<Act>(act).unwrap(), Actor::new(kinds.clone(), &environment(), &name));
        let ready = actor.prepare(&act).await.unwrap_or_else(|done| panic!("{done:?}"));
        let done = actor.act(&act, &ready).await;
        assert!(matches!(done, Done::Acted { .. }), "{done:?}");
        assert_eq!(open().await, "no");
        actor.undo(&ready.undo).await.unwrap();
        assert_eq!(open().await, "yes");

        // An environment from before the right was its own namespace's gets it when it is looked over.
        kubectl(&["--namespace", &name, "delete", "rolebinding", "gradus-actor"]);
        within("the end of that right", async || refused(deployer.create(&asked, &tried).await)).await;
        lender.doubt(&name).await;
        lend(&lender, &offer).await;
        deployer.create(&asked, &tried).await.unwrap();

        let of = |namespace: &str, group: &str, version: &str, kind: &str| -> Api<DynamicObject> {
            Api::namespaced_with(account.clone(), namespace, &resource(group, version, kind))
        };
        let argo = |kind: &str| of("argocd", "argoproj.io", "v1alpha1", kind);
        let merge = |patch: Value| Patch::Merge(patch);
        let (none, apply) = (PatchParams::default(), PatchParams::apply("gradus").force());
        // It asks workloads of environments, and of nobody else.
        let asks = async |namespace: &str| {
            let path = format!("/api/v1/namespaces/{namespace}/services/web:80/proxy/");
            refused(account.request_text(http::Request::get(path).body(Vec::new()).unwrap()).await)
        };
        within("the right to ask", async || (asks(&name).await == Some(404)).then_some(())).await;
        for namespace in ["default", "kube-system", "argocd", somebody.name.as_str()] {
            assert_eq!(asks(namespace).await, Some(403), "{namespace}");
        }

        // Not in its rights.
        assert_eq!(refused(of("kube-system", "", "v1", "Secret").list(&ListParams::default()).await), Some(403));
        assert_eq!(refused(of(&name, "", "v1", "Secret").list(&ListParams::default()).await), Some(403));
        assert_eq!(refused(of("argocd", "", "v1", "Secret").get("argocd-secret").await), Some(403));
        let nodes: Api<DynamicObject> = Api::all_with(account.clone(), &resource("", "v1", "Node"));
        assert_eq!(refused(nodes.delete("any", &dry).await), Some(403));
        let annotated = json!({ "metadata": { "annotations": { "x": "y" } } });
        let deployments = of(&somebody.name, "apps", "v1", "Deployment");
        assert_eq!(refused(deployments.patch("web", &none, &merge(annotated.clone())).await), Some(403));
        let maps = of("argocd", "", "v1", "ConfigMap");
        assert_eq!(refused(maps.patch("argocd-cm", &none, &merge(annotated.clone())).await), Some(403));
        let roles = |namespace: &str| of(namespace, "rbac.authorization.k8s.io", "v1", "Role");
        let all = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
        let role = |name: &str| json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": name }, "rules": all });
        assert_eq!(refused(roles(&name).patch("mine", &apply, &Patch::Apply(role("mine"))).await), Some(403));

        // In its rights, and none of its business: the guard's.
        let deployer = Patch::Apply(role("gradus-deployer"));
        assert_eq!(refused(roles("kube-system").patch("gradus-deployer", &apply, &deployer).await), Some(422));
        assert_eq!(refused(roles(&somebody.name).patch("gradus-deployer", &apply, &deployer).await), Some(422));
        let actor = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "gradus-actor" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "gradus-actor" },
            "subjects": [{ "kind": "ServiceAccount", "name": "gradus", "namespace": "gradus" }] });
        let bindings = of(&somebody.name, "rbac.authorization.k8s.io", "v1", "RoleBinding");
        assert_eq!(refused(bindings.patch("gradus-actor", &apply, &Patch::Apply(actor)).await), Some(422));
        let label = json!({ "metadata": { "labels": { "gradus.dev/task": "shop", "app.kubernetes.io/managed-by": "gradus" } } });
        assert_eq!(refused(namespaces.patch(&somebody.name, &none, &merge(label.clone())).await), Some(422));
        assert_eq!(refused(namespaces.delete(&somebody.name, &dry).await), Some(422));
        let plain = serde_json::from_value(json!({ "metadata": { "name": format!("{name}-x") } })).unwrap();
        assert_eq!(refused(namespaces.create(&PostParams::default(), &plain).await), Some(422));
        for kind in ["Application", "AppProject"] {
            assert_eq!(
                refused(argo(kind).patch(&somebody.name, &none, &merge(label.clone())).await),
                Some(422),
                "{kind}"
            );
            assert_eq!(refused(argo(kind).delete(&somebody.name, &dry).await), Some(422), "{kind}");
        }

        within("the end of the environment", async || lender.take_away(&name).await.unwrap().then_some(())).await;
        assert_eq!(somebody.value("a", "value").await.as_deref(), Some("1"));
    });
}

/// Gives Argo CD back the settings that it had.
struct Settings(Value);

impl Settings {
    fn now() -> Self {
        Self(
            serde_json::from_str(&kubectl(&["--namespace", "argocd", "get", "appproject", "default", "-o", "json"]))
                .unwrap(),
        )
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        let in_argocd = |args: &[&str]| give_back(&[&["--namespace", "argocd"][..], args].concat());
        in_argocd(&["patch", "configmap", "argocd-cm", "--type=json", "-p", r#"[{"op": "remove", "path": "/data"}]"#]);
        in_argocd(&["delete", "--ignore-not-found", "configmap", "argocd-cmd-params-cm"]);
        in_argocd(&["delete", "--ignore-not-found", "networkpolicy", "gradus-repo-server"]);
        let spec = json!([{ "op": "replace", "path": "/spec", "value": self.0["spec"] }]).to_string();
        in_argocd(&["patch", "appproject", "default", "--type=json", "-p", &spec]);
    }
}

#[test]
fn what_doctor_says_dedicated_would_break_breaks_and_a_learner_is_applied_as_their_account() {
    alone(async {
        let foreign = Tenant::new("broken").await;
        let needs = [foreign.map("a")];
        foreign.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await.1.unwrap();
        let globals = settings(&foreign.client).await;
        let (text, code) = before();
        assert_eq!((code, settings(&foreign.client).await), (Some(1), globals), "it only reads");
        let impersonation = below(&text, "argocd-cm application.sync.impersonation.enabled");
        let name = format!("BREAKS    argocd/{}: its project `{0}` names no account", foreign.name);
        assert!(impersonation.contains(&name), "{impersonation}");
        assert!(impersonation.contains("takes no untrusted learners"), "{impersonation}");
        assert!(!below(&text, "argocd-cm helm.enable").contains("BREAKS"), "{text}");

        let other = Tenant::new("learners").await;
        let commit = other.push(&[("b.yaml", Some(&map("b", "1")))]);
        let offer = offer(&other, "dedicated", &commit);
        let name = offer.tenancy.name();
        let _before = Settings::now();
        let (address, withdrawn) = generator(&offer).await;
        let installation = Installation::new(&address);
        generator_secret();
        installation.apply("dedicated");
        let (text, _) = before();
        assert!(text.contains("argocd/shared: untrusted learners can be taken"), "{text}");

        let dir = tempfile::tempdir().unwrap();
        let lender = lender(&client(&kubeconfig_of_the_account(dir.path())).await);
        lend(&lender, &offer).await;
        lender.argocd().refresh().await.unwrap();
        let applications = foreign.applications();
        within("the learner's commit", async || {
            let application = applications.get_opt(&name).await.unwrap()?;
            let sync = &application.data["status"]["sync"];
            (sync["status"] == "Synced" && sync["revision"] == commit.as_str()).then_some(())
        })
        .await;
        let foreign = foreign.within(Duration::from_secs(30));
        let reason = foreign.run(&[("a.yaml", Some(&map("a", "2")))], &needs).await.1.unwrap_err();
        eprintln!("the foreign Application: {reason}");
        withdrawn.store(true, Ordering::Relaxed);
        within("the end of the environment", async || lender.take_away(&name).await.unwrap().then_some(())).await;
    });
}

/// The findings of `gradus doctor` about Argo CD: what about, how good, what it says.
pub fn doctor(shop: &Shop) -> Vec<(String, String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
    command.args(["doctor", "--format", "json"]).current_dir(shop.academy.path(""));
    command.env("GRADUS_KEY", "of-the-operator-0123456789-0123456789");
    let output = command.output().unwrap();
    let subjects: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let subject = subjects.iter().find(|one| one["name"] == "argocd, namespace argocd").unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = subject["findings"].as_array().unwrap().iter();
    findings.map(|one| (text(&one["about"]), text(&one["level"]), text(&one["says"]))).collect()
}

#[test]
fn doctor_finds_what_the_daemons_account_lacks() {
    alone(async {
        let installation = Installation::new("http://127.0.0.1:1");
        installation.apply("shared");
        kubectl(&[
            "--namespace",
            "argocd",
            "create",
            "secret",
            "generic",
            "gradus-generator",
            &format!("--from-literal=token={TOKEN}"),
        ]);
        let shop = Shop::new().await;
        let dir = tempfile::tempdir().unwrap();
        let account = kubeconfig_of_the_account(dir.path());
        let file = shop.academy.path("gradus.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace(Stack::shared().kubeconfig().to_str().unwrap(), account.to_str().unwrap());
        let text =
            text.replace(&format!("applicationSet: {}", shop.academy.name), "applicationSet: gradus-environments");
        std::fs::write(&file, text).unwrap();

        let level = |findings: &[(String, String, String)], about: &str| {
            findings
                .iter()
                .find(|one| one.0 == about)
                .map_or_else(|| panic!("no {about}: {findings:#?}"), |one| one.1.clone())
        };
        let first = doctor(&shop);
        for (about, expected) in [
            ("cluster", "fine"),
            ("kinds", "fine"),
            ("rights", "fine"),
            ("rights on namespaces", "fine"),
            ("token", "wrong"),
            ("impersonation", "wrong"),
        ] {
            assert_eq!(level(&first, about), expected, "{about}: {first:#?}");
        }
        let label = ["label", "secret", "gradus-generator", "app.kubernetes.io/part-of=argocd"];
        kubectl(&[&["--namespace", "argocd"][..], &label].concat());
        let on = Impersonation::on();
        kubectl(&["delete", "clusterrolebinding", "gradus-environments"]);
        let second = doctor(&shop);
        drop(on);
        for (about, expected) in
            [("token", "fine"), ("impersonation", "fine"), ("rights", "fine"), ("rights on namespaces", "wrong")]
        {
            assert_eq!(level(&second, about), expected, "{about}: {second:#?}");
        }
        kubectl(&["--namespace", "argocd", "delete", "applicationset", "gradus-environments"]);
        assert_eq!(level(&doctor(&shop), "applicationset"), "wrong");
    });
}
