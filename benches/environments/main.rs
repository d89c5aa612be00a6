//! The sizing figures of `docs/environments.md`: learners who push at once to `gradus up --live`, until the review of what the
//! cluster runs is stored; beside it, in the same run, when Argo CD says `Synced`. Prints Markdown; judges nothing.
//!
//! `cargo bench --bench environments`, with `-- 1 10` for these numbers of learners only, with `-- planes 1 2` for learners who have
//! an API server of their own each.

#![allow(clippy::unwrap_used, reason = "a benchmark says what is wrong by panicking")]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/it/http.rs"]
mod http;
#[allow(dead_code, reason = "shared with the other benchmarks")]
#[path = "../speed/sample.rs"]
mod sample;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gradus::environment::client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(300);

const TASK: &str = "apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: shop, title: A shop}
spec:
  points: 1
  minutes: 5
  environment:
    tier: TIER
    path: manifests
    allow: {kinds: [{kind: ConfigMap}, {group: apps, kind: Deployment}]}
  checkpoints:
    - id: ready
      title: The copies are ready
      points: 1
      eventually: {within: 120s}
      live:
        select: {kind: Deployment, name: web}
        match: {status: {readyReplicas: 1, observedGeneration: {$gte: 1}}}
        fresh: observedGeneration
        offline: {manifest: {select: {kind: Deployment}, match: {}}}
";

/// What each learner gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// A namespace.
    Namespace,
    /// An API server.
    ControlPlane,
}

impl Tier {
    fn word(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::ControlPlane => "controlPlane",
        }
    }

    fn task(self) -> String {
        TASK.replace("TIER", self.word())
    }
}

