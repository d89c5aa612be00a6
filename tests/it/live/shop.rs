//! A course with one live task, a workspace of it on the stack's Gitea, and the real program that serves it.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use gradus::forge::pull::Workspace;
use gradus::gitops::generator::Tenancy;
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::generator::set;
use super::install::give_back;
use super::stack::Stack;
use super::tenant::resource;
use crate::gitea::academy::{Academy, Learner};
use crate::gitea::server::Server;
use crate::serve::world::{CANARY, PROGRAM, Serve};

/// What the generator is asked with.
pub const TOKEN: &str = "canary-of-the-generator-0123456789";

/// How long something is waited for that takes seconds; this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(240);

const TASK: &str = r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: shop, title: A shop that runs}
spec:
  points: 10
  minutes: 5
  environment:
    tier: namespace
    path: manifests
    allow:
      kinds: [{kind: ConfigMap}, {kind: Service}, {group: apps, kind: Deployment}]
  checkpoints:
    - id: image
      title: The image is pinned
      points: 1
      manifest:
        select: {kind: Deployment, name: web}
        match: {spec: {template: {spec: {containers: [{name: web, image: "nginx:1.29"}]}}}}
    - id: ready
      title: Three copies are ready
      points: 4
      # Three pods and what counts them, on a busy machine; only who is wrong waits for the whole of it.
      eventually: {within: 60s}
      live:
        select: {kind: Deployment, name: web}
        match: {spec: {replicas: 3}, status: {readyReplicas: 3}}
        offline: {manifest: {select: {kind: Deployment, name: web}, match: {spec: {replicas: 3}}}}
    - id: settings
      title: The shop is open
      points: 3
      eventually: {within: 5s}
      live:
        select: {kind: ConfigMap, name: settings}
        match: {data: {open: "yes"}}
        offline: {manifest: {select: {kind: ConfigMap, name: settings}, match: {data: {open: "yes"}}}}
    - id: modest
      title: Only modest pods are taken
      points: 1
      eventually: {within: 20s}
      admission:
        cases:
          - {describe: a pod of the host network, file: hidden/host.yaml, expect: denied, by: podSecurity}
          - describe: a modest pod
            object: {apiVersion: v1, kind: Pod, metadata: {generateName: modest-}, spec: {containers: [{name: web, image: web}]}}
            expect: admitted
            match: {spec: {containers: [{name: web, resources: {limits: {memory: 128Mi}}}]}}
        offline: {file: {path: manifests/web.yaml, expect: exists}}
    - id: rights
      title: Whoever applies may do nothing else
      points: 1
      rbac:
        as: {serviceAccount: gradus-deployer}
        allowed: [{verb: create, resource: deployments.apps}]
        forbidden: [{verb: get, resource: secrets}, {verb: get, resource: nodes}, {verb: get, resource: configmaps, namespace: argocd}]
        offline: {file: {path: manifests/web.yaml, expect: exists}}
"#;

/// What no learner sees: a pod that the environment refuses.
const HIDDEN: &str = "apiVersion: v1\nkind: Pod\nmetadata: {generateName: canary-of-the-hidden-}\nspec: {hostNetwork: true, containers: [{name: web, image: web}]}\n";

/// The manifest of the shop.
pub fn web(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: {replicas}\n  selector:\n    \
         matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      containers:\n        - \
         name: web\n          image: nginx:1.29\n"
    )
}

/// Its settings.
pub fn settings(open: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  open: \"{open}\"\n")
}

/// A course with one task, `shop`, of so many points and with these files.
pub fn one_task(dir: &Path, points: u32, files: &[(&str, &str)]) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let course = "apiVersion: gradus.dev/v1alpha1\nkind: Course\nmetadata: {id: tiny, title: Tiny}\nspec:\n  description: For \
                  tests.\n  salt: grain\n  domains: [{id: basics, title: Basics, points: POINTS}]\n  modules: [start]\n";
    write("course.yaml", &course.replace("POINTS", &points.to_string()));
    let module =
        "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {id: start, title: Start}\nspec: {tasks: [shop]}\n";
    write("basics/start/module.yaml", module);
    write("basics/start/lessons/01-hello.md", "# Hello\n\nRead this.\n");
    let texts = [("brief.md", "# A shop\n\nDo it.\n"), ("debrief.md", "# Why\n\nThe debrief of the shop.\n")];
    for (path, text) in texts.iter().chain(files) {
        write(&format!("basics/start/tasks/shop/{path}"), text);
    }
}

fn course(dir: &Path) {
    let files = [
        ("task.yaml", TASK),
        ("hidden/host.yaml", HIDDEN),
        ("starter/manifests/web.yaml", &web(1)),
        ("solution/manifests/web.yaml", &web(3)),
        ("solution/manifests/settings.yaml", &settings("yes")),
    ];
    one_task(dir, 10, &files);
}

