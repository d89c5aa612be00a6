//! Argo CD: its roles, which are one program under several names, its cache, and the objects it cannot be without.

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ArgocdAt, Args, Failing, File, Process, Site, Step, local};
use crate::stack::part::Part;
use crate::stack::probe::Probe;

/// Where Argo CD makes a socket.
pub const SOCKET: &str = "argocd/ask-pass.sock";

const NAMESPACE: &str = "argocd";

pub fn endpoint(site: &Site) -> ArgocdAt {
    let webhook = format!("http://{}/api/webhook", local(site.ports.applicationset_webhook));
    ArgocdAt { namespace: NAMESPACE.to_owned(), webhook }
}

/// Objects, credentials of redis, and no known host of SSH.
pub fn files(site: &Site) -> Vec<File> {
    let redis = format!(
        "bind 127.0.0.1\nport {}\nrequirepass {}\nsave \"\"\nappendonly no\ndir {}\n",
        site.ports.redis,
        site.keys.redis,
        site.path("redis").display(),
    );
    [
        ("argocd/base.json", base(&site.keys.argocd).to_string()),
        ("argocd/project.json", project().to_string()),
        ("argocd/ssh/ssh_known_hosts", String::new()),
        ("argocd/redis/auth", site.keys.redis.clone()),
        ("redis.conf", redis),
    ]
    .map(|(path, content)| File { path: path.into(), content })
    .into()
}

/// The directories that its roles want to be there.
pub fn dirs() -> impl Iterator<Item = Step> {
    ["redis", "argocd/tls", "argocd/gpg", "argocd/gnupg", "argocd/plugins", "argocd/tmp"]
        .into_iter()
        .map(|dir| Step::Dir(dir.into()))
}

/// The namespace and what is in it.
fn base(server_key: &str) -> Value {
    let mut items = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})];
    let metadata = |name: &str| {
        let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "argocd"});
        json!({"name": name, "namespace": NAMESPACE, "labels": labels})
    };
    let maps =
        ["argocd-cm", "argocd-rbac-cm", "argocd-ssh-known-hosts-cm", "argocd-tls-certs-cm", "argocd-gpg-keys-cm"];
    for name in maps {
        items.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name)}));
    }
    items.push(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata("argocd-secret"),
        "stringData": {"server.secretkey": server_key},
    }));
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// The project `default` as Argo CD's own API server would make it: it allows everything.
fn project() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    })
}

pub fn redis(site: &Site) -> Process {
    Process {
        part: Part::Redis,
        program: site.programs.redis.clone(),
        args: vec![site.path("redis.conf").into()],
        env: site.env("tmp"),
        ready: Probe::Redis(local(site.ports.redis)),
        within: Duration::from_secs(30),
        address: local(site.ports.redis),
    }
}

/// Objects, then roles.
pub fn steps(site: &Site) -> Vec<Step> {
    let apply = || Args::new(&["apply", "--server-side"]);
    let crds = apply().flag("filename", site.programs.argocd.join("crds"));
    let established = ["application", "applicationset", "appproject"].map(|kind| format!("crd/{kind}s.argoproj.io"));
    let mut wait = Args::new(&["wait"]).flag("for", "condition=Established").flag("timeout", "30s");
    wait.0.extend(established.map(OsString::from));
    let (objects, project) = (site.path("argocd/base.json"), site.path("argocd/project.json"));
    vec![
        site.kubectl("the objects of Argo CD", crds.flag("filename", objects), Failing::Final),
        // kubectl gives up on a kind that has no conditions yet.
        site.kubectl("the kinds of Argo CD", wait, Failing::Again),
        site.kubectl("the project of Argo CD", apply().flag("filename", project), Failing::Again),
        Step::Start(repo_server(site)),
        Step::Start(application_controller(site)),
        Step::Start(applicationset_controller(site)),
    ]
}

fn repo_server(site: &Site) -> Process {
    let args = Args::new(&[])
        .flag("address", "127.0.0.1")
        .flag("port", site.ports.repo_server.to_string())
        .flag("metrics-address", "127.0.0.1")
        .flag("metrics-port", site.ports.repo_metrics.to_string())
        .flag("redis", local(site.ports.redis));
    let address = local(site.ports.repo_server);
    role(site, Part::ArgocdRepoServer, args, healthz(site.ports.repo_metrics), address)
}

fn application_controller(site: &Site) -> Process {
    let args = Args::new(&[])
        .flag("kubeconfig", site.kubeconfig())
        .flag("namespace", NAMESPACE)
        .flag("redis", local(site.ports.redis))
        .flag("repo-server", local(site.ports.repo_server))
        // On every interface: there is no flag for the address.
        .flag("metrics-port", site.ports.application_metrics.to_string());
    let address = format!("http://{}/metrics", local(site.ports.application_metrics));
    role(site, Part::ArgocdApplicationController, args, healthz(site.ports.application_metrics), address)
}

fn applicationset_controller(site: &Site) -> Process {
    let args = Args::new(&[])
        .flag("kubeconfig", site.kubeconfig())
        .flag("namespace", NAMESPACE)
        .flag("argocd-repo-server", local(site.ports.repo_server))
        .flag("metrics-addr", local(site.ports.applicationset_metrics))
        .flag("probe-addr", local(site.ports.applicationset_probe))
        .flag("webhook-addr", local(site.ports.applicationset_webhook));
    let address = endpoint(site).webhook;
    // Its probe address answers 404 to everything: no check is registered there.
    let health = format!("http://{}/metrics", local(site.ports.applicationset_metrics));
    role(site, Part::ArgocdApplicationsetController, args, health, address)
}

fn healthz(port: u16) -> String {
    format!("http://{}/healthz", local(port))
}

fn role(site: &Site, part: Part, args: Args, health: String, address: String) -> Process {
    let mut env = site.env("argocd");
    env.retain(|(name, _)| !["PATH", "TMPDIR"].contains(name));
    let mut path = site.programs.argocd.clone().into_os_string();
    path.push(":");
    path.push(&site.programs.path);
    let dir = |below: &str| site.path("argocd").join(below).into_os_string();
    env.extend([
        // Its shell wrappers are looked for on PATH.
        ("PATH", path),
        ("TMPDIR", dir("tmp")),
        // Of the ApplicationSet controller not every part listens to the flag.
        ("KUBECONFIG", site.kubeconfig().into()),
        ("ARGOCD_BINARY_NAME", part.as_str().into()),
        ("ARGOCD_FAKE_IN_CLUSTER", "true".into()),
        ("ARGOCD_TLS_DATA_PATH", dir("tls")),
        ("ARGOCD_SSH_DATA_PATH", dir("ssh")),
        ("ARGOCD_GPG_DATA_PATH", dir("gpg")),
        ("ARGOCD_GNUPGHOME", dir("gnupg")),
        ("ARGOCD_PLUGINSOCKFILEPATH", dir("plugins")),
        ("ARGOCD_ASK_PASS_SOCK", site.path(SOCKET).into()),
        ("ARGOCD_GPG_ENABLED", "false".into()),
        ("REDIS_CREDS_DIR_PATH", dir("redis")),
    ]);
    Process {
        part,
        program: site.programs.argocd.join("argocd"),
        args: args.0,
        env,
        ready: Probe::Http(health),
        within: Duration::from_secs(60),
        address,
    }
}