/// A Deployment that is another one with each number.
fn web(number: usize) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: \
         web}}}}\n  template:\n    metadata: {{labels: {{app: web}}, annotations: {{number: \"{number}\"}}}}\n    spec: {{containers: [{{name: \
         web, image: \"nginx:1.29\"}}]}}\n"
    )
}

fn course(dir: &Path, tier: Tier) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let head = "apiVersion: gradus.dev/v1alpha1\n";
    write(
        "course.yaml",
        &format!(
            "{head}kind: Course\nmetadata: {{id: sized, title: Sized}}\nspec:\n  description: For figures.\n  salt: grain\n  domains: \
             [{{id: all, title: All, points: 1}}]\n  modules: [one]\n"
        ),
    );
    write(
        "all/one/module.yaml",
        &format!("{head}kind: Module\nmetadata: {{id: one, title: One}}\nspec: {{tasks: [shop]}}\n"),
    );
    write("all/one/lessons/01-it.md", "# It\n\nRead.\n");
    write("all/one/tasks/shop/task.yaml", &tier.task());
    write("all/one/tasks/shop/brief.md", "# A shop\n\nRun it.\n");
    write("all/one/tasks/shop/debrief.md", "# Why\n\nBecause.\n");
    write("all/one/tasks/shop/starter/manifests/README.md", "Here.\n");
    write("all/one/tasks/shop/solution/manifests/web.yaml", &web(0));
}

/// A running `gradus up --live`.
struct Up {
    child: Child,
    authority: String,
    kubeconfig: PathBuf,
}

impl Up {
    fn start(dir: &Path, tier: Tier) -> Self {
        course(&dir.join("sized"), tier);
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradus"));
        command
            .args(["up", "--live", "--control-planes", "8", "--listen", "127.0.0.1:0", "--learner", "l0", "--course"])
            .arg(dir.join("sized"));
        command.arg("--data").arg(dir.join("data")).env("XDG_DATA_HOME", dir).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let authority = lines.next().unwrap().strip_prefix("listening http://").unwrap().to_owned();
        assert!(lines.any(|line| line.starts_with("environments are ready")), "see above");
        let stacks = std::fs::read_dir(dir.join("gradus/stacks")).unwrap().map(|entry| entry.unwrap().path());
        let kubeconfig = stacks.map(|stack| stack.join("kubeconfig")).find(|path| path.exists()).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, authority, kubeconfig }
    }

    fn ask(&self, path: &str) -> Value {
        let (status, answer) = http::request(&self.authority, "GET", path, &[], "").unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.args(["-c", "user.name=l", "-c", "user.email=l@example.org"]).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// When, since the push of each head began, something was first seen.
type Seen = Arc<Mutex<BTreeMap<String, Instant>>>;

/// One round: everybody pushes at once. Seconds to the review, and to Argo CD's `Synced`.
async fn round(up: &Up, learners: &[PathBuf], number: usize) -> (Vec<f64>, Vec<f64>) {
    let mut heads = Vec::new();
    for (index, dir) in learners.iter().enumerate() {
        std::fs::write(dir.join("tasks/shop/manifests/web.yaml"), web(1000 * number + index)).unwrap();
        git(dir, &["add", "-A"]);
        git(dir, &["commit", "-q", "-m", "work"]);
        heads.push(git(dir, &["rev-parse", "HEAD"]));
    }
    let synced: Seen = Seen::default();
    let watching = tokio::spawn(watch(up.kubeconfig.clone(), synced.clone()));
    let begun = Instant::now();
    for dir in learners {
        let dir = dir.clone();
        std::thread::spawn(move || git(&dir, &["push", "-q", "-f", "origin", "HEAD:work"]));
    }
    let mut reviewed: BTreeMap<String, Instant> = BTreeMap::new();
    while reviewed.len() < heads.len() {
        assert!(begun.elapsed() < PATIENCE, "{} of {} reviews", reviewed.len(), heads.len());
        for pull in up.ask("/api/v1/pulls").as_array().unwrap() {
            let (head, done) = (pull["head"].as_str().unwrap(), pull["status"]["state"] == "success");
            if done && heads.iter().any(|one| one == head) && !reviewed.contains_key(head) {
                reviewed.insert(head.to_owned(), Instant::now());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watching.abort();
    let synced = synced.lock().unwrap().clone();
    let since = |seen: &BTreeMap<String, Instant>| -> Vec<f64> {
        let mut all: Vec<f64> =
            heads.iter().filter_map(|head| Some((*seen.get(head)? - begun).as_secs_f64())).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    (since(&reviewed), since(&synced))
}

/// Notes when Argo CD says of a commit that it is synced.
async fn watch(kubeconfig: PathBuf, synced: Seen) {
    let client = client::of_file(Some(&kubeconfig)).await.unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, "argocd", &resource);
    loop {
        for application in api.list(&ListParams::default()).await.unwrap().items {
            let sync = &application.data["status"]["sync"];
            if let (Some(revision), "Synced") = (sync["revision"].as_str(), sync["status"].as_str().unwrap_or_default())
            {
                synced.lock().unwrap().entry(revision.to_owned()).or_insert_with(Instant::now);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn at(sorted: &[f64], share: f64) -> String {
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).map_or("–".into(), |seconds| format!("{seconds:.1} s"))
}

#[tokio::main]
async fn main() {
    let wanted: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let tier = if std::env::args().any(|arg| arg == "planes") { Tier::ControlPlane } else { Tier::Namespace };
    let numbers = match (wanted.is_empty(), tier) {
        (false, _) => wanted,
        (true, Tier::Namespace) => vec![1, 10, 50],
        (true, Tier::ControlPlane) => vec![1, 2, 4, 8],
    };
    sample::machine();
    println!(
        "| learners at once, {} each | environment | review p50 | p95 | Argo CD `Synced` p50 | p95 |\n|---|---|---|---|---|---|",
        tier.word()
    );
    for number in numbers {
        // Sockets below it have short names only.
        let dir = tempfile::Builder::new().prefix("gle-").tempdir_in("/tmp").unwrap();
        let up = Up::start(dir.path(), tier);
        let learners: Vec<PathBuf> = (0..number).map(|index| dir.path().join(format!("l{index}"))).collect();
        for (index, learner) in learners.iter().enumerate() {
            let address = format!("http://{}/git/l{index}/sized.git", up.authority);
            git(dir.path(), &["clone", "-q", &address, &learner.to_string_lossy()]);
            git(learner, &["checkout", "-q", "-b", "work"]);
        }
        for (round_number, what) in ["made", "there", "there"].into_iter().enumerate() {
            let (review, synced) = round(&up, &learners, round_number).await;
            println!(
                "| {number} | {what} | {} | {} | {} | {} |",
                at(&review, 0.5),
                at(&review, 0.95),
                at(&synced, 0.5),
                at(&synced, 0.95)
            );
        }
    }
}