/// A workspace that is served with environments.
pub struct Shop {
    pub academy: Arc<Academy>,
    pub client: Client,
    pub daemon: Option<Serve>,
    set: String,
    course: &'static str,
    lends: String,
}

impl Shop {
    /// A shop in a namespace of the stack's cluster.
    pub async fn new() -> Self {
        Self::of("tiny", course, "namespaces: {}").await
    }

    /// A course of this id and content; `lends` is the field of `argocd` that says which environments there are.
    pub async fn of(id: &'static str, course: impl Fn(&Path), lends: &str) -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let stack = Stack::shared();
        let server = SERVER.get_or_init(|| Server::at(stack.gitea(), stack.token()));
        let academy = Academy::of(server, id, course);
        let config = Kubeconfig::read_from(stack.kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let name = academy.name.clone();
        let mut shop = Self { academy, client, daemon: None, set: name, course: id, lends: lends.to_owned() };
        shop.configure("");
        shop.serve().await;
        shop
    }

    /// Writes the configuration, with further fields of `argocd`.
    pub fn configure(&self, more: &str) {
        let academy = &self.academy;
        // In one step: a daemon may be reading it.
        let write = |name: &str, text: &str| {
            let new = academy.path(&format!("{name}.new"));
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, academy.path(name)).unwrap();
        };
        write("token", &academy.server.bot);
        write("generator", TOKEN);
        let (course, lends) = (self.course, &self.lends);
        let (address, name, kubeconfig) = (academy.server.address(), &academy.name, Stack::shared().kubeconfig());
        write(
            "gradus.yaml",
            &format!(
                "apiVersion: gradus.dev/v1alpha1\nkind: Config\nforges:\n  - {{name: git, kind: gitea, address: \"{address}\", auth: \
                 {{token: {{file: token}}}}}}\ncourses:\n  - {{id: {course}, source: {{dir: {course}}}, allowDraft: true}}\nworkspaces:\n  - {{forge: git, \
                 repository: teacher/{name}, course: {course}}}\nlisten: 127.0.0.1:0\nsweep: {{recent: 1s, full: 1h}}\nargocd:\n  token: \
                 {{file: generator}}\n  kubeconfig: {}\n  applicationSet: {}\n  {lends}\n  patience: 60s\n{more}",
                kubeconfig.display(),
                self.set
            ),
        );
    }

    /// Changes which environments there are, below a daemon that may run.
    pub fn lends(&mut self, lends: &str) {
        lends.clone_into(&mut self.lends);
        self.configure("");
    }

    /// Starts the daemon, again after it ended, and tells Argo CD where it is now.
    pub async fn serve(&mut self) {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").current_dir(self.academy.path(""));
        command
            .env("GRADUS_KEY", format!("{CANARY}-of-the-operator-0123456789"))
            .env("GRADUS_LOG", "warn,gradus=debug");
        let daemon = Serve::start(command);
        set(&self.client, &self.set, &format!("http://{}", daemon.authority), TOKEN).await;
        self.daemon = Some(daemon);
    }

    /// The name of a learner's environment.
    pub fn environment(&self, learner: &str) -> String {
        self.environment_of(learner, "shop")
    }

    /// The name of a learner's environment of a task.
    pub fn environment_of(&self, learner: &str, task: &str) -> String {
        let id = self.academy.server.ask("root", "GET", &format!("/users/{learner}"), None, 200)["id"].to_string();
        let workspace = Workspace(format!("{}/teacher/{}", self.academy.server.authority, self.academy.name));
        Tenancy { workspace, learner: id.parse().unwrap(), task: task.parse().unwrap() }.name()
    }

    /// Writes files below the task's manifests.
    pub fn write(&self, learner: &Learner, files: &[(&str, &str)]) {
        for (file, text) in files {
            let path = learner.clone.dir.join("tasks/shop/manifests").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    /// Waits until a review that everybody sees says this; its text.
    pub async fn review(&self, pull: i64, says: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.academy.shown(pull);
            if let Some((_, body)) = shown.iter().rev().find(|(_, body)| body.contains(says)) {
                return body.clone();
            }
            assert!(Instant::now() < deadline, "no review says `{says}`: {shown:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what}: not within {} s", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = match kind {
            "Deployment" => ("apps", "v1"),
            "Application" | "ApplicationSet" | "AppProject" => ("argoproj.io", "v1alpha1"),
            _ => ("", "v1"),
        };
        match kind {
            "Namespace" => Api::all_with(self.client.clone(), &resource(group, version, kind)),
            _ => Api::namespaced_with(self.client.clone(), namespace, &resource(group, version, kind)),
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.daemon.take();
        // Its controller would go on asking at an address that somebody else may have by then, with the token of all shops.
        give_back(&[
            "--namespace",
            "argocd",
            "delete",
            "--ignore-not-found",
            "--wait=false",
            "applicationset",
            &self.set,
        ]);
    }
}
