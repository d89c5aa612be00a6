//! A directory for control planes, and how tests look at them past our own code.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gradus::environment::planes::{Plane, Planes, Spec};
use gradus::stack::component::cache_of_user;
use gradus::stack::{Optional, Programs};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::ended;

/// A directory; whatever still runs there is ended with it.
pub struct Ground {
    dir: TempDir,
}

/// Beside a runtime as the daemon has it.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

fn programs() -> Programs {
    let without = [Optional::Argocd, Optional::Gitea].into();
    Programs::find(&cache_of_user().unwrap(), &without).unwrap()
}

pub async fn open(dir: &Path, limit: usize, warm: usize) -> Planes {
    Planes::open(Spec { dir: dir.to_owned(), limit, warm }, programs()).await.unwrap()
}

impl Ground {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("gradus-planes-").tempdir_in("/tmp").unwrap() }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn spec(&self, limit: usize, warm: usize) -> Spec {
        Spec { dir: self.dir().to_owned(), limit, warm }
    }

    pub fn programs(&self) -> Programs {
        programs()
    }

    pub async fn open(&self, limit: usize, warm: usize) -> Planes {
        open(self.dir(), limit, warm).await
    }

    /// The names of all planes on disk.
    pub fn ids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir().join("planes")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// How many are ready: the last that comes is a node.
    pub fn ready(&self) -> usize {
        self.keys().iter().filter(|key| key.ends_with("/minions/simulated")).count()
    }

    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !holds() {
            assert!(Instant::now() < deadline, "not within 90 s: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What runs and belongs here, in the order of the alphabet.
    pub fn processes(&self) -> Vec<String> {
        let mut names: Vec<String> = self.running().into_iter().map(|(_, name)| name).collect();
        names.sort();
        names
    }

    /// Kills the only one that runs this program.
    pub fn kill(&self, program: &str) {
        let all = self.running();
        let pids: Vec<u32> = all.iter().filter(|(_, name)| name == program).map(|(pid, _)| *pid).collect();
        let [pid] = pids[..] else { panic!("{program}: {all:?}") };
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
        // Not before that its owner can know.
        ended(pid);
    }

    fn running(&self) -> Vec<(u32, String)> {
        running_below(self.dir())
    }

    /// All keys of etcd.
    pub fn keys(&self) -> Vec<String> {
        let all = self.running();
        let (etcd, _) = all.iter().find(|(_, name)| name == "etcd").unwrap_or_else(|| panic!("no etcd: {all:?}"));
        let args = fs::read_to_string(format!("/proc/{etcd}/cmdline")).unwrap();
        let address = args.split('\0').find_map(|arg| arg.strip_prefix("--listen-client-urls=https://")).unwrap();
        let question = json!({"key": STANDARD.encode("\0"), "range_end": STANDARD.encode("\0"), "keys_only": true});
        let answer = self.ask(address, &question);
        let key = |kv: &Value| String::from_utf8(STANDARD.decode(kv["key"].as_str().unwrap()).unwrap()).unwrap();
        answer["kvs"].as_array().into_iter().flatten().map(key).collect()
    }

    fn ask(&self, address: &str, question: &Value) -> Value {
        let pki = |file: &str| -> PathBuf { self.dir().join("etcd/pki").join(file) };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pki("etcd-ca.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(pki("etcd-client.crt")).unwrap()],
                PrivateKeyDer::from_pem_file(pki("etcd-client.key")).unwrap(),
            )
            .unwrap();
        let server = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let connection = rustls::ClientConnection::new(Arc::new(config), server).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
        let body = question.to_string();
        write!(stream, "POST /v3/kv/range HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        // Else a refusal would be a list of nothing, of which everything is true.
        assert!(answer.lines().next().is_some_and(|line| line.contains(" 200 ")), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|_| panic!("{answer}"))
    }
}

/// What runs and belongs to a directory of control planes.
fn running_below(dir: &Path) -> Vec<(u32, String)> {
    let Ok(dir) = dir.canonicalize() else { return Vec::new() };
    let mark = format!("GRADUS_STACK={}/", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).split('\0').any(|variable| variable.starts_with(&mark)) {
            // The system keeps 15 letters of a name.
            let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            found.push((pid, program.file_name().unwrap_or_default().to_string_lossy().into_owned()));
        }
    }
    found
}

/// Ends everything that runs and belongs to a directory of control planes.
pub fn kill_below(dir: &Path) {
    for (pid, _) in running_below(dir) {
        let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Of a test that failed while an owner was killed.
        kill_below(self.dir());
    }
}

pub async fn client(kubeconfig: &str) -> kube::Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

async fn namespaces(plane: &Plane) -> Api<Namespace> {
    Api::all(client(plane.kubeconfig()).await)
}

/// Creates a namespace.
pub async fn create(plane: &Plane, name: &str) {
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces(plane).await.create(&PostParams::default(), &namespace).await.unwrap();
}

/// Creates a namespace with a Deployment in it, and waits until its pods are said to run.
pub async fn runs(plane: &Plane, name: &str) {
    create(plane, name).await;
    let deployments: Api<Deployment> = Api::namespaced(client(plane.kubeconfig()).await, name);
    let labels = json!({"app": "web"});
    let deployment = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]}}}});
    deployments.create(&PostParams::default(), &serde_json::from_value(deployment).unwrap()).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let status = deployments.get("web").await.unwrap().status;
        if status.as_ref().is_some_and(|status| status.available_replicas == Some(2)) {
            return;
        }
        assert!(Instant::now() < deadline, "{name}: not available within 90 s: {status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Takes the node away.
pub async fn delete_node(plane: &Plane) {
    let nodes: Api<Node> = Api::all(client(plane.kubeconfig()).await);
    nodes.delete("simulated", &DeleteParams::default()).await.unwrap();
}

/// A plane has the address that it had, for whoever keeps its kubeconfig; another one only when somebody took its port.
pub fn is_where_it_was(server: &str, before: &str) {
    let port: u16 = before.rsplit_once(':').unwrap().1.parse().unwrap();
    let taken = || TcpListener::bind(("127.0.0.1", port)).is_err();
    assert!(server == before || taken(), "{server}, and nobody is at {before}");
}

/// Whether there is a namespace.
pub async fn has(plane: &Plane, name: &str) -> bool {
    namespaces(plane).await.get_opt(name).await.unwrap().is_some()
}

/// Runs a test of this program as the owner of a directory until it says which address it lent, and kills it.
pub fn killed_owner(variable: &str, test: &str, dir: &Path) -> String {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(owner.stdout.take().unwrap());
    let lent = said.lines().find_map(|line| Some(line.unwrap().strip_prefix("lent ")?.to_owned()));
    owner.kill().unwrap();
    owner.wait().unwrap();
    lent.expect("an owner that ended before it lent anything")
}
