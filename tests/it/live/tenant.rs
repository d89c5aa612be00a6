//! A learner's environment on the stack: a repository, a namespace, a project and an Application, as Gradus makes them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gradus::gitops::allowed::{Allowed, AllowedKind, Scope};
use gradus::gitops::application::Destination;
use gradus::gitops::drive::{Cluster, drive, still};
use gradus::gitops::gate::{Applied, Expected, Proof, Question};
use gradus::gitops::kinds::Kinds;
use gradus::gitops::object::Object;
use gradus::gitops::policy::Policy;
use gradus::gitops::reason::Reason;
use gradus::store::time::{Clock, SystemClock, Time};
use gradus::submission::sha::CommitId;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::stack::Stack;
use crate::http;

/// Where Argo CD takes its own cluster to be.
pub const SERVER: &str = "https://kubernetes.default.svc";

/// The directory of manifests in a repository.
pub const PATH: &str = "tasks/shop/manifests";

/// How long something is waited for that takes seconds; this machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A change of a commit: text to write, or none to delete.
pub type Change<'a> = (&'a str, Option<&'a str>);

/// An environment.
pub struct Tenant {
    /// Of the Application, the project and the namespace.
    pub name: String,
    pub client: Client,
    pub repository: String,
    clone: tempfile::TempDir,
    offered: watch::Sender<CommitId>,
    asked_at: std::sync::Mutex<Time>,
    uid: std::sync::Mutex<Option<String>>,
    budget: Duration,
    namespace: std::sync::Mutex<String>,
}

pub fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

impl Tenant {
    /// One of its own.
    pub async fn new(word: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::named(format!("{word}-{}-{number}", std::process::id())).await
    }

    /// One of this name.
    pub async fn named(name: String) -> Self {
        let stack = Stack::shared();
        let config = Kubeconfig::read_from(stack.kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let (gitea, token) = (stack.gitea(), stack.token());
        let authorization = format!("token {token}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = json!({ "name": name, "private": false }).to_string();
        let (status, answer) = http::request(&gitea, "POST", "/api/v1/user/repos", &headers, &body).unwrap();
        assert_eq!(status, 201, "{answer}");
        let clone = tempfile::tempdir().unwrap();
        git(clone.path(), &["init", "-q", "-b", "main"]);
        git(clone.path(), &["remote", "add", "origin", &format!("http://gradus:{token}@{gitea}/gradus/{name}.git")]);
        let tenant = Self {
            repository: format!("http://{gitea}/gradus/{name}.git"),
            name,
            client,
            clone,
            offered: watch::channel("0".repeat(40).parse().unwrap()).0,
            asked_at: std::sync::Mutex::new(SystemClock.now()),
            uid: std::sync::Mutex::default(),
            budget: PATIENCE,
            namespace: std::sync::Mutex::default(),
        };
        tenant.namespace.lock().unwrap().clone_from(&tenant.name);
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": tenant.name } });
        tenant.create(None, resource("", "v1", "Namespace"), namespace).await;
        tenant.create(Some("argocd"), resource("argoproj.io", "v1alpha1", "AppProject"), tenant.project()).await;
        tenant
    }

    /// Waits no longer than that, counted from the offer: for a gate that stays closed only. One that must open has the whole
    /// time, however busy the machine is.
    pub fn within(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    fn project(&self) -> Value {
        let kinds = [("", "ConfigMap"), ("", "Service"), ("apps", "Deployment")];
        let kinds: Vec<Value> = kinds.iter().map(|(group, kind)| json!({ "group": group, "kind": kind })).collect();
        json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": { "name": self.name, "namespace": "argocd" },
            "spec": { "sourceRepos": [self.repository], "destinations": [{ "server": SERVER, "namespace": self.name }],
                "clusterResourceWhitelist": [], "namespaceResourceWhitelist": kinds } })
    }

    pub async fn create(&self, namespace: Option<&str>, resource: ApiResource, object: Value) {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    pub fn applications(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), "argocd", &resource("argoproj.io", "v1alpha1", "Application"))
    }

