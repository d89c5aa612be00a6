//! Argo CD, Gitea and the cluster together.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::machine::{Machine, shared};
use crate::http;

/// What the commit of this number puts into the cluster.
fn manifests(number: u32) -> String {
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: numbered}}
data: {{number: \"{number}\"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: example.org/web:1}}]}}
"
    )
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(args);
    let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository on the stack's Gitea with these commits; its address and their SHAs.
fn repository(machine: &Machine, name: &str, commits: &[String]) -> (String, Vec<String>) {
    let gitea = machine.endpoints().gitea.unwrap();
    let token = std::fs::read_to_string(&gitea.token).unwrap();
    let authority = gitea.address.strip_prefix("http://").unwrap();
    let headers = [("Authorization", &*format!("token {token}")), ("Content-Type", "application/json")];
    let made = http::request(authority, "POST", "/api/v1/user/repos", &headers, &json!({"name": name}).to_string());
    assert_eq!(made.as_ref().unwrap().0, 201, "{made:?}");
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "--quiet", "--initial-branch=main"]);
    let mut shas = Vec::new();
    for text in commits {
        std::fs::write(dir.path().join("all.yaml"), text).unwrap();
        git(dir.path(), &["add", "."]);
        git(dir.path(), &["commit", "--quiet", "--message=x"]);
        shas.push(git(dir.path(), &["rev-parse", "HEAD"]));
    }
    let below = format!("{authority}/{}/{name}.git", gitea.user);
    git(dir.path(), &["push", "--quiet", &format!("http://{}:{token}@{below}", gitea.user), "main"]);
    (format!("http://{below}"), shas)
}

fn eventually<T>(what: &str, mut there: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        match there() {
            Ok(value) => return value,
            Err(so_far) => assert!(Instant::now() < deadline, "{what} does not come; so far: {so_far}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn apply(machine: &Machine, object: &Value) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object.to_string()).unwrap();
    let applied = machine.kubectl(&["apply", "--server-side", "--filename", file.path().to_str().unwrap()]);
    assert_eq!(applied.code, 0, "{}", applied.text);
}

#[test]
fn an_application_at_a_bare_sha_is_synced_and_healthy_and_its_pods_are_said_to_run() {
    let machine = shared();
    let (address, shas) = repository(machine, "numbers", &[manifests(1), manifests(2)]);
    // Not the newest: a branch cannot have led there.
    let sha = &shas[0];
    apply(
        machine,
        &json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "numbers", "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": {"repoURL": address, "path": ".", "targetRevision": sha},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "numbers"},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["CreateNamespace=true"]},
            },
        }),
    );
    let status = eventually("a synced and healthy Application", || {
        let status = machine.get(&["application", "numbers"]).unwrap()["status"].take();
        let well = status["sync"]["status"] == "Synced" && status["health"]["status"] == "Healthy";
        if well { Ok(status) } else { Err(status.to_string()) }
    });
    assert_eq!(status["sync"]["revision"], **sha);
    let live = machine.get(&["configmap", "numbered", "--namespace=numbers"]).unwrap();
    assert_eq!(live["data"]["number"], "1");
    let pods = machine.get(&["pods", "--namespace=numbers"]).unwrap();
    let phases: Vec<&Value> = pods["items"].as_array().unwrap().iter().map(|pod| &pod["status"]["phase"]).collect();
    assert_eq!(phases, ["Running", "Running"]);
}

#[test]
fn an_application_set_makes_applications() {
    let machine = shared();
    apply(
        machine,
        &json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "listed", "namespace": "argocd"},
            "spec": {
                "generators": [{"list": {"elements": [{"name": "listed-a"}, {"name": "listed-b"}]}}],
                "template": {
                    "metadata": {"name": "{{name}}"},
                    "spec": {
                        "project": "default",
                        "source": {"repoURL": "http://127.0.0.1:9/none.git", "path": ".", "targetRevision": "main"},
                        "destination": {"server": "https://kubernetes.default.svc", "namespace": "{{name}}"},
                    },
                },
            },
        }),
    );
    for name in ["listed-a", "listed-b"] {
        eventually(name, || machine.get(&["application", name]).ok_or_else(|| "nothing".to_owned()));
    }
}