    pub fn config_maps(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &resource("", "v1", "ConfigMap"))
    }

    /// Commits changes below [`PATH`] and pushes them.
    pub fn push(&self, changes: &[Change<'_>]) -> CommitId {
        for (file, text) in changes {
            let path = self.clone.path().join(PATH).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match text {
                Some(text) => std::fs::write(path, text).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        git(self.clone.path(), &["add", "-A"]);
        git(self.clone.path(), &["commit", "-q", "--allow-empty", "-m", "work"]);
        git(self.clone.path(), &["push", "-q", "origin", "HEAD:refs/heads/main"]);
        git(self.clone.path(), &["rev-parse", "HEAD"]).trim().parse().unwrap()
    }

    /// Where the working tree is.
    pub fn clone_dir(&self) -> &Path {
        self.clone.path()
    }

    /// Offers a commit to Argo CD, as the ApplicationSet controller does.
    pub async fn offer(&self, commit: &CommitId) {
        *self.asked_at.lock().unwrap() = SystemClock.now();
        self.offered.send_replace(commit.clone());
        let api = self.applications();
        let source = json!({ "repoURL": self.repository, "path": PATH, "targetRevision": commit, "directory": { "recurse": true } });
        let known = self.uid.lock().unwrap().is_some();
        let read = if known {
            let patch = json!({ "spec": { "source": { "targetRevision": commit } } });
            api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
        } else {
            let application = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": { "name": self.name, "namespace": "argocd" },
                "spec": { "project": self.name, "source": source,
                    "destination": { "server": SERVER, "namespace": *self.namespace.lock().unwrap() },
                    "syncPolicy": { "automated": { "prune": true, "selfHeal": true, "allowEmpty": true },
                        "syncOptions": ["FailOnSharedResource=true"],
                        "retry": { "limit": 2, "backoff": { "duration": "1s", "factor": 2, "maxDuration": "5s" } } } } });
            api.create(&PostParams::default(), &serde_json::from_value(application).unwrap()).await.unwrap()
        };
        *self.uid.lock().unwrap() = read.metadata.uid;
    }

    /// Follows an Application that somebody else made or moved to this commit.
    pub async fn adopt(&self, commit: &CommitId) {
        self.pretend(commit);
        *self.uid.lock().unwrap() =
            self.applications().get_opt(&self.name).await.unwrap().and_then(|read| read.metadata.uid);
    }

    /// Changes its project.
    pub async fn change_project(&self, spec: Value) {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), "argocd", &resource("argoproj.io", "v1alpha1", "AppProject"));
        api.patch(&self.name, &PatchParams::default(), &Patch::Merge(json!({ "spec": spec }))).await.unwrap();
    }

    /// Says that a commit is offered, and hands it to nobody.
    pub fn pretend(&self, commit: &CommitId) {
        *self.asked_at.lock().unwrap() = SystemClock.now();
        self.offered.send_replace(commit.clone());
    }

    /// Lets the project reach the other's namespace, and sends everything there.
    pub async fn send_to(&self, other: &Tenant) {
        self.change_project(json!({ "destinations": [{ "server": SERVER, "namespace": other.name }] })).await;
        self.namespace.lock().unwrap().clone_from(&other.name);
    }

    /// Pushes, offers and waits.
    pub async fn run(&self, changes: &[Change<'_>], needs: &[Object]) -> (CommitId, Result<Proof, Reason>) {
        let commit = self.push(changes);
        self.offer(&commit).await;
        let ending = self.wait(&commit, needs).await;
        (commit, ending)
    }

    pub fn question(&self, commit: &CommitId, needs: &[Object]) -> Question {
        let kind = |(group, kind): (&str, &str)| AllowedKind {
            group: group.into(),
            kind: kind.into(),
            scope: Scope::Namespace,
        };
        Question {
            commit: commit.clone(),
            offered: commit.clone(),
            application: Expected {
                uid: self.uid.lock().unwrap().clone(),
                tracked_as: self.name.clone(),
                project: self.name.clone(),
                sources: vec![(self.repository.clone(), PATH.into())],
                destination: Destination {
                    server: SERVER.into(),
                    name: String::new(),
                    namespace: self.namespace.lock().unwrap().clone(),
                },
                policy: Policy::default(),
            },
            needs: needs.to_vec(),
            applied: Applied::OrUnchanged,
            allowed: Allowed {
                kinds: [("", "ConfigMap"), ("", "Service"), ("apps", "Deployment")].map(kind).to_vec(),
                namespace: self.name.clone(),
                ..Allowed::default()
            },
            asked_at: *self.asked_at.lock().unwrap(),
            budget: self.budget,
            now: SystemClock.now(),
        }
    }

    pub fn cluster(&self) -> Cluster {
        let kinds = Arc::new(Kinds::of(self.client.clone()));
        Cluster::follow(&self.client, "argocd", &self.name, kinds, self.offered.subscribe())
    }

    /// Waits at the gate for what was offered.
    pub async fn wait(&self, commit: &CommitId, needs: &[Object]) -> Result<Proof, Reason> {
        let begun = std::time::Instant::now();
        let ending = drive(&self.question(commit, needs), &self.cluster(), &SystemClock).await;
        eprintln!(
            "{}: {:?} after {:.1} s",
            self.name,
            ending.as_ref().map(|_| "open").map_err(ToString::to_string),
            begun.elapsed().as_secs_f64()
        );
        if ending.is_err() {
            let now = self.applications().get_opt(&self.name).await.unwrap();
            eprintln!("{}", now.map(|now| now.data["status"].to_string()).unwrap_or_default());
        }
        ending
    }

    /// Waits until the gate stays closed for a reason like this one; another one after [`PATIENCE`]. Argo CD may come to what is
    /// wrong later than the budget ends, after which each wait tells at once how it is.
    pub async fn closes(&self, commit: &CommitId, needs: &[Object], like: impl Fn(&Reason) -> bool) -> Reason {
        let begun = std::time::Instant::now();
        loop {
            let reason = self.wait(commit, needs).await.expect_err("the gate opened");
            if like(&reason) || begun.elapsed() > PATIENCE {
                return reason;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Step 9.
    pub async fn still(&self, proof: &Proof, commit: &CommitId, needs: &[Object]) -> bool {
        still(proof, &self.question(commit, needs), &self.cluster(), &SystemClock).await
    }

    /// A value of a ConfigMap in the cluster; none where there is no such object.
    pub async fn value(&self, name: &str, key: &str) -> Option<String> {
        let map = self.config_maps().get_opt(name).await.unwrap()?;
        Some(map.data["data"][key].as_str().unwrap_or_default().to_owned())
    }

    pub fn object(&self, group: &str, kind: &str, name: &str) -> Object {
        Object { group: group.into(), kind: kind.into(), namespace: self.name.clone(), name: name.into() }
    }

    pub fn map(&self, name: &str) -> Object {
        self.object("", "ConfigMap", name)
    }

    /// Takes it away.
    pub async fn delete_application(&self) {
        self.applications().delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

/// A ConfigMap with one value.
pub fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n")
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
    let mut command = std::process::Command::new("git");
    command
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(identity)
        .args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
